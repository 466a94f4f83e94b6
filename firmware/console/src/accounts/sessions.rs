//! Sessions of browsers: kept in memory, known by the hash of a secret, ended by silence, by age or by hand.
//!
//! A session knows a name, not a role: what its user may do is asked anew with every request.
//!
//! Not here: cookies (`access`).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ring::digest::{SHA256, digest};
use store::Wall;

use super::hex;

/// Seconds of silence, and of age, after which a session is over.
const SILENCE: u64 = 60 * 60;
const AGE: u64 = 12 * 60 * 60;

/// Sessions at once; beyond it the one that was silent longest ends.
const MOST: usize = 1_000;

/// One session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// By which it is spoken of.
    pub(crate) number: u64,
    /// Whose it is.
    pub(crate) user: String,
    /// What a form of this session must bring back.
    pub(crate) form: String,
    pub(crate) from: IpAddr,
    pub(crate) began: Wall,
    pub(crate) seen: Wall,
}

impl Session {
    fn is_over(&self, now: Wall) -> bool {
        now.0 >= self.seen.0 + SILENCE || now.0 >= self.began.0 + AGE
    }
}

/// All sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    by_hash: HashMap<String, Session>,
    next: u64,
}

impl Sessions {
    /// Begins a session; gives the secret that its browser shows from now on.
    pub(crate) fn begin(&self, user: &str, from: IpAddr, now: Wall, chance: [u8; 64]) -> String {
        let mut inner = self.inner();
        inner.by_hash.retain(|_, session| !session.is_over(now));
        if inner.by_hash.len() >= MOST {
            let quiet = inner.by_hash.iter().min_by_key(|(_, session)| session.seen);
            if let Some(quiet) = quiet.map(|(hash, _)| hash.clone()) {
                inner.by_hash.remove(&quiet);
            }
        }
        inner.next += 1;
        let secret = hex(&chance[..32]);
        let session = Session {
            number: inner.next,
            user: user.to_owned(),
            form: hex(&chance[32..]),
            from,
            began: now,
            seen: now,
        };
        inner.by_hash.insert(hash(&secret), session);
        secret
    }

    /// The session of a secret, which has been heard of now.
    pub(crate) fn find(&self, secret: &str, now: Wall) -> Option<Session> {
        let mut inner = self.inner();
        let session = inner.by_hash.get_mut(&hash(secret))?;
        if session.is_over(now) {
            return None;
        }
        session.seen = now;
        Some(session.clone())
    }

    /// Sessions that are not over, the newest first.
    pub(crate) fn list(&self, now: Wall) -> Vec<Session> {
        let mut sessions: Vec<Session> = self.inner().by_hash.values().cloned().collect();
        sessions.retain(|session| !session.is_over(now));
        sessions.sort_by_key(|session| std::cmp::Reverse(session.number));
        sessions
    }

    /// Ends one; whether it was there.
    pub(crate) fn end(&self, number: u64) -> bool {
        let mut inner = self.inner();
        let before = inner.by_hash.len();
        inner.by_hash.retain(|_, session| session.number != number);
        inner.by_hash.len() < before
    }

    /// Ends all of a user, but for one.
    pub(crate) fn end_all_of(&self, user: &str, but: Option<u64>) {
        self.inner()
            .by_hash
            .retain(|_, session| session.user != user || Some(session.number) == but);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(secret: &str) -> String {
    hex(digest(&SHA256, secret.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_session_lives_while_it_speaks_and_not_for_ever() {
        let sessions = Sessions::default();
        let secret = sessions.begin("ana", HERE, Wall(0), [1; 64]);
        assert_eq!(sessions.find("another", Wall(1)), None);
        for hour in 1..24 {
            let now = Wall(hour * (SILENCE - 1));
            assert_eq!(sessions.find(&secret, now).is_some(), now.0 < AGE, "{hour}");
        }
        let secret = sessions.begin("ana", HERE, Wall(0), [2; 64]);
        assert_eq!(sessions.find(&secret, Wall(SILENCE)), None, "it was silent");
    }

    #[test]
    fn sessions_can_be_seen_and_ended() {
        let sessions = Sessions::default();
        let secrets: Vec<String> = (0..3)
            .map(|number| sessions.begin("ana", HERE, Wall(number), [number as u8; 64]))
            .collect();
        let numbers: Vec<u64> = sessions
            .list(Wall(5))
            .iter()
            .map(|session| session.number)
            .collect();
        assert_eq!(numbers, [3, 2, 1]);
        assert!(sessions.end(2) && !sessions.end(2));
        assert_eq!(sessions.find(&secrets[1], Wall(5)), None);
        sessions.end_all_of("ana", Some(3));
        assert_eq!(sessions.find(&secrets[0], Wall(5)), None);
        assert!(sessions.find(&secrets[2], Wall(5)).is_some());
    }
}
