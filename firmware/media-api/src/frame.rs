//! Messages as frames in a byte stream.
//!
//! ```text
//!  length (u32, little endian) | postcard of one message, exactly so long
//! ```
//!
//! [`Decoder`] takes bytes as they come and never holds more than one frame of the longest length beside what it was last
//! given. Nothing it is fed panics; the first fault ends the conversation, for nothing behind it can be trusted.
//!
//! Not here: sockets; who says what when.

use alloc::vec::Vec;
use core::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Command, Event};

/// Octets of the length.
const HEAD: usize = 4;

/// A message that travels as a frame.
pub trait Frame: Serialize + DeserializeOwned {
    /// Octets of its longest frame, without the length.
    const LONGEST: usize;
}

impl Frame for Command {
    /// A stream with the longest identifiers and a whole payload map stays far below.
    const LONGEST: usize = 16 * 1024;
}

impl Frame for Event {
    /// A list of 65,536 streams with ids of ten octets.
    const LONGEST: usize = 1024 * 1024;
}

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// The frame announces more than the longest message takes.
    TooLong {
        /// Octets announced.
        announced: u32,
    },
    /// The bytes are not one message, no less and no more.
    Malformed,
}

impl core::fmt::Display for FrameError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TooLong { announced } => write!(f, "a frame of {announced} octets is too long"),
            Self::Malformed => f.write_str("not one message of this contract"),
        }
    }
}

impl core::error::Error for FrameError {}

/// Appends the frame of a message.
///
/// # Errors
/// [`FrameError::TooLong`] when the message is beyond [`Frame::LONGEST`]; `out` is as it was then.
pub fn encode<T: Frame>(message: &T, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD]);
    let mut encoded =
        postcard::to_extend(message, core::mem::take(out)).map_err(|_| FrameError::Malformed)?;
    let length = encoded.len() - start - HEAD;
    if length > T::LONGEST {
        encoded.truncate(start);
        *out = encoded;
        return Err(FrameError::TooLong {
            announced: u32::try_from(length).unwrap_or(u32::MAX),
        });
    }
    encoded[start..start + HEAD].copy_from_slice(&(length as u32).to_le_bytes());
    *out = encoded;
    Ok(())
}

/// Cuts messages out of a byte stream.
#[derive(Debug)]
pub struct Decoder<T> {
    bytes: Vec<u8>,
    /// Octets of `bytes` that have been given out.
    taken: usize,
    message: PhantomData<fn() -> T>,
}

impl<T: Frame> Default for Decoder<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Frame> Decoder<T> {
    /// At the start of a stream.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            taken: 0,
            message: PhantomData,
        }
    }

    /// Takes bytes as they came. Drain [`Self::poll`] to `None` before the next.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message.
    ///
    /// # Errors
    /// [`FrameError`]; the stream has lost its frame and must be closed.
    pub fn poll(&mut self) -> Result<Option<T>, FrameError> {
        let Some((head, rest)) = self.bytes[self.taken..].split_first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let announced = u32::from_le_bytes(*head);
        let length = announced as usize;
        if length > T::LONGEST {
            return Err(FrameError::TooLong { announced });
        }
        let Some(frame) = rest.get(..length) else {
            return Ok(None);
        };
        match postcard::take_from_bytes(frame) {
            Ok((message, [])) => {
                self.taken += HEAD + length;
                Ok(Some(message))
            }
            Ok(_) | Err(_) => Err(FrameError::Malformed),
        }
    }
}
