//! Packet ports over AF_XDP, with sockets beneath them.
//!
//! Every port has a socket of the kernel's too. It keeps the port ours, and takes what frames cannot carry: fragments, options,
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

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::AsFd;

use embassy_time::{Duration, Instant};
use hal::{BUFFER, BURST, Burst, Dscp, Marks, OpenError, Packet, PortId};

use super::bpf::{AttachMode, Link, Program, SocketMap};
use super::frame::{self, Headers};
use super::hops::{Hops, Way};
use super::netlink::Netlink;
use super::program::{Ours, Steering, assemble};
use super::queue::{Next, Queue};
use crate::clock::ticks;
use crate::host::{self, Attention, Waker};
use crate::pace::{Found, Pace};

/// Queues of an interface at most; further ones are left to the kernel, which hands their packets to the sockets.
const QUEUES: u32 = 32;

/// While frames keep coming, sockets and changes are looked at every so many waits.
const LOOK_EVERY: u32 = 16;

/// What is to go over AF_XDP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The interface that packets come by; a virtual network's own, or the one under it.
    pub interface: String,
    /// The addresses of the media plane, which the interface has.
    pub addresses: Vec<IpAddr>,
    /// Its ports.
    pub ports: RangeInclusive<u16>,
}

/// Why AF_XDP is not to be had.
#[derive(Debug)]
pub enum StartError {
    /// There is no interface of this name.
    NoInterface,
    /// The kernel tells nothing of interfaces, or gives no socket beside them.
    Kernel(io::Error),
    /// It does not take the program: too old, or we lack CAP_BPF and CAP_NET_ADMIN.
    Program(io::Error),
    /// It gives no socket on a queue: no AF_XDP, no CAP_NET_RAW, or too little memory may be locked.
    Queue(io::Error),
    /// The interface takes no program: another is there already, or its frames are too large.
    Attach(io::Error),
}

impl core::fmt::Display for StartError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoInterface => f.write_str("there is no such interface"),
            Self::Kernel(error) => write!(f, "the kernel does not tell of interfaces: {error}"),
            Self::Program(error) => write!(
                f,
                "the kernel does not take the program: {error} (needs CAP_BPF and CAP_NET_ADMIN)"
            ),
            Self::Queue(error) => write!(
                f,
                "no socket on the interface's queue: {error} (needs CAP_NET_RAW and lockable memory)"
            ),
            Self::Attach(error) => write!(
                f,
                "the interface does not take the program: {error} (is there another on it?)"
            ),
        }
    }
}

impl core::error::Error for StartError {}

/// How frames pass between an interface and us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// Where the program is.
    pub attached: AttachMode,
    /// Whether frames are passed without being copied.
    pub copies: Copies,
    /// Queues with a socket.
    pub queues: usize,
}

/// Whether the kernel copies each frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    /// The driver shares our memory.
    Zero,
    /// It does not.
    One,
}

/// What has passed without the kernel's sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Frames {
    /// Frames that arrived on the queues, ours or not.
    pub received: u64,
    /// Frames that left by them.
    pub sent: u64,
}

/// Ports of one interface.
pub struct Ports {
    // First, so that frames go to the kernel again before the sockets go.
    _link: Link,
    queues: Vec<Queue>,
    mode: Mode,
    slow: host::Ports,
    hops: Hops,
    addresses: Vec<IpAddr>,
    range: RangeInclusive<u16>,
    open: Vec<Option<Open>>,
    vacant: Vec<u32>,
    /// Our number of each of the sockets' ports.
    by_socket: Vec<u32>,
    /// By number of port, the first that is open on any address; others follow by [`Open::next`].
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

struct Open {
    local: SocketAddr,
    dscp: Dscp,
    socket: PortId,
    next: u32,
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
    /// Puts the program on the interface, with a socket for each of its queues.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left behind.
    pub fn new(plan: &Plan) -> Result<Self, StartError> {
        let mut netlink = Netlink::open().map_err(StartError::Kernel)?;
        let mut link = netlink
            .link_named(&plan.interface)
            .map_err(StartError::Kernel)?
            .ok_or(StartError::NoInterface)?;
        if let Some((under, _)) = link.tagged {
            link = netlink
                .link(under)
                .map_err(StartError::Kernel)?
                .ok_or(StartError::NoInterface)?;
        }
        let interface = link.index;
        let most = link.queues.clamp(1, QUEUES);
        let map = SocketMap::new(most).map_err(StartError::Program)?;
        let steering = Steering {
            addresses: plan.addresses.clone(),
            ports: plan.ports.clone(),
        };
        let ours = Ours::Redirect {
            map: map.descriptor(),
        };
        let program = Program::load(&assemble(&steering, ours)).map_err(StartError::Program)?;
        let slow = host::Ports::new().map_err(StartError::Kernel)?;
        let hops = Hops::new(link, netlink).map_err(StartError::Kernel)?;
        slow.attend(hops.changes(), Attention::Noted)
            .map_err(StartError::Kernel)?;

        let mut queues = Vec::new();
        for number in 0..most {
            match Queue::bind(interface, number) {
                Ok(queue) => {
                    map.set(number, &queue).map_err(StartError::Queue)?;
                    slow.attend(queue.as_fd(), Attention::Quiet)
                        .map_err(StartError::Kernel)?;
                    queues.push(queue);
                }
                // An interface may use fewer queues than it has.
                Err(_) if number > 0 => break,
                Err(error) => return Err(StartError::Queue(error)),
            }
        }
        let (link, attached) = match program.attach(interface, AttachMode::Driver) {
            Ok(link) => (link, AttachMode::Driver),
            Err(_) => (
                program
                    .attach(interface, AttachMode::Generic)
                    .map_err(StartError::Attach)?,
                AttachMode::Generic,
            ),
        };
        let copies = if queues.iter().all(Queue::is_zero_copy) {
            Copies::Zero
        } else {
            Copies::One
        };
        Ok(Self {
            _link: link,
            mode: Mode {
                attached,
                copies,
                queues: queues.len(),
            },
            old: vec![0; queues.len()],
            queues,
            slow,
            hops,
            addresses: plan.addresses.clone(),
            range: plan.ports.clone(),
            open: Vec::new(),
            vacant: Vec::new(),
            by_socket: Vec::new(),
            by_number: Box::new([NONE; 1 << 16]),
            young: Vec::new(),
            first: 0,
            unlooked: 0,
            frames: Frames::default(),
            pace: Pace::new(),
        })
    }

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
        self.queues
            .iter()
            .map(|queue| queue.waiting() as usize)
            .sum()
    }

    fn is_steered(&self, local: SocketAddr) -> bool {
        self.addresses.contains(&local.ip()) && self.range.contains(&local.port())
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
            self.slow.send(open.socket, packet.remote, packet.data())
        }
    }
}

impl hal::Ports for Ports {
    fn open(&mut self, local: SocketAddr, dscp: Dscp) -> Result<PortId, OpenError> {
        let socket = self.slow.open(local, dscp)?;
        let id = match self.vacant.pop() {
            Some(id) => id,
            None => {
                self.open.push(None);
                (self.open.len() - 1) as u32
            }
        };
        let place = socket.0 as usize;
        if place >= self.by_socket.len() {
            self.by_socket.resize(place + 1, NONE);
        }
        self.by_socket[place] = id;
        let mut next = NONE;
        if self.is_steered(local) {
            let first = &mut self.by_number[usize::from(local.port())];
            next = std::mem::replace(first, id);
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
            next,
            sending: None,
        });
        Ok(PortId(id))
    }

    fn mark(&mut self, port: PortId, dscp: Dscp) {
        if let Some(Some(open)) = self.open.get_mut(port.0 as usize)
            && open.dscp != dscp
        {
            (open.dscp, open.sending) = (dscp, None);
            self.slow.mark(open.socket, dscp);
        }
    }

    fn close(&mut self, port: PortId) {
        let Some(open) = self.open.get_mut(port.0 as usize).and_then(Option::take) else {
            return;
        };
        self.slow.close(open.socket);
        self.vacant.push(port.0);
        self.young.retain(|young| *young != port.0);
        let first = &mut self.by_number[usize::from(open.local.port())];
        if *first == port.0 {
            *first = open.next;
            return;
        }
        let mut at = *first;
        while let Some(Some(other)) = self.open.get_mut(at as usize) {
            if other.next == port.0 {
                other.next = open.next;
                return;
            }
            at = other.next;
        }
    }

    fn rx_burst(&mut self, burst: &mut Burst) -> usize {
        let before = burst.len();
        self.slow.rx_burst(burst);
        for packet in &mut burst.packets_mut()[before..] {
            packet.port = PortId(self.by_socket[packet.port.0 as usize]);
        }
        let count = self.queues.len();
        for turn in 0..count {
            if burst.is_full() {
                break;
            }
            let place = (self.first + turn) % count;
            let (queue, old) = (&mut self.queues[place], &mut self.old[place]);
            let received = &mut self.frames.received;
            queue.receive(|frame| {
                *received += 1;
                let is_old = *old > 0;
                *old -= u32::from(is_old);
                let Some(datagram) = frame::read(frame) else {
                    return Next::More;
                };
                let mut at = self.by_number[usize::from(datagram.to.port())];
                let id = loop {
                    match self.open.get(at as usize) {
                        Some(Some(open)) if open.local.ip() == datagram.to.ip() => break at,
                        Some(Some(open)) => at = open.next,
                        _ => return Next::More,
                    }
                };
                if is_old && self.young.contains(&id) {
                    return Next::More;
                }
                let Some(packet) = burst.vacant().first_mut() else {
                    return Next::Stop;
                };
                let length = datagram.payload.len().min(BUFFER);
                packet.buffer_mut()[..length].copy_from_slice(&datagram.payload[..length]);
                packet.arrived(PortId(id), datagram.from, datagram.payload.len());
                burst.fill(1);
                if burst.is_full() {
                    Next::Stop
                } else {
                    Next::More
                }
            });
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
            self.pace.looked(Found::Packets);
            return;
        }
        self.unlooked = 0;
        let timeout = if has_frames {
            Some(Duration::from_ticks(0))
        } else {
            timeout
        };
        self.slow.look(timeout);
        if self.slow.was_noted() {
            self.hops.refresh();
        }
        self.pace.looked(if self.waiting() > 0 {
            Found::Packets
        } else {
            self.slow.found()
        });
    }

    fn overruns(&mut self) -> u64 {
        let queues: u64 = self.queues.iter().map(Queue::overruns).sum();
        queues + self.slow.overruns()
    }
}
