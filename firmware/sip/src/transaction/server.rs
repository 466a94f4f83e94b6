//! The server transactions (RFC 3261 §17.2, RFC 6026 §7.1), without messages: what to do when.
//!
//! ```text
//!  INVITE:  Proceeding ──2xx──► Accepted ──ACK──► Acknowledged        others: Trying ──1xx──► Proceeding
//!               │                  │L                  │L                        └──200+──► Completed ──J──► end
//!               └──300+──► Completed ──ACK──► Confirmed ──I──► end
//! ```
//! A 2xx is repeated until its ACK here, though RFC 3261 §13.3.1.4 gives that duty to the user: nobody else has the timers.

use embassy_time::{Duration, Instant};

use super::timers::{Reliability, Timers};

/// What is to be done after time has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// Send the last response again.
    Resend,
    /// A 2xx has not been acknowledged: tell the user, then end.
    AckMissing,
    /// End.
    Ended,
}

/// A server transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Server {
    /// INVITE received; provisional responses may follow.
    Inviting,
    /// INVITE refused; the refusal is repeated until its ACK (timer G), or given up (timer H).
    Refused(Repeating),
    /// The refusal is acknowledged; further ACKs are absorbed until timer I.
    Confirmed { until: Instant },
    /// INVITE answered; the 2xx is repeated until its ACK, or given up (timer L).
    Answered(Repeating),
    /// The 2xx is acknowledged; repeated INVITEs are absorbed until timer L.
    Acknowledged { until: Instant },
    /// Another request received.
    Trying,
    /// Another request answered; a repeated one gets the answer again until timer J.
    Done { until: Instant },
}

/// Saying it, and saying it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Repeating {
    resend_at: Option<Instant>,
    interval: Duration,
    give_up_at: Instant,
}

impl Repeating {
    fn deadline(&self) -> Instant {
        self.resend_at
            .map_or(self.give_up_at, |at| at.min(self.give_up_at))
    }

    fn wake(&mut self, now: Instant, timers: &Timers, at_last: Due) -> Due {
        if self.give_up_at <= now {
            return at_last;
        }
        match self.resend_at {
            Some(at) if at <= now => {
                self.interval = (self.interval * 2).min(timers.t2);
                self.resend_at = Some(now + self.interval);
                Due::Resend
            }
            _ => Due::Nothing,
        }
    }
}

impl Server {
    /// Whether a final response has been given.
    pub(super) const fn is_final(&self) -> bool {
        !matches!(self, Self::Inviting | Self::Trying)
    }

    /// Whether its INVITE has been answered with a 2xx.
    pub(super) const fn is_answered(&self) -> bool {
        matches!(self, Self::Answered(_) | Self::Acknowledged { .. })
    }

    /// Whether its last response may have to be sent again; if not, nobody needs to keep it.
    pub(super) const fn may_repeat(&self) -> bool {
        !matches!(self, Self::Confirmed { .. } | Self::Acknowledged { .. })
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Inviting | Self::Trying => None,
            Self::Refused(repeating) | Self::Answered(repeating) => Some(repeating.deadline()),
            Self::Confirmed { until } | Self::Acknowledged { until } | Self::Done { until } => {
                Some(*until)
            }
        }
    }

    pub(super) fn wake(&mut self, now: Instant, timers: &Timers) -> Due {
        match self {
            Self::Inviting | Self::Trying => Due::Nothing,
            Self::Refused(repeating) => repeating.wake(now, timers, Due::Ended),
            Self::Answered(repeating) => repeating.wake(now, timers, Due::AckMissing),
            Self::Confirmed { until } | Self::Acknowledged { until } | Self::Done { until } => {
                if *until <= now {
                    Due::Ended
                } else {
                    Due::Nothing
                }
            }
        }
    }

    /// The user has responded with this code. `false`: too late, nothing is to be sent.
    pub(super) fn respond(
        &mut self,
        now: Instant,
        code: u16,
        timers: &Timers,
        reliability: Reliability,
    ) -> Sent {
        let give_up_at = now + timers.give_up();
        match (&*self, code) {
            (Self::Inviting | Self::Trying, 100..=199) => Sent::Now,
            (Self::Inviting, 200..=299) => {
                // RFC 3261 §13.3.1.4: over every transport, because a later hop may be unreliable.
                let resend_at = Some(now + timers.t1);
                *self = Self::Answered(Repeating {
                    resend_at,
                    interval: timers.t1,
                    give_up_at,
                });
                Sent::Now
            }
            (Self::Inviting, _) => {
                let resend_at = (reliability == Reliability::Unreliable).then(|| now + timers.t1);
                *self = Self::Refused(Repeating {
                    resend_at,
                    interval: timers.t1,
                    give_up_at,
                });
                Sent::Now
            }
            (Self::Trying, _) => {
                *self = Self::Done {
                    until: now + timers.j(reliability),
                };
                Sent::Now
            }
            _ => Sent::TooLate,
        }
    }

    /// An ACK of this INVITE has been received. Whether it is news.
    pub(super) fn acknowledged(
        &mut self,
        now: Instant,
        timers: &Timers,
        reliability: Reliability,
    ) -> News {
        match self {
            Self::Refused(_) => {
                *self = Self::Confirmed {
                    until: now + timers.i(reliability),
                };
                News::Yes
            }
            Self::Answered(repeating) => {
                *self = Self::Acknowledged {
                    until: repeating.give_up_at,
                };
                News::Yes
            }
            _ => News::No,
        }
    }
}

/// Whether a response goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// It does.
    Now,
    /// A final one has gone out before.
    TooLate,
}

/// Whether something has been heard before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// It has not.
    Yes,
    /// It has.
    No,
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

    fn timeline(machine: &mut Server) -> Vec<(u64, Due)> {
        let mut seen = Vec::new();
        while let Some(next) = machine.deadline() {
            let due = machine.wake(next, &T);
            seen.push((next.as_millis(), due));
            if matches!(due, Due::AckMissing | Due::Ended) {
                break;
            }
        }
        seen
    }

    #[test]
    fn an_answer_is_repeated_over_every_transport_until_its_ack_is_missed() {
        // RFC 3261 §13.3.1.4.
        for reliability in [Reliability::Unreliable, Reliability::Reliable] {
            let mut machine = Server::Inviting;
            assert_eq!(machine.respond(at(0), 200, &T, reliability), Sent::Now);
            let seen = timeline(&mut machine);
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
            assert_eq!(seen.last(), Some(&(32_000, Due::AckMissing)));
        }
    }

    #[test]
    fn a_refusal_is_repeated_over_udp_alone() {
        // Timer G.
        let mut machine = Server::Inviting;
        machine.respond(at(0), 486, &T, Reliability::Unreliable);
        assert_eq!(timeline(&mut machine).len(), 11);
        let mut machine = Server::Inviting;
        machine.respond(at(0), 486, &T, Reliability::Reliable);
        assert_eq!(timeline(&mut machine), [(32_000, Due::Ended)]);
    }

    #[test]
    fn the_ack_ends_the_repetition() {
        let mut machine = Server::Inviting;
        machine.respond(at(0), 200, &T, Reliability::Unreliable);
        assert_eq!(
            machine.acknowledged(at(100), &T, Reliability::Unreliable),
            News::Yes
        );
        assert_eq!(
            machine.acknowledged(at(200), &T, Reliability::Unreliable),
            News::No
        );
        assert_eq!(timeline(&mut machine), [(32_000, Due::Ended)]);
    }

    #[test]
    fn nothing_follows_a_final_response() {
        let mut machine = Server::Trying;
        assert_eq!(
            machine.respond(at(0), 200, &T, Reliability::Unreliable),
            Sent::Now
        );
        assert_eq!(
            machine.respond(at(1), 500, &T, Reliability::Unreliable),
            Sent::TooLate
        );
        assert_eq!(timeline(&mut machine), [(32_000, Due::Ended)]);
    }
}
