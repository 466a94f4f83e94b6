//! UDP sockets as packet ports: epoll says which are ready, batches move what they have.
//!
//! A socket stays bound when its port is closed and waits in a pool, because opening one costs twenty times what taking it
//! back does. What arrives for it meanwhile is thrown away when it is taken back; the first time that epoll names it, it is
//! taken out of epoll's sight, so that junk for a closed port wakes nobody twice.
//!
//! One look at the sockets ([`hal::Ports::wait`]) gives a list of ready ones; `rx_burst` works through the list. A socket
//! gives at most a burst for each look, so that a flood on one does not starve the others.
//!
//! Not here: the two system calls for batches (`sys.rs`).

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use embassy_time::Duration;
use hal::{BURST, Burst, Dscp, Marks, OpenError, Packet, PortId};
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::sys::{self, Arrival};
use crate::pace::Pace;

/// Sockets kept bound without being open; beyond it they are closed. A whole range of media ports of a large box.
const POOL: usize = 16_384;

/// Sockets whose overruns are asked for at a time.
const OVERRUN_LOOK: usize = 64;

/// Ready sockets learnt of with one look.
const LOOK: usize = 256;

/// Octets of a socket's queue: about a second of audio, so that a flood fills no more memory than that.
const QUEUE: usize = 64 * 1_024;

/// Datagrams asked for first; a socket mostly has one, and asking costs.
const FIRST_ASK: usize = 4;

/// What epoll says for the waker, and for what somebody else reads.
const WAKE: u64 = u64::MAX;
const NOTED: u64 = u64::MAX - 1;
const QUIET: u64 = u64::MAX - 2;

/// UDP sockets of this machine.
pub struct Ports {
    sockets: Vec<Option<Socket>>,
    by_address: HashMap<SocketAddr, u32>,
    /// Places in `sockets` that have none.
    vacant: Vec<u32>,
    pooled: usize,
    epoll: OwnedFd,
    wake: Arc<OwnedFd>,
    ready: Vec<Ready>,
    next: usize,
    was_noted: bool,
    was_woken: bool,
    pace: Pace,
    overruns: u64,
    /// Where the next look for overruns begins.
    overrun_look: usize,
}

/// What is to be told of a descriptor that only ends waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attention {
    /// Nothing: its owner looks for himself.
    Quiet,
    /// That it was readable ([`Ports::was_noted`]).
    Noted,
}

struct Socket {
    fd: OwnedFd,
    address: SocketAddr,
    dscp: Dscp,
    origin: Origin,
    state: State,
    sight: Sight,
    /// What the kernel said of its overruns when last asked.
    overruns: u32,
}

impl Socket {
    /// The overruns since the last time.
    fn overruns(&mut self) -> u32 {
        let now = sys::overruns(self.fd.as_fd());
        now.wrapping_sub(core::mem::replace(&mut self.overruns, now))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Pooled,
}

/// Who has bound a socket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// These ports: whoever opens its address again opens it here.
    Own,
    /// Others, who would find the address taken if the socket were kept for later.
    Given,
}

/// A port on its way to other ports.
#[derive(Debug)]
pub struct Given {
    fd: OwnedFd,
    address: SocketAddr,
    dscp: Dscp,
}

/// Whether epoll watches a socket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sight {
    Seen,
    Unseen,
}

/// A socket that epoll named, and how much it may still give before the next look.
#[derive(Clone, Copy)]
struct Ready {
    socket: u32,
    allowance: usize,
}

/// Wakes ports that wait, from any thread.
#[derive(Debug, Clone)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// Ends the wait that goes on, or the next one.
    pub fn wake(&self) {
        // Nobody reads it, so it counts up, and is full after 2^64 - 2 rings: not in the life of a box.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

impl Ports {
    /// No port yet.
    ///
    /// # Errors
    /// What the system says of epoll.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        // By edges: each ring is told once, and nobody has to read it away.
        epoll::add(
            &epoll,
            &wake,
            epoll::EventData::new_u64(WAKE),
            epoll::EventFlags::IN | epoll::EventFlags::ET,
        )?;
        Ok(Self {
            sockets: Vec::new(),
            by_address: HashMap::new(),
            vacant: Vec::new(),
            pooled: 0,
            epoll,
            wake: Arc::new(wake),
            ready: Vec::with_capacity(LOOK),
            next: 0,
            was_noted: false,
            was_woken: false,
            pace: Pace::new(),
            overruns: 0,
            overrun_look: 0,
        })
    }

    /// Lets a descriptor end waits while it is readable, until it is closed. Its owner reads it.
    ///
    /// # Errors
    /// What the system says of epoll.
    pub fn attend(&self, fd: impl AsFd, attention: Attention) -> io::Result<()> {
        let data = match attention {
            Attention::Quiet => QUIET,
            Attention::Noted => NOTED,
        };
        epoll::add(
            &self.epoll,
            fd,
            epoll::EventData::new_u64(data),
            epoll::EventFlags::IN,
        )?;
        Ok(())
    }

    /// Whether anything [`Attention::Noted`] was readable at the last look.
    #[must_use]
    pub fn was_noted(&self) -> bool {
        self.was_noted
    }

    /// Sends one datagram; false when it is lost.
    pub fn send(&mut self, port: PortId, to: SocketAddr, bytes: &[u8]) -> bool {
        self.socket(port)
            .filter(|socket| socket.state == State::Open)
            .is_some_and(|socket| send_one(socket, to, bytes).is_ok())
    }

    /// What wakes these ports.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.wake))
    }

    /// Asks epoll what is ready; waits for it at most so long.
    pub(crate) fn look(&mut self, timeout: Option<Duration>) {
        self.ready.clear();
        self.next = 0;
        self.was_noted = false;
        self.was_woken = false;
        let mut events = [const { core::mem::MaybeUninit::<epoll::Event>::uninit() }; LOOK];
        // Rounded up to milliseconds, the grain of epoll_wait: waking too early would be waking twice.
        let timeout = timeout.map(|timeout| {
            let milliseconds = timeout.as_micros().div_ceil(1_000).min(86_400_000) as i64;
            Timespec {
                tv_sec: milliseconds / 1_000,
                tv_nsec: milliseconds % 1_000 * 1_000_000,
            }
        });
        // Interrupted by a signal: as good as woken.
        let Ok((events, _)) = epoll::wait(&self.epoll, &mut events, timeout.as_ref()) else {
            return;
        };
        for event in events {
            match event.data.u64() {
                WAKE => self.was_woken = true,
                NOTED => self.was_noted = true,
                QUIET => {}
                socket => {
                    let socket = socket as u32;
                    if !turn_from(&self.epoll, &mut self.sockets, socket) {
                        self.ready.push(Ready {
                            socket,
                            allowance: BURST,
                        });
                    }
                }
            }
        }
    }

    /// How many sockets the last look has found to have something.
    pub(crate) fn found(&self) -> usize {
        self.ready.len()
    }

    fn socket(&self, port: PortId) -> Option<&Socket> {
        self.sockets.get(port.0 as usize)?.as_ref()
    }

    /// Takes a socket in.
    fn hold(&mut self, bound: Given, origin: Origin) -> Result<PortId, OpenError> {
        let Given { fd, address, dscp } = bound;
        let id = match self.vacant.pop() {
            Some(id) => id,
            None => {
                let id = u32::try_from(self.sockets.len()).map_err(|_| OpenError::OutOfPorts)?;
                self.sockets.push(None);
                id
            }
        };
        if let Err(error) = watch(&self.epoll, &fd, id) {
            self.vacant.push(id);
            return Err(error);
        }
        self.sockets[id as usize] = Some(Socket {
            fd,
            address,
            dscp,
            origin,
            state: State::Open,
            sight: Sight::Seen,
            overruns: 0,
        });
        self.by_address.insert(address, id);
        Ok(PortId(id))
    }

    /// Takes a bound socket back from the pool.
    fn take_back(&mut self, id: u32, dscp: Dscp) -> Result<PortId, OpenError> {
        let socket = self.sockets[id as usize]
            .as_mut()
            .expect("an address is known only while its socket is there");
        if socket.state == State::Open {
            return Err(OpenError::AddressInUse);
        }
        discard(&socket.fd);
        // What came to nobody is no loss.
        socket.overruns();
        if socket.sight == Sight::Unseen {
            watch(&self.epoll, &socket.fd, id)?;
            socket.sight = Sight::Seen;
        }
        if socket.dscp != dscp {
            mark(&socket.fd, socket.address, dscp).map_err(refusal)?;
            socket.dscp = dscp;
        }
        socket.state = State::Open;
        self.pooled -= 1;
        Ok(PortId(id))
    }
}

impl hal::Ports for Ports {
    fn open(&mut self, local: SocketAddr, dscp: Dscp) -> Result<PortId, OpenError> {
        if let Some(id) = self.by_address.get(&local) {
            return self.take_back(*id, dscp);
        }
        let fd = bind(local).map_err(refusal)?;
        mark(&fd, local, dscp).map_err(refusal)?;
        let bound = Given {
            fd,
            address: local,
            dscp,
        };
        self.hold(bound, Origin::Own)
    }

    fn mark(&mut self, port: PortId, dscp: Dscp) {
        let Some(Some(socket)) = self.sockets.get_mut(port.0 as usize) else {
            return;
        };
        // A kernel that does not let us leaves the packets as they were: audio goes on, less favoured.
        if socket.dscp != dscp && mark(&socket.fd, socket.address, dscp).is_ok() {
            socket.dscp = dscp;
        }
    }

    fn close(&mut self, port: PortId) {
        let Some(place) = self.sockets.get_mut(port.0 as usize) else {
            return;
        };
        let Some(socket) = place.as_mut().filter(|socket| socket.state == State::Open) else {
            return;
        };
        self.overruns += u64::from(socket.overruns());
        if self.pooled < POOL && socket.origin == Origin::Own {
            socket.state = State::Pooled;
            self.pooled += 1;
        } else {
            self.by_address.remove(&socket.address);
            *place = None;
            self.vacant.push(port.0);
        }
    }

    fn rx_burst(&mut self, burst: &mut Burst) -> usize {
        let before = burst.len();
        let mut arrivals = [Arrival::NONE; BURST];
        while !burst.is_full() {
            let Some(ready) = self.ready.get_mut(self.next) else {
                break;
            };
            let port = PortId(ready.socket);
            let socket = self
                .sockets
                .get(ready.socket as usize)
                .and_then(Option::as_ref);
            let Some(socket) = socket.filter(|socket| socket.state == State::Open) else {
                self.next += 1;
                continue;
            };
            let first = ready.allowance == BURST;
            let ask = if first { FIRST_ASK } else { BURST }.min(ready.allowance);
            let vacant = burst.vacant();
            let asked = ask.min(vacant.len());
            let buffers = vacant.iter_mut().map(|packet| &mut packet.buffer_mut()[..]);
            // An error of a UDP socket is a message about something sent earlier: it is cleared by being read.
            let count =
                sys::receive(socket.fd.as_fd(), buffers, &mut arrivals[..asked]).unwrap_or(0);
            for (packet, arrival) in vacant.iter_mut().zip(&arrivals[..count]) {
                packet.arrived(port, arrival.from, arrival.length);
            }
            burst.fill(count);
            ready.allowance -= count;
            if count < asked || ready.allowance == 0 {
                self.next += 1;
            }
        }
        burst.len() - before
    }

    fn tx_burst(&mut self, burst: &mut Burst) -> Marks {
        let leaving = burst.leaving();
        let packets = burst.packets();
        let mut lost = Marks::NONE;
        let mut rest = leaving;
        while let Some(first) = rest.clone().next() {
            let port = packets[first].port;
            // Neighbours from one socket leave together.
            let mut places = [0; BURST];
            let mut count = 0;
            while let Some(place) = rest
                .clone()
                .next()
                .filter(|place| packets[*place].port == port)
            {
                places[count] = place;
                count += 1;
                rest.remove(place);
            }
            let places = &places[..count];
            match self
                .socket(port)
                .filter(|socket| socket.state == State::Open)
            {
                Some(socket) => send(socket, packets, places, &mut lost),
                None => places.iter().for_each(|place| lost.insert(*place)),
            }
        }
        lost
    }

    fn wait(&mut self, timeout: Option<Duration>) {
        let has_napped = self.pace.nap(timeout);
        if has_napped {
            self.look(Some(Duration::from_ticks(0)));
        }
        // Who was woken meanwhile has something else to do.
        if !has_napped || (self.ready.is_empty() && !self.was_woken) {
            self.look(timeout);
        }
        self.pace.looked(self.found());
    }

    fn overruns(&mut self) -> u64 {
        for _ in 0..OVERRUN_LOOK.min(self.sockets.len()) {
            self.overrun_look = (self.overrun_look + 1) % self.sockets.len();
            if let Some(socket) = &mut self.sockets[self.overrun_look]
                && socket.state == State::Open
            {
                self.overruns += u64::from(socket.overruns());
            }
        }
        self.overruns
    }
}

impl hal::Handover for Ports {
    type Port = Given;

    /// What arrives meanwhile waits in the socket.
    fn give(&mut self, port: PortId) -> Option<Given> {
        let place = self.sockets.get_mut(port.0 as usize)?;
        place
            .as_ref()
            .filter(|socket| socket.state == State::Open)?;
        let mut socket = place.take()?;
        self.overruns += u64::from(socket.overruns());
        self.by_address.remove(&socket.address);
        self.vacant.push(port.0);
        // It was added when it was opened, so this cannot fail.
        let _ = epoll::delete(&self.epoll, &socket.fd);
        Some(Given {
            fd: socket.fd,
            address: socket.address,
            dscp: socket.dscp,
        })
    }

    fn take(&mut self, port: Given) -> Result<PortId, OpenError> {
        self.hold(port, Origin::Given)
    }
}

/// Takes a socket out of epoll's sight if it waits in the pool; false where it is open.
fn turn_from(epoll: &OwnedFd, sockets: &mut [Option<Socket>], id: u32) -> bool {
    match sockets.get_mut(id as usize) {
        Some(Some(socket)) if socket.state == State::Pooled => {
            // It was added when it was opened, so this cannot fail.
            let _ = epoll::delete(epoll, &socket.fd);
            socket.sight = Sight::Unseen;
            true
        }
        _ => false,
    }
}

fn send(socket: &Socket, packets: &[Packet], places: &[usize], lost: &mut Marks) {
    let mut rest = places;
    while let Some((first, others)) = rest.split_first() {
        let packet = &packets[*first];
        let sent = if others.is_empty() {
            send_one(socket, packet.remote, packet.data()).map(|()| 1)
        } else {
            sys::send(
                socket.fd.as_fd(),
                rest.iter()
                    .map(|place| (packets[*place].data(), packets[*place].remote)),
            )
        };
        let taken = sent.unwrap_or(0);
        if taken == 0 {
            lost.insert(*first);
        }
        rest = &rest[taken.max(1)..];
    }
}

fn send_one(socket: &Socket, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
    let flags = rustix::net::SendFlags::DONTWAIT | rustix::net::SendFlags::NOSIGNAL;
    rustix::net::sendto(&socket.fd, bytes, flags, &to)?;
    Ok(())
}

fn bind(local: SocketAddr) -> Result<OwnedFd, Errno> {
    if local.port() == 0 {
        return Err(Errno::ADDRNOTAVAIL);
    }
    let family = match local.ip() {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = rustix::net::socket_with(family, SocketType::DGRAM, flags, None)?;
    if local.is_ipv6() {
        sockopt::set_ipv6_v6only(&fd, true)?;
    }
    sockopt::set_socket_recv_buffer_size(&fd, QUEUE)?;
    rustix::net::bind(&fd, &local)?;
    Ok(fd)
}

fn mark(fd: &OwnedFd, local: SocketAddr, dscp: Dscp) -> Result<(), Errno> {
    match local {
        SocketAddr::V4(_) => sockopt::set_ip_tos(fd, dscp.traffic_class()),
        SocketAddr::V6(_) => sockopt::set_ipv6_tclass(fd, u32::from(dscp.traffic_class())),
    }
}

fn watch(epoll: &OwnedFd, fd: &OwnedFd, id: u32) -> Result<(), OpenError> {
    epoll::add(
        epoll,
        fd,
        epoll::EventData::new_u64(u64::from(id)),
        epoll::EventFlags::IN,
    )
    .map_err(refusal)
}

/// Throws away what has arrived, at most what a queue can hold.
fn discard(fd: &OwnedFd) {
    let mut buffer = [0_u8; 1];
    for _ in 0..QUEUE / 64 {
        if rustix::net::recv(fd, &mut buffer, rustix::net::RecvFlags::DONTWAIT).is_err() {
            return;
        }
    }
}

fn refusal(errno: Errno) -> OpenError {
    match errno {
        Errno::ADDRINUSE => OpenError::AddressInUse,
        Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::NOSPC => {
            OpenError::OutOfPorts
        }
        _ => OpenError::AddressUnavailable,
    }
}
