//! Several threads on one interface: whose a port is, and how a frame gets from the queue it came by to the thread that has its
//! port.
//!
//! The driver chooses the queue by the party's address, the thread follows from the port: a frame that came to the wrong one is
//! copied once, into a ring that one thread writes and one reads. A thread that sleeps is woken once for all that a burst has
//! brought it.
//!
//! Not here: queues, frames (`ports.rs`).

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU8;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering, fence};

use hal::home;
use rtrb::{Consumer, Producer, RingBuffer};

use super::queue::Next;
use crate::host::Waker;

/// Octets in a ring: with 20 ms of audio in each, the frames of 1,000 streams for 20 ms.
const RING: usize = 1 << 18;

/// Whose each port is. One table for all threads, read for frames that have come to the wrong one, written when a port moves.
pub(super) struct Owners {
    addresses: Vec<IpAddr>,
    workers: NonZeroU8,
    by_port: Box<[AtomicU8]>,
}

const PORTS: usize = 1 << 16;

impl Owners {
    pub(super) fn new(addresses: Vec<IpAddr>, workers: NonZeroU8) -> Self {
        let homes = (0..addresses.len()).flat_map(|_| 0..=u16::MAX);
        Self {
            by_port: homes
                .map(|port| AtomicU8::new(home(port, workers)))
                .collect(),
            addresses,
            workers,
        }
    }

    /// The thread that has a port, if the address is one of ours.
    pub(super) fn of(&self, local: SocketAddr) -> Option<u8> {
        self.entry(local).map(|entry| entry.load(Ordering::Relaxed))
    }

    pub(super) fn set(&self, local: SocketAddr, worker: u8) {
        if let Some(entry) = self.entry(local) {
            entry.store(worker, Ordering::Relaxed);
        }
    }

    /// A port that has been closed belongs again where it is opened the next time.
    pub(super) fn send_home(&self, local: SocketAddr) {
        self.set(local, home(local.port(), self.workers));
    }

    fn entry(&self, local: SocketAddr) -> Option<&AtomicU8> {
        let ours = |address: &IpAddr| *address == local.ip();
        let place = self.addresses.iter().position(ours)?;
        self.by_port.get(place * PORTS + usize::from(local.port()))
    }
}

/// A thread that may sleep.
struct Sleeper {
    waker: Waker,
    is_asleep: AtomicBool,
}

/// The lanes of one thread, to and from each other one.
pub(super) struct Lanes {
    me: u8,
    owners: Arc<Owners>,
    to: Vec<Option<Producer<u8>>>,
    from: Vec<Consumer<u8>>,
    sleepers: Arc<[Sleeper]>,
    /// Those who have been sent something since they were last woken.
    posted: u32,
    lost: u64,
}

impl Lanes {
    /// Of each of so many threads as there are wakers.
    pub(super) fn between(owners: Owners, wakers: Vec<Waker>) -> Vec<Self> {
        let owners = Arc::new(owners);
        let sleeper = |waker| Sleeper {
            waker,
            is_asleep: AtomicBool::new(false),
        };
        let sleepers: Arc<[Sleeper]> = wakers.into_iter().map(sleeper).collect();
        let count = sleepers.len();
        let mut lanes: Vec<Self> = (0..count)
            .map(|me| Self {
                me: me as u8,
                owners: Arc::clone(&owners),
                to: (0..count).map(|_| None).collect(),
                from: Vec::new(),
                sleepers: Arc::clone(&sleepers),
                posted: 0,
                lost: 0,
            })
            .collect();
        for from in 0..count {
            for to in (0..count).filter(|to| *to != from) {
                let (producer, consumer) = RingBuffer::new(RING);
                lanes[from].to[to] = Some(producer);
                lanes[to].from.push(consumer);
            }
        }
        lanes
    }

    /// Whether a port may be opened here: nobody else has it.
    pub(super) fn may_open(&self, local: SocketAddr) -> bool {
        self.owners.of(local).is_none_or(|owner| owner == self.me)
    }

    /// A port has come here.
    pub(super) fn claim(&self, local: SocketAddr) {
        self.owners.set(local, self.me);
    }

    /// A port of ours has been closed.
    pub(super) fn release(&self, local: SocketAddr) {
        self.owners.send_home(local);
    }

    /// Passes on a frame for a port that is not here.
    pub(super) fn pass(&mut self, to: SocketAddr, frame: &[u8]) {
        let Some(owner) = self.owners.of(to) else {
            return;
        };
        let Some(Some(ring)) = self.to.get_mut(usize::from(owner)) else {
            return;
        };
        let Ok(length) = u16::try_from(frame.len()) else {
            return;
        };
        let Ok(mut chunk) = ring.write_chunk(frame.len() + 2) else {
            self.lost += 1;
            return;
        };
        let (first, second) = chunk.as_mut_slices();
        let places = first.iter_mut().chain(second);
        let octets = length
            .to_le_bytes()
            .into_iter()
            .chain(frame.iter().copied());
        for (place, octet) in places.zip(octets) {
            *place = octet;
        }
        chunk.commit_all();
        self.posted |= 1 << owner;
    }

    /// Wakes those who sleep and have been sent something.
    pub(super) fn post(&mut self) {
        if self.posted == 0 {
            return;
        }
        // Either we see that they are about to sleep, or they see what we have sent (`is_idle`).
        fence(Ordering::SeqCst);
        for (worker, sleeper) in self.sleepers.iter().enumerate() {
            if self.posted >> worker & 1 != 0 && sleeper.is_asleep.load(Ordering::Relaxed) {
                sleeper.waker.wake();
            }
        }
        self.posted = 0;
    }

    /// Octets of frames that have come.
    pub(super) fn waiting(&self) -> usize {
        self.from.iter().map(Consumer::slots).sum()
    }

    /// Says that we are about to sleep; false when there is something after all.
    pub(super) fn fall_asleep(&self) -> bool {
        let sleeper = &self.sleepers[usize::from(self.me)];
        sleeper.is_asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.waiting() == 0
    }

    /// We are awake.
    pub(super) fn wake_up(&self) {
        let sleeper = &self.sleepers[usize::from(self.me)];
        sleeper.is_asleep.store(false, Ordering::Relaxed);
    }

    /// Shows each frame that has come, until there is none or the viewer wants no more.
    pub(super) fn receive(&mut self, frame: &mut [u8], mut view: impl FnMut(&[u8]) -> Next) {
        for ring in &mut self.from {
            while let Some(length) = take(ring, frame) {
                if view(&frame[..length]) == Next::Stop {
                    return;
                }
            }
        }
        // The next time another one is first.
        if self.from.len() > 1 {
            self.from.rotate_left(1);
        }
    }

    /// Frames that found no room on the way, so far.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}

/// The next frame of a ring; a frame is there as a whole or not at all.
fn take(ring: &mut Consumer<u8>, frame: &mut [u8]) -> Option<usize> {
    let head = ring.read_chunk(2).ok()?;
    let mut length = [0; 2];
    copy(&head, &mut length);
    head.commit_all();
    let length = usize::from(u16::from_le_bytes(length));
    let body = ring.read_chunk(length).ok()?;
    let fits = length.min(frame.len());
    copy(&body, &mut frame[..fits]);
    body.commit_all();
    Some(fits)
}

fn copy(chunk: &rtrb::chunks::ReadChunk<'_, u8>, to: &mut [u8]) {
    let (first, second) = chunk.as_slices();
    let split = first.len().min(to.len());
    let (front, back) = to.split_at_mut(split);
    front.copy_from_slice(&first[..split]);
    let rest = back.len().min(second.len());
    back[..rest].copy_from_slice(&second[..rest]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host;

    fn lanes(count: u8) -> Vec<Lanes> {
        let wakers = (0..count).map(|_| host::Ports::new().expect("epoll is there").waker());
        let workers = NonZeroU8::new(count).expect("some");
        let address = "10.0.0.1".parse().expect("an address");
        Lanes::between(Owners::new(vec![address], workers), wakers.collect())
    }

    fn taken(lanes: &mut Lanes) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        lanes.receive(&mut [0; 2_048], |frame| {
            frames.push(frame.to_vec());
            Next::More
        });
        frames
    }

    #[test]
    fn a_frame_gets_to_the_thread_that_has_its_port() {
        let mut lanes = lanes(3);
        let even = "10.0.0.1:20006".parse().expect("an address");
        let odd = "10.0.0.1:20007".parse().expect("an address");
        let owner = home(20_006, NonZeroU8::new(3).expect("three"));
        assert_eq!(owner, 1);
        lanes[0].pass(even, b"one");
        lanes[2].pass(odd, b"two");
        assert_eq!(taken(&mut lanes[1]), [b"one", b"two"]);
        assert!(taken(&mut lanes[0]).is_empty() && taken(&mut lanes[2]).is_empty());
        // It moves.
        assert!(lanes[1].may_open(even) && !lanes[2].may_open(even));
        lanes[2].claim(even);
        lanes[0].pass(even, b"three");
        assert_eq!(taken(&mut lanes[2]), [b"three"]);
        lanes[2].release(even);
        assert!(lanes[1].may_open(even));
        // Nobody's address, or one of our own that is not open: it goes nowhere.
        lanes[0].pass("10.0.0.2:20006".parse().expect("an address"), b"x");
        lanes[1].pass(odd, b"x");
        assert!(lanes.iter_mut().all(|lanes| taken(lanes).is_empty()));
    }

    #[test]
    fn a_ring_that_is_full_loses_whole_frames_and_counts_them() {
        let mut lanes = lanes(2);
        let local = "10.0.0.1:20002".parse().expect("an address");
        let frame = [7; 1_500];
        for _ in 0..1_000 {
            lanes[0].pass(local, &frame);
        }
        let kept = taken(&mut lanes[1]);
        assert_eq!(kept.len(), RING / 1_502);
        assert!(kept.iter().all(|kept| kept == &frame));
        assert_eq!(lanes[0].lost(), 1_000 - kept.len() as u64);
        // Past the end of the ring and round again.
        for length in 1..300 {
            lanes[0].pass(local, &frame[..length]);
            assert_eq!(taken(&mut lanes[1]), [&frame[..length]]);
        }
    }

    #[test]
    fn who_is_about_to_sleep_sees_what_came_before() {
        let mut lanes = lanes(2);
        assert!(lanes[1].fall_asleep());
        lanes[1].wake_up();
        lanes[0].pass("10.0.0.1:20002".parse().expect("an address"), b"x");
        assert!(!lanes[1].fall_asleep());
        lanes[0].post();
        assert_eq!(taken(&mut lanes[1]).len(), 1);
    }
}
