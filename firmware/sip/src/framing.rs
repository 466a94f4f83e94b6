//! Framing: where a message begins and ends, in a datagram and in a stream (RFC 3261 §18.3, RFC 5626 §3.5.1).
//!
//! A datagram is one message or a keepalive. A stream is cut by Content-Length, which must be there; what breaks the
//! framing ends the connection, since nobody can find the next message after it. A stream holds at most one message
//! ([`limits::MESSAGE_BYTES`]) and what was pushed with it.
//!
//! Not here: sockets, how long an unfinished message may take (the shell asks [`StreamFramer::pending_since`]).

use bytes::{Bytes, BytesMut};
use embassy_time::Instant;
use thiserror::Error;

use crate::message::{Message, ParseError, ParseErrorKind, content_length, limits};

/// What a datagram is.
#[derive(Debug)]
pub enum Datagram {
    /// A message.
    Message(Message),
    /// CRLF, zeros or nothing: keeps a binding alive, wants no answer.
    KeepAlive,
    /// CRLFCRLF: wants a [`PONG`] (RFC 5626 §4.4.1 names it for streams; peers send it over UDP too).
    Ping,
    /// A STUN packet on the SIP port (RFC 5626 §4.4.2); the bytes are as they came.
    Stun,
}

/// What answers a ping.
pub const PONG: &[u8] = b"\r\n";

/// What a ping is.
pub const PING: &[u8] = b"\r\n\r\n";

/// RFC 8489 §5.
const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// Tells what a datagram is.
///
/// # Errors
/// When it is no message; `crate::message::refuse` makes an answer.
pub fn datagram(bytes: Bytes) -> Result<Datagram, ParseError> {
    if bytes[..] == *PING {
        return Ok(Datagram::Ping);
    }
    // Some keep a binding alive with zeros or blanks instead of CRLF; none of them begins a message.
    if bytes
        .iter()
        .all(|byte| matches!(byte, 0 | b' ' | b'\r' | b'\n'))
    {
        return Ok(Datagram::KeepAlive);
    }
    // RFC 5626 §8.2: the first two bits of STUN are zero, and no SIP message begins with such a byte.
    if bytes[0] < 4 && bytes.get(4..8) == Some(&STUN_COOKIE) {
        return Ok(Datagram::Stun);
    }
    Message::parse(bytes).map(Datagram::Message)
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

/// Cuts a stream into frames.
#[derive(Debug, Default)]
pub struct StreamFramer {
    buffer: BytesMut,
    progress: Progress,
    /// When the first of the bytes held came.
    since: Option<Instant>,
    last_push: Option<Instant>,
}

/// What is known of the bytes held.
#[derive(Debug, Default)]
enum Progress {
    /// Nothing but that a message may begin here.
    #[default]
    Between,
    /// Within a head; all lines that end before this offset have been looked at.
    Head { scanned: usize },
    /// The message is this long.
    Body { total: usize },
    /// Nothing more can be cut.
    Broken(FramingError),
}

impl StreamFramer {
    /// An empty one; it owns no memory until bytes come, and none between messages.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes as they came. Drain [`Self::poll`] to `None` after each push: that is what bounds the buffer.
    pub fn push(&mut self, now: Instant, bytes: &[u8]) {
        if matches!(self.progress, Progress::Broken(_)) || bytes.is_empty() {
            return;
        }
        self.since.get_or_insert(now);
        self.last_push = Some(now);
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame; `None` until more bytes are pushed.
    ///
    /// # Errors
    /// When the framing is broken. Every later call gives the same error.
    pub fn poll(&mut self) -> Option<Result<Frame, FramingError>> {
        loop {
            match self.progress {
                Progress::Between => match self.keep_alive()? {
                    Some(frame) => return Some(Ok(frame)),
                    None => self.progress = Progress::Head { scanned: 0 },
                },
                Progress::Head { scanned } => match self.head(scanned) {
                    Ok(Some(total)) => self.progress = Progress::Body { total },
                    Ok(None) => return None,
                    Err(error) => self.fail(error),
                },
                Progress::Body { total } if self.buffer.len() < total => return None,
                Progress::Body { total } => {
                    let message = self.take(total).freeze();
                    return Some(Ok(Frame::Message(message)));
                }
                Progress::Broken(ref error) => return Some(Err(error.clone())),
            }
        }
    }

    /// When the first byte of the message that is not yet complete came; `None` between messages. The shell closes a
    /// connection on which this is too long ago.
    #[must_use]
    pub const fn pending_since(&self) -> Option<Instant> {
        self.since
    }

    /// Bytes held.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Line ends between messages. The outer `None` says that more bytes must come, the inner that a message begins.
    ///
    /// A ping cut in two by the network looks like two pongs; its sender asks again (RFC 5626 §4.4.1).
    fn keep_alive(&mut self) -> Option<Option<Frame>> {
        let (frame, length) = match self.buffer[..] {
            [] | [b'\r'] | [b'\r', b'\n', b'\r'] => return None,
            [b'\r', b'\n', b'\r', b'\n', ..] => (Frame::Ping, PING.len()),
            [b'\r', b'\n', ..] => (Frame::Pong, PONG.len()),
            _ => return Some(None),
        };
        self.take(length);
        Some(Some(frame))
    }

    /// Looks at the lines from `scanned` on. The length of the message, once its head is there.
    fn head(&mut self, scanned: usize) -> Result<Option<usize>, ParseError> {
        let bytes = &self.buffer[..];
        let mut from = scanned;
        let end = loop {
            let Some(offset) = memchr::memchr(b'\n', &bytes[from..]) else {
                self.progress = Progress::Head {
                    scanned: bytes.len(),
                };
                break None;
            };
            let at = from + offset;
            if at == 0 || bytes[at - 1] != b'\r' {
                return Err(ParseError::new(ParseErrorKind::BareLineFeed, at));
            }
            if at >= 3 && bytes[at - 3..at] == *b"\r\n\r" {
                break Some(at + 1);
            }
            from = at + 1;
        };
        let head = end.unwrap_or(bytes.len());
        if head > limits::MESSAGE_BYTES {
            return Err(ParseError::new(
                ParseErrorKind::MessageTooLong,
                limits::MESSAGE_BYTES,
            ));
        }
        let Some(end) = end else {
            return Ok(None);
        };
        let length = content_length(&bytes[..end])?
            .ok_or_else(|| ParseError::new(ParseErrorKind::ContentLengthMissing, end))?;
        let total = end.saturating_add(length as usize);
        if total > limits::MESSAGE_BYTES {
            return Err(ParseError::new(ParseErrorKind::MessageTooLong, end));
        }
        Ok(Some(total))
    }

    /// Cuts a frame off and begins anew behind it. An empty buffer is given back, so that an idle connection holds none.
    fn take(&mut self, length: usize) -> BytesMut {
        self.progress = Progress::Between;
        if self.buffer.len() == length {
            self.since = None;
            return std::mem::take(&mut self.buffer);
        }
        // What is left came with the last push: had it come before, it would have been cut then.
        self.since = self.last_push;
        self.buffer.split_to(length)
    }

    fn fail(&mut self, error: ParseError) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.truncate(limits::MESSAGE_BYTES);
        self.progress = Progress::Broken(FramingError {
            error,
            head: buffer.freeze(),
        });
        self.since = None;
    }
}
