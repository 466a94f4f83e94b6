//! Packet ports over AF_XDP, with sockets beneath them.
//!
//! A port has a socket of the kernel's too, unless its address is not the kernel's. The socket keeps the port ours, and takes what frames cannot carry: fragments, options,
//! remotes on other interfaces, neighbours that are yet to be found. A datagram comes and leaves by one of the two ways, and the
//! caller cannot tell which.
//!
//! ```text
//!  frame → driver → XDP program ─ ours ──► queue ──► rx_burst          tx_burst ──► way known? ─ yes ─► queue ──► driver
//!                        └─ not ours ─► kernel ──► socket ──┘                            └─ no ─► socket ──► kernel
//! ```
//!
//! Under load nothing here is a system call for a packet: arrivals are seen in memory, and departures go out by the burst.
//!
//! Not here: sockets (`host::Ports`), frames (`frame.rs`), ways (`hops.rs`).

mod start;

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use embassy_time::{Duration, Instant};
use hal::{BUFFER, BURST, Burst, Dscp, Marks, OpenError, Packet, PortId, Receiving};

use super::bpf::Link;
use super::frame::{self, Headers};
use super::hops::{Hops, Way};
use super::lanes::Lanes;
use super::memory::prefetch;
use super::plan::{Frames, Mode};
use super::queue::{Next, Queue};
use super::responder::Responder;
use crate::clock::ticks;
use crate::host::{self, Waker};
use crate::pace::Pace;

/// Frames of a queue looked at for a burst: whoever sends what is nobody's cannot keep us looking for ever.
const FRAMES: u64 = 4 * BURST as u64;

/// No frame that another thread passes on is shorter, with its length before it.
const LEAST: usize = 44;

/// While frames keep coming, sockets and changes are looked at every so many waits.
const LOOK_EVERY: u32 = 16;

/// Ports of one interface.
pub struct Ports {
    // First, so that frames go to the kernel again before the sockets go.
    _link: Arc<Link>,
    queues: Vec<Queue>,
    mode: Mode,
    slow: host::Ports,
    hops: Hops,
    lanes: Lanes,
    /// A frame that another thread has passed on.
    passed: Box<[u8; BUFFER]>,
    addresses: Vec<IpAddr>,
    alone: Vec<IpAddr>,
    responder: Responder,
    /// What was asked of the addresses that are ours alone.
    questions: Vec<Vec<u8>>,
    /// Lets the interface hear what is asked of everybody (RFC 4291 §2.7.1).
    _groups: Option<OwnedFd>,
    range: RangeInclusive<u16>,
    open: Vec<Option<Open>>,
    /// Of each port, what an arriving packet asks: small, and near each other.
    steered: Vec<Steered>,
    vacant: Vec<u32>,
    /// Our number of each of the sockets' ports.
    by_socket: Vec<u32>,
    /// By number of port, the first that is open on any address; others follow by [`Steered::next`].
    by_number: Box<[u32; 1 << 16]>,
    /// Ports opened while frames lay in the rings that came before.
    young: Vec<u32>,
    /// How many of those lie in each ring.
    old: Vec<u32>,
    first: usize,
    unlooked: u32,
    frames: Frames,
    pace: Pace,
}

const NONE: u32 = u32::MAX;

/// Questions taken with a burst; with more, the last are not answered.
const QUESTIONS: usize = 32;

/// A port that frames are steered to.
#[derive(Clone, Copy)]
struct Steered {
    /// None where the port is closed, or not one of them.
    address: Option<IpAddr>,
    next: u32,
}

impl Steered {
    const NONE: Self = Self {
        address: None,
        next: NONE,
    };
}

struct Open {
    local: SocketAddr,
    dscp: Dscp,
    /// None where the address is ours alone.
    socket: Option<PortId>,
    sending: Option<Sending>,
}

/// How packets to the last remote leave.
struct Sending {
    to: SocketAddr,
    /// None: by the socket.
    headers: Option<Headers>,
    until: Instant,
    generation: u32,
}

impl Ports {
    /// How frames pass.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What has passed by the queues.
    #[must_use]
    pub fn frames(&self) -> Frames {
        self.frames
    }

    /// What wakes these ports.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.slow.waker()
    }

    /// Frames that have arrived.
    fn waiting(&self) -> usize {
        let queues = self.queues.iter().map(|queue| queue.waiting() as usize);
        queues.sum::<usize>() + self.lanes.waiting() / LEAST
    }

    fn is_steered(&self, local: SocketAddr) -> bool {
        let is_media = self.addresses.contains(&local.ip()) || self.alone.contains(&local.ip());
        is_media && self.range.contains(&local.port())
    }

    /// The socket beside a port, where there is to be one.
    fn open_socket(&mut self, local: SocketAddr, dscp: Dscp) -> Result<Option<PortId>, OpenError> {
        if !self.alone.contains(&local.ip()) {
            return hal::Ports::open(&mut self.slow, local, dscp).map(Some);
        }
        if !self.is_steered(local) {
            return Err(OpenError::AddressUnavailable);
        }
        match self.find(local) {
            None if self.lanes.may_open(local) => Ok(None),
            None | Some(_) => Err(OpenError::AddressInUse),
        }
    }

    /// Takes a port in, with its socket where it has one.
    fn hold(&mut self, local: SocketAddr, dscp: Dscp, socket: Option<PortId>) -> PortId {
        let id = match self.vacant.pop() {
            Some(id) => id,
            None => {
                self.open.push(None);
                self.steered.push(Steered::NONE);
                (self.open.len() - 1) as u32
            }
        };
        if let Some(socket) = socket {
            let place = socket.0 as usize;
            if place >= self.by_socket.len() {
                self.by_socket.resize(place + 1, NONE);
            }
            self.by_socket[place] = id;
        }
        if self.is_steered(local) {
            let first = &mut self.by_number[usize::from(local.port())];
            self.steered[id as usize] = Steered {
                address: Some(local.ip()),
                next: std::mem::replace(first, id),
            };
            for (old, queue) in self.old.iter_mut().zip(&self.queues) {
                *old = queue.waiting();
            }
            if self.old.iter().any(|old| *old > 0) {
                self.young.push(id);
            }
        }
        self.open[id as usize] = Some(Open {
            local,
            dscp,
            socket,
            sending: None,
        });
        PortId(id)
    }

    /// Takes a port out.
    fn let_go(&mut self, port: PortId) -> Option<Open> {
        let open = self.open.get_mut(port.0 as usize)?.take()?;
        self.vacant.push(port.0);
        self.young.retain(|young| *young != port.0);
        let steered = std::mem::replace(&mut self.steered[port.0 as usize], Steered::NONE);
        let first = &mut self.by_number[usize::from(open.local.port())];
        if *first == port.0 {
            *first = steered.next;
            return Some(open);
        }
        let mut at = *first;
        while let Some(other) = self.steered.get_mut(at as usize) {
            if other.next == port.0 {
                other.next = steered.next;
                break;
            }
            at = other.next;
        }
        Some(open)
    }

    /// The port that is open at a steered address.
    fn find(&self, local: SocketAddr) -> Option<u32> {
        find(
            &self.steered,
            self.by_number[usize::from(local.port())],
            local,
        )
    }

    /// Answers what was asked of the addresses that are ours alone.
    fn answer(&mut self) {
        let now = Instant::from_ticks(ticks());
        for question in self.questions.drain(..) {
            if let Some(answer) = self.responder.answer(&question, now) {
                self.queues[0].send(|frame| {
                    frame.get_mut(..answer.len())?.copy_from_slice(&answer);
                    Some(answer.len())
                });
            }
        }
        self.queues[0].flush();
    }

    fn send(&mut self, packet: &Packet, now: Instant) -> bool {
        let Some(Some(open)) = self.open.get_mut(packet.port.0 as usize) else {
            return false;
        };
        let generation = self.hops.generation();
        let is_known = open.sending.as_ref().is_some_and(|sending| {
            sending.to == packet.remote && sending.generation == generation && now < sending.until
        });
        if !is_known {
            let (way, until) = self.hops.way(open.local.ip(), packet.remote.ip(), now);
            let headers = match way {
                Way::Frame(hop) => Headers::new(&hop, open.local, packet.remote, open.dscp),
                Way::Kernel => None,
            };
            open.sending = Some(Sending {
                to: packet.remote,
                headers,
                until,
                generation: self.hops.generation(),
            });
        }
        let mtu = self.hops.interface().mtu;
        let headers = open.sending.as_ref().and_then(|sending| {
            let headers = sending.headers.as_ref()?;
            (headers.packet_length(packet.len()) <= mtu).then_some(headers)
        });
        let count = self.queues.len();
        let queue = &mut self.queues[packet.port.0 as usize % count];
        if let Some(headers) = headers {
            let is_sent = queue.send(|frame| headers.write(packet.data(), frame));
            self.frames.sent += u64::from(is_sent);
            is_sent
        } else {
            // What was written before leaves before.
            queue.flush();
            open.socket
                .is_some_and(|socket| self.slow.send(socket, packet.remote, packet.data()))
        }
    }
}

impl hal::Ports for Ports {
    const RECEIVING: Receiving = Receiving::Looks;

    fn open(&mut self, local: SocketAddr, dscp: Dscp) -> Result<PortId, OpenError> {
        let socket = self.open_socket(local, dscp)?;
        Ok(self.hold(local, dscp, socket))
    }

    fn mark(&mut self, port: PortId, dscp: Dscp) {
        if let Some(Some(open)) = self.open.get_mut(port.0 as usize)
            && open.dscp != dscp
        {
            (open.dscp, open.sending) = (dscp, None);
            if let Some(socket) = open.socket {
                self.slow.mark(socket, dscp);
            }
        }
    }

    fn close(&mut self, port: PortId) {
        let Some(open) = self.let_go(port) else {
            return;
        };
        if let Some(socket) = open.socket {
            self.slow.close(socket);
        }
        self.lanes.release(open.local);
    }

    fn rx_burst(&mut self, burst: &mut Burst) -> usize {
        let before = burst.len();
        self.slow.rx_burst(burst);
        for packet in &mut burst.packets_mut()[before..] {
            packet.port = PortId(self.by_socket[packet.port.0 as usize]);
        }
        let mut left = FRAMES;
        if !burst.is_full() {
            self.lanes.receive(&mut self.passed[..], |frame| {
                left -= 1;
                let next = if left > 0 { Next::More } else { Next::Stop };
                let Some(datagram) = frame::read(frame) else {
                    return next;
                };
                let first = self.by_number[usize::from(datagram.to.port())];
                match find(&self.steered, first, datagram.to) {
                    Some(id) if arrive(burst, id, &datagram) == Room::Left => next,
                    Some(_) => Next::Stop,
                    // It has moved on, or is closed.
                    None => next,
                }
            });
        }
        let count = self.queues.len();
        for turn in 0..count {
            if burst.is_full() {
                break;
            }
            let place = (self.first + turn) % count;
            let (queue, old) = (&mut self.queues[place], &mut self.old[place]);
            let received = &mut self.frames.received;
            let most = *received + FRAMES;
            queue.receive(|frame| {
                *received += 1;
                let next = if *received < most {
                    Next::More
                } else {
                    Next::Stop
                };
                let is_old = *old > 0;
                *old -= u32::from(is_old);
                let Some(datagram) = frame::read(frame) else {
                    if !self.alone.is_empty() && self.questions.len() < QUESTIONS {
                        self.questions.push(frame.to_vec());
                    }
                    return next;
                };
                let first = self.by_number[usize::from(datagram.to.port())];
                let Some(id) = find(&self.steered, first, datagram.to) else {
                    self.lanes.pass(datagram.to, frame);
                    return next;
                };
                if is_old && self.young.contains(&id) {
                    return next;
                }
                match arrive(burst, id, &datagram) {
                    Room::Left => next,
                    Room::None => Next::Stop,
                }
            });
        }
        self.lanes.post();
        if !self.questions.is_empty() {
            self.answer();
        }
        // The next burst begins with the next queue, so that a flood on one does not keep the others out.
        self.first = (self.first + 1) % count;
        if !self.young.is_empty() && self.old.iter().all(|old| *old == 0) {
            self.young.clear();
        }
        burst.len() - before
    }

    fn tx_burst(&mut self, burst: &mut Burst) -> Marks {
        let now = Instant::from_ticks(ticks());
        let mut lost = Marks::NONE;
        for place in burst.leaving() {
            let port = burst.packets()[place].port;
            // Without a look at whether it is open: that look is what would be waited for.
            if let Some(open) = self.open.get(port.0 as usize) {
                prefetch(open);
            }
        }
        for place in burst.leaving() {
            if !self.send(&burst.packets()[place], now) {
                lost.insert(place);
            }
        }
        for queue in &mut self.queues {
            queue.flush();
        }
        lost
    }

    fn wait(&mut self, timeout: Option<Duration>) {
        // A burst that is full leaves at once; fewer packets wait for others while there is load.
        if self.waiting() < BURST {
            self.pace.nap(timeout);
        }
        let has_frames = self.waiting() > 0;
        if has_frames && self.unlooked < LOOK_EVERY {
            self.unlooked += 1;
            self.pace.looked(self.waiting());
            return;
        }
        self.unlooked = 0;
        let may_sleep = !has_frames && self.lanes.fall_asleep();
        self.slow.look(if may_sleep {
            timeout
        } else {
            Some(Duration::from_ticks(0))
        });
        self.lanes.wake_up();
        if self.slow.was_noted() {
            self.hops.refresh();
        }
        self.pace.looked(self.waiting() + self.slow.found());
    }

    fn overruns(&mut self) -> u64 {
        let queues: u64 = self.queues.iter().map(Queue::overruns).sum();
        queues + self.lanes.lost() + self.slow.overruns()
    }
}

/// Whether a burst has room for more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Left,
    None,
}

/// Puts a datagram into a burst that has room.
fn arrive(burst: &mut Burst, id: u32, datagram: &frame::Datagram<'_>) -> Room {
    if let Some(packet) = burst.vacant().first_mut() {
        let length = datagram.payload.len().min(BUFFER);
        packet.buffer_mut()[..length].copy_from_slice(&datagram.payload[..length]);
        packet.arrived(PortId(id), datagram.from, datagram.payload.len());
        burst.fill(1);
    }
    if burst.is_full() {
        Room::None
    } else {
        Room::Left
    }
}

/// The port at an address, of those that are chained from this one on.
fn find(steered: &[Steered], first: u32, local: SocketAddr) -> Option<u32> {
    let mut at = first;
    loop {
        let other = steered.get(at as usize)?;
        if other.address == Some(local.ip()) {
            return Some(at);
        }
        at = other.next;
    }
}

/// A port on its way to other ports of the same interface.
#[derive(Debug)]
pub struct Given {
    local: SocketAddr,
    dscp: Dscp,
    socket: Option<host::Given>,
}

impl hal::Handover for Ports {
    type Port = Given;

    /// What comes by the queues meanwhile is lost.
    fn give(&mut self, port: PortId) -> Option<Given> {
        let open = self.let_go(port)?;
        let socket = open.socket.and_then(|socket| self.slow.give(socket));
        Some(Given {
            local: open.local,
            dscp: open.dscp,
            socket,
        })
    }

    fn take(&mut self, port: Given) -> Result<PortId, OpenError> {
        let socket = port.socket.map(|socket| self.slow.take(socket));
        let socket = socket.transpose()?;
        self.lanes.claim(port.local);
        Ok(self.hold(port.local, port.dscp, socket))
    }
}
