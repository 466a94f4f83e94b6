//! The threads that move packets, one or several.
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
use std::sync::atomic::AtomicU64;
use std::thread;

use board::clock::SystemClock;
use board::host::Waker;
use board::shm::SharedWords;
use embassy_time::{Duration, Instant};
use hal::{Clock, Handover};
use measure::MediaCounter;
use media_api::Fingerprint as Certificate;
use media_api::shared::{Counters, PAGES, WORDS};
use pipeline::dtls::{Reply, Request};
use pipeline::{Pipeline, Worker};
use ring::rand::{SecureRandom, SystemRandom};
use rtrb::{Consumer, Producer, PushError, RingBuffer};
use rustix::event::{EventfdFlags, eventfd};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity, set_current_timer_slack};

use super::dtls::{self, Desk, Identity};
use super::shards::{Order, Tiding};

/// Commands and events on their way; beyond it the sender waits, which for the worker means that it keeps them.
const QUEUE: usize = 4_096;

/// Commands taken between two turns: opening sockets takes time, and packets wait meanwhile.
const COMMANDS: usize = 16;

/// Counts are written so often while they change.
const PUBLISH: Duration = Duration::from_millis(100);

/// The longest sleep when nothing is due.
const SLEEP: Duration = Duration::from_secs(60);

/// From so many processors on, a worker has one to itself.
pub(super) const PROCESSORS: u32 = 4;

/// The server's end of the workers.
pub(super) struct Handle<P> {
    pub(super) lanes: Vec<Lane<P>>,
    /// Readable when there are tidings.
    pub(super) bell: Arc<OwnedFd>,
    /// What the process is known by in handshakes.
    pub(super) certificate: Certificate,
}

/// The server's end of one worker.
pub(super) struct Lane<P> {
    pub(super) orders: Producer<Order<P>>,
    pub(super) tidings: Consumer<Tiding<P>>,
    pub(super) waker: Waker,
    /// It has been given orders since it was last woken.
    pub(super) given: bool,
}

/// Ports, and what wakes who waits in them.
pub(super) struct Berth<B> {
    pub(super) ports: B,
    pub(super) waker: Waker,
}

/// Starts a thread for each of these ports.
///
/// # Errors
/// Where threads or counters cannot be had.
pub(super) fn start<B>(
    berths: Vec<Berth<B>>,
    counters: &Path,
    capacity: usize,
) -> io::Result<Handle<B::Port>>
where
    B: Handover + Send + 'static,
    B::Port: 'static,
{
    let pages = Arc::new(SharedWords::create(counters, PAGES * WORDS)?);
    let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let identity = Identity::new()?;
    let certificate = identity.fingerprint();
    let (mut lanes, mut desks, mut threads) = (Vec::new(), Vec::new(), Vec::new());
    for (number, berth) in (0_u8..).zip(berths) {
        let Berth { ports, waker } = berth;
        let mut seed = [0; 32];
        SystemRandom::new()
            .fill(&mut seed)
            .map_err(|_| io::Error::other("no randomness"))?;
        let (orders, orders_taken) = RingBuffer::new(QUEUE);
        let (tidings_given, tidings) = RingBuffer::new(QUEUE);
        let (requests, requests_taken) = RingBuffer::new(QUEUE);
        let (replies_given, replies) = RingBuffer::new(QUEUE);
        desks.push(Desk {
            requests: requests_taken,
            replies: replies_given,
            waker: waker.clone(),
        });
        lanes.push(Lane {
            orders,
            tidings,
            waker,
            given: false,
        });
        let pipeline = Pipeline::new(capacity, seed).numbered(number);
        threads.push((number, move |handshakes| Thread {
            worker: Worker::new(ports, SystemClock, pipeline, std::process::id()),
            orders: orders_taken,
            tidings: tidings_given,
            held: None,
            requests,
            handshakes,
            asked: false,
            wanted: None,
            replies,
            told: false,
            published_at: SystemClock.now(),
            published: Fingerprint::default(),
        }));
    }
    let handshakes = dtls::start(identity, desks)?;
    for (number, thread) in threads {
        let (handshakes, bell, pages) = (handshakes.clone(), Arc::clone(&bell), Arc::clone(&pages));
        thread::Builder::new()
            .name(format!("media-worker-{number}"))
            .spawn(move || {
                let _end = EndWithThread;
                keep_to_one_processor(usize::from(number));
                wake_in_time();
                let page = usize::from(number) * WORDS;
                thread(handshakes).run(pages.get(page..).unwrap_or_default(), &bell);
            })?;
    }
    Ok(Handle {
        lanes,
        bell,
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

struct Thread<B: Handover> {
    worker: Worker<B, SystemClock>,
    orders: Consumer<Order<B::Port>>,
    tidings: Producer<Tiding<B::Port>>,
    /// What the server has had no room for.
    held: Option<Tiding<B::Port>>,
    requests: Producer<Request>,
    /// The thread that takes them.
    handshakes: thread::Thread,
    /// It has been asked for something since it was last woken.
    asked: bool,
    /// What those who shake hands have had no room for.
    wanted: Option<Request>,
    /// What has come of handshakes.
    replies: Consumer<Reply>,
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

impl<B: Handover> Thread<B> {
    fn run(mut self, words: &[AtomicU64], bell: &OwnedFd) {
        let started = SystemClock.wall().seconds;
        let Ok(page) = Counters::create(words, std::process::id(), started) else {
            tracing::error!("the page of counters is too short");
            return;
        };
        loop {
            let orders = self.obey();
            self.tell();
            self.ring(bell);
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
        self.tell();
        for _ in 0..COMMANDS {
            // Answers must find room before more are made.
            if self.held.is_some() {
                return Orders::Left;
            }
            // These come no faster than one thread can work them out.
            let order = match self.replies.pop() {
                Ok(reply) => Order::Reply(reply),
                Err(_) => match self.orders.pop() {
                    Ok(order) => order,
                    Err(_) if self.orders.is_abandoned() => return Orders::Ended,
                    Err(_) => return Orders::Taken,
                },
            };
            if let Some(tiding) = order.carry_out(&mut self.worker) {
                self.give(tiding);
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
            self.asked = true;
            if let Err(PushError::Full(request)) = self.requests.push(request) {
                self.wanted = Some(request);
                break;
            }
        }
        if std::mem::take(&mut self.asked) {
            self.handshakes.unpark();
        }
    }

    fn give(&mut self, tiding: Tiding<B::Port>) {
        if let Err(PushError::Full(tiding)) = self.tidings.push(tiding) {
            self.held = Some(tiding);
        }
        self.told = true;
    }

    /// Tells the server of the tidings given, if there are any.
    fn ring(&mut self, bell: &OwnedFd) {
        if std::mem::take(&mut self.told) {
            // It fails only when it rings already.
            let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
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

/// Takes the last processor this process may use, or one before it, and leaves the others to everyone else.
fn keep_to_one_processor(number: usize) {
    let Ok(allowed) = sched_getaffinity(None) else {
        return;
    };
    if allowed.count() < PROCESSORS {
        return;
    }
    let mut ours = (0..CpuSet::MAX_CPU)
        .rev()
        .filter(|cpu| allowed.is_set(*cpu));
    let Some(own) = ours.nth(number) else {
        return;
    };
    let mut one = CpuSet::new();
    one.set(own);
    match sched_setaffinity(None, &one) {
        Ok(()) => tracing::info!(
            worker = number,
            processor = own,
            "a worker keeps to one processor"
        ),
        Err(error) => tracing::warn!(%error, "a worker has no processor of its own"),
    }
}

/// The kernel may let a thread oversleep by so much to wake it with others: 50 us unless told, as long as a nap of the ports.
const SLACK: NonZeroU64 = NonZeroU64::new(1_000).expect("it is not zero");

fn wake_in_time() {
    if let Err(error) = set_current_timer_slack(Some(SLACK)) {
        tracing::warn!(%error, "the worker oversleeps");
    }
}
