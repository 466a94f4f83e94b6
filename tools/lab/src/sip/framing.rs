//! Cutting a TCP or TLS stream into SIP messages by Content-Length (RFC 3261 §18.3).
//!
//! A message that never ends is an error at [`LONGEST`] bytes: the lab speaks to a box under test, not to the world.
//!
//! Not here: reading what was cut (`message.rs`).

use bytes::{Bytes, BytesMut};

use super::message::head_end;

/// Teams' gateway takes 10 KB; the box may send up to 64 KB (INV-24).
const LONGEST: usize = 128 * 1024;

/// What a stream held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The bytes of one message.
    Message(Bytes),
    /// A double CRLF: a ping of RFC 5626 §3.5.1.
    Ping,
}

/// The stream is past saving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no end of a message in {LONGEST} bytes")]
pub struct Endless;

/// Collects bytes, gives frames.
#[derive(Debug, Default)]
pub struct Framer {
    held: BytesMut,
}

impl Framer {
    /// Takes in what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next whole frame, if there is one.
    ///
    /// # Errors
    /// Where too much has come without an end.
    pub fn take(&mut self) -> Result<Option<Frame>, Endless> {
        if self.held.starts_with(b"\r\n\r\n") {
            let _ = self.held.split_to(4);
            return Ok(Some(Frame::Ping));
        }
        // A single CRLF between messages is a pong, or nothing (RFC 3261 §7.5).
        if self.held.starts_with(b"\r\n")
            && self.held.len() > 2
            && !self.held[2..].starts_with(b"\r")
        {
            let _ = self.held.split_to(2);
        }
        let Some(head) = head_end(&self.held) else {
            return self.unless_too_long();
        };
        let whole = head + content_length(&self.held[..head]);
        if self.held.len() < whole {
            return self.unless_too_long();
        }
        Ok(Some(Frame::Message(self.held.split_to(whole).freeze())))
    }

    fn unless_too_long(&self) -> Result<Option<Frame>, Endless> {
        if self.held.len() > LONGEST {
            Err(Endless)
        } else {
            Ok(None)
        }
    }
}

fn content_length(head: &[u8]) -> usize {
    String::from_utf8_lossy(head)
        .lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let name = name.trim();
            let fits =
                name.eq_ignore_ascii_case("Content-Length") || name.eq_ignore_ascii_case("l");
            fits.then(|| value.trim().parse().ok())?
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_cut_whatever_the_pieces() {
        let stream = b"\r\n\r\nOPTIONS sip:a SIP/2.0\r\nContent-Length: 3\r\n\r\nabc\r\nBYE sip:b SIP/2.0\r\n\r\n";
        for size in [1, 2, 3, 7, stream.len()] {
            let mut framer = Framer::default();
            let mut frames = Vec::new();
            for piece in stream.chunks(size) {
                framer.push(piece);
                while let Some(frame) = framer.take().expect("short") {
                    frames.push(frame);
                }
            }
            assert_eq!(frames.len(), 3, "in pieces of {size}");
            assert_eq!(frames[0], Frame::Ping);
            assert!(matches!(&frames[1], Frame::Message(bytes) if bytes.ends_with(b"abc")));
        }
    }

    #[test]
    fn an_endless_message_is_given_up() {
        let mut framer = Framer::default();
        framer.push(&vec![b'a'; LONGEST + 1]);
        assert_eq!(framer.take(), Err(Endless));
    }
}
