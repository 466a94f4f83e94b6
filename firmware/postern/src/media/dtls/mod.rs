//! Handshakes that key streams (DTLS-SRTP, RFC 5763, RFC 5764), on a thread of their own.
//!
//! A handshake takes milliseconds of work, in which a worker has packets to move. So the workers pass on what parties say
//! and get back what is to be said to them, and at the end the keys. Each has two rings with an end, and never waits for
//! either: what is lost the party says again.
//!
//! Invariant: the certificate of this process is made at its start, and its key is nowhere else.
//!
//! Not here: who may speak (`pipeline::dtls`), the handshakes one by one (`handshakes.rs`).

mod handshakes;
mod keys;

use std::collections::HashMap;
use std::io;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use board::host::Waker;
use dimpl::DtlsCertificate;
use media_api::Fingerprint;
use pipeline::dtls::{Association, Reply, Request};
use rcgen::{CertificateParams, KeyPair};
use ring::digest::{SHA256, digest};
use rtrb::{Consumer, Producer, PushError};

use self::handshakes::Handshakes;

/// What this process shows in handshakes.
pub(super) struct Identity {
    certificate: DtlsCertificate,
    fingerprint: Fingerprint,
}

impl Identity {
    /// A new one, of this process.
    ///
    /// # Errors
    /// There is no randomness.
    pub(super) fn new() -> io::Result<Self> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let parameters = CertificateParams::default();
        let certificate = parameters.self_signed(&key).map_err(io::Error::other)?;
        let certificate = DtlsCertificate {
            certificate: certificate.der().to_vec(),
            private_key: key.serialize_der(),
        };
        Ok(Self {
            fingerprint: fingerprint(&certificate.certificate),
            certificate,
        })
    }

    /// How others know it.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

fn fingerprint(certificate: &[u8]) -> Fingerprint {
    let hash = digest(&SHA256, certificate);
    Fingerprint(hash.as_ref().try_into().expect("SHA-256 has 32 octets"))
}

/// What leads to one worker and from it.
pub(super) struct Desk {
    pub(super) requests: Consumer<Request>,
    pub(super) replies: Producer<Reply>,
    /// Wakes the worker, for there are replies.
    pub(super) waker: Waker,
}

/// Requests taken from one worker before another's.
const AT_ONCE: usize = 64;

/// A worker that has had no room is asked again after this time.
const AGAIN: Duration = Duration::from_millis(1);

/// Without anything to do it looks this often whether there are workers still.
const LOOK: Duration = Duration::from_secs(60);

/// Starts the thread, which ends when there is no worker any more; who asks it for something wakes it by what is given back.
///
/// # Errors
/// There are no threads.
pub(super) fn start(identity: Identity, desks: Vec<Desk>) -> io::Result<Thread> {
    let mut office = Office {
        handshakes: Handshakes::new(identity.certificate),
        desks,
        asked_by: HashMap::new(),
        held: None,
    };
    let thread = thread::Builder::new()
        .name("media-dtls".to_owned())
        .spawn(move || {
            while office
                .desks
                .iter()
                .any(|desk| !desk.requests.is_abandoned())
            {
                let patience = office.turn(Instant::now());
                // A request that came meanwhile has left a token: then it does not wait.
                thread::park_timeout(patience);
            }
        })?;
    Ok(thread.thread().clone())
}

/// All handshakes, and the ways to those who asked for them.
struct Office {
    handshakes: Handshakes,
    desks: Vec<Desk>,
    /// The worker that has last asked for something of an association.
    asked_by: HashMap<Association, usize>,
    /// What its worker has had no room for.
    held: Option<(usize, Reply)>,
}

impl Office {
    /// Does what there is to do and says when there is more.
    fn turn(&mut self, now: Instant) -> Duration {
        let mut is_more = false;
        for (place, desk) in self.desks.iter_mut().enumerate() {
            for _ in 0..AT_ONCE {
                let Ok(request) = desk.requests.pop() else {
                    break;
                };
                match &request {
                    Request::Begin { association, .. } | Request::Heard(association, _) => {
                        self.asked_by.insert(*association, place);
                    }
                    Request::End(association) => {
                        self.asked_by.remove(association);
                    }
                }
                self.handshakes.handle(now, request);
            }
            is_more |= !desk.requests.is_empty();
        }
        self.handshakes.wake(now);
        self.deliver();
        let due = self.handshakes.deadline();
        let due = due.map(|due| due.saturating_duration_since(Instant::now()));
        match (&self.held, is_more) {
            (Some(_), _) => AGAIN,
            (None, true) => Duration::ZERO,
            (None, false) => due.unwrap_or(LOOK).min(LOOK),
        }
    }

    fn deliver(&mut self) {
        let mut told = vec![false; self.desks.len()];
        while let Some((place, reply)) = self.next_reply() {
            told[place] = true;
            if let Err(PushError::Full(reply)) = self.desks[place].replies.push(reply) {
                self.held = Some((place, reply));
                break;
            }
        }
        for (desk, _) in self.desks.iter().zip(told).filter(|(_, told)| *told) {
            desk.waker.wake();
        }
    }

    fn next_reply(&mut self) -> Option<(usize, Reply)> {
        if let Some(held) = self.held.take() {
            return Some(held);
        }
        loop {
            let reply = self.handshakes.poll()?;
            // What has been ended meanwhile nobody wants to hear of.
            if let Some(place) = self.asked_by.get(&reply.association) {
                return Some((*place, reply));
            }
        }
    }
}
