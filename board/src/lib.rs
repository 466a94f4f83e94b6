//! The boxes Postern runs on: their packet ports, clocks and shared memory. The only home of system calls.
//!
//! - [`host`]: any Linux, without privileges: UDP sockets in batches.
//! - [`linux`]: Linux with the rights of root: frames from the driver's queues, over AF_XDP.
//! - [`sim`]: a network in memory, with loss and reordering from a seed, and a clock that moves when told.
//! - [`clock`]: the monotonic clock and the time of day; it also drives `embassy-time` for the whole program.
//! - [`shm`]: words of memory that two processes share.
//!
//! The same tests run on every kind of ports (`tests/conformance.rs`): the slow ones are the oracle of the fast.
//!
//! `unsafe` stands in four files, `host/sys.rs`, `linux/bpf.rs`, `linux/memory.rs` and `shm.rs`, each block with its proof.
//!
//! Not here: what packets mean; anything of the firmware.
#![deny(unsafe_code)]

pub mod clock;
mod driver;
pub mod host;
pub mod linux;
mod pace;
pub mod shm;
pub mod sim;
