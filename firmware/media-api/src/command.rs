//! What control says.
//!
//! Every command may be repeated. Each but [`Command::Link`], [`Command::Unlink`] and [`Command::Tone`] is answered; those
//! three are answered only when refused. Answers come in the order of the commands.
//!
//! Not here: how they travel (`frame.rs`).

use serde::{Deserialize, Serialize};

use crate::{StreamId, StreamSpec, Version};

/// A tone for a party to hear instead of its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Tone {
    /// The far end rings.
    Ringback,
    /// The far end is busy.
    Busy,
    /// The network cannot place the call.
    Congestion,
}

/// What control says to media.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::large_enum_variant,
    reason = "a Put is the common command, and commands are moved once"
)]
pub enum Command {
    /// First on a connection, once. Answered by `Event::Hello`.
    Hello {
        /// Control's version of the contract.
        version: Version,
    },
    /// Makes the stream as the spec says, new or replaced. Answered by `Event::Refused` where that cannot be, which leaves a
    /// stream that is to be replaced as it was; no word is consent, so that control is not woken to hear what it expects.
    Put(StreamSpec),
    /// These two relay to each other from now on, and to nobody else. May come before either stream does: it is remembered.
    /// What each party hears goes on under the same SSRC with the next number (transfer, another fork).
    Link {
        /// One side.
        a: StreamId,
        /// The other.
        b: StreamId,
    },
    /// These two no longer relay to each other; nothing happens if they did not.
    Unlink {
        /// One side.
        a: StreamId,
        /// The other.
        b: StreamId,
    },
    /// Ends the stream and its link. Answered by `Event::Removed`, also if there was none.
    Remove(StreamId),
    /// Plays a tone to the stream's party instead of what its peer sends, or none any more.
    Tone {
        /// Who is to hear it.
        stream: StreamId,
        /// What.
        tone: Option<Tone>,
    },
    /// Answered by `Event::Streams`.
    List,
    /// Answered by `Event::Statistics` or `Event::Refused`.
    Statistics(StreamId),
    /// Answered by `Event::Pong`.
    Ping,
}
