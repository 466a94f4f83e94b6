//! The client transactions (RFC 3261 §17.1, RFC 6026 §7.2), without messages: what to do when.
//!
//! ```text
//!  INVITE:      Calling ──1xx──► Proceeding          others:  Trying ──1xx──► Proceeding
//!                  │ └────300+────┐│ │                            └─200+──┐  │
//!                  │2xx           ▼▼ │2xx                                 ▼  ▼
//!                  └──► Accepted  Completed ◄                            Completed
//!                          │M        │D                                      │K
//!                          └──► end ◄┘                                     end
//! ```
//! A machine is told of responses and of time and answers with what is to be done; the layer holds the bytes.

use embassy_time::{Duration, Instant};

use super::timers::{Reliability, Timers};

/// What is to be done after time has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// Send the request again.
    Resend,
    /// Nothing was heard in time: tell the user, then end.
    TimedOut,
    /// End.
    Ended,
}

/// What is to be done with a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Tell the user.
    Pass,
    /// Tell the user and acknowledge a refusal of an INVITE (RFC 3261 §17.1.1.3).
    PassAndAck,
    /// A repeated refusal: acknowledge it again.
    AckAgain,
    /// Repeated or late: nothing.
    Absorb,
}

/// A client transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Client {
    /// INVITE sent, nothing heard. Timer A resends, timer B gives up.
    Calling(Asking),
    /// INVITE has a provisional response; no timer of the transaction bounds it (the user's patience does) until it is
    /// cancelled.
    Ringing { until: Option<Instant> },
    /// INVITE refused; ACKs go out again for repeated refusals until timer D.
    Refused { until: Instant },
    /// INVITE answered; 2xx of this and other forks pass until timer M (RFC 6026).
    Accepted { until: Instant },
    /// Another request sent, nothing heard. Timer E resends, timer F gives up.
    Trying(Asking),
    /// Another request has a provisional response; it is still resent, every T2.
    Proceeding(Asking),
    /// Another request is answered; repeated answers are absorbed until timer K.
    Done { until: Instant },
}

/// Asking, and asking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asking {
    resend_at: Option<Instant>,
    interval: Duration,
    give_up_at: Instant,
}

impl Asking {
    fn new(now: Instant, timers: &Timers, reliability: Reliability, patience: Duration) -> Self {
        let resend_at = (reliability == Reliability::Unreliable).then(|| now + timers.t1);
        Self {
            resend_at,
            interval: timers.t1,
            give_up_at: now + patience,
        }
    }

    fn deadline(&self) -> Instant {
        self.resend_at
            .map_or(self.give_up_at, |at| at.min(self.give_up_at))
    }

    /// Due at `now`, the interval doubling up to `longest`.
    fn wake(&mut self, now: Instant, longest: Duration) -> Due {
        if self.give_up_at <= now {
            return Due::TimedOut;
        }
        match self.resend_at {
            Some(at) if at <= now => {
                self.interval = (self.interval * 2).min(longest);
                self.resend_at = Some(now + self.interval);
                Due::Resend
            }
            _ => Due::Nothing,
        }
    }
}

impl Client {
    /// An INVITE goes out; `patience` bounds the wait for a first response.
    pub(super) fn invite(
        now: Instant,
        timers: &Timers,
        reliability: Reliability,
        patience: Duration,
    ) -> Self {
        Self::Calling(Asking::new(now, timers, reliability, patience))
    }

    /// Another request goes out.
    pub(super) fn other(
        now: Instant,
        timers: &Timers,
        reliability: Reliability,
        patience: Duration,
    ) -> Self {
        Self::Trying(Asking::new(now, timers, reliability, patience))
    }

    /// Whether a final response has been received.
    pub(super) const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. } | Self::Accepted { .. } | Self::Done { .. }
        )
    }

    /// Whether anything has been received.
    pub(super) const fn has_heard(&self) -> bool {
        !matches!(self, Self::Calling(_) | Self::Trying(_))
    }

    /// Its CANCEL has gone out: without a final response in 64*T1 the INVITE counts as cancelled (RFC 3261 §9.1).
    pub(super) fn cancelled(&mut self, now: Instant, timers: &Timers) {
        if let Self::Ringing { until } = self {
            *until = Some(now + timers.give_up());
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Calling(asking) | Self::Trying(asking) | Self::Proceeding(asking) => {
                Some(asking.deadline())
            }
            Self::Ringing { until } => *until,
            Self::Refused { until } | Self::Accepted { until } | Self::Done { until } => {
                Some(*until)
            }
        }
    }

    pub(super) fn wake(&mut self, now: Instant, timers: &Timers) -> Due {
        match self {
            // Timer A doubles without a bound; B ends it (RFC 3261 §17.1.1.2).
            Self::Calling(asking) => asking.wake(now, timers.give_up()),
            Self::Trying(asking) | Self::Proceeding(asking) => asking.wake(now, timers.t2),
            Self::Ringing { until } => {
                if until.is_some_and(|until| until <= now) {
                    Due::TimedOut
                } else {
                    Due::Nothing
                }
            }
            Self::Refused { until } | Self::Accepted { until } | Self::Done { until } => {
                if *until <= now {
                    Due::Ended
                } else {
                    Due::Nothing
                }
            }
        }
    }

    /// A response with this code has been received.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        code: u16,
        timers: &Timers,
        reliability: Reliability,
    ) -> Verdict {
        match (&mut *self, code) {
            (Self::Calling(_), 100..=199) => {
                *self = Self::Ringing { until: None };
                Verdict::Pass
            }
            (Self::Ringing { .. }, 100..=199) | (Self::Accepted { .. }, 200..=299) => Verdict::Pass,
            (Self::Calling(_) | Self::Ringing { .. }, 200..=299) => {
                *self = Self::Accepted {
                    until: now + timers.give_up(),
                };
                Verdict::Pass
            }
            (Self::Calling(_) | Self::Ringing { .. }, _) => {
                *self = Self::Refused {
                    until: now + timers.d(reliability),
                };
                Verdict::PassAndAck
            }
            (Self::Refused { .. }, 300..) => Verdict::AckAgain,
            (Self::Trying(asking) | Self::Proceeding(asking), 100..=199) => {
                // RFC 3261 §17.1.2.2: from now on every T2.
                let mut asking = *asking;
                asking.interval = timers.t2;
                asking.resend_at = asking.resend_at.map(|_| now + timers.t2);
                asking.give_up_at = asking.give_up_at.max(now + timers.give_up());
                *self = Self::Proceeding(asking);
                Verdict::Pass
            }
            (Self::Trying(_) | Self::Proceeding(_), _) => {
                *self = Self::Done {
                    until: now + timers.k(reliability),
                };
                Verdict::Pass
            }
            _ => Verdict::Absorb,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Timers = Timers {
        t1: Duration::from_millis(500),
        t2: Duration::from_secs(4),
        t4: Duration::from_secs(5),
    };

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    /// When the machine asks to be woken and what it then wants, until it ends.
    fn timeline(mut machine: Client) -> Vec<(u64, Due)> {
        let mut seen = Vec::new();
        while let Some(next) = machine.deadline() {
            let due = machine.wake(next, &T);
            seen.push((next.as_millis(), due));
            if matches!(due, Due::TimedOut | Due::Ended) {
                break;
            }
        }
        seen
    }

    #[test]
    fn timer_a_doubles_until_timer_b() {
        // RFC 3261 §17.1.1.2: 500 ms, 1.5 s, 3.5 s, 7.5 s, 15.5 s, 31.5 s, then 32 s.
        let seen = timeline(Client::invite(
            at(0),
            &T,
            Reliability::Unreliable,
            T.give_up(),
        ));
        let resent: Vec<u64> = seen
            .iter()
            .filter(|(_, due)| *due == Due::Resend)
            .map(|(ms, _)| *ms)
            .collect();
        assert_eq!(resent, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
        assert_eq!(seen.last(), Some(&(32_000, Due::TimedOut)));
    }

    #[test]
    fn timer_e_stops_doubling_at_t2() {
        // RFC 3261 §17.1.2.2: 500 ms, 1 s, 2 s, 4 s, 4 s …
        let seen = timeline(Client::other(
            at(0),
            &T,
            Reliability::Unreliable,
            T.give_up(),
        ));
        let resent: Vec<u64> = seen
            .iter()
            .filter(|(_, due)| *due == Due::Resend)
            .map(|(ms, _)| *ms)
            .collect();
        assert_eq!(
            resent,
            [
                500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500
            ]
        );
    }

    #[test]
    fn nothing_is_resent_over_a_stream() {
        let seen = timeline(Client::invite(
            at(0),
            &T,
            Reliability::Reliable,
            Duration::from_secs(4),
        ));
        assert_eq!(seen, [(4_000, Due::TimedOut)]);
    }

    #[test]
    fn answers_of_several_forks_pass_until_timer_m() {
        // RFC 6026 §7.2.
        let mut machine = Client::invite(at(0), &T, Reliability::Unreliable, T.give_up());
        assert_eq!(
            machine.receive(at(10), 180, &T, Reliability::Unreliable),
            Verdict::Pass
        );
        assert_eq!(machine.deadline(), None);
        assert_eq!(
            machine.receive(at(20), 200, &T, Reliability::Unreliable),
            Verdict::Pass
        );
        assert_eq!(
            machine.receive(at(30), 200, &T, Reliability::Unreliable),
            Verdict::Pass
        );
        assert_eq!(
            machine.receive(at(40), 486, &T, Reliability::Unreliable),
            Verdict::Absorb
        );
        assert_eq!(machine.deadline(), Some(at(32_020)));
    }

    #[test]
    fn a_repeated_refusal_is_acknowledged_again_and_not_told_again() {
        let mut machine = Client::invite(at(0), &T, Reliability::Unreliable, T.give_up());
        assert_eq!(
            machine.receive(at(10), 486, &T, Reliability::Unreliable),
            Verdict::PassAndAck
        );
        assert_eq!(
            machine.receive(at(20), 486, &T, Reliability::Unreliable),
            Verdict::AckAgain
        );
        assert_eq!(
            machine.receive(at(20), 180, &T, Reliability::Unreliable),
            Verdict::Absorb
        );
        assert_eq!(machine.deadline(), Some(at(32_010)));
    }
}
