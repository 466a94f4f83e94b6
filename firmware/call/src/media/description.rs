//! What may cross from one leg to the other: formats by their meaning, direction, packet time.
//!
//! A [`Description`] is made of closed types. A party's words (addresses, names, payload numbers, parameters, unknown
//! lines) cannot be put into one, so they cannot leak through it. Formats that are not named here do not pass the box.
//!
//! Not here: numbers and keys, which each leg has for itself (`agreed`, `negotiate`).

use config::document::trunk;
use serde::{Deserialize, Serialize};
use sip::sdp::{Direction, Encoding, Media, Payload, SessionDescription};

/// The packet time that is written when none is known (spec §2.4).
const USUAL_PTIME: u16 = 20;

/// What a party says it can and wants to do, without anything that belongs to its leg alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Codecs in order of preference, never empty.
    pub(crate) codecs: Vec<Format>,
    /// The events that it takes, if any (MED-08).
    pub(crate) events: Option<Events>,
    /// Whether it takes comfort noise (MED-09).
    pub(crate) comfort_noise: ComfortNoise,
    /// Milliseconds of sound in a packet.
    pub(crate) ptime: u16,
    /// What it does: `sendonly` means that it sends and does not listen.
    pub(crate) direction: Direction,
}

impl Description {
    /// The same, sending and listening.
    #[must_use]
    pub fn wide_open(&self) -> Self {
        Self {
            direction: Direction::SendRecv,
            ..self.clone()
        }
    }

    /// What a trunk allows, as if a party had said it.
    pub(crate) fn of_trunk(codecs: &[trunk::Codec]) -> Self {
        Self {
            codecs: codecs.iter().copied().map(Format::from).collect(),
            events: Some(Events {
                last: Events::FLASH,
            }),
            comfort_noise: ComfortNoise::Taken,
            ptime: USUAL_PTIME,
            direction: Direction::SendRecv,
        }
    }

    /// What the party says that wrote `audio` in `session`.
    pub(crate) fn of_party(session: &SessionDescription, audio: &Media) -> Self {
        let found = |wanted| {
            let mut payloads = audio.payloads().iter();
            payloads.find(|payload| Format::of(payload) == Some(wanted))
        };
        let mut codecs = Vec::new();
        for format in audio.payloads().iter().filter_map(Format::of) {
            if format.is_codec() && !codecs.contains(&format) {
                codecs.push(format);
            }
        }
        let mut direction = session.direction_of(audio);
        if session
            .address_of(audio)
            .is_some_and(sip::sdp::Address::is_unspecified)
        {
            // RFC 3264 §8.4: the old way to say hold.
            direction = direction.and(Direction::SendOnly);
        }
        Self {
            codecs,
            events: found(Format::Events).map(Events::of),
            comfort_noise: found(Format::ComfortNoise)
                .map_or(ComfortNoise::Refused, |_| ComfortNoise::Taken),
            // Others than these are no packet times of speech; nobody loses when the usual one is written instead.
            ptime: session
                .ptime_of(audio)
                .filter(|ptime| (10..=60).contains(ptime))
                .unwrap_or(USUAL_PTIME),
            direction,
        }
    }
}

/// Whether a party takes comfort noise (RFC 3389).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ComfortNoise {
    /// It does.
    Taken,
    /// It does not.
    Refused,
}

/// The telephone events that a party takes: 0 to `last`, without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Events {
    last: u8,
}

impl Events {
    /// RFC 4733 §2.5.1.1: what holds without an fmtp line.
    const DIGITS: u8 = 15;
    /// The hook flash; events beyond are not for telephones.
    const FLASH: u8 = 16;

    fn of(payload: &Payload) -> Self {
        let list = payload.parameters.as_deref().unwrap_or_default();
        let ranges = list.split([',', ';']).filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some((
                first.trim().parse::<u8>().ok()?,
                last.trim().parse::<u8>().ok()?,
            ))
        });
        let mut next = 0_u8;
        for (first, last) in ranges {
            if first <= next && last >= next {
                next = last.saturating_add(1);
            }
        }
        let last = next.checked_sub(1).unwrap_or(Self::DIGITS);
        Self {
            last: last.min(Self::FLASH),
        }
    }

    fn written(self) -> String {
        format!("0-{}", self.last)
    }
}

/// A format that passes the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Format {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722.
    G722,
    /// G.729, without its own silence suppression (spec §2.4: `annexb=no`).
    G729,
    /// RFC 3389.
    ComfortNoise,
    /// RFC 4733.
    Events,
}

impl From<trunk::Codec> for Format {
    fn from(codec: trunk::Codec) -> Self {
        match codec {
            trunk::Codec::Pcmu => Self::Pcmu,
            trunk::Codec::Pcma => Self::Pcma,
            trunk::Codec::G722 => Self::G722,
            trunk::Codec::G729 => Self::G729,
        }
    }
}

impl Format {
    /// The RTP clock rate of them all.
    pub(crate) const CLOCK: u32 = 8_000;

    const ALL: [Self; 6] = [
        Self::Pcmu,
        Self::Pcma,
        Self::G722,
        Self::G729,
        Self::ComfortNoise,
        Self::Events,
    ];

    /// What a payload is, if it passes.
    pub(crate) fn of(payload: &Payload) -> Option<Self> {
        let encoding = payload.encoding.as_ref()?;
        Self::ALL
            .into_iter()
            .find(|format| encoding.is(format.name(), Self::CLOCK))
    }

    /// Whether it carries speech.
    pub(crate) const fn is_codec(self) -> bool {
        !matches!(self, Self::ComfortNoise | Self::Events)
    }

    /// The number to offer when none has been in use on the leg (RFC 3551 table 4; spec §2.4).
    pub(crate) const fn usual_number(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
            Self::ComfortNoise => 13,
            Self::G729 => 18,
            Self::Events => 101,
        }
    }

    /// The format as a line of ours, with our parameters.
    pub(crate) fn payload(self, number: u8, events: Option<Events>) -> Payload {
        Payload {
            number,
            encoding: Some(Encoding::mono(self.name(), Self::CLOCK)),
            parameters: match self {
                Self::G729 => Some("annexb=no".to_owned()),
                Self::Events => events.map(Events::written),
                Self::Pcmu | Self::Pcma | Self::G722 | Self::ComfortNoise => None,
            },
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::G729 => "G729",
            Self::ComfortNoise => "CN",
            Self::Events => "telephone-event",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_lists_are_read_up_to_their_first_gap() {
        let last = |parameters: Option<&str>| {
            let mut payload = Format::Events.payload(101, None);
            payload.parameters = parameters.map(str::to_owned);
            Events::of(&payload).last
        };
        assert_eq!(last(None), 15);
        assert_eq!(last(Some("0-16")), 16);
        assert_eq!(last(Some("0-15,66,70")), 15);
        assert_eq!(last(Some("0-9, 10-11")), 11);
        assert_eq!(last(Some("0-11,16")), 11);
        assert_eq!(last(Some("0-255")), 16);
        assert_eq!(last(Some("256-300")), 15);
        assert_eq!(last(Some("0-15;secret=1")), 15);
        assert_eq!(last(Some("nonsense")), 15);
    }

    #[test]
    fn usual_numbers_mean_what_rfc_3551_says() {
        for format in Format::ALL {
            let bare = Payload::bare(format.usual_number());
            let meant = if format == Format::Events {
                None
            } else {
                Some(format)
            };
            assert_eq!(Format::of(&bare), meant);
            assert_eq!(Format::of(&format.payload(120, None)), Some(format));
        }
    }
}
