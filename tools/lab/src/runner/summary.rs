//! What the calls came to, as people and programs want it.
//!
//! Not here: placing them (`calls.rs`).

use std::time::Duration;

use serde::Serialize;

/// One call that was placed.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// What it was to show.
    pub name: String,
    /// Which way it went.
    pub way: Way,
    /// What went wrong.
    pub faults: Vec<String>,
    /// Whether it was to be answered, and was.
    pub answered: bool,
    /// Whether it was to be refused: not counted among the calls.
    pub to_be_refused: bool,
    /// INVITE to 200.
    pub set_up: Option<Duration>,
    /// Mouth to ear, less the two ends.
    pub delays: Vec<Duration>,
    /// RTP packets sent and received by the peers, and missing.
    pub rtp: [u64; 3],
    /// Whether the Teams side was under SRTP.
    pub srtp: bool,
    /// Transfers that went through.
    pub transfers: u64,
}

/// Which way a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// From the telephone network to Teams.
    #[default]
    PstnToTeams,
    /// From Teams to the telephone network.
    TeamsToPstn,
}

/// The line of `--json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Calls that were to be answered.
    pub calls: u64,
    /// Those that were.
    pub answered: u64,
    /// Calls of any kind that did not go as they were to.
    pub failed: u64,
    /// Calls that were to be refused, and were in the right way.
    pub refused: u64,
    /// RTP packets that the peers sent.
    pub rtp_sent: u64,
    /// Those that they received; what the box says of itself, as ringback, is not counted.
    pub rtp_received: u64,
    /// Packets missing in the sequences received.
    pub rtp_lost: u64,
    /// Whether all Teams signalling was over TLS, of which version.
    pub tls: bool,
    /// The version.
    pub tls_version: String,
    /// Whether all Teams audio was under SRTP.
    pub srtp: bool,
    /// Answered calls from Teams.
    pub teams_to_pstn: u64,
    /// Answered calls to Teams.
    pub pstn_to_teams: u64,
    /// Transfers that went through.
    pub transfers: u64,
    /// Set-up time in milliseconds.
    pub setup_ms: Spread,
    /// Audio delay in milliseconds.
    pub audio_delay_ms: Spread,
    /// Complaints of the peers.
    pub complaints: u64,
}

/// The middle and the worst.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Spread {
    /// Half were faster.
    pub p50: f64,
    /// All but one in a hundred were faster.
    pub p99: f64,
    /// None was slower.
    pub max: f64,
}

impl Spread {
    /// Of these times.
    #[must_use]
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |part: usize| {
            let place = (times.len() * part / 100).min(times.len().saturating_sub(1));
            times
                .get(place)
                .map_or(0.0, |time| (time.as_secs_f64() * 1e5).round() / 100.0)
        };
        Self {
            p50: at(50),
            p99: at(99),
            max: at(100),
        }
    }
}

impl Summary {
    /// Of these calls.
    #[must_use]
    pub fn of(outcomes: &[Outcome], tls_versions: &[String], complaints: usize) -> Self {
        let count = |fits: &dyn Fn(&&Outcome) -> bool| outcomes.iter().filter(fits).count() as u64;
        let sum = |at: usize| outcomes.iter().map(|outcome| outcome.rtp[at]).sum();
        let answered = |way: Way| count(&|outcome| outcome.answered && outcome.way == way);
        let tls = !tls_versions.is_empty()
            && tls_versions
                .iter()
                .all(|version| version.starts_with("TLSv1."));
        let mut versions = tls_versions.to_vec();
        versions.sort();
        versions.dedup();
        Self {
            calls: count(&|outcome| !outcome.to_be_refused),
            answered: count(&|outcome| outcome.answered),
            failed: count(&|outcome| !outcome.faults.is_empty()),
            refused: count(&|outcome| outcome.to_be_refused && outcome.faults.is_empty()),
            rtp_sent: sum(0),
            rtp_received: sum(1),
            rtp_lost: sum(2),
            tls,
            tls_version: versions.join(", "),
            srtp: outcomes.iter().any(|outcome| outcome.answered)
                && outcomes
                    .iter()
                    .filter(|outcome| outcome.answered)
                    .all(|outcome| outcome.srtp),
            teams_to_pstn: answered(Way::TeamsToPstn),
            pstn_to_teams: answered(Way::PstnToTeams),
            transfers: outcomes.iter().map(|outcome| outcome.transfers).sum(),
            setup_ms: Spread::of(
                outcomes
                    .iter()
                    .filter_map(|outcome| outcome.set_up)
                    .collect(),
            ),
            audio_delay_ms: Spread::of(
                outcomes
                    .iter()
                    .flat_map(|outcome| outcome.delays.clone())
                    .collect(),
            ),
            complaints: complaints as u64,
        }
    }

    /// Whether everything went as it was to.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.failed == 0
            && self.complaints == 0
            && self.calls > 0
            && self.answered == self.calls
            && self.rtp_lost == 0
            && self.tls
            && self.srtp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_of_few_and_of_none() {
        let ms = Duration::from_millis;
        assert_eq!(
            Spread::of(vec![ms(3), ms(1), ms(2)]),
            Spread {
                p50: 2.0,
                p99: 3.0,
                max: 3.0
            }
        );
        assert_eq!(Spread::of(Vec::new()), Spread::default());
    }

    #[test]
    fn the_line_has_what_it_is_promised_to_have() {
        let summary = Summary::of(&[Outcome::default()], &[], 0);
        let line = serde_json::to_value(summary).expect("a summary is JSON");
        let fields = [
            "calls",
            "answered",
            "failed",
            "rtp_sent",
            "rtp_received",
            "rtp_lost",
            "tls",
            "srtp",
            "teams_to_pstn",
            "pstn_to_teams",
            "transfers",
            "setup_ms",
            "audio_delay_ms",
        ];
        for field in fields {
            assert!(line.get(field).is_some(), "{field}");
        }
        for (times, part) in [("setup_ms", "p50"), ("audio_delay_ms", "p99")] {
            assert!(line[times][part].is_number(), "{times}.{part}");
        }
    }

    #[test]
    fn a_refused_call_is_no_call_and_one_lost_packet_is_bad() {
        let good = Outcome {
            answered: true,
            srtp: true,
            rtp: [10, 10, 0],
            ..Outcome::default()
        };
        let busy = Outcome {
            to_be_refused: true,
            ..Outcome::default()
        };
        let versions = ["TLSv1.3".to_owned()];
        let summary = Summary::of(&[good.clone(), busy], &versions, 0);
        assert_eq!(
            (summary.calls, summary.answered, summary.refused),
            (1, 1, 1)
        );
        assert!(summary.is_good());
        let lossy = Outcome {
            rtp: [10, 9, 1],
            ..good
        };
        assert!(!Summary::of(&[lossy], &versions, 0).is_good());
        assert!(!Summary::of(&[], &versions, 0).is_good());
    }
}
