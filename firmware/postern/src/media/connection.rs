//! One connection of a control: frames in, frames out, both with a bound.
//!
//! Not here: which of several connections is the control (`server.rs`).

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use media_api::{Command, Decoder, Event, FrameError, encode};

/// What may wait for control to read it. Beyond it control does not read, and is left: it will come again and ask.
const UNREAD: usize = 8 * 1024 * 1024;

/// Octets read at once.
const CHUNK: usize = 64 * 1024;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// It was closed.
    #[error("closed")]
    Closed,
    /// The system says so.
    #[error(transparent)]
    Failed(#[from] io::Error),
    /// What came were no frames.
    #[error(transparent)]
    Garbage(#[from] FrameError),
    /// Too much is waiting to be read.
    #[error("it does not read")]
    Unread,
}

/// A connection that does not block.
pub(super) struct Connection {
    stream: UnixStream,
    decoder: Decoder<Command>,
    out: Vec<u8>,
    written: usize,
}

impl Connection {
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            decoder: Decoder::new(),
            out: Vec::new(),
            written: 0,
        })
    }

    pub(super) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Reads once what is there; [`Self::command`] then gives the commands in it.
    pub(super) fn read(&mut self) -> Result<(), Ended> {
        let mut chunk = [0; CHUNK];
        match self.stream.read(&mut chunk) {
            Ok(0) => Err(Ended::Closed),
            Ok(count) => {
                self.decoder.push(&chunk[..count]);
                Ok(())
            }
            Err(error) if is_not_now(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The next whole command.
    pub(super) fn command(&mut self) -> Result<Option<Command>, Ended> {
        Ok(self.decoder.poll()?)
    }

    /// Adds an event to what is to be written.
    pub(super) fn say(&mut self, event: &Event) -> Result<(), Ended> {
        if self.out.len() - self.written > UNREAD {
            return Err(Ended::Unread);
        }
        Ok(encode(event, &mut self.out)?)
    }

    /// Writes what can be written now.
    pub(super) fn flush(&mut self) -> Result<(), Ended> {
        while self.has_output() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(0) => return Err(Ended::Closed),
                Ok(count) => self.written += count,
                Err(error) if is_not_now(&error) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        self.out.clear();
        self.out.shrink_to(CHUNK);
        self.written = 0;
        Ok(())
    }

    /// Whether something waits to be written.
    pub(super) fn has_output(&self) -> bool {
        self.written < self.out.len()
    }
}

fn is_not_now(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
