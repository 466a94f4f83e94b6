//! UDP: one socket a listener, read and written in batches, a system call each.
//!
//! What is to be sent waits until [`Datagrams::flush`], which comes once a turn of the loop. A datagram that is too long
//! for the path says so to its transaction, which then goes over TCP (RFC 3261 §18.1.1); a full socket buffer drops, as the
//! network would, and timers resend.
//!
//! Not here: deciding beforehand that a message is too long (`call` does, by its length).

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::task::{Context, Poll};

use board::host::sys::{self, Arrival, BATCH};
use bytes::Bytes;
use sip::transaction::ClientId;
use sip::transport::{FlowId, ListenerId, Source, Target, Transport};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::watch::watch;

/// No datagram is longer.
const LONGEST: usize = 65_535;
/// Room in the kernel for bursts that come while we work; it gives what its limit allows.
const BUFFER: usize = 4 * 1024 * 1024;

/// Where a batch of datagrams is received: as many buffers as one system call fills.
pub(super) struct Buffers {
    bytes: Vec<u8>,
    arrivals: [Arrival; BATCH],
}

impl Buffers {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; BATCH * LONGEST],
            arrivals: [Arrival::NONE; BATCH],
        }
    }
}

/// A datagram to be sent, and whom to tell if it cannot be.
struct Outgoing {
    bytes: Bytes,
    target: Target,
    client: Option<ClientId>,
}

/// What became of the datagrams of a flush.
#[derive(Debug, Default)]
pub(super) struct Flushed {
    /// Handed to the network.
    pub(super) sent: u64,
    /// Lost here, the socket's buffer being full.
    pub(super) dropped: u64,
    /// Refused for good: too long, or no way there.
    pub(super) refused: Vec<(Target, Option<ClientId>)>,
}

/// The socket of a listener.
pub(super) struct Datagrams {
    pub(super) flow: FlowId,
    pub(super) listener: ListenerId,
    /// As it was asked for; the port may have been left open.
    pub(super) asked: SocketAddr,
    address: SocketAddr,
    /// Heard of when it can be read, and then alone: that a datagram has left is no reason to wake up.
    socket: AsyncFd<UdpSocket>,
    outgoing: Vec<Outgoing>,
}

impl Datagrams {
    pub(super) fn bind(flow: FlowId, listener: ListenerId, asked: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(asked), Type::DGRAM, Some(Protocol::UDP))?;
        if asked.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        // Less room than asked for is no reason not to start.
        let _ = socket.set_recv_buffer_size(BUFFER);
        let _ = socket.set_send_buffer_size(BUFFER);
        socket.bind(&asked.into())?;
        let socket = UdpSocket::from(socket);
        let address = socket.local_addr()?;
        let socket = watch(socket, Interest::READABLE)?;
        Ok(Self {
            flow,
            listener,
            asked,
            address,
            socket,
            outgoing: Vec::new(),
        })
    }

    pub(super) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        // An error is found again, and passed over, by the read that follows.
        self.socket.poll_read_ready(context).map(|_| ())
    }

    /// Takes what has come, at most a batch.
    pub(super) fn receive(&self, buffers: &mut Buffers, mut each: impl FnMut(Bytes, Source)) {
        let mut count = 0;
        // What comes out says whether the socket may have more. An error is that of an earlier datagram, reported once;
        // what it meant shows in a transaction's timer.
        let _ = self.socket.try_io(Interest::READABLE, |socket| {
            let chunks = buffers.bytes.chunks_exact_mut(LONGEST);
            count = sys::receive(socket.as_fd(), chunks, &mut buffers.arrivals)?;
            // Fewer than there was room for: the socket is empty, and will say when it is not.
            if count < BATCH {
                Err(io::ErrorKind::WouldBlock.into())
            } else {
                Ok(())
            }
        });
        let chunks = buffers.bytes.chunks_exact(LONGEST);
        for (bytes, arrival) in chunks.zip(&buffers.arrivals).take(count) {
            let length = arrival.length.min(LONGEST);
            each(
                Bytes::copy_from_slice(&bytes[..length]),
                self.source(arrival.from),
            );
        }
    }

    /// To be sent with the next flush.
    pub(super) fn send(&mut self, bytes: Bytes, target: Target, client: Option<ClientId>) {
        self.outgoing.push(Outgoing {
            bytes,
            target,
            client,
        });
    }

    /// To be sent back to where something came from, with the next flush.
    pub(super) fn reply(&mut self, bytes: Bytes, to: SocketAddr) {
        let target = Target {
            transport: Transport::Udp,
            remote: to,
            listener: self.listener,
            flow: Some(self.flow),
            tls: None,
        };
        self.send(bytes, target, None);
    }

    /// Sends all that waits.
    pub(super) fn flush(&mut self) -> Flushed {
        let mut flushed = Flushed::default();
        let mut rest = self.outgoing.as_slice();
        while !rest.is_empty() {
            let batch = rest
                .iter()
                .map(|outgoing| (&*outgoing.bytes, outgoing.target.remote));
            match sys::send(self.socket.get_ref().as_fd(), batch) {
                Ok(count) => {
                    flushed.sent += count as u64;
                    rest = &rest[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    flushed.dropped += rest.len() as u64;
                    break;
                }
                Err(_) => {
                    let refused = &rest[0];
                    flushed
                        .refused
                        .push((refused.target.clone(), refused.client));
                    rest = &rest[1..];
                }
            }
        }
        self.outgoing.clear();
        flushed
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
