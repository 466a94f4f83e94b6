//! How the ports of an interface come to be: the program on it, a socket on each of its queues, and the queues shared out among
//! threads.
//!
//! Not here: what they do then (`ports.rs`).

use std::io;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use hal::BUFFER;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::super::bpf::{AttachMode, Link, Program, SocketMap};
use super::super::hops::Hops;
use super::super::lanes::{Lanes, Owners};
use super::super::netlink::{self, Netlink};
use super::super::plan::{Copies, Frames, Mode, Plan, StartError};
use super::super::program::{Ours, Steering, assemble, solicited_node};
use super::super::queue::Queue;
use super::super::responder::Responder;
use super::{NONE, Ports};
use crate::host::{self, Attention};
use crate::pace::Pace;

/// Queues of an interface at most; further ones are left to the kernel, which hands their packets to the sockets.
const QUEUES: u32 = 32;

/// What one of several threads has of its own.
struct Share {
    queues: Vec<Queue>,
    slow: host::Ports,
    lanes: Lanes,
    link: Arc<Link>,
}

impl Ports {
    /// Those of one thread alone.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left behind.
    pub fn new(plan: &Plan) -> Result<Self, StartError> {
        let mut all = Self::several(plan, NonZeroU8::MIN)?;
        Ok(all.pop().expect("there is a queue, and so a thread"))
    }

    /// Puts the program on the interface, with a socket for each of its queues, which as many threads share as are wanted and there
    /// are queues. A port is opened on the thread that [`hal::home`] says.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left behind.
    pub fn several(plan: &Plan, most: NonZeroU8) -> Result<Vec<Self>, StartError> {
        let mut netlink = Netlink::open().map_err(StartError::Kernel)?;
        let mut interface = netlink
            .link_named(&plan.interface)
            .map_err(StartError::Kernel)?
            .ok_or(StartError::NoInterface)?;
        if let Some((under, _)) = interface.tagged {
            interface = netlink
                .link(under)
                .map_err(StartError::Kernel)?
                .ok_or(StartError::NoInterface)?;
        }
        let number = interface.index;
        let map = SocketMap::new(interface.queues.clamp(1, QUEUES)).map_err(StartError::Program)?;
        let addresses = [&plan.addresses[..], &plan.alone].concat();
        let steering = Steering {
            addresses: addresses.clone(),
            ports: plan.ports.clone(),
            alone: plan.alone.clone(),
        };
        let ours = Ours::Redirect {
            map: map.descriptor(),
        };
        let program = Program::load(&assemble(&steering, ours)).map_err(StartError::Program)?;
        let queues = bind(&interface, &map)?;
        let (link, attached) = match program.attach(number, AttachMode::Driver) {
            Ok(link) => (link, AttachMode::Driver),
            Err(_) => (
                program
                    .attach(number, AttachMode::Generic)
                    .map_err(StartError::Attach)?,
                AttachMode::Generic,
            ),
        };
        let link = Arc::new(link);
        let copies = if queues.iter().all(Queue::is_zero_copy) {
            Copies::Zero
        } else {
            Copies::One
        };
        let mode = Mode {
            attached,
            copies,
            queues: queues.len(),
        };
        let workers = u8::try_from(queues.len())
            .unwrap_or(u8::MAX)
            .min(most.get());
        let workers = NonZeroU8::new(workers).unwrap_or(NonZeroU8::MIN);
        let slow: Result<Vec<_>, _> = (0..workers.get()).map(|_| host::Ports::new()).collect();
        let slow = slow.map_err(StartError::Kernel)?;
        let wakers = slow.iter().map(host::Ports::waker).collect();
        let lanes = Lanes::between(Owners::new(addresses, workers), wakers);
        let mut shares: Vec<Vec<Queue>> = slow.iter().map(|_| Vec::new()).collect();
        for (place, queue) in queues.into_iter().enumerate() {
            shares[place % usize::from(workers.get())].push(queue);
        }
        let mut all = Vec::new();
        for ((slow, lanes), queues) in slow.into_iter().zip(lanes).zip(shares) {
            let of_its_own = Share {
                queues,
                slow,
                lanes,
                link: Arc::clone(&link),
            };
            all.push(Self::sharing(plan, mode, interface.clone(), of_its_own)?);
        }
        Ok(all)
    }

    /// Those of one thread.
    fn sharing(
        plan: &Plan,
        mode: Mode,
        interface: netlink::Link,
        share: Share,
    ) -> Result<Self, StartError> {
        let Share {
            queues,
            slow,
            lanes,
            link,
        } = share;
        let responder = Responder::new(interface.mac, plan.alone.clone());
        let groups = join_groups(&plan.alone, interface.index).map_err(StartError::Kernel)?;
        let netlink = Netlink::open().map_err(StartError::Kernel)?;
        let hops = Hops::new(interface, plan.alone.clone(), netlink).map_err(StartError::Kernel)?;
        slow.attend(hops.changes(), Attention::Noted)
            .map_err(StartError::Kernel)?;
        for queue in &queues {
            slow.attend(queue.as_fd(), Attention::Quiet)
                .map_err(StartError::Kernel)?;
        }
        Ok(Self {
            _link: link,
            mode,
            old: vec![0; queues.len()],
            queues,
            slow,
            hops,
            lanes,
            passed: Box::new([0; BUFFER]),
            addresses: plan.addresses.clone(),
            alone: plan.alone.clone(),
            responder,
            questions: Vec::new(),
            _groups: groups,
            range: plan.ports.clone(),
            open: Vec::new(),
            steered: Vec::new(),
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
}

/// A socket for each queue of an interface; nothing arrives until the program is on it.
fn bind(interface: &netlink::Link, map: &SocketMap) -> Result<Vec<Queue>, StartError> {
    let mut queues = Vec::new();
    for number in 0..interface.queues.clamp(1, QUEUES) {
        match Queue::bind(interface.index, number) {
            Ok(queue) => {
                map.set(number, &queue).map_err(StartError::Queue)?;
                queues.push(queue);
            }
            // An interface may use fewer queues than it has.
            Err(_) if number > 0 => break,
            Err(error) => return Err(StartError::Queue(error)),
        }
    }
    Ok(queues)
}

/// A socket that is a member of the groups in which neighbours ask for these addresses, where there are any.
fn join_groups(alone: &[IpAddr], interface: u32) -> io::Result<Option<OwnedFd>> {
    let mut groups = None;
    for address in alone {
        if let IpAddr::V6(address) = address {
            let socket = match groups.take() {
                Some(socket) => socket,
                None => rustix::net::socket_with(
                    AddressFamily::INET6,
                    SocketType::DGRAM,
                    SocketFlags::CLOEXEC,
                    None,
                )?,
            };
            match sockopt::set_ipv6_add_membership(&socket, &solicited_node(address), interface) {
                // Two addresses with the same end share a group.
                Ok(()) | Err(Errno::ADDRINUSE) => groups = Some(socket),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
    Ok(groups)
}
