//! The loop: one worker owns its ports, its clock and its pipeline.
//!
//! ```text
//!  turn:  wait for packets, at most until something is due, or until the caller is
//!         while there are packets:  rx_burst → Pipeline::burst → tx_burst
//!         do what is due
//! ```
//!
//! It waits in the ports and nowhere else: with packets there it does not wait at all, with none it costs nothing.
//!
//! Not here: threads, channels, the connection to control (the process that runs it).

use alloc::boxed::Box;

use embassy_time::{Duration, Instant};
use hal::{Burst, Clock, Handover, Ports, Receiving, UnixTime};
use measure::MediaCounter;
use media_api::{Command, Event, StreamId};

use crate::counters::Totals;
use crate::dtls::{Reply, Request};
use crate::handover::Parcel;
use crate::relay::Pipeline;

/// What time it is, both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// On the clock that never jumps.
    pub now: Instant,
    /// Of the day, for reports.
    pub wall: UnixTime,
}

impl Moment {
    fn of(clock: &impl Clock) -> Self {
        Self {
            now: clock.now(),
            wall: clock.wall(),
        }
    }
}

/// Bursts of one turn at most, so that commands are heard under any load.
const MOST_BURSTS: usize = 64;

/// Overruns are asked for so often.
const OVERRUNS_EVERY: Duration = Duration::from_millis(100);

/// A pipeline with its ports and its clock.
pub struct Worker<P, C> {
    ports: P,
    clock: C,
    pipeline: Pipeline,
    burst: Box<Burst>,
    /// What comes after it, where that is known in time; nothing between turns.
    next: Box<Burst>,
    process: u32,
    overruns_at: Instant,
}

impl<P: Ports, C: Clock> Worker<P, C> {
    /// Puts the three together; `process` is the number by which control knows this one.
    pub fn new(ports: P, clock: C, pipeline: Pipeline, process: u32) -> Self {
        Self {
            overruns_at: clock.now(),
            ports,
            clock,
            pipeline,
            burst: Box::new(Burst::new()),
            next: Box::new(Burst::new()),
            process,
        }
    }

    /// One turn; waits at most so long for packets.
    pub fn turn(&mut self, patience: Duration) {
        let now = self.clock.now();
        let due = self
            .pipeline
            .deadline()
            .map(|due| due.saturating_duration_since(now));
        self.ports
            .wait(Some(due.map_or(patience, |due| due.min(patience))));
        let began = self.clock.now();
        for left in (0..MOST_BURSTS).rev() {
            if self.burst.is_empty() && self.ports.rx_burst(&mut self.burst) == 0 {
                break;
            }
            // A burst with room has taken all there was.
            if P::RECEIVING == Receiving::Looks && self.burst.is_full() && left > 0 {
                self.ports.rx_burst(&mut self.next);
            }
            self.pipeline
                .burst(Moment::of(&self.clock), &mut self.burst, &self.next);
            if !self.burst.leaving().is_empty() {
                let lost = self.ports.tx_burst(&mut self.burst);
                self.pipeline.sent(&self.burst, lost);
            }
            self.burst.clear();
            core::mem::swap(&mut self.burst, &mut self.next);
        }
        self.pipeline.tick(Moment::of(&self.clock), &mut self.ports);
        let ended = self.clock.now();
        if ended >= self.overruns_at {
            self.overruns_at = ended + OVERRUNS_EVERY;
            self.pipeline.lost_before_us(self.ports.overruns());
        }
        self.pipeline
            .finish_turn(ended.saturating_duration_since(began));
    }

    /// Does what control says.
    pub fn command(&mut self, command: Command) {
        self.pipeline.command(
            Moment::of(&self.clock),
            command,
            self.process,
            &mut self.ports,
        );
    }

    /// The next thing to tell control.
    pub fn poll(&mut self) -> Option<Event> {
        self.pipeline.poll()
    }

    /// The next thing that is wanted of handshakes.
    pub fn request(&mut self) -> Option<Request> {
        self.pipeline.request()
    }

    /// Does what has come of a handshake, if its stream is here.
    pub fn reply(&mut self, reply: Reply) {
        let moment = Moment::of(&self.clock);
        self.pipeline.reply(moment, reply, &mut self.ports);
    }

    /// Whether a stream is here.
    pub fn holds(&self, id: StreamId) -> bool {
        self.pipeline.holds(id)
    }

    /// A control is there.
    pub fn control_came(&mut self) {
        self.pipeline.control_came();
    }

    /// Control is gone; streams go on.
    pub fn control_left(&mut self) {
        self.pipeline.control_left(self.clock.now());
    }

    /// The counts so far.
    pub fn totals(&self) -> &Totals {
        self.pipeline.totals()
    }

    /// The clock.
    pub fn clock(&self) -> &C {
        &self.clock
    }
}

impl<P: Handover, C: Clock> Worker<P, C> {
    /// Gives a stream away; `None` if it is not here.
    pub fn give(&mut self, id: StreamId) -> Option<Parcel<P::Port>> {
        self.pipeline.give(id, &mut self.ports)
    }

    /// Takes a stream in that another worker has given.
    pub fn take(&mut self, parcel: Parcel<P::Port>) {
        let now = self.clock.now();
        self.pipeline.take(now, parcel, &mut self.ports);
    }
}

impl Pipeline {
    fn lost_before_us(&mut self, packets: u64) {
        let packets = usize::try_from(packets).unwrap_or(usize::MAX);
        self.totals.set(MediaCounter::Overruns, packets);
    }

    fn finish_turn(&mut self, took: Duration) {
        self.totals.add(MediaCounter::Turns, 1);
        self.totals
            .raise(MediaCounter::LongestTurn, took.as_micros());
        self.totals
            .set(MediaCounter::EventsLost, self.outbox.lost() as usize);
    }
}
