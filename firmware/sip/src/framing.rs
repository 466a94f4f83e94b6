//! Framing: where a message begins and ends, in a datagram and in a stream (RFC 3261 §18.3, RFC 5626 §3.5.1).
//!
//! A datagram is one message or a keepalive. A stream is cut by Content-Length, which must be there; what breaks the
//! framing ends the connection, since nobody can find the next message after it.
//!
//! Not here: sockets, how long an unfinished message may take (the shell asks [`StreamFramer::pending_since`]).

use bytes::Bytes;
use embassy_time::Instant;
use thiserror::Error;

use crate::message::{Message, ParseError};

/// What a datagram is.
#[derive(Debug)]
pub enum Datagram {
    /// A message.
    Message(Message),
    /// CRLF or nothing: keeps a binding alive, wants no answer.
    KeepAlive,
    /// CRLFCRLF: wants a [`PONG`] (RFC 5626 §4.4.1 names it for streams; peers send it over UDP too).
    Ping,
    /// First byte 0 to 3: a STUN packet on the SIP port (RFC 5626 §4.4.2); the bytes are as they came.
    Stun,
}

/// What answers a ping.
pub const PONG: &[u8] = b"\r\n";

/// What a ping is.
pub const PING: &[u8] = b"\r\n\r\n";

/// Tells what a datagram is.
///
/// # Errors
/// When it is no message; `crate::message::refuse` makes an answer.
pub fn datagram(_bytes: Bytes) -> Result<Datagram, ParseError> {
    todo!()
}

/// What a stream brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The bytes of one message, for `Message::parse`, which may still refuse them: answer and go on.
    Message(Bytes),
    /// CRLFCRLF between messages: answer with [`PONG`] (RFC 5626 §3.5.1).
    Ping,
    /// CRLF between messages: the answer to our ping.
    Pong,
}

/// The stream cannot be followed any further: answer if you can (`crate::message::refuse`), then close it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{error}")]
pub struct FramingError {
    /// What is wrong.
    pub error: ParseError,
    /// The headers, as far as they came.
    pub head: Bytes,
}

/// Cuts a stream into frames. Its buffer holds one message and what was pushed with it.
#[derive(Debug, Default)]
pub struct StreamFramer {}

impl StreamFramer {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes as they came. Drain [`Self::poll`] to `None` after each push: that is what bounds the buffer.
    pub fn push(&mut self, _now: Instant, _bytes: &[u8]) {
        todo!()
    }

    /// The next frame; `None` until more bytes are pushed.
    ///
    /// # Errors
    /// When the framing is broken. Every later call gives the same error.
    pub fn poll(&mut self) -> Option<Result<Frame, FramingError>> {
        todo!()
    }

    /// When the first byte of the message that is not yet complete came; `None` between messages. The shell closes a
    /// connection on which this is too long ago.
    #[must_use]
    pub fn pending_since(&self) -> Option<Instant> {
        todo!()
    }

    /// Bytes held.
    #[must_use]
    pub fn buffered(&self) -> usize {
        todo!()
    }
}
