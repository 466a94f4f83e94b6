//! The life of one TCP or TLS connection, after it is there: read, frame, pass on; write what waits; end when it should.
//!
//! One task a connection and one sleep a task: a thousand idle connections cost memory, not wake-ups. Each way to end is a
//! [`End`], and each is counted. Whoever begins a message must finish it soon, whoever connects must speak, whoever is
//! written to must read.
//!
//! Not here: what messages mean; who may connect (`admission`).

use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use sip::framing::{Frame, PING, PONG, StreamFramer};
use sip::message::{Message, ParseError};
use sip::transport::Source;
use tokio::io::Interest;
use tokio::time::{Instant, sleep_until};

use super::Limits;
use super::outbox::{Order, Outbox, Outgoing};
use super::tls::Io;
use super::{Report, Shared};
use crate::clock;

/// Bytes read at once, and reads before others have their turn.
pub(super) const READ_SIZE: usize = 16 * 1024;
const READS: usize = 4;

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The peer closed it.
    Peer,
    /// The network broke it, or TLS found it tampered with.
    Broken,
    /// What came was no SIP, or beyond a limit.
    Malformed,
    /// A message was begun and not finished in time.
    Slow,
    /// Nothing was said for too long.
    Idle,
    /// The peer does not read what we write.
    Unread,
    /// Drained, as it was made with an identity or trust no longer in force, or we are ending.
    Drained,
}

/// Who opened the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opener {
    Peer,
    We,
}

/// A connection and all that its task needs.
pub(super) struct Stream {
    pub(super) io: Io,
    /// What every message from here is passed on with.
    pub(super) source: Source,
    pub(super) opener: Opener,
    pub(super) outbox: Rc<Outbox>,
    pub(super) shared: Rc<Shared>,
}

struct Times {
    limits: Limits,
    opener: Opener,
    opened: Instant,
    message_begun: Option<Instant>,
    first_message: Option<Instant>,
    heard: Instant,
    wrote: Instant,
    last_message: Instant,
    /// Since when bytes wait for the peer to take some.
    stalled: Option<Instant>,
    draining: Option<Instant>,
}

impl Stream {
    /// Runs until the end.
    pub(super) async fn run(mut self) -> End {
        let now = Instant::now();
        let mut times = Times {
            limits: self.shared.limits,
            opener: self.opener,
            opened: now,
            message_begun: None,
            first_message: None,
            heard: now,
            wrote: now,
            last_message: now,
            stalled: None,
            draining: None,
        };
        let mut framer = StreamFramer::new();
        let mut writing = Bytes::new();
        let mut timer = pin!(sleep_until(now));
        // What came together with the end of the handshake is inside TLS already, and no socket will tell of it.
        if let Err(end) = self.read_in(&mut framer, &mut times).await {
            self.io.farewell();
            return end;
        }
        let end = loop {
            match self.write_out(&mut writing, &mut times) {
                Ok(()) => {}
                Err(end) => break end,
            }
            let next = times.next(&self.outbox);
            // Moving the sleep later is left to the moment it fires: most of the time it would move with every message.
            if next < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(next);
            }
            let interest = match times.stalled {
                Some(_) => Interest::READABLE | Interest::WRITABLE,
                None => Interest::READABLE,
            };
            let readable = tokio::select! {
                biased;
                () = self.outbox.changed() => false,
                ready = self.io.socket().ready(interest) => match ready {
                    Ok(ready) => ready.is_readable() || ready.is_read_closed(),
                    Err(_) => break End::Broken,
                },
                () = &mut timer => false,
            };
            if readable && let Err(end) = self.read_in(&mut framer, &mut times).await {
                break end;
            }
            match self.outbox.order() {
                Order::Run => {}
                Order::Drain => times.draining = times.draining.or_else(|| Some(Instant::now())),
                Order::Overrun => break End::Unread,
            }
            if let Some(end) = times.over(Instant::now(), &self.outbox) {
                break end;
            }
            if times.ping_due(Instant::now()) {
                self.outbox.push(Outgoing {
                    bytes: Bytes::from_static(PING),
                    client: None,
                });
            }
        };
        // A refusal that says why; what does not fit into the socket now is not waited for.
        if end == End::Malformed {
            let _ = self.write_out(&mut writing, &mut times);
        }
        self.io.farewell();
        end
    }

    /// Writes until all is written or the socket is full.
    fn write_out(&mut self, writing: &mut Bytes, times: &mut Times) -> Result<(), End> {
        loop {
            if writing.is_empty() {
                match self.outbox.pop() {
                    Some(next) => *writing = next,
                    None => break,
                }
            }
            match self.io.write(writing) {
                Ok(count) => {
                    writing.advance(count);
                    self.outbox.written(count);
                    times.wrote = Instant::now();
                    times.stalled = None;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    times.stalled = times.stalled.or_else(|| Some(Instant::now()));
                    return Ok(());
                }
                Err(_) => return Err(End::Broken),
            }
        }
        match self.io.flush() {
            Ok(()) => times.stalled = None,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                times.stalled = times.stalled.or_else(|| Some(Instant::now()));
            }
            Err(_) => return Err(End::Broken),
        }
        Ok(())
    }

    /// Reads a few buffers full and passes on every message that is whole.
    async fn read_in(&mut self, framer: &mut StreamFramer, times: &mut Times) -> Result<(), End> {
        for _ in 0..READS {
            let count = {
                let mut scratch = self.shared.scratch.borrow_mut();
                match self.io.read(&mut scratch) {
                    Ok(0) => return Err(End::Peer),
                    Ok(count) => {
                        framer.push(clock::now(), &scratch[..count]);
                        count
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                    Err(_) => return Err(End::Broken),
                }
            };
            times.heard = Instant::now();
            self.pass_on(framer, times).await?;
            if count < READ_SIZE {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn pass_on(&self, framer: &mut StreamFramer, times: &mut Times) -> Result<(), End> {
        while let Some(frame) = framer.poll() {
            match frame {
                Ok(Frame::Message(bytes)) => {
                    times.first_message.get_or_insert(times.heard);
                    times.last_message = times.heard;
                    match Message::parse(bytes.clone()) {
                        Ok(message) => self.report(message).await?,
                        Err(error) => self.refuse(&bytes, error),
                    }
                }
                Ok(Frame::Ping) => self.outbox.push(Outgoing {
                    bytes: Bytes::from_static(PONG),
                    client: None,
                }),
                Ok(Frame::Pong) => {}
                Err(broken) => {
                    self.refuse(&broken.head, broken.error);
                    return Err(End::Malformed);
                }
            }
        }
        times.message_begun = framer
            .pending_since()
            .map(|_| times.message_begun.unwrap_or(times.heard));
        Ok(())
    }

    async fn report(&self, message: Message) -> Result<(), End> {
        let report = Report::Message {
            message,
            source: self.source.clone(),
        };
        // Waiting here is what slows a flooding peer down: nothing more is read from it meanwhile.
        self.shared
            .reports
            .send(report)
            .await
            .map_err(|_| End::Drained)
    }

    fn refuse(&self, bytes: &Bytes, error: ParseError) {
        if let Some(bytes) = self.shared.refusal(bytes, error, &self.source) {
            self.outbox.push(Outgoing {
                bytes,
                client: None,
            });
        }
    }
}

impl Times {
    /// When something may have to be done, if nothing happens before.
    fn next(&self, outbox: &Outbox) -> Instant {
        let mut next = self.last_message.max(self.wrote) + self.limits.idle;
        if let Some(begun) = self.message_begun {
            next = next.min(begun + self.limits.message);
        }
        if let Some(stalled) = self.stalled {
            next = next.min(stalled + self.limits.stall);
        }
        match self.opener {
            Opener::Peer if self.first_message.is_none() => {
                next = next.min(self.opened + self.limits.first_message)
            }
            Opener::Peer => {}
            Opener::We => next = next.min(self.quiet_since() + self.limits.ping),
        }
        if let Some(draining) = self.draining {
            next = next.min(draining + self.limits.drain);
            if outbox.is_empty() {
                next = next.min(self.quiet_since().max(draining) + self.limits.quiet);
            }
        }
        next
    }

    /// Whether it is over, and why.
    fn over(&self, now: Instant, outbox: &Outbox) -> Option<End> {
        let past =
            |since: Option<Instant>, time: Duration| since.is_some_and(|since| now >= since + time);
        if past(self.message_begun, self.limits.message) {
            return Some(End::Slow);
        }
        if past(self.stalled, self.limits.stall) {
            return Some(End::Unread);
        }
        let silent = self.opener == Opener::Peer && self.first_message.is_none();
        if (silent && now >= self.opened + self.limits.first_message)
            || now >= self.last_message.max(self.wrote) + self.limits.idle
        {
            return Some(End::Idle);
        }
        let quiet = self
            .draining
            .filter(|_| outbox.is_empty())
            .map(|draining| self.quiet_since().max(draining));
        if past(self.draining, self.limits.drain) || past(quiet, self.limits.quiet) {
            return Some(End::Drained);
        }
        None
    }

    fn ping_due(&self, now: Instant) -> bool {
        self.opener == Opener::We
            && self.draining.is_none()
            && now >= self.quiet_since() + self.limits.ping
    }

    fn quiet_since(&self) -> Instant {
        self.heard.max(self.wrote)
    }
}
