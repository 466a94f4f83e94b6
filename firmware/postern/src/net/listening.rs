//! A listener's place: its socket, or that it could not be opened; opened by a plan, kept or changed by the next.
//!
//! Places are in the order of the configuration, so that a `ListenerId` finds its own.
//!
//! Not here: what comes in (`udp`, `tcp`).

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use rustls::server::ServerConfig;
use sip::transport::{ListenerId, Transport};
use tokio::task::AbortHandle;

use super::tcp::{self, Door};
use super::udp::Datagrams;
use super::{ListenerPlan, Shared};
use crate::tls::ServerSide;

/// A place among the listeners.
pub(super) enum Listening {
    Udp(Datagrams),
    Tcp {
        address: SocketAddr,
        door: Rc<Door>,
        accepting: AbortHandle,
    },
    /// Could not be opened, or its socket has moved on; kept for its place.
    Closed,
}

impl Listening {
    pub(super) fn open(
        id: ListenerId,
        wanted: &ListenerPlan,
        shared: &Rc<Shared>,
    ) -> io::Result<Self> {
        if wanted.transport == Transport::Udp {
            return Datagrams::bind(shared.next_flow(), id, wanted.address).map(Self::Udp);
        }
        let tls = server_side(wanted, None)?;
        let socket = tcp::bind(wanted.address)?;
        let door = Rc::new(Door {
            listener: Cell::new(id),
            transport: wanted.transport,
            tls: RefCell::new(tls),
        });
        let accepting = tcp::accept(socket, Rc::clone(&door), Rc::clone(shared));
        Ok(Self::Tcp {
            address: wanted.address,
            door,
            accepting: tokio::task::spawn_local(accepting).abort_handle(),
        })
    }

    /// The same socket for the next configuration.
    pub(super) fn keep(mut self, id: ListenerId, wanted: &ListenerPlan) -> io::Result<Self> {
        match &mut self {
            Self::Udp(socket) => socket.listener = id,
            Self::Tcp { door, .. } => {
                door.listener.set(id);
                let side = server_side(wanted, door.tls.borrow().as_ref())?;
                door.tls.replace(side);
            }
            Self::Closed => {}
        }
        Ok(self)
    }

    /// Whether it is the socket that `wanted` wants.
    pub(super) fn serves(&self, wanted: &ListenerPlan) -> bool {
        match self {
            Self::Udp(socket) => {
                wanted.transport == Transport::Udp && socket.asked == wanted.address
            }
            Self::Tcp { address, door, .. } => {
                door.transport == wanted.transport && *address == wanted.address
            }
            Self::Closed => false,
        }
    }

    /// What its connections are made with now.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        match self {
            Self::Tcp { door, .. } => {
                let side = door.tls.borrow();
                side.as_ref().map(|side| Arc::clone(side.config()))
            }
            Self::Udp(_) | Self::Closed => None,
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Self::Tcp { accepting, .. } = self {
            accepting.abort();
        }
    }
}

/// The sockets for datagrams.
pub(super) fn sockets(listeners: &[Listening]) -> impl Iterator<Item = &Datagrams> {
    listeners.iter().filter_map(|listening| match listening {
        Listening::Udp(socket) => Some(socket),
        _ => None,
    })
}

fn server_side(
    wanted: &ListenerPlan,
    previous: Option<&ServerSide>,
) -> io::Result<Option<ServerSide>> {
    if wanted.transport != Transport::Tls {
        return Ok(None);
    }
    // Rather no listener than one that speaks in the clear where TLS was asked for.
    let plan = wanted.tls.clone().ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "a TLS listener needs an identity",
        )
    })?;
    ServerSide::build(plan, previous)
        .map(Some)
        .map_err(io::Error::other)
}
