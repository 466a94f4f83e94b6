//! How the last legs sounded, for who asks: a bounded list, the newest at its end.
//!
//! Not here: records that last (they read the same events).

use std::collections::VecDeque;

use call::api::{CallId, Event, Sound};
use serde::Serialize;

/// Legs that are remembered.
const LEGS: usize = 200;

/// A leg that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Leg {
    call: CallId,
    trunk: String,
    #[serde(flatten)]
    sound: Sound,
}

/// The last of them.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Sounds(VecDeque<Leg>);

impl Sounds {
    /// Remembers, if this is what to remember.
    pub(super) fn hear(&mut self, event: &Event) {
        let Event::Sounded { call, trunk, sound } = event else {
            return;
        };
        if self.0.len() == LEGS {
            self.0.pop_front();
        }
        self.0.push_back(Leg {
            call: *call,
            trunk: trunk.clone(),
            sound: *sound,
        });
    }
}

#[cfg(test)]
mod tests {
    use call::api::{Opinion, Way};

    use super::*;

    #[test]
    fn the_newest_are_kept_and_read_like_figures() {
        let mut sounds = Sounds::default();
        for number in 1..=LEGS as u64 + 1 {
            let from_party = Way {
                packets: number,
                lost: Some(3),
                jitter_us: Some(1_500),
                mos: Some(Opinion(441)),
            };
            sounds.hear(&Event::Sounded {
                call: CallId(number),
                trunk: "carrier".into(),
                sound: Sound {
                    from_party,
                    ..Sound::default()
                },
            });
        }
        let told = serde_json::to_value(&sounds).expect("figures");
        assert_eq!(told.as_array().map(Vec::len), Some(LEGS));
        assert_eq!(told[0]["call"], 2);
        assert_eq!(told[0]["from_party"]["mos"], 4.41);
        assert!(told[0]["to_party"]["mos"].is_null());
    }
}
