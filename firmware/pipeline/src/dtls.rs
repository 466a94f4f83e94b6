//! Streams that are keyed by a handshake over their own port (RFC 5763): what the packets' side of it does.
//!
//! ```text
//!  datagram → from where the party is? → Request::Heard ─► handshakes, wherever they are worked on
//!  the party ◄─ sent by the stream's port ◄─ Said::Datagram ◄─┤
//!  SRTP contexts ◄────────────────────────── Said::Keys     ◄─┘
//! ```
//!
//! Invariants: until the party has shown the certificate that control named, the stream has keys that nobody knows and no
//! direction, so nothing of the party is heard and nothing is sent to it; what is said of an association that is over changes
//! nothing; only who is where the party was signalled is heard, and with ICE only who has proven itself by a check, so that nothing
//! is begun with, or said to, an address that has not asked for it (RFC 8445 §12); of each stream only so much is heard.
//!
//! Not here: the handshake itself, which takes milliseconds: whoever runs the worker has another thread for it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

use embassy_time::{Duration, Instant};
use hal::{Packet, Ports};
use measure::{DropReason, Insecurity, MediaCounter};
use media_api::{Direction, Dtls, Event, Sdes, StreamId};
use media_dsp::srtp::{Keying, MasterKey, Suite};
use rand_chacha::rand_core::RngCore;

use crate::flow::{Slot, Stream, install};
use crate::relay::Pipeline;
use crate::report::make;
use crate::verdict::{Step, Verdict};
use crate::worker::Moment;

/// Datagrams that wait to be worked on, of all streams. The party repeats what is lost.
const WAITING: usize = 256;

/// Datagrams of one stream at once: a handshake has a dozen with what is said twice, its certificates in pieces some more.
const AT_ONCE: u8 = 32;

/// Beyond these one is heard in so long, for as long as the stream lives.
const APART: Duration = Duration::from_millis(50);

/// One attempt at keys with one party. No two have the same number, of one worker or of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Association(u64);

/// What is wanted of whoever works on handshakes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A handshake on these terms.
    Begin {
        /// It goes by this.
        association: Association,
        /// Whose keys they will be.
        stream: StreamId,
        /// Who begins, and with whom.
        terms: Dtls,
    },
    /// The party says this.
    Heard(Association, Box<[u8]>),
    /// It is not wanted any more.
    End(Association),
}

/// What comes of it.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Of which association.
    pub association: Association,
    /// The stream it began with.
    pub stream: StreamId,
    /// What.
    pub said: Said,
}

/// What comes of a handshake.
#[derive(Debug, Clone)]
pub enum Said {
    /// To be sent to the party.
    Datagram(Vec<u8>),
    /// The party has shown its certificate, and these are the keys.
    Keys(Box<Keys>),
    /// There will be none.
    Nothing(Insecurity),
}

/// The keys of both ways.
#[derive(Debug, Clone)]
pub struct Keys {
    /// What the party sends by.
    pub receive: Sdes,
    /// What we send by.
    pub transmit: Sdes,
}

/// The association of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    association: Association,
    stage: Stage,
    work: Work,
    allowance: Allowance,
}

/// Whether the handshake is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// Not before it is known where the party is.
    Awaited,
    Begun,
}

/// How much the party may say now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Allowance {
    left: u8,
    since: Instant,
}

impl Allowance {
    fn new(now: Instant) -> Self {
        Self {
            left: AT_ONCE,
            since: now,
        }
    }

    /// Takes one, if there is one.
    fn take(&mut self, now: Instant) -> Option<()> {
        let grown = now.saturating_duration_since(self.since).as_ticks() / APART.as_ticks();
        if grown > 0 {
            let grown = u8::try_from(grown).unwrap_or(u8::MAX);
            (self.left, self.since) = (self.left.saturating_add(grown).min(AT_ONCE), now);
        }
        self.left = self.left.checked_sub(1)?;
        Some(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// There are no keys yet.
    Locked,
    /// There are, of this association or the one before.
    Open,
}

impl Link {
    /// What follows the link of a spec in another one.
    pub(crate) fn follow(
        before: Option<Self>,
        was: Option<Dtls>,
        terms: Option<Dtls>,
        fresh: Association,
        now: Instant,
    ) -> Option<Self> {
        terms?;
        match before {
            Some(link) if was == terms => Some(link),
            // RFC 5763 §6.6: the keys before are used until there are others.
            Some(link) => Some(Self {
                association: fresh,
                work: Work::Awaited,
                ..link
            }),
            None => Some(Self {
                association: fresh,
                stage: Stage::Locked,
                work: Work::Awaited,
                allowance: Allowance::new(now),
            }),
        }
    }

    pub(crate) fn is_locked(self) -> bool {
        self.stage == Stage::Locked
    }
}

/// Keys that nobody knows.
pub(crate) fn nobodys(chance: &mut impl RngCore) -> Keying {
    const SUITE: Suite = Suite::AesCm128HmacSha1_80;
    let mut material = [0; 30];
    chance.fill_bytes(&mut material);
    Keying::new(MasterKey::new(SUITE, &material).expect("the suite has 16 and 14 octets"))
}

/// The direction of a stream while its spec says `direction`.
pub(crate) fn direction(link: Option<Link>, direction: Direction) -> Direction {
    if link.is_some_and(Link::is_locked) {
        Direction::Inactive
    } else {
        direction
    }
}

/// What is wanted and nobody has taken yet.
#[derive(Debug, Default)]
pub(crate) struct Handshakes {
    requests: VecDeque<Request>,
    /// Of them datagrams.
    heard: usize,
    last: u64,
}

impl Handshakes {
    /// Of a worker, by its number among all.
    pub(crate) fn of(worker: u8) -> Self {
        Self {
            last: u64::from(worker) << 56,
            ..Self::default()
        }
    }

    /// A number for what may become an association.
    pub(crate) fn fresh(&mut self) -> Association {
        self.last += 1;
        Association(self.last)
    }

    /// A stream may have another association than before, or one no longer.
    pub(crate) fn changed(&mut self, before: Option<Link>, after: Option<&mut Stream>) {
        let goes_on = |before: &Link| {
            let link = after.as_ref().and_then(|stream| stream.dtls);
            link.is_some_and(|link| link.association == before.association)
        };
        if let Some(before) = before.filter(|link| link.work == Work::Begun && !goes_on(link)) {
            self.requests.push_back(Request::End(before.association));
        }
        if let Some(stream) = after {
            self.begin(stream);
        }
    }

    /// Begins what waits to be begun, if it is known where the party is.
    pub(crate) fn begin(&mut self, stream: &mut Stream) {
        let is_reachable = stream.gate.proven_target().is_some();
        let (Some(link), Some(terms)) = (&mut stream.dtls, stream.spec.dtls.as_deref()) else {
            return;
        };
        if link.work == Work::Awaited && (is_reachable || stream.ice.is_none()) {
            link.work = Work::Begun;
            self.requests.push_back(Request::Begin {
                association: link.association,
                stream: stream.spec.id,
                terms: *terms,
            });
        }
    }

    fn hear(&mut self, association: Association, datagram: &[u8]) -> Step<()> {
        if self.heard == WAITING {
            return Err(DropReason::TooMuchDtls);
        }
        self.heard += 1;
        self.requests
            .push_back(Request::Heard(association, datagram.into()));
        Ok(())
    }

    fn take(&mut self) -> Option<Request> {
        let request = self.requests.pop_front()?;
        if matches!(request, Request::Heard(..)) {
            self.heard -= 1;
        }
        Some(request)
    }
}

impl Stream {
    /// Whether a handshake may come from there: where media goes or was signalled; with ICE, from where a check has come.
    fn may_shake_hands(&self, from: SocketAddr) -> bool {
        if self.gate.proven_target() == Some(from) {
            return true;
        }
        match &self.ice {
            Some(agent) => agent.knows(from),
            None => self.spec.remote.map(|remote| remote.rtp) == Some(from),
        }
    }
}

impl Pipeline {
    /// The next thing that is wanted of handshakes.
    pub fn request(&mut self) -> Option<Request> {
        self.handshakes.take()
    }

    /// The way of a DTLS datagram.
    pub(crate) fn dtls(&mut self, now: Instant, packet: &Packet, slot: Slot) -> Step<Verdict> {
        let stream = self.table.stream_mut(slot).ok_or(DropReason::UnknownPort)?;
        let is_there = stream.may_shake_hands(packet.remote);
        let link = stream.dtls.as_mut().ok_or(DropReason::UnexpectedDtls)?;
        if !is_there || link.work == Work::Awaited {
            return Err(DropReason::ForeignSource);
        }
        let may_speak = link.allowance.take(now);
        may_speak.ok_or(DropReason::TooMuchDtls)?;
        let association = link.association;
        self.handshakes.hear(association, packet.data())?;
        Ok(Verdict::Taken)
    }

    /// Does what has come of a handshake.
    pub fn reply(&mut self, moment: Moment, reply: Reply, ports: &mut impl Ports) {
        let Some(slot) = self.table.find(reply.stream) else {
            return;
        };
        let Some(stream) = self.table.stream_mut(slot) else {
            return;
        };
        let is_current = |link: &Link| link.association == reply.association;
        let Some(link) = stream.dtls.as_mut().filter(|link| is_current(link)) else {
            return;
        };
        let id = reply.stream;
        let outcome = match reply.said {
            Said::Datagram(datagram) => {
                if let Some(remote) = stream.gate.proven_target() {
                    let port = stream.rtp_port;
                    make(&mut self.own, |packet| {
                        (packet.port, packet.remote) = (port, remote);
                        let room = packet.buffer_mut().get_mut(..datagram.len());
                        let fits = room.map(|room| room.copy_from_slice(&datagram)).is_some();
                        packet.set_len(datagram.len());
                        fits
                    });
                    self.flush(ports);
                } else {
                    // Where the party is, it has yet to show; it is said again then.
                    self.drop(slot, DropReason::NoRemote);
                }
                return;
            }
            Said::Keys(keys) => {
                let keyings = install::keying(&keys.receive)
                    .and_then(|receive| Ok((receive, install::keying(&keys.transmit)?)));
                keyings.map_err(|_| Insecurity::NoProfile)
            }
            Said::Nothing(reason) => Err(reason),
        };
        match outcome {
            Ok((receive, transmit)) => {
                if link.is_locked() {
                    stream.receiver = None;
                }
                link.stage = Stage::Open;
                install::rekey(stream, receive, transmit, moment.now);
                stream.direction = stream.spec.direction;
                self.totals.add(MediaCounter::HandshakesDone, 1);
                self.outbox.tell(Event::Secured { id });
            }
            Err(reason) => {
                self.totals.add(MediaCounter::HandshakesFailed, 1);
                if reason == Insecurity::WrongCertificate {
                    self.totals.add(MediaCounter::CertificatesRefused, 1);
                }
                self.outbox.tell(Event::Insecure { id, reason });
            }
        }
    }
}
