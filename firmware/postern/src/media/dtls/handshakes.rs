//! All handshakes under way: what parties say goes in, what is to be said to them and their keys come out.
//!
//! ```text
//! Expected ──► Shaking ──► Lingering ──► Over        Shaking ──► Over: another certificate, no profile, 40 s
//!    ▲────────────┘ what nobody has signed goes wrong: anybody may have sent it, so it begins anew
//! ```
//!
//! Invariants: keys are handed over only when both sides have said their last and the party has shown the very certificate that
//! control named, by whose key it has signed; one association gives keys once; a handshake that is over costs a few words until
//! it is ended; whatever becomes of one changes no other.
//!
//! Not here: who may speak and how much (`pipeline::dtls`), threads and time (`dtls`), DTLS itself (dimpl).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::{Config, Dtls, DtlsCertificate, Output};
use measure::Insecurity;
use media_api::{Dtls as Terms, Handshake, StreamId};
use pipeline::dtls::{Association, Keys, Reply, Request, Said};

use super::fingerprint;
use super::keys::split;

/// A party that has not heard our last word says its own again within this time; then the engine is let go.
const LINGER: Duration = Duration::from_secs(60);

/// First wait for an answer: media waits for it, and the way is short compared with DTLS's own second (RFC 6347 §4.2.4.1 allows
/// less where it is known).
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// So often is said again what nobody answers, after twice the time each: half a minute in all.
const REPEATS: usize = 6;

/// A handshake of somebody who answers takes less.
const WHOLE: Duration = Duration::from_secs(40);

/// From doing something because it is time to the next such thing: an engine that misses a piece of what the party says would
/// ask for it without a pause (dimpl 0.9, DTLS 1.3).
const PACE: Duration = Duration::from_millis(50);

/// Datagrams of a party that an engine keeps while some before them are missing; with one more it begins anew. A flood of them costs
/// some 150 KiB until then.
const KEPT: usize = 16;

/// Room for the longest output, which is the party's certificate: it came in datagrams that were kept, and none is longer than a
/// buffer of the ports.
const ROOM: usize = (KEPT + 2) * hal::BUFFER;

/// All handshakes of the process.
pub(super) struct Handshakes {
    config: Arc<Config>,
    certificate: DtlsCertificate,
    sessions: BTreeMap<Association, Session>,
    deadlines: BTreeSet<(Instant, Association)>,
    replies: VecDeque<Reply>,
    room: Vec<u8>,
}

struct Session {
    stream: StreamId,
    terms: Terms,
    stage: Stage,
    due: Option<Instant>,
    /// When it must be done, once it has begun.
    until: Option<Instant>,
}

enum Stage {
    /// To be begun, by the party or when it is due.
    Expected,
    /// Under way.
    Shaking(Box<Shaking>),
    /// Done, but the party may not know.
    Lingering(Box<Dtls>),
    /// Nothing more is said.
    Over,
}

struct Shaking {
    engine: Dtls,
    certificate: Option<Certificate>,
    keys: Option<Box<Keys>>,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Certificate {
    Right,
    Wrong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing has been said to the party.
    Nothing,
    /// Something is missing still.
    Going,
    /// Both sides have said their last.
    Done,
}

/// What is said now, and when there is more to do.
struct Step {
    said: Vec<Said>,
    due: Option<Instant>,
}

impl Step {
    const NOTHING: Self = Self {
        said: Vec::new(),
        due: None,
    };
}

impl Handshakes {
    pub(super) fn new(certificate: DtlsCertificate) -> Self {
        let config = Config::builder()
            .flight_start_rto(FIRST_WAIT)
            .flight_retries(REPEATS)
            .handshake_timeout(WHOLE)
            .max_queue_rx(KEPT)
            .require_client_certificate(true)
            // An address that is forged is answered with less than it says.
            .use_server_cookie(true)
            .build()
            .expect("the settings are good whatever comes");
        Self {
            config: Arc::new(config),
            certificate,
            sessions: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            replies: VecDeque::new(),
            room: vec![0; ROOM],
        }
    }

    pub(super) fn handle(&mut self, now: Instant, request: Request) {
        match request {
            Request::Begin {
                association,
                stream,
                terms,
            } => {
                let session = Session {
                    stream,
                    terms,
                    stage: Stage::Expected,
                    due: None,
                    until: None,
                };
                self.sessions.insert(association, session);
                if terms.handshake == Handshake::Active {
                    self.work(now, association, None);
                }
            }
            Request::Heard(association, datagram) => self.work(now, association, Some(&datagram)),
            Request::End(association) => {
                let session = self.sessions.remove(&association);
                if let Some(due) = session.and_then(|session| session.due) {
                    self.deadlines.remove(&(due, association));
                }
            }
        }
    }

    /// Does what is due.
    pub(super) fn wake(&mut self, now: Instant) {
        while let Some(&(due, association)) = self.deadlines.first()
            && due <= now
        {
            self.deadlines.pop_first();
            let Some(session) = self.sessions.get_mut(&association) else {
                continue;
            };
            session.due = None;
            if let Stage::Lingering(_) = session.stage {
                session.stage = Stage::Over;
            }
            self.work(now, association, None);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    pub(super) fn poll(&mut self) -> Option<Reply> {
        self.replies.pop_front()
    }

    /// Lets the engine of an association act on a datagram, or on the time alone.
    fn work(&mut self, now: Instant, association: Association, datagram: Option<&[u8]>) {
        let Some(session) = self.sessions.get_mut(&association) else {
            return;
        };
        let until = *session.until.get_or_insert(now + WHOLE);
        let is_to_begin = match &session.stage {
            Stage::Expected => now < until,
            // What came before may be anybody's, and would stand in the way of this.
            Stage::Shaking(shaking) => {
                shaking.progress == Progress::Nothing && datagram.is_some_and(begins_a_handshake)
            }
            Stage::Lingering(_) | Stage::Over => false,
        };
        if is_to_begin {
            let (config, certificate) = (Arc::clone(&self.config), self.certificate.clone());
            let mut engine = Dtls::new_auto(config, certificate, now);
            engine.set_active(session.terms.handshake == Handshake::Active);
            session.stage = Stage::Shaking(Box::new(Shaking {
                engine,
                certificate: None,
                keys: None,
                progress: Progress::Nothing,
            }));
        }
        let room = &mut self.room;
        // An engine that fails is thrown away, and all other handshakes go on.
        let step = catch_unwind(AssertUnwindSafe(|| session.advance(now, datagram, room)));
        let Step { said, due } = step.unwrap_or_else(|_| {
            tracing::error!(
                stream = session.stream.0,
                "a handshake has failed in the engine"
            );
            session.fail(now, Insecurity::Broken)
        });
        let due = due.map(|due| due.max(now + PACE));
        let replies = said.into_iter().map(|said| Reply {
            association,
            stream: session.stream,
            said,
        });
        self.replies.extend(replies);
        if session.due != due {
            if let Some(before) = std::mem::replace(&mut session.due, due) {
                self.deadlines.remove(&(before, association));
            }
            self.deadlines.extend(due.map(|due| (due, association)));
        }
    }
}

impl Session {
    fn advance(&mut self, now: Instant, datagram: Option<&[u8]>, room: &mut [u8]) -> Step {
        match &mut self.stage {
            // Whatever the engine makes of the time.
            Stage::Shaking(_) if self.until.is_some_and(|until| until <= now) => {
                self.fail(now, Insecurity::Broken)
            }
            Stage::Shaking(shaking) => match shaking.advance(now, datagram, self.terms, room) {
                Ok(step) if shaking.progress == Progress::Done => self.finish(now, step),
                Ok(step) => Step {
                    due: step.due.into_iter().chain(self.until).min(),
                    ..step
                },
                Err(reason) => self.fail(now, reason),
            },
            Stage::Lingering(engine) => {
                if feed(engine, now, datagram).is_err() {
                    return self.fail(now, Insecurity::Broken);
                }
                Step {
                    due: self.due,
                    ..drain(engine, room, |_| {})
                }
            }
            Stage::Expected => self.fail(now, Insecurity::Broken),
            Stage::Over => Step::NOTHING,
        }
    }

    /// Both sides have said their last, and the certificate is the right one.
    fn finish(&mut self, now: Instant, step: Step) -> Step {
        let Stage::Shaking(shaking) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return step;
        };
        let Shaking { engine, keys, .. } = *shaking;
        let Some(keys) = keys else {
            return self.fail(now, Insecurity::NoProfile);
        };
        self.stage = Stage::Lingering(Box::new(engine));
        let mut said = step.said;
        said.push(Said::Keys(keys));
        Step {
            said,
            due: Some(now + LINGER),
        }
    }

    /// It is over, or begins anew. Where the keys are there, whatever goes wrong is nobody's concern.
    fn fail(&mut self, now: Instant, reason: Insecurity) -> Step {
        let before = std::mem::replace(&mut self.stage, Stage::Over);
        let rest = self.until.filter(|until| now < *until);
        match (before, rest) {
            (Stage::Lingering(_) | Stage::Over, _) => Step::NOTHING,
            (_, Some(until)) if reason == Insecurity::Broken => {
                self.stage = Stage::Expected;
                let due = match self.terms.handshake {
                    Handshake::Active => now,
                    Handshake::Passive => until,
                };
                Step {
                    said: Vec::new(),
                    due: Some(due),
                }
            }
            _ => Step {
                said: vec![Said::Nothing(reason)],
                due: None,
            },
        }
    }
}

impl Shaking {
    fn advance(
        &mut self,
        now: Instant,
        datagram: Option<&[u8]>,
        terms: Terms,
        room: &mut [u8],
    ) -> Result<Step, Insecurity> {
        feed(&mut self.engine, now, datagram).map_err(|_| Insecurity::Broken)?;
        let (certificate, keys, progress) =
            (&mut self.certificate, &mut self.keys, &mut self.progress);
        let step = drain(&mut self.engine, room, |output| match output {
            Output::PeerCert(shown) => {
                let is_right =
                    fingerprint(shown) == terms.party && *certificate != Some(Certificate::Wrong);
                *certificate = Some(if is_right {
                    Certificate::Right
                } else {
                    Certificate::Wrong
                });
            }
            Output::KeyingMaterial(material, profile) => {
                *keys = split(&material, profile, terms.handshake).map(Box::new);
            }
            Output::Connected => *progress = Progress::Done,
            _ => {}
        });
        if *progress == Progress::Nothing && !step.said.is_empty() {
            *progress = Progress::Going;
        }
        // Of what was to be said to somebody else nothing is.
        match (self.certificate, self.progress) {
            (Some(Certificate::Wrong), _) => Err(Insecurity::WrongCertificate),
            (None, Progress::Done) => Err(Insecurity::Broken),
            (None, Progress::Nothing | Progress::Going) | (Some(Certificate::Right), _) => Ok(step),
        }
    }
}

/// Whether a datagram begins with the beginning of a ClientHello (RFC 6347 §4.2.2, RFC 9147 §5.2).
fn begins_a_handshake(datagram: &[u8]) -> bool {
    const HANDSHAKE: u8 = 22;
    const CLIENT_HELLO: u8 = 1;
    let epoch = datagram.get(3..5);
    let offset = datagram.get(19..22);
    datagram.first() == Some(&HANDSHAKE)
        && epoch == Some(&[0; 2])
        && datagram.get(13) == Some(&CLIENT_HELLO)
        && offset == Some(&[0; 3])
}

fn feed(engine: &mut Dtls, now: Instant, datagram: Option<&[u8]>) -> Result<(), dimpl::Error> {
    engine.handle_timeout(now)?;
    datagram.map_or(Ok(()), |datagram| engine.handle_packet(datagram))
}

fn drain(engine: &mut Dtls, room: &mut [u8], mut tell: impl FnMut(Output<'_>)) -> Step {
    let mut step = Step::NOTHING;
    loop {
        match engine.poll_output(room) {
            Output::Packet(datagram) => step.said.push(Said::Datagram(datagram.to_vec())),
            Output::Timeout(due) => {
                step.due = Some(due);
                return step;
            }
            // There is more room than anything has that came in the engine's few datagrams.
            Output::BufferTooSmall { .. } => return step,
            other => tell(other),
        }
    }
}

#[cfg(test)]
mod tests;
