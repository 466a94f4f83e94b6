//! A call's media as control sees it: what is negotiated on each leg (`negotiate`), what follows from it for the pipeline
//! (`agreed`), and the ports (`ports`).
//!
//! Not here: packets; the pipeline is told streams and obeys.

mod agreed;
pub mod negotiate;
pub mod ports;

pub use agreed::{Format, NumberedFormat};
