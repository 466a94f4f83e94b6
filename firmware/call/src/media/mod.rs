//! A call's media as control sees it: what each leg's policy allows (`policy`), what may cross from leg to leg
//! (`description`), offer and answer on a leg (`negotiate`) and why there may be none (`discord`), what follows from it for the pipeline
//! (`agreed`), what is said of ICE (`ice`) and of handshakes (`dtls`), which port it is at (`ports`), and how it was (`sound`).
//!
//! Not here: packets (`pipeline`), the grammar of SDP (`sip::sdp`).

mod agreed;
mod description;
mod discord;
mod dtls;
mod ice;
pub mod negotiate;
mod policy;
pub mod ports;
pub(crate) mod sound;

pub use self::agreed::NumberedFormat;
