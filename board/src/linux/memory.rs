//! The memory that the kernel and we pass frames through, and the rings of an AF_XDP socket that say whose each frame is.
//!
//! A frame is a place in the memory; a [`Frame`] is the right to it. There is one for each place: it is made with the memory,
//! given away when its place is put into a ring for the kernel, and comes back with the place out of a ring from the kernel. So
//! the octets of a frame are never ours and the kernel's at once.
//!
//! ```text
//!            fill: take these ─►          ─► receive: filled       (frames that arrive)
//!            transmit: send these ─►      ─► completion: sent      (frames that leave)
//! ```
//!
//! Not here: sockets, when to call the kernel (`queue.rs`).
#![allow(unsafe_code, reason = "memory shared with the kernel")]

use std::io;
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};
use rustix::net::xdp::{
    SocketAddrXdp, SocketAddrXdpFlags, XdpDesc, XdpDescOptions, XdpRingFlags, XdpRingOffset,
    XdpUmemReg, XdpUmemRegFlags,
};

/// Octets of a frame: an Ethernet frame, the kernel's headroom, and a power of two.
pub(super) const FRAME: usize = 2_048;

/// Octets of a line of cache, and lines of a frame with a packet of telephony.
const LINE: usize = 64;
const VOICE: usize = 4;

/// Asks for a value to be brought near. Nothing is read, nothing changes.
pub(super) fn prefetch<T>(value: &T) {
    let start = core::ptr::from_ref(value).cast::<u8>();
    for at in (0..size_of::<T>()).step_by(LINE) {
        hint(start.wrapping_add(at));
    }
}

#[inline]
fn hint(place: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch neither reads for anybody nor faults, whatever the address. SSE, to which it belongs, is part of
        // x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// Memory mapped into this process, given back when dropped.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: a mapping belongs to its value alone, wherever that goes.
unsafe impl Send for Mapping {}

impl Mapping {
    fn memory(length: usize) -> io::Result<Self> {
        // SAFETY: a null hint lets the kernel choose a place that nothing else uses.
        let start = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                length,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::POPULATE,
            )?
        };
        Self::of(start, length)
    }

    fn ring(socket: BorrowedFd<'_>, length: usize, which: u64) -> io::Result<Self> {
        // SAFETY: as above; what is mapped is a ring of the kernel's that lives as long as the mapping.
        let start = unsafe {
            mmap(
                std::ptr::null_mut(),
                length,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED | MapFlags::POPULATE,
                socket,
                which,
            )?
        };
        Self::of(start, length)
    }

    fn of(start: *mut core::ffi::c_void, length: usize) -> io::Result<Self> {
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly what was mapped, and no reference outlives the value. A failure would leave the mapping, which is safe.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
    }
}

/// The right to one frame of the memory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame(u32);

impl Frame {
    fn address(&self) -> u64 {
        u64::from(self.0) * FRAME as u64
    }

    /// For the fill ring.
    pub(super) fn into_address(self) -> u64 {
        self.address()
    }

    /// For the transmit ring: the first so many octets.
    pub(super) fn into_descriptor(self, length: usize) -> XdpDesc {
        XdpDesc {
            addr: self.address(),
            len: length.min(FRAME) as u32,
            options: XdpDescOptions::empty(),
        }
    }
}

/// The memory of one socket.
#[derive(Debug)]
pub(super) struct Memory {
    mapping: Mapping,
    frames: u32,
}

impl Memory {
    /// So many frames, and the rights to them.
    pub(super) fn new(frames: u32) -> io::Result<(Self, Vec<Frame>)> {
        let mapping = Mapping::memory(frames as usize * FRAME)?;
        let rights = (0..frames).map(Frame).collect();
        Ok((Self { mapping, frames }, rights))
    }

    /// What the socket is told of it.
    pub(super) fn registration(&self) -> XdpUmemReg {
        XdpUmemReg {
            addr: self.mapping.start.as_ptr() as u64,
            len: self.mapping.length as u64,
            chunk_size: FRAME as u32,
            headroom: 0,
            flags: XdpUmemRegFlags::empty(),
            tx_metadata_len: 0,
        }
    }

    /// The right that came back from the kernel with an address anywhere in the frame. None for an address that is no frame's.
    pub(super) fn returned(&self, address: u64) -> Option<Frame> {
        let frame = u32::try_from(address / FRAME as u64).ok()?;
        (frame < self.frames).then_some(Frame(frame))
    }

    /// What arrived with a descriptor, which the frame came back with: cut at the end of the frame.
    pub(super) fn arrived(&self, frame: &Frame, descriptor: &XdpDesc) -> &[u8] {
        let start = (descriptor.addr % FRAME as u64) as usize;
        let length = (descriptor.len as usize).min(FRAME - start);
        // SAFETY: the place lies within the mapping (`Frame`s are made below `frames` only), the slice within the place. Whoever
        // has the `Frame` is the only one who may use the place, the kernel included; writing takes `&mut self`, so nobody of
        // ours writes while the slice lives. Memory of mmap is initialised.
        unsafe {
            let place = self.mapping.start.as_ptr().add(frame.0 as usize * FRAME);
            std::slice::from_raw_parts(place.add(start), length)
        }
    }

    /// Asks for the octets that arrived with a descriptor to be brought near: another processor has written them.
    pub(super) fn expect(&self, descriptor: &XdpDesc) {
        let start = self.mapping.start.as_ptr();
        let start = start.wrapping_add(descriptor.addr as usize).cast_const();
        for line in 0..(descriptor.len as usize).div_ceil(LINE).min(VOICE) {
            hint(start.wrapping_add(line * LINE));
        }
    }

    /// A frame to be written.
    pub(super) fn octets(&mut self, frame: &Frame) -> &mut [u8; FRAME] {
        // SAFETY: as above, and `&mut self` makes this the only slice of ours into the memory.
        unsafe {
            let place = self.mapping.start.as_ptr().add(frame.0 as usize * FRAME);
            &mut *place.cast::<[u8; FRAME]>()
        }
    }
}

/// What may lie in a ring: plain numbers.
pub(super) trait Entry: Copy {}
impl Entry for u64 {}
impl Entry for XdpDesc {}

/// The parts of a ring that both directions have.
struct Ring<T> {
    mapping: Mapping,
    offsets: XdpRingOffset,
    count: u32,
    entries: PhantomData<T>,
}

impl<T: Entry> Ring<T> {
    fn map(
        socket: BorrowedFd<'_>,
        which: u64,
        offsets: XdpRingOffset,
        count: u32,
    ) -> io::Result<Self> {
        let length = offsets.desc as usize + count as usize * size_of::<T>();
        Ok(Self {
            mapping: Mapping::ring(socket, length, which)?,
            offsets,
            count,
            entries: PhantomData,
        })
    }

    fn word(&self, offset: u64) -> &AtomicU32 {
        // SAFETY: the kernel says that an aligned 32-bit word lies at each of its offsets in the mapping, which is at least
        // `offsets.desc` long and lives as long as `self`; both sides touch it atomically.
        unsafe {
            &*self
                .mapping
                .start
                .as_ptr()
                .add(offset as usize)
                .cast::<AtomicU32>()
        }
    }

    fn producer(&self) -> &AtomicU32 {
        self.word(self.offsets.producer)
    }

    fn consumer(&self) -> &AtomicU32 {
        self.word(self.offsets.consumer)
    }

    fn needs_wakeup(&self) -> bool {
        // What was written before must be seen by a kernel that has just gone to sleep, or its wish to be woken by us.
        fence(Ordering::SeqCst);
        let flags = self
            .offsets
            .flags
            .map_or(0, |offset| self.word(offset).load(Ordering::Relaxed));
        flags & XdpRingFlags::XDP_RING_NEED_WAKEUP.bits() != 0
    }

    fn entry(&self, number: u32) -> *mut T {
        let place = (number & (self.count - 1)) as usize;
        // SAFETY: `count` entries lie at `offsets.desc` (`map` mapped so many), and the place is below that.
        unsafe {
            self.mapping
                .start
                .as_ptr()
                .add(self.offsets.desc as usize)
                .cast::<T>()
                .add(place)
        }
    }
}

/// A ring that we put into and the kernel takes from.
pub(super) struct Producer<T> {
    ring: Ring<T>,
    put: u32,
}

impl<T: Entry> Producer<T> {
    pub(super) fn map(
        socket: BorrowedFd<'_>,
        which: u64,
        offsets: XdpRingOffset,
        count: u32,
    ) -> io::Result<Self> {
        Ok(Self {
            ring: Ring::map(socket, which, offsets, count)?,
            put: 0,
        })
    }

    /// Whether there is room for one more.
    pub(super) fn has_room(&self) -> bool {
        let taken = self.ring.consumer().load(Ordering::Acquire);
        self.put.wrapping_sub(taken) < self.ring.count
    }

    /// Puts one in, unless the ring is full; the kernel sees it after [`Self::publish`].
    pub(super) fn put(&mut self, entry: T) -> bool {
        if !self.has_room() {
            return false;
        }
        // SAFETY: the place is valid, and the kernel has taken what was there (`has_room`) and will not look before `publish`.
        unsafe { self.ring.entry(self.put).write(entry) };
        self.put = self.put.wrapping_add(1);
        true
    }

    /// Shows the kernel what has been put.
    pub(super) fn publish(&self) {
        self.ring.producer().store(self.put, Ordering::Release);
    }

    /// Whether the kernel has not yet taken all that was published.
    pub(super) fn has_waiting(&self) -> bool {
        self.ring.consumer().load(Ordering::Acquire) != self.put
    }

    /// Whether the kernel must be called to look.
    pub(super) fn needs_wakeup(&self) -> bool {
        self.ring.needs_wakeup()
    }
}

/// A ring that the kernel puts into and we take from.
pub(super) struct Consumer<T> {
    ring: Ring<T>,
    taken: u32,
    /// How far the kernel had come when last looked.
    seen: u32,
}

impl<T: Entry> Consumer<T> {
    pub(super) fn map(
        socket: BorrowedFd<'_>,
        which: u64,
        offsets: XdpRingOffset,
        count: u32,
    ) -> io::Result<Self> {
        Ok(Self {
            ring: Ring::map(socket, which, offsets, count)?,
            taken: 0,
            seen: 0,
        })
    }

    /// How many wait to be taken.
    pub(super) fn waiting(&self) -> u32 {
        self.ring
            .producer()
            .load(Ordering::Acquire)
            .wrapping_sub(self.taken)
    }

    /// Those that wait to be taken, at most so many.
    pub(super) fn ahead(&mut self, most: u32) -> impl Iterator<Item = T> {
        self.seen = self.ring.producer().load(Ordering::Acquire);
        let count = self.seen.wrapping_sub(self.taken).min(most);
        (0..count).map(|number| {
            // SAFETY: as in `take`: the kernel has put entries there as far as `seen`, and does not touch them before `release`.
            unsafe { self.ring.entry(self.taken.wrapping_add(number)).read() }
        })
    }

    /// Takes one out; its place is the kernel's again after [`Self::release`].
    pub(super) fn take(&mut self) -> Option<T> {
        if self.taken == self.seen {
            self.seen = self.ring.producer().load(Ordering::Acquire);
            if self.taken == self.seen {
                return None;
            }
        }
        // SAFETY: the place is valid, and the kernel has put an entry there (`seen`) which it does not touch before `release`.
        let entry = unsafe { self.ring.entry(self.taken).read() };
        self.taken = self.taken.wrapping_add(1);
        Some(entry)
    }

    /// Gives the kernel the places of what was taken.
    pub(super) fn release(&self) {
        self.ring.consumer().store(self.taken, Ordering::Release);
    }
}

/// The address that binds a socket to a queue. The kernel tries without copies first and falls back by itself.
pub(super) fn queue_address(interface: u32, queue: u32) -> SocketAddrXdp {
    SocketAddrXdp::new(SocketAddrXdpFlags::XDP_USE_NEED_WAKEUP, interface, queue)
}
