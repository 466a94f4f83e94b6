//! Handshakes that key streams (DTLS-SRTP, RFC 5763, RFC 5764), on a thread of their own.
//!
//! A handshake takes milliseconds of work, in which the worker has packets to move. So the worker passes on what parties say
//! and gets back what is to be said to them, and at the end the keys. Both queues have an end, and the worker never waits for
//! either: what is lost the party says again.
//!
//! Invariant: the certificate of this process is made at its start, and its key is nowhere else.
//!
//! Not here: who may speak (`pipeline::dtls`), the handshakes one by one (`handshakes.rs`).

mod handshakes;
mod keys;

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Instant;

use board::host::Waker;
use dimpl::DtlsCertificate;
use media_api::Fingerprint;
use pipeline::dtls::{Reply, Request};
use rcgen::{CertificateParams, KeyPair};
use ring::digest::{SHA256, digest};

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

/// Starts the thread; it ends when nobody wants or takes anything any more.
///
/// # Errors
/// There are no threads.
pub(super) fn start(
    identity: Identity,
    requests: Receiver<Request>,
    replies: SyncSender<Reply>,
    waker: Waker,
) -> io::Result<()> {
    let mut handshakes = Handshakes::new(identity.certificate);
    thread::Builder::new()
        .name("media-dtls".to_owned())
        .spawn(move || {
            loop {
                let request = match handshakes.deadline() {
                    Some(due) => {
                        let patience = due.saturating_duration_since(Instant::now());
                        requests.recv_timeout(patience)
                    }
                    None => requests.recv().map_err(RecvTimeoutError::from),
                };
                let now = Instant::now();
                match request {
                    Ok(request) => handshakes.handle(now, request),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                handshakes.wake(now);
                let mut has_said = false;
                while let Some(reply) = handshakes.poll() {
                    if replies.send(reply).is_err() {
                        return;
                    }
                    has_said = true;
                }
                if has_said {
                    waker.wake();
                }
            }
        })?;
    Ok(())
}
