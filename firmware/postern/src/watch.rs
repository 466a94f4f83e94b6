//! Sockets that wake us for one thing alone: tokio's own wake for reading and writing both, and that a datagram has left the
//! kernel is a wake-up for nothing, one for each that is sent.
//!
//! Not here: streams of SIP; TCP tells of room to write only after it has refused.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A socket of the standard library: it owns its descriptor and keeps the same one for all its life.
pub(crate) trait Socket: AsRawFd {}

impl Socket for UdpSocket {}
impl Socket for UnixStream {}

/// Has `socket`, which must not block, watched for `interest`.
#[expect(
    deprecated,
    reason = "its successor is unsafe, for types that might change their descriptor; a `Socket` does not"
)]
pub(crate) fn watch<T: Socket>(socket: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(socket, interest)
}
