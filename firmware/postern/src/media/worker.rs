//! The thread that moves packets.
//!
//! Between turns it takes a few commands and hands over what the pipeline has to tell; neither ever makes it wait. It waits in
//! its ports alone, until packets come, something is due or the server wakes it: an idle box sleeps, a busy one never does.
//! Where there are processors enough the thread keeps to one, so that its caches stay its own.
//!
//! Not here: what a turn does (`pipeline::Worker`), the connection to control (`server.rs`).

use std::io;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread;

use board::clock::SystemClock;
use board::host::Waker;
use board::shm::SharedWords;
use board::{host, linux};
use embassy_time::{Duration, Instant};
use hal::{Clock, Ports};
use measure::MediaCounter;
use media_api::shared::{Counters, WORDS};
use media_api::{Command, Event, Fingerprint as Certificate};
use pipeline::dtls::{Reply, Request};
use pipeline::{Pipeline, Worker};
use ring::rand::{SecureRandom, SystemRandom};
use rustix::event::{EventfdFlags, eventfd};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity, set_current_timer_slack};

use super::dtls::{self, Identity};

/// Commands and events on their way; beyond it the sender waits, which for the worker means that it keeps them.
const QUEUE: usize = 4_096;

/// Commands taken between two turns: opening sockets takes time, and packets wait meanwhile.
const COMMANDS: usize = 16;

/// Counts are written so often while they change.
const PUBLISH: Duration = Duration::from_millis(100);

/// The longest sleep when nothing is due.
const SLEEP: Duration = Duration::from_secs(60);

/// From so many processors on, the worker has one to itself.
const PROCESSORS: u32 = 4;

/// What the server says to the worker.
#[expect(
    clippy::large_enum_variant,
    reason = "commands are nearly all there is, and each is moved once"
)]
#[derive(Debug)]
pub(super) enum Order {
    /// A control is there; it is answered by [`Tiding::Greeted`] with the same number.
    Came(u64),
    /// There is none any more.
    Left,
    /// It says this.
    Do(Command),
}

/// What the worker says to the server.
#[derive(Debug)]
pub(super) enum Tiding {
    /// From here on events are for the control of this number.
    Greeted(u64),
    /// An event.
    Event(Event),
}

/// The server's end of the worker.
pub(super) struct Handle {
    pub(super) orders: SyncSender<Order>,
    pub(super) tidings: Receiver<Tiding>,
    /// Readable when there are tidings.
    pub(super) bell: Arc<OwnedFd>,
    pub(super) waker: Waker,
    /// What the process is known by in handshakes.
    pub(super) certificate: Certificate,
}

/// Starts the thread.
///
/// # Errors
/// Where ports or counters cannot be had.
pub(super) fn start(
    frames: Option<linux::Ports>,
    counters: &Path,
    capacity: usize,
) -> io::Result<Handle> {
    match frames {
        Some(ports) => {
            let waker = ports.waker();
            start_on(ports, waker, counters, capacity)
        }
        None => {
            let ports = host::Ports::new()?;
            let waker = ports.waker();
            start_on(ports, waker, counters, capacity)
        }
    }
}

fn start_on(
    ports: impl Ports + Send + 'static,
    waker: Waker,
    counters: &Path,
    capacity: usize,
) -> io::Result<Handle> {
    let words = SharedWords::create(counters, WORDS)?;
    let mut seed = [0; 32];
    SystemRandom::new()
        .fill(&mut seed)
        .map_err(|_| io::Error::other("no randomness"))?;
    let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let (orders, orders_taken) = sync_channel(QUEUE);
    let (tidings_given, tidings) = sync_channel(QUEUE);
    let (requests, requests_taken) = sync_channel(QUEUE);
    let identity = Identity::new()?;
    let certificate = identity.fingerprint();
    let (replies_given, replies) = sync_channel(QUEUE);
    dtls::start(identity, requests_taken, replies_given, waker.clone())?;
    let worker = Worker::new(
        ports,
        SystemClock,
        Pipeline::new(capacity, seed),
        std::process::id(),
    );
    let thread = Thread {
        worker,
        orders: orders_taken,
        tidings: tidings_given,
        bell: Arc::clone(&bell),
        held: None,
        requests,
        wanted: None,
        replies,
        told: false,
        published_at: SystemClock.now(),
        published: Fingerprint::default(),
    };
    thread::Builder::new()
        .name("media-worker".to_owned())
        .spawn(move || {
            let _end = EndWithThread;
            keep_to_one_processor();
            wake_in_time();
            thread.run(&words);
        })?;
    Ok(Handle {
        orders,
        tidings,
        bell,
        waker,
        certificate,
    })
}

/// A process without its worker is worse than none: nobody would start it again.
struct EndWithThread;

impl Drop for EndWithThread {
    fn drop(&mut self) {
        if thread::panicking() {
            tracing::error!("the worker has failed; the process ends to be started again");
            std::process::abort();
        }
    }
}

struct Thread<P> {
    worker: Worker<P, SystemClock>,
    orders: Receiver<Order>,
    tidings: SyncSender<Tiding>,
    bell: Arc<OwnedFd>,
    /// What the server has had no room for.
    held: Option<Tiding>,
    requests: SyncSender<Request>,
    /// What those who shake hands have had no room for.
    wanted: Option<Request>,
    /// What has come of handshakes.
    replies: Receiver<Reply>,
    /// Tidings were given since the bell last rang: once a turn is enough.
    told: bool,
    published_at: Instant,
    published: Fingerprint,
}

/// Enough of the counts to see that any has changed, but for those that change while nothing happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Fingerprint {
    received: u64,
    sent: u64,
    streams: u64,
}

/// What became of the orders.
enum Orders {
    /// All that can be taken now have been.
    Taken,
    /// There may be more.
    Left,
    /// There will be none any more.
    Ended,
}

impl<P: Ports> Thread<P> {
    fn run(mut self, words: &SharedWords) {
        let started = SystemClock.wall().seconds;
        let Ok(page) = Counters::create(words, std::process::id(), started) else {
            tracing::error!("the page of counters is too short");
            return;
        };
        loop {
            let orders = self.obey();
            self.tell();
            self.ring();
            self.ask();
            let is_behind = self.publish(&page);
            let patience = match orders {
                Orders::Ended => return,
                // The server wakes us when it has made room, but need not know that we wait for it: look again soon.
                Orders::Taken | Orders::Left if self.held.is_some() => PUBLISH,
                Orders::Taken if self.wanted.is_some() => PUBLISH,
                Orders::Left => Duration::from_ticks(0),
                Orders::Taken if is_behind => PUBLISH,
                Orders::Taken => SLEEP,
            };
            self.worker.turn(patience);
        }
    }

    /// Takes a few orders, and what has come of handshakes.
    fn obey(&mut self) -> Orders {
        for _ in 0..COMMANDS {
            // Answers must find room before more are made.
            if self.held.is_some() {
                return Orders::Left;
            }
            // These come no faster than one thread can work them out.
            if let Ok(reply) = self.replies.try_recv() {
                self.worker.reply(reply);
                self.tell();
                continue;
            }
            match self.orders.try_recv() {
                Ok(Order::Do(command)) => self.worker.command(command),
                Ok(Order::Came(number)) => {
                    self.worker.control_came();
                    // What was to be told to another control is nobody's.
                    while self.worker.poll().is_some() {}
                    self.give(Tiding::Greeted(number));
                }
                Ok(Order::Left) => self.worker.control_left(),
                Err(TryRecvError::Empty) => return Orders::Taken,
                Err(TryRecvError::Disconnected) => return Orders::Ended,
            }
            self.tell();
        }
        Orders::Left
    }

    /// Hands over what there is to tell, as far as there is room.
    fn tell(&mut self) {
        if let Some(held) = self.held.take() {
            self.give(held);
        }
        while self.held.is_none() {
            let Some(event) = self.worker.poll() else {
                return;
            };
            self.give(Tiding::Event(event));
        }
    }

    /// Passes on what is wanted of handshakes, as far as there is room.
    fn ask(&mut self) {
        while let Some(request) = self.wanted.take().or_else(|| self.worker.request()) {
            match self.requests.try_send(request) {
                Ok(()) => {}
                Err(TrySendError::Full(request)) => {
                    self.wanted = Some(request);
                    return;
                }
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
    }

    fn give(&mut self, tiding: Tiding) {
        match self.tidings.try_send(tiding) {
            Ok(()) => {}
            Err(TrySendError::Full(tiding)) => self.held = Some(tiding),
            Err(TrySendError::Disconnected(_)) => return,
        }
        self.told = true;
    }

    /// Tells the server of the tidings given, if there are any.
    fn ring(&mut self) {
        if std::mem::take(&mut self.told) {
            // It fails only when it rings already.
            let _ = rustix::io::write(&*self.bell, &1_u64.to_ne_bytes());
        }
    }

    /// Writes the counts down now and then; true while what is written is not what is.
    fn publish(&mut self, page: &Counters<'_>) -> bool {
        let totals = self.worker.totals();
        let fingerprint = Fingerprint {
            received: totals.counter(MediaCounter::PacketsReceived),
            sent: totals.counter(MediaCounter::PacketsSent),
            streams: totals.counter(MediaCounter::Streams),
        };
        if fingerprint == self.published {
            return false;
        }
        let now = SystemClock.now();
        if now.saturating_duration_since(self.published_at) < PUBLISH {
            return true;
        }
        page.publish(&totals.counters, &totals.drops);
        (self.published_at, self.published) = (now, fingerprint);
        false
    }
}

/// Takes the last processor this process may use, and leaves the others to everyone else.
fn keep_to_one_processor() {
    let Ok(allowed) = sched_getaffinity(None) else {
        return;
    };
    if allowed.count() < PROCESSORS {
        return;
    }
    let Some(last) = (0..CpuSet::MAX_CPU).rev().find(|cpu| allowed.is_set(*cpu)) else {
        return;
    };
    let mut one = CpuSet::new();
    one.set(last);
    match sched_setaffinity(None, &one) {
        Ok(()) => tracing::info!(processor = last, "the worker keeps to one processor"),
        Err(error) => tracing::warn!(%error, "the worker has no processor of its own"),
    }
}

/// The kernel may let a thread oversleep by so much to wake it with others: 50 us unless told, as long as a nap of the ports.
const SLACK: NonZeroU64 = NonZeroU64::new(1_000).expect("it is not zero");

fn wake_in_time() {
    if let Err(error) = set_current_timer_slack(Some(SLACK)) {
        tracing::warn!(%error, "the worker oversleeps");
    }
}
