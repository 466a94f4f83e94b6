//! Linux with the rights of root: packets straight from the driver's queues, over AF_XDP.
//!
//! [`Ports`] steers the media addresses and ports of one interface to sockets of its own, one for each queue, by an XDP program
//! that is assembled here (`program.rs`); everything else passes to the kernel as before. Where the box does not give this,
//! [`Ports::new`] says why, and `host::Ports` does the same work at a higher cost.
//!
//! ```text
//!  ports.rs   the ports               program.rs  what goes to us       bpf.rs     bpf(2)            ┐ unsafe
//!  queue.rs   a socket on a queue     frame.rs    datagrams in frames   memory.rs  frames and rings  ┘
//!  hops.rs    who gets a frame next   netlink.rs  what the kernel knows
//!  lanes.rs  from one thread to another
//!  responder.rs  answers for addresses that the kernel does not have      plan.rs  what is asked for, what is got
//! ```
//!
//! Not here: addresses and routes of the box (the kernel's), policy.

mod bpf;
mod frame;
mod hops;
mod lanes;
mod memory;
mod netlink;
mod plan;
mod ports;
mod program;
mod queue;
mod responder;

pub use bpf::AttachMode;
pub use plan::{Copies, Frames, Mode, Plan, StartError};
pub use ports::{Given, Ports};
