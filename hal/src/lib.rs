//! What the firmware asks of a box: packet ports and a clock, as traits and plain types.
//!
//! Boards implement [`Ports`] and [`Clock`]; the pipeline runs on them and sees nothing else of the machine. Packets move in
//! bursts of up to [`BURST`] through buffers that the caller owns: what was received is rewritten where it lies and sent from
//! there. Nothing here allocates.
//!
//! Not here: any board. No trait knows what a packet means.
#![no_std]
#![forbid(unsafe_code)]

mod burst;
mod clock;
mod ports;

pub use burst::{BUFFER, BURST, Burst, Marks, Packet};
pub use clock::{Clock, UnixTime};
pub use ports::{Dscp, Handover, OpenError, PortId, Ports, Receiving, home};
