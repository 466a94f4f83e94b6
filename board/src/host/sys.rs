//! Many datagrams with one system call: recvmmsg(2) and sendmmsg(2).
//!
//! Safe doors: slices in, counts and addresses out. Each call handles at most [`BATCH`] datagrams and never waits.
//!
//! Not here: sockets (rustix makes those), which socket is ready (`host/ports.rs`).
#![allow(unsafe_code, reason = "the two calls exist in libc only")]

use core::mem::{self, MaybeUninit};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Datagrams of one call at most.
pub const BATCH: usize = 32;

/// What a received datagram says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its sender.
    pub from: SocketAddr,
    /// Its octets, more than the buffer holds if it was cut.
    pub length: usize,
}

impl Arrival {
    /// A place for an arrival that has not come.
    pub const NONE: Self = Self {
        from: SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)),
        length: 0,
    };
}

/// An IPv4 or IPv6 socket address as the kernel writes it; the family comes first in both.
#[derive(Clone, Copy)]
#[repr(C)]
union Name {
    family: libc::sa_family_t,
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl Name {
    /// All zero, which every member allows.
    fn zero() -> Self {
        // SAFETY: all members are C structs of integers, for which zero is a value.
        unsafe { mem::zeroed() }
    }

    fn of(address: SocketAddr) -> (Self, libc::socklen_t) {
        let mut name = Self::zero();
        match address {
            SocketAddr::V4(address) => {
                name.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: address.port().to_be(),
                    sin_addr: libc::in_addr {
                        s_addr: u32::from_ne_bytes(address.ip().octets()),
                    },
                    sin_zero: [0; 8],
                };
                (name, size_of::<libc::sockaddr_in>() as libc::socklen_t)
            }
            SocketAddr::V6(address) => {
                name.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: address.port().to_be(),
                    sin6_flowinfo: address.flowinfo(),
                    sin6_addr: libc::in6_addr {
                        s6_addr: address.ip().octets(),
                    },
                    sin6_scope_id: address.scope_id(),
                };
                (name, size_of::<libc::sockaddr_in6>() as libc::socklen_t)
            }
        }
    }

    /// None for a family we did not ask for.
    fn address(&self) -> Option<SocketAddr> {
        // SAFETY: the union was zeroed before the kernel wrote into it, so every octet of every member is initialised, and all
        // members are plain integers.
        let (family, v4, v6) = unsafe { (self.family, self.v4, self.v6) };
        match i32::from(family) {
            libc::AF_INET => Some(SocketAddr::V4(SocketAddrV4::new(
                Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes()),
                u16::from_be(v4.sin_port),
            ))),
            libc::AF_INET6 => Some(SocketAddr::V6(SocketAddrV6::new(
                Ipv6Addr::from(v6.sin6_addr.s6_addr),
                u16::from_be(v6.sin6_port),
                v6.sin6_flowinfo,
                v6.sin6_scope_id,
            ))),
            _ => None,
        }
    }
}

/// Headers, buffers and names of one call. Only the part that a call uses is ever written.
struct Batch {
    names: [MaybeUninit<Name>; BATCH],
    pieces: [MaybeUninit<libc::iovec>; BATCH],
    headers: [MaybeUninit<libc::mmsghdr>; BATCH],
    used: usize,
}

impl Batch {
    const fn new() -> Self {
        Self {
            names: [const { MaybeUninit::uninit() }; BATCH],
            pieces: [const { MaybeUninit::uninit() }; BATCH],
            headers: [const { MaybeUninit::uninit() }; BATCH],
            used: 0,
        }
    }

    /// Adds a datagram while there is room. The pointers into `self` stay true only while `self` does not move.
    fn add(&mut self, name: Name, name_length: libc::socklen_t, start: *mut u8, length: usize) {
        let at = self.used;
        let name = self.names[at].write(name);
        let piece = self.pieces[at].write(libc::iovec {
            iov_base: start.cast(),
            iov_len: length,
        });
        // SAFETY: a C struct of integers and pointers, for which zero is a value; it has padding that no literal can name.
        let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
        header.msg_hdr.msg_name = core::ptr::from_mut(name).cast();
        header.msg_hdr.msg_namelen = name_length;
        header.msg_hdr.msg_iov = piece;
        header.msg_hdr.msg_iovlen = 1;
        self.headers[at].write(header);
        self.used += 1;
    }
}

/// Receives what has arrived on a socket: the n-th datagram into the n-th buffer, its sender and length into the n-th arrival.
/// Gives how many came: none is an answer, not an error. A datagram of a family other than IPv4 and IPv6 has length zero.
///
/// # Errors
/// What the system says of the socket.
pub fn receive<'b>(
    socket: BorrowedFd<'_>,
    buffers: impl Iterator<Item = &'b mut [u8]>,
    arrivals: &mut [Arrival],
) -> io::Result<usize> {
    let mut batch = Batch::new();
    for buffer in buffers.take(arrivals.len().min(BATCH)) {
        batch.add(
            Name::zero(),
            size_of::<Name>() as libc::socklen_t,
            buffer.as_mut_ptr(),
            buffer.len(),
        );
    }
    if batch.used == 0 {
        return Ok(0);
    }
    // SAFETY: the first `used` headers are written; each points to a name and a piece within `batch`, which has not moved since,
    // and the piece to a buffer that is borrowed mutably for 'b, distinct from the others because the iterator gave each as
    // `&mut`. The kernel writes within the lengths given. MSG_TRUNC makes it tell the true length of what it cut.
    let count = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            batch.headers.as_mut_ptr().cast(),
            batch.used as libc::c_uint,
            libc::MSG_DONTWAIT | libc::MSG_TRUNC,
            core::ptr::null_mut(),
        )
    };
    if count < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::WouldBlock {
            Ok(0)
        } else {
            Err(error)
        };
    }
    let count = (count as usize).min(batch.used);
    for (at, arrival) in arrivals[..count].iter_mut().enumerate() {
        // SAFETY: `add` wrote the first `used` names and headers, and `count` is not more.
        let (name, header) = unsafe {
            (
                batch.names[at].assume_init_ref(),
                batch.headers[at].assume_init_ref(),
            )
        };
        *arrival = match name.address() {
            Some(from) => Arrival {
                from,
                length: header.msg_len as usize,
            },
            None => Arrival::NONE,
        };
    }
    Ok(count)
}

/// Sends datagrams from a socket, at most [`BATCH`], in order; gives how many the system took before one that it did not.
///
/// # Errors
/// What the system says of the first datagram when it takes none; call again with the rest behind it.
pub fn send<'b>(
    socket: BorrowedFd<'_>,
    datagrams: impl Iterator<Item = (&'b [u8], SocketAddr)>,
) -> io::Result<usize> {
    let mut batch = Batch::new();
    for (bytes, to) in datagrams.take(BATCH) {
        let (name, length) = Name::of(to);
        batch.add(name, length, bytes.as_ptr().cast_mut(), bytes.len());
    }
    if batch.used == 0 {
        return Ok(0);
    }
    // SAFETY: as in `receive`; the kernel only reads from names and pieces, so a piece that was borrowed shared is not written.
    let count = unsafe {
        libc::sendmmsg(
            socket.as_raw_fd(),
            batch.headers.as_mut_ptr().cast(),
            batch.used as libc::c_uint,
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
        )
    };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// How many datagrams the kernel has thrown away, since the socket was made, because its queue was full. The count goes
/// around at its end.
pub fn overruns(socket: BorrowedFd<'_>) -> u32 {
    let mut words = [0_u32; libc::SK_MEMINFO_DROPS as usize + 1];
    let mut length = size_of_val(&words) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` octets into `words`, which are as many, and any octets make a u32.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            words.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    // A kernel older than 4.12 does not say.
    if outcome == 0 {
        words[libc::SK_MEMINFO_DROPS as usize]
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    fn pair(address: &str) -> Option<(UdpSocket, UdpSocket)> {
        let bind = || UdpSocket::bind(address).ok();
        Some((bind()?, bind()?))
    }

    fn passes_whole_batches(address: &str) {
        // A machine without IPv6 has nothing to show here.
        let Some((here, there)) = pair(address) else {
            return;
        };
        let to = there.local_addr().expect("it is bound");
        let texts: Vec<Vec<u8>> = (0..40_u8).map(|n| vec![n; usize::from(n) + 1]).collect();
        let sent = send(here.as_fd(), texts.iter().map(|text| (text.as_slice(), to)))
            .expect("loopback takes it");
        assert_eq!(sent, BATCH);

        let mut buffers = vec![[0_u8; 16]; 40];
        let mut arrivals = [Arrival::NONE; 40];
        let count = receive(
            there.as_fd(),
            buffers.iter_mut().map(|buffer| &mut buffer[..]),
            &mut arrivals,
        )
        .expect("it is readable");
        assert_eq!(count, BATCH);
        for (n, arrival) in arrivals[..count].iter().enumerate() {
            assert_eq!(
                *arrival,
                Arrival {
                    from: here.local_addr().expect("it is bound"),
                    length: n + 1
                }
            );
            assert_eq!(
                buffers[n][..(n + 1).min(16)],
                texts[n][..(n + 1).min(16)],
                "cut at the buffer, told by the length"
            );
        }
        let none = receive(
            there.as_fd(),
            buffers.iter_mut().map(|buffer| &mut buffer[..]),
            &mut arrivals,
        );
        assert_eq!(none.expect("nothing is no error"), 0);
    }

    #[test]
    fn a_batch_passes_over_ipv4() {
        passes_whole_batches("127.0.0.1:0");
    }

    #[test]
    fn a_batch_passes_over_ipv6() {
        passes_whole_batches("[::1]:0");
    }

    #[test]
    fn nothing_to_do_is_done_at_once() {
        let (here, _) = pair("127.0.0.1:0").expect("loopback is there");
        assert_eq!(send(here.as_fd(), std::iter::empty()).expect("no call"), 0);
        assert_eq!(
            receive(here.as_fd(), std::iter::empty(), &mut [Arrival::NONE; 4]).expect("no call"),
            0
        );
        assert_eq!(
            receive(here.as_fd(), std::iter::once(&mut [0_u8; 4][..]), &mut []).expect("no call"),
            0
        );
    }

    #[test]
    fn a_datagram_that_cannot_leave_is_told_and_those_before_it_left() {
        let (here, there) = pair("127.0.0.1:0").expect("loopback is there");
        let good = there.local_addr().expect("it is bound");
        let bad: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let sent = send(
            here.as_fd(),
            [(&b"a"[..], good), (b"b", bad), (b"c", good)].into_iter(),
        );
        assert_eq!(sent.expect("the first left"), 1);
        assert!(send(here.as_fd(), [(&b"b"[..], bad)].into_iter()).is_err());
    }
}
