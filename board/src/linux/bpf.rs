//! bpf(2): a map of sockets, a program, and the link that keeps it on an interface.
//!
//! Each is a descriptor; when the process ends, however it ends, the kernel takes the program off and frames go where they went
//! before.
//!
//! Not here: what the program does (`program.rs`).
#![allow(unsafe_code, reason = "bpf(2) exists in libc only, and takes pointers")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use super::program::Instruction;

/// Commands of bpf(2).
#[derive(Debug, Clone, Copy)]
enum Call {
    MapCreate = 0,
    MapUpdate = 2,
    ProgramLoad = 5,
    #[cfg(test)]
    TestRun = 10,
    LinkCreate = 28,
}

/// `BPF_MAP_TYPE_XSKMAP`, `BPF_PROG_TYPE_XDP`, `BPF_XDP`.
const SOCKET_MAP: u32 = 17;
const XDP_PROGRAM: u32 = 6;
const XDP_ATTACH: u32 = 37;

/// The beginnings of `union bpf_attr`; the kernel takes what is beyond as zero.
#[repr(C)]
struct MapCreate {
    kind: u32,
    key: u32,
    value: u32,
    entries: u32,
    flags: u32,
}

#[repr(C)]
struct MapUpdate {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
struct ProgramLoad {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach: u32,
}

#[repr(C)]
struct LinkCreate {
    program: u32,
    interface: u32,
    attach: u32,
    flags: u32,
}

/// # Safety
/// `attributes` is the structure of this call, and what it points to is as long as it says and stays for the call.
unsafe fn bpf<T>(call: Call, attributes: &mut T) -> io::Result<i32> {
    // SAFETY: the kernel reads `size_of::<T>()` octets at the pointer, all of them initialised (the structures have no padding
    // of the compiler's own), and follows the pointers in it as the caller promises.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            call as libc::c_long,
            core::ptr::from_mut(attributes),
            size_of::<T>(),
        )
    };
    if answer < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(answer as i32)
    }
}

/// # Safety
/// As [`bpf`]; the call is one that gives a new descriptor.
unsafe fn bpf_descriptor<T>(call: Call, attributes: &mut T) -> io::Result<OwnedFd> {
    // SAFETY: the caller's promise; a descriptor that the kernel has just made is nobody else's.
    unsafe { bpf(call, attributes).map(|fd| OwnedFd::from_raw_fd(fd)) }
}

/// The sockets by queue.
#[derive(Debug)]
pub(super) struct SocketMap(OwnedFd);

impl SocketMap {
    /// An empty map for so many queues.
    pub(super) fn new(queues: u32) -> io::Result<Self> {
        let mut attributes = MapCreate {
            kind: SOCKET_MAP,
            key: 4,
            value: 4,
            entries: queues,
            flags: 0,
        };
        // SAFETY: no pointers; the call makes a descriptor.
        unsafe { bpf_descriptor(Call::MapCreate, &mut attributes) }.map(Self)
    }

    /// What the program knows it by.
    pub(super) fn descriptor(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// Frames of this queue are for this socket from now on.
    pub(super) fn set(&self, queue: u32, socket: impl AsFd) -> io::Result<()> {
        let value = socket.as_fd().as_raw_fd();
        let mut attributes = MapUpdate {
            map: self.0.as_raw_fd() as u32,
            padding: 0,
            key: core::ptr::from_ref(&queue) as u64,
            value: core::ptr::from_ref(&value) as u64,
            flags: 0,
        };
        // SAFETY: key and value are words of four octets, as the map was made for, and live until the call is over.
        unsafe { bpf(Call::MapUpdate, &mut attributes) }.map(drop)
    }
}

/// A program that the kernel has found to be safe.
#[derive(Debug)]
pub(super) struct Program(OwnedFd);

impl Program {
    pub(super) fn load(code: &[Instruction]) -> io::Result<Self> {
        let mut name = [0; 16];
        name[..13].copy_from_slice(b"postern_media");
        let mut attributes = ProgramLoad {
            kind: XDP_PROGRAM,
            count: code.len() as u32,
            instructions: code.as_ptr() as u64,
            license: c"Dual MIT/GPL".as_ptr() as u64,
            log_level: 0,
            log_size: 0,
            log: 0,
            kernel: 0,
            flags: 0,
            name,
            interface: 0,
            attach: XDP_ATTACH,
        };
        // SAFETY: `code` has `count` instructions of the kernel's own layout (`repr(C)`, eight octets) and the licence ends with
        // a zero; both live until the call is over. The call makes a descriptor.
        unsafe { bpf_descriptor(Call::ProgramLoad, &mut attributes) }.map(Self)
    }

    /// Puts it on an interface, until the link is dropped.
    pub(super) fn attach(&self, interface: u32, mode: AttachMode) -> io::Result<Link> {
        let mut attributes = LinkCreate {
            program: self.0.as_raw_fd() as u32,
            interface,
            attach: XDP_ATTACH,
            flags: mode as u32,
        };
        // SAFETY: no pointers; the call makes a descriptor.
        unsafe { bpf_descriptor(Call::LinkCreate, &mut attributes) }.map(Link)
    }

    /// What it does with a frame.
    #[cfg(test)]
    pub(super) fn verdict(&self, frame: &[u8]) -> io::Result<u32> {
        let mut attributes = TestRun {
            program: self.0.as_raw_fd() as u32,
            verdict: 0,
            size_in: frame.len() as u32,
            size_out: 0,
            data_in: frame.as_ptr() as u64,
            data_out: 0,
            repeat: 1,
            duration: 0,
        };
        // SAFETY: the frame is as long as said and lives until the call is over; nothing is to be written out.
        unsafe { bpf(Call::TestRun, &mut attributes) }.map(|_| attributes.verdict)
    }
}

#[cfg(test)]
#[repr(C)]
struct TestRun {
    program: u32,
    verdict: u32,
    size_in: u32,
    size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
}

/// Where in its way a frame meets the program (`XDP_FLAGS_…_MODE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttachMode {
    /// In the driver, before the kernel has made anything of it.
    Driver = 1 << 2,
    /// Behind the driver: any interface can, at a higher cost.
    Generic = 1 << 1,
}

/// Keeps a program on its interface.
#[derive(Debug)]
pub(super) struct Link(#[expect(dead_code, reason = "held until it is dropped")] OwnedFd);
