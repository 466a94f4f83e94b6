//! Every call as it was: the messages of all its legs, what was decided, how it sounded, on one time line. Always on, for the last
//! calls, in a bounded space on disk.
//!
//! ```text
//! heard ─► Assembly: whose is it? ─► pieces of calls ─► Archive ─► segments (append-only files, the oldest go)
//!                                                          └─► index in memory ─► search, read
//! ```
//!
//! A call in progress is written piece by piece as it falls silent, so that a call costs memory only while it speaks SIP, and a
//! process that dies loses the last seconds. What is kept is what was on the wire, secrets included: [`redact`] takes them out
//! on the way to a viewer.
//!
//! Not here: capturing (the rim), drawing (`console`), audio.

mod archive;
mod assembly;
mod item;
mod pcapng;
mod redact;
mod search;
mod segment;
mod summary;

pub use archive::{Archive, Found, Space};
pub use assembly::{Assembly, Heard, Piece};
pub use item::{CallNumber, Item, LegNumber, Message, Micros, Transport, Way, What};
pub use pcapng::pcapng;
pub use redact::redact;
pub use search::{Page, Query};
pub use segment::Place;
pub use summary::Summary;
