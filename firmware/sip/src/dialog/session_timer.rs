//! Session timers (RFC 4028): a session that nobody refreshes ends.
//!
//! The refresher asks again at half the interval; the other side gives up a little before its end. Each leg of a call runs its own
//! (INV-18, INV-19).

use embassy_time::{Duration, Instant};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::message::{Name, Refresher, Request, Response, SessionExpires};

/// The lowest Min-SE of RFC 4028 §5.
const LEAST: u32 = 90;

/// What we ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionTimerPolicy {
    /// The interval in seconds that we propose, and the longest that we grant. 0: we ask for none.
    pub expires: u32,
    /// The shortest that we accept, in seconds.
    pub min_se: u32,
}

impl SessionTimerPolicy {
    /// Whether the interval that a request asks for is long enough (RFC 4028 §8).
    ///
    /// # Errors
    /// It is not, and the peer understands 422.
    pub fn check(&self, request: &Request) -> Result<(), IntervalTooSmall> {
        let min_se = self.min_se.max(LEAST);
        let headers = request.headers();
        match headers.session_expires() {
            Ok(Some(asked)) if asked.seconds < min_se && headers.supported().contains("timer") => {
                Err(IntervalTooSmall { min_se })
            }
            _ => Ok(()),
        }
    }

    /// What an INVITE of ours says.
    #[must_use]
    pub fn headers(&self) -> Vec<(Name<'static>, String)> {
        if self.expires == 0 {
            return Vec::new();
        }
        vec![
            (
                Name::SessionExpires,
                format!("{};refresher=uac", self.expires.max(self.min_se)),
            ),
            (Name::MinSe, self.min_se.max(LEAST).to_string()),
        ]
    }
}

/// The peer's interval is shorter than ours allows; answer 422 with this Min-SE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("session interval below {min_se} s")]
pub struct IntervalTooSmall {
    /// What we accept.
    pub min_se: u32,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// Nothing.
    NotDue,
    /// We refresh: send [`SessionTimer::headers`] with it.
    Due,
    /// The peer has not refreshed: end the session.
    Expired,
}

/// The timer of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionTimer {
    policy: SessionTimerPolicy,
    running: Option<Running>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Running {
    seconds: u32,
    by: By,
    refresh_at: Option<Instant>,
    expires_at: Instant,
}

/// Who refreshes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum By {
    Us,
    Peer,
}

impl Running {
    fn new(now: Instant, seconds: u32, by: By) -> Self {
        let whole = Duration::from_secs(u64::from(seconds));
        // RFC 4028 §10: the other side sends BYE min(32, interval/3) before the end.
        let expires_at = match by {
            By::Us => now + whole,
            By::Peer => now + (whole - Duration::from_secs(u64::from((seconds / 3).min(32)))),
        };
        Self {
            seconds,
            by,
            refresh_at: (by == By::Us).then(|| now + whole / 2),
            expires_at,
        }
    }
}

impl SessionTimer {
    /// No timer runs.
    #[must_use]
    pub const fn idle(policy: SessionTimerPolicy) -> Self {
        Self {
            policy,
            running: None,
        }
    }

    /// We answer `request` with a 2xx: the timer, and the headers of that 2xx (RFC 4028 §9).
    #[must_use]
    pub fn server(
        now: Instant,
        request: &Request,
        policy: SessionTimerPolicy,
    ) -> (Self, Vec<(Name<'static>, String)>) {
        let mut timer = Self::idle(policy);
        let headers = timer.refreshed_by(now, request);
        (timer, headers)
    }

    /// A 2xx came to our INVITE.
    #[must_use]
    pub fn client(now: Instant, response: &Response, policy: SessionTimerPolicy) -> Self {
        let mut timer = Self::idle(policy);
        timer.refreshed(now, response);
        timer
    }

    /// [`SessionTimerPolicy::check`] by the policy of this session.
    ///
    /// # Errors
    /// As there.
    pub fn check(&self, request: &Request) -> Result<(), IntervalTooSmall> {
        self.policy.check(request)
    }

    /// The peer refreshes (or begins) the session with a request: what our 2xx says.
    pub fn refreshed_by(
        &mut self,
        now: Instant,
        request: &Request,
    ) -> Vec<(Name<'static>, String)> {
        let headers = request.headers();
        let supports = headers.supported().contains("timer") || headers.require().contains("timer");
        let asked = headers.session_expires().ok().flatten();
        let theirs = asked.map(|asked| asked.seconds);
        let min_se = headers
            .min_se()
            .ok()
            .flatten()
            .unwrap_or(LEAST)
            .max(self.policy.min_se)
            .max(LEAST);
        let ours = (self.policy.expires > 0).then_some(self.policy.expires);
        let Some(seconds) = [theirs, ours]
            .into_iter()
            .flatten()
            .min()
            .map(|seconds| seconds.max(min_se))
        else {
            self.running = None;
            return Vec::new();
        };
        // RFC 4028 table 2: only a peer that knows timers can refresh.
        let by = match asked.and_then(|asked| asked.refresher) {
            Some(Refresher::Uas) => By::Us,
            Some(Refresher::Uac) if supports => By::Peer,
            _ if supports => By::Peer,
            _ => By::Us,
        };
        self.running = Some(Running::new(now, seconds, by));
        let refresher = match by {
            By::Us => "uas",
            By::Peer => "uac",
        };
        let mut said = vec![(
            Name::SessionExpires,
            format!("{seconds};refresher={refresher}"),
        )];
        if by == By::Peer {
            said.push((Name::Require, "timer".to_owned()));
        }
        said
    }

    /// A 2xx came to a request of ours that began or refreshed the session (RFC 4028 §7.2).
    pub fn refreshed(&mut self, now: Instant, response: &Response) {
        match response.headers().session_expires() {
            Ok(Some(SessionExpires { seconds, refresher })) => {
                let by = if refresher == Some(Refresher::Uas) {
                    By::Peer
                } else {
                    By::Us
                };
                self.running = Some(Running::new(now, seconds.max(LEAST), by));
            }
            // The peer does not know timers: we refresh alone, if we want one.
            _ if self.policy.expires > 0 => {
                self.running = Some(Running::new(now, self.policy.expires.max(LEAST), By::Us));
            }
            _ => self.running = None,
        }
    }

    /// What a refreshing request of ours says; the refresher stays who it is.
    #[must_use]
    pub fn headers(&self) -> Vec<(Name<'static>, String)> {
        let Some(running) = self.running else {
            return self.policy.headers();
        };
        let refresher = match running.by {
            By::Us => "uac",
            By::Peer => "uas",
        };
        vec![
            (
                Name::SessionExpires,
                format!(
                    "{};refresher={refresher}",
                    running.seconds.max(self.policy.min_se)
                ),
            ),
            (Name::MinSe, self.policy.min_se.max(LEAST).to_string()),
        ]
    }

    /// A 422 came: take over its Min-SE. Whether asking again makes sense (RFC 4028 §7.3).
    pub fn raise(&mut self, response: &Response) -> Raised {
        match response.headers().min_se() {
            Ok(Some(min_se)) if min_se > self.policy.min_se && min_se <= 86_400 => {
                self.policy.min_se = min_se;
                self.policy.expires = self.policy.expires.max(min_se);
                if let Some(running) = &mut self.running {
                    running.seconds = running.seconds.max(min_se);
                }
                Raised::AskAgain
            }
            _ => Raised::NoUse,
        }
    }

    /// What we ask for, as far as a 422 has raised it.
    #[must_use]
    pub const fn policy(&self) -> SessionTimerPolicy {
        self.policy
    }

    /// When [`SessionTimer::wake`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let running = self.running?;
        Some(
            running
                .refresh_at
                .map_or(running.expires_at, |at| at.min(running.expires_at)),
        )
    }

    /// What is due at `now`.
    pub fn wake(&mut self, now: Instant) -> Refresh {
        let Some(running) = &mut self.running else {
            return Refresh::NotDue;
        };
        if running.expires_at <= now {
            self.running = None;
            return Refresh::Expired;
        }
        match running.refresh_at {
            Some(at) if at <= now => {
                // If this refresh fails, one more try at half of what is left.
                let left = running.expires_at.duration_since(now);
                running.refresh_at = (left > Duration::from_secs(30)).then(|| now + left / 2);
                Refresh::Due
            }
            _ => Refresh::NotDue,
        }
    }

    /// What is to be kept over a restart.
    #[must_use]
    pub fn image(&self) -> SessionTimerImage {
        let running = self.running.map(|running| (running.seconds, running.by));
        SessionTimerImage {
            policy: self.policy,
            running,
        }
    }

    /// A timer that was kept; it counts anew from `now`.
    #[must_use]
    pub fn restore(now: Instant, image: &SessionTimerImage) -> Self {
        let running = image
            .running
            .map(|(seconds, by)| Running::new(now, seconds, by));
        Self {
            policy: image.policy,
            running,
        }
    }
}

/// Whether a request that met 422 should be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raised {
    /// With the longer interval.
    AskAgain,
    /// The peer named none.
    NoUse,
}

/// A timer as plain data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionTimerImage {
    policy: SessionTimerPolicy,
    running: Option<(u32, By)>,
}
