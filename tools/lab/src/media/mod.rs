//! The audio of one call: speech out every 20 ms, and what came in held against the speech of the other side.
//!
//! A [`Session`] binds an even port and the odd one above it for the length of the call (MED-05 asks the same of the box)
//! and follows [`Plan`]s: where to, under which keys, whether to speak at all. It reports by RTCP every five seconds.
//!
//! Not here: SDP (`crate::sdp`) and who decides on a plan (`crate::call`).

pub mod hearing;
pub mod kernel;
pub mod keys;
pub mod packet;
mod session;
pub mod speech;

pub use hearing::Heard;
pub use session::{Plan, Report, Session, Settings, delays};
pub use speech::{Codec, Voice};
