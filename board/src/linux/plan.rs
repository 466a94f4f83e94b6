//! What is to go over AF_XDP, why it cannot, and how it does.
//!
//! Values only: who starts media fills the one and tells the others.
//!
//! Not here: doing it (`ports.rs`).

use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::bpf::AttachMode;

/// What is to go over AF_XDP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The interface that packets come by; a virtual network's own, or the one under it.
    pub interface: String,
    /// The addresses of the media plane, which the interface has.
    pub addresses: Vec<IpAddr>,
    /// Further addresses, which nobody has but the media plane: it answers for them itself. The kernel must have an address of
    /// its own there, to find neighbours from.
    pub alone: Vec<IpAddr>,
    /// Its ports.
    pub ports: RangeInclusive<u16>,
}

/// Why AF_XDP is not to be had.
#[derive(Debug)]
pub enum StartError {
    /// There is no interface of this name.
    NoInterface,
    /// The kernel tells nothing of interfaces, or gives no socket beside them.
    Kernel(io::Error),
    /// It does not take the program: too old, or we lack CAP_BPF and CAP_NET_ADMIN.
    Program(io::Error),
    /// It gives no socket on a queue: no AF_XDP, no CAP_NET_RAW, or too little memory may be locked.
    Queue(io::Error),
    /// The interface takes no program: another is there already, or its frames are too large.
    Attach(io::Error),
}

impl core::fmt::Display for StartError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoInterface => f.write_str("there is no such interface"),
            Self::Kernel(error) => write!(f, "the kernel does not tell of interfaces: {error}"),
            Self::Program(error) => write!(
                f,
                "the kernel does not take the program: {error} (needs CAP_BPF and CAP_NET_ADMIN)"
            ),
            Self::Queue(error) => write!(
                f,
                "no socket on the interface's queue: {error} (needs CAP_NET_RAW and lockable memory)"
            ),
            Self::Attach(error) => write!(
                f,
                "the interface does not take the program: {error} (is there another on it?)"
            ),
        }
    }
}

impl core::error::Error for StartError {}

/// How frames pass between an interface and us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// Where the program is.
    pub attached: AttachMode,
    /// Whether frames are passed without being copied.
    pub copies: Copies,
    /// Queues with a socket.
    pub queues: usize,
}

/// Whether the kernel copies each frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    /// The driver shares our memory.
    Zero,
    /// It does not.
    One,
}

/// What has passed without the kernel's sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Frames {
    /// Frames that arrived on the queues, ours or not.
    pub received: u64,
    /// Frames that left by them.
    pub sent: u64,
}
