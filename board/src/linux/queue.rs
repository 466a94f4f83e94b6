//! An AF_XDP socket on one queue of an interface: frames that arrive, frames that leave.
//!
//! A frame that arrives is looked at where it lies and given back at once; one that leaves is written where the kernel finds it.
//! The kernel is called for a whole burst, and only where it says that it must be: a driver without copies looks by itself
//! while it is busy; with copies it sends within our call.
//!
//! Not here: what is in a frame; which queue (`ports.rs`).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use hal::BURST;
use rustix::io::Errno;
use rustix::net::xdp::{
    XDP_PGOFF_RX_RING, XDP_PGOFF_TX_RING, XDP_UMEM_PGOFF_COMPLETION_RING, XDP_UMEM_PGOFF_FILL_RING,
    XdpDesc, XdpOptionsFlags,
};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use super::memory::{Consumer, FRAME, Frame, Memory, Producer, queue_address};

/// Frames that may have arrived and not been taken: at 200 kpps the time of a long turn, 10 ms.
const ARRIVING: u32 = 2_048;

/// Frames that may wait to leave.
const LEAVING: u32 = 1_024;

/// How often and how long we wait for a queue that is busy: two seconds in all.
const BUSY_TRIES: u32 = 200;
const BUSY_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// Calls for one burst at most. With copies a call sends 32 frames and says that there are more (EAGAIN).
const KICKS: usize = 4;

/// A socket on a queue.
pub(super) struct Queue {
    // First, so that the kernel has let go before the memory goes.
    socket: OwnedFd,
    fill: Producer<u64>,
    receive: Consumer<XdpDesc>,
    transmit: Producer<XdpDesc>,
    completion: Consumer<u64>,
    memory: Memory,
    /// Frames to write.
    vacant: Vec<Frame>,
    has_unpublished: bool,
}

impl Queue {
    /// A socket on this queue. Nothing arrives until the program is told of it.
    pub(super) fn bind(interface: u32, queue: u32) -> io::Result<Self> {
        let socket = rustix::net::socket_with(
            AddressFamily::XDP,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let (memory, mut frames) = Memory::new(ARRIVING + LEAVING)?;
        sockopt::set_xdp_umem_reg(&socket, memory.registration())?;
        sockopt::set_xdp_umem_fill_ring_size(&socket, ARRIVING)?;
        sockopt::set_xdp_umem_completion_ring_size(&socket, LEAVING)?;
        sockopt::set_xdp_rx_ring_size(&socket, ARRIVING)?;
        sockopt::set_xdp_tx_ring_size(&socket, LEAVING)?;
        let offsets = sockopt::xdp_mmap_offsets(&socket)?;
        let fd = socket.as_fd();
        let mut fill = Producer::map(fd, XDP_UMEM_PGOFF_FILL_RING, offsets.fr, ARRIVING)?;
        let receive = Consumer::map(fd, XDP_PGOFF_RX_RING, offsets.rx, ARRIVING)?;
        let transmit = Producer::map(fd, XDP_PGOFF_TX_RING, offsets.tx, LEAVING)?;
        let completion = Consumer::map(fd, XDP_UMEM_PGOFF_COMPLETION_RING, offsets.cr, LEAVING)?;
        for frame in frames.drain(LEAVING as usize..) {
            fill.put(frame.into_address());
        }
        fill.publish();
        bind(&socket, interface, queue)?;
        Ok(Self {
            socket,
            fill,
            receive,
            transmit,
            completion,
            memory,
            vacant: frames,
            has_unpublished: false,
        })
    }

    /// Whether frames pass between the driver and us without being copied.
    pub(super) fn is_zero_copy(&self) -> bool {
        sockopt::xdp_options(&self.socket)
            .is_ok_and(|options| options.contains(XdpOptionsFlags::XDP_OPTIONS_ZEROCOPY))
    }

    /// Frames that arrived and found no room, so far.
    pub(super) fn overruns(&self) -> u64 {
        sockopt::xdp_statistics(&self.socket).map_or(0, |statistics| {
            // A frame is dropped for want of a place to write it, or of a place in the ring.
            statistics.rx_dropped + statistics.rx_ring_full.unwrap_or(0)
        })
    }

    /// How many frames have arrived.
    pub(super) fn waiting(&self) -> u32 {
        self.receive.waiting()
    }

    /// Shows each frame that has arrived, until there is none or the viewer has had enough of them ([`Next::Stop`]).
    pub(super) fn receive(&mut self, mut view: impl FnMut(&[u8]) -> Next) {
        for descriptor in self.receive.ahead(BURST as u32) {
            self.memory.expect(&descriptor);
        }
        let mut next = Next::More;
        let mut has_taken = false;
        while next == Next::More {
            let Some(descriptor) = self.receive.take() else {
                break;
            };
            has_taken = true;
            let Some(frame) = self.memory.returned(descriptor.addr) else {
                continue;
            };
            next = view(self.memory.arrived(&frame, &descriptor));
            // There is room: the ring holds as many as go round.
            self.fill.put(frame.into_address());
        }
        if has_taken {
            self.receive.release();
            self.fill.publish();
            if self.fill.needs_wakeup() {
                // It says nothing but "look again"; what it cannot do now it does at the next frame.
                let _ = rustix::net::recv(&self.socket, &mut [0_u8; 0], RecvFlags::DONTWAIT);
            }
        }
    }

    /// Writes a frame that is to leave; the writer says how long it is, or that there is none after all. False when there is
    /// none, or no room.
    pub(super) fn send(&mut self, write: impl FnOnce(&mut [u8; FRAME]) -> Option<usize>) -> bool {
        if self.vacant.is_empty() {
            self.reap();
        }
        if !self.transmit.has_room() {
            return false;
        }
        let Some(frame) = self.vacant.pop() else {
            return false;
        };
        let Some(length) = write(self.memory.octets(&frame)) else {
            self.vacant.push(frame);
            return false;
        };
        self.transmit.put(frame.into_descriptor(length));
        self.has_unpublished = true;
        true
    }

    /// Lets the written frames leave.
    pub(super) fn flush(&mut self) {
        if !self.has_unpublished {
            return;
        }
        self.has_unpublished = false;
        self.transmit.publish();
        for _ in 0..KICKS {
            if !self.transmit.needs_wakeup() || !self.kick() {
                break;
            }
        }
        self.reap();
    }

    /// Calls the kernel to send; true when that is to be done again.
    fn kick(&self) -> bool {
        match rustix::net::send(&self.socket, &[], SendFlags::DONTWAIT) {
            // More than it sends at once, or the interface has no room: what is in the ring stays there and leaves later.
            Err(Errno::AGAIN | Errno::BUSY | Errno::NOBUFS) => self.transmit.has_waiting(),
            Ok(_) | Err(_) => false,
        }
    }

    /// Takes back the frames that have left.
    fn reap(&mut self) {
        while let Some(address) = self.completion.take() {
            self.vacant.extend(self.memory.returned(address));
        }
        self.completion.release();
    }
}

/// The kernel lets go of a queue some time after the socket before us has been closed: until then it is busy.
fn bind(socket: &OwnedFd, interface: u32, queue: u32) -> io::Result<()> {
    let address = queue_address(interface, queue);
    for _ in 0..BUSY_TRIES {
        match rustix::net::bind(socket, &address) {
            Err(Errno::BUSY) => std::thread::sleep(BUSY_PAUSE),
            bound => return Ok(bound?),
        }
    }
    Err(Errno::BUSY.into())
}

/// Whether a viewer takes more frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    More,
    Stop,
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
