//! UDP: one socket a listener, read in bursts into one buffer.
//!
//! A datagram that cannot be sent because it is too long for the path says so to its transaction, which then goes over TCP
//! (RFC 3261 §18.1.1); a full socket buffer drops, as the network would, and timers resend.
//!
//! Not here: deciding beforehand that a message is too long (`call` does, by its length).

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::Bytes;
use sip::transport::{FlowId, ListenerId, Source, Transport};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;

/// Datagrams taken from one socket before the others have their turn.
const BURST: usize = 32;
/// No datagram is longer.
pub(super) const LONGEST: usize = 65_535;
/// Room in the kernel for bursts that come while we work; it gives what its limit allows.
const BUFFER: usize = 4 * 1024 * 1024;

/// What became of a datagram to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// Handed to the network.
    Yes,
    /// The socket's buffer is full: lost, as on the way.
    Dropped,
    /// Refused for good: too long, or no way there.
    Refused,
}

/// The socket of a listener.
pub(super) struct Socketed {
    pub(super) flow: FlowId,
    pub(super) listener: ListenerId,
    /// As it was asked for; the port may have been left open.
    pub(super) asked: SocketAddr,
    pub(super) address: SocketAddr,
    socket: UdpSocket,
}

impl Socketed {
    pub(super) fn bind(
        flow: FlowId,
        listener: ListenerId,
        address: SocketAddr,
    ) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        // Less room than asked for is no reason not to start.
        let _ = socket.set_recv_buffer_size(BUFFER);
        let _ = socket.set_send_buffer_size(BUFFER);
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let asked = address;
        let address = socket.local_addr()?;
        Ok(Self {
            flow,
            listener,
            asked,
            address,
            socket,
        })
    }

    pub(super) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        // An error is found again, and passed over, by the read that follows.
        self.socket.poll_recv_ready(context).map(|_| ())
    }

    /// Takes what has come, at most a burst.
    pub(super) fn receive(&self, scratch: &mut [u8], mut each: impl FnMut(Bytes, Source)) {
        for _ in 0..BURST {
            match self.socket.try_recv_from(scratch) {
                Ok((length, remote)) => each(
                    Bytes::copy_from_slice(&scratch[..length]),
                    self.source(remote),
                ),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // An ICMP error of an earlier datagram, reported once; what it meant shows in a transaction's timer.
                Err(_) => {}
            }
        }
    }

    pub(super) fn send(&self, bytes: &[u8], to: SocketAddr) -> Sent {
        // Past tokio, which lets nothing out before it has heard from the kernel that it may.
        match SockRef::from(&self.socket).send_to(bytes, &to.into()) {
            Ok(_) => Sent::Yes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Sent::Dropped,
            Err(_) => Sent::Refused,
        }
    }

    fn source(&self, remote: SocketAddr) -> Source {
        Source {
            flow: self.flow,
            listener: self.listener,
            transport: Transport::Udp,
            local: self.address,
            remote,
            tls: None,
        }
    }
}
