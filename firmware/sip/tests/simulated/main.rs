//! Two telephones made of this crate's machines, over a network that loses three datagrams of ten.
//!
//! Hundreds of calls at once are placed, refused, cancelled, answered, changed (with glare) and ended. Every call must come to
//! its end, nothing may be left in any table, and the same seed must give the same run to the byte.

mod network;
mod phone;
mod plan;

use embassy_time::{Duration, Instant};

use network::{Datagram, Faults, Network};
use phone::{Counts, Phone};
use plan::{Plan, Taking};

const CALLS: u64 = 400;

const PERFECT: Faults = Faults {
    lost: 0,
    doubled: 0,
    least_delay: 20,
    most_delay: 20,
};

const BAD: Faults = Faults {
    lost: 30,
    doubled: 10,
    least_delay: 1,
    most_delay: 300,
};

struct World {
    now: Instant,
    network: Network,
    phones: [Phone; 2],
}

impl World {
    fn new(seed: u8, faults: Faults) -> Self {
        Self {
            now: Instant::from_secs(1),
            network: Network::new(seed, faults),
            phones: [
                Phone::new("192.0.2.1:5060", seed ^ 0x55),
                Phone::new("192.0.2.2:5070", seed ^ 0xaa),
            ],
        }
    }

    /// Until nothing is due any more; but not for ever.
    fn run(&mut self) {
        let end = self.now + Duration::from_secs(600);
        self.run_until(end);
        assert_eq!(self.next_at(), None, "something never ends");
    }

    fn run_until(&mut self, end: Instant) {
        while let Some(next) = self.next_at().filter(|next| *next <= end) {
            self.now = next.max(self.now);
            if let Some(Datagram { from, to, bytes }) = self.network.deliver(self.now) {
                let phone = self.phones.iter_mut().find(|phone| phone.address() == to);
                phone
                    .expect("nobody else is there")
                    .receive(self.now, from, bytes);
            } else {
                for phone in &mut self.phones {
                    phone.wake(self.now);
                }
            }
            self.collect();
        }
    }

    fn next_at(&self) -> Option<Instant> {
        let phones = self.phones.iter().filter_map(Phone::deadline);
        phones.chain(self.network.next_at()).min()
    }

    fn collect(&mut self) {
        for phone in &mut self.phones {
            let from = phone.address();
            for (to, bytes) in phone.outgoing() {
                self.network.send(self.now, Datagram { from, to, bytes });
            }
        }
    }
}

/// All calls, one every 50 ms; the counts of caller and callee, datagrams sent, trace.
fn day(seed: u8, faults: Faults) -> (Counts, Counts, u64, u64) {
    let mut world = World::new(seed, faults);
    let callee = world.phones[1].address();
    for number in 0..CALLS {
        world.phones[0].place(world.now, number, callee);
        world.collect();
        let next = world.now + Duration::from_millis(50);
        world.run_until(next);
        world.now = next;
    }
    world.run();
    for phone in &world.phones {
        assert!(phone.is_idle(), "left behind: {}", phone.remains());
    }
    let [caller, callee] = &world.phones;
    (
        caller.counts,
        callee.counts,
        world.network.sent(),
        world.network.trace(),
    )
}

#[test]
fn every_call_goes_by_plan_over_a_perfect_network() {
    let (caller, callee, _, _) = day(1, PERFECT);
    let plans = (0..CALLS).map(Plan::of);
    let busy = plans
        .clone()
        .filter(|plan| plan.taking == Taking::IsBusy)
        .count() as u32;
    let rings_on = plans
        .clone()
        .filter(|plan| plan.taking == Taking::LetsRing)
        .count() as u32;
    assert_eq!(caller.busy, busy);
    assert!(caller.cancelled >= rings_on);
    assert_eq!(caller.cancelled, callee.cancelled);
    assert_eq!(
        caller.answered + caller.busy + caller.cancelled,
        CALLS as u32
    );
    assert_eq!(caller.answered, callee.answered);
    assert_eq!(caller.given_up + callee.given_up, 0);
    assert!(caller.reinvited > 50 && callee.reinvited > 50);
    assert!(caller.updated > 50 && callee.updated > 50);
    assert!(
        caller.glares > 20 && callee.glares > 20,
        "{caller:?} {callee:?}"
    );
    assert!(callee.pracked > 100);
}

#[test]
fn every_call_comes_to_its_end_over_a_bad_network() {
    let mut given_up = 0;
    for seed in 1..=4 {
        let (caller, callee, ..) = day(seed, BAD);
        given_up += caller.given_up + callee.given_up;
        // A transaction that is unlucky eleven times gives up; its call ends all the same, on both sides.
        assert!(
            caller.answered + caller.busy + caller.cancelled >= CALLS as u32 - 6,
            "{caller:?}"
        );
        assert!(caller.reinvited > 50 && callee.updated > 50 && callee.pracked > 100);
    }
    assert!(
        given_up < 40,
        "{given_up} of some 10,000 transactions gave up"
    );
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let first = day(7, BAD);
    assert_eq!(first, day(7, BAD));
    assert_ne!(first.3, day(8, BAD).3);
}
