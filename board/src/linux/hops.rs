//! Whether a remote can be reached by frames of our own making, and who gets them next.
//!
//! The kernel decides: its route, its neighbour. What it says is remembered for [`FRESH`]; then one packet goes by the kernel, so
//! that it looks after its neighbour (RFC 4861 §7.3), and it is asked again. So do the first packets to a remote: the kernel
//! finds out who it is, and ours follow. For an address that is ours alone the kernel cannot send; it is asked to look instead,
//! and until it has found somebody, what is to leave is lost. Whatever the kernel says of changes makes all be asked again.
//!
//! Not here: frames (`frame.rs`), the kernel's answers (`netlink.rs`).

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use embassy_time::{Duration, Instant};

use super::frame::Hop;
use super::netlink::{Changes, Link, Netlink};

/// How long an answer is believed.
const FRESH: Duration = Duration::from_secs(10);

/// How long the kernel may look for a neighbour before we ask again.
const PATIENCE: Duration = Duration::from_millis(20);

/// Remotes remembered; with more all are asked for again.
const MOST: usize = 16_384;

/// The next hops of one interface.
pub(super) struct Hops {
    netlink: Netlink,
    changes: Changes,
    interface: Link,
    /// Addresses of ours that the kernel does not have, and cannot send from.
    alone: Vec<IpAddr>,
    known: HashMap<(IpAddr, IpAddr), Known>,
    /// Counts what has changed, so that copies of an answer can be known to be old.
    generation: u32,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    way: Way,
    until: Instant,
}

/// How a packet gets to its remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// In a frame of our own.
    Frame(Hop),
    /// By the kernel.
    Kernel,
}

impl Hops {
    pub(super) fn new(interface: Link, alone: Vec<IpAddr>, netlink: Netlink) -> io::Result<Self> {
        Ok(Self {
            alone,
            netlink,
            changes: Changes::listen()?,
            interface,
            known: HashMap::new(),
            generation: 0,
        })
    }

    pub(super) fn interface(&self) -> &Link {
        &self.interface
    }

    /// What becomes readable when something changes; then [`Self::refresh`].
    pub(super) fn changes(&self) -> BorrowedFd<'_> {
        self.changes.as_fd()
    }

    /// Forgets all if anything has changed.
    pub(super) fn refresh(&mut self) {
        if self.changes.any() {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.known.clear();
        self.generation = self.generation.wrapping_add(1);
    }

    /// Answers of another generation are old.
    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    /// The way from an address of ours to a remote, and until when it holds.
    pub(super) fn way(&mut self, from: IpAddr, to: IpAddr, now: Instant) -> (Way, Instant) {
        if let Some(known) = self.known.get(&(from, to))
            && now < known.until
        {
            return (known.way, known.until);
        }
        if self.known.len() >= MOST {
            self.forget();
        }
        let way = self.ask(from, to).unwrap_or(Way::Kernel);
        let lasts = match way {
            Way::Frame(_) => FRESH,
            Way::Kernel => PATIENCE,
        };
        let until = now + lasts;
        self.known.insert((from, to), Known { way, until });
        if self.alone.contains(&from) {
            (way, until)
        } else {
            // This one goes by the kernel, whatever the answer.
            (Way::Kernel, now)
        }
    }

    fn ask(&mut self, from: IpAddr, to: IpAddr) -> io::Result<Way> {
        let is_alone = self.alone.contains(&from);
        let Some(route) = self.netlink.route((!is_alone).then_some(from), to)? else {
            return Ok(Way::Kernel);
        };
        let (source, vlan) = if route.interface == self.interface.index {
            (self.interface.mac, None)
        } else {
            // Only a virtual network on our interface is reached through it.
            match self.netlink.link(route.interface)? {
                Some(link) => match link.tagged {
                    Some((under, vlan)) if under == self.interface.index => (link.mac, Some(vlan)),
                    _ => return Ok(Way::Kernel),
                },
                None => return Ok(Way::Kernel),
            }
        };
        let next = route.gateway.unwrap_or(to);
        if is_alone {
            // No packet of the kernel's own makes it look.
            self.netlink.look_after(route.interface, next)?;
        }
        let neighbour = self.netlink.neighbour(route.interface, next)?;
        Ok(neighbour.map_or(Way::Kernel, |mac| {
            Way::Frame(Hop {
                to: mac,
                from: source,
                vlan,
            })
        }))
    }
}
