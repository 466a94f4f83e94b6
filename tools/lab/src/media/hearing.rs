//! What was heard: whether it is the other side's speech, in sequence, and what is missing.
//!
//! The first frame that is known tells the place in the sentence; from then on every packet must hold the very frame that
//! its sequence number calls for. Anything else is `foreign`: a tone of the box, or a fault, which the test knows.
//!
//! Not here: sockets, decryption.

use std::collections::VecDeque;
use std::time::Instant;

use super::packet::{DIGITS, Rtp};
use super::speech::{Codec, Speech, Voice};

/// A jump this far is a new stream, not a loss.
const JUMP: u16 = 500;
/// Arrival times kept: the last second.
const ARRIVALS: usize = 50;

/// Counts of one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// RTP packets, all kinds.
    pub packets: u64,
    /// Packets that are the speech expected, in its place.
    pub speech: u64,
    /// Packets of audio that are not.
    pub foreign: u64,
    /// Sequence numbers that never came.
    pub lost: u64,
    /// Packets that came twice.
    pub twice: u64,
    /// Streams: changes of SSRC and jumps.
    pub streams: u64,
    /// Digits by RFC 4733.
    pub digits: String,
    /// The longest time between two packets of one stream.
    pub longest_gap: std::time::Duration,
}

/// Whether the other side is on hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It is.
    On,
    /// It may speak.
    Over,
}

/// Where the books of a stream stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Books {
    /// Every number is to come.
    Strict,
    /// On hold: whoever was still speaking was cut short, which is no loss.
    Lenient,
    /// The next packet is the first after a hold.
    Resuming,
}

/// Listens to one stream.
#[derive(Debug)]
pub struct Hearing {
    voice: Voice,
    event: Option<u8>,
    heard: Heard,
    stream: Option<Stream>,
    books: Books,
    last_event: Option<u32>,
    last_at: Option<Instant>,
    arrivals: VecDeque<(usize, Instant)>,
}

#[derive(Debug)]
struct Stream {
    ssrc: u32,
    highest: u16,
    /// The sequence number at which the frame of this place belongs.
    anchor: Option<(u16, usize)>,
    missing: VecDeque<u16>,
}

impl Hearing {
    /// Expects this voice.
    #[must_use]
    pub fn new(voice: Voice) -> Self {
        Self {
            voice,
            event: None,
            heard: Heard::default(),
            stream: None,
            books: Books::Strict,
            last_event: None,
            last_at: None,
            arrivals: VecDeque::with_capacity(ARRIVALS),
        }
    }

    /// The payload type of digits from now on.
    pub fn expect_events(&mut self, payload_type: Option<u8>) {
        self.event = payload_type;
    }

    /// A pause is agreed: the time until the next packet is no gap.
    pub fn pause(&mut self) {
        self.last_at = None;
    }

    /// The other side is put on hold, or taken back.
    pub fn hold(&mut self, hold: Hold) {
        self.books = match (hold, self.books) {
            (Hold::On, _) => Books::Lenient,
            (Hold::Over, Books::Lenient) => Books::Resuming,
            (Hold::Over, books) => books,
        };
    }

    /// The counts so far.
    #[must_use]
    pub fn heard(&self) -> &Heard {
        &self.heard
    }

    /// When which place of the sentence came, for the last second.
    #[must_use]
    pub fn arrivals(&self) -> Vec<(usize, Instant)> {
        self.arrivals.iter().copied().collect()
    }

    /// Takes in one packet.
    pub fn take(&mut self, now: Instant, packet: &Rtp<'_>) {
        self.heard.packets += 1;
        if let Some(last) = self.last_at.replace(now) {
            self.heard.longest_gap = self.heard.longest_gap.max(now.duration_since(last));
        }
        if !self.in_sequence(packet) {
            return;
        }
        if Some(packet.payload_type) == self.event {
            self.digit(packet);
        } else if let Some(codec) = Codec::of(packet.payload_type) {
            self.audio(now, packet, codec);
        }
    }

    /// Keeps the books of sequence numbers; false for a packet that came before.
    fn in_sequence(&mut self, packet: &Rtp<'_>) -> bool {
        let fresh = Stream {
            ssrc: packet.ssrc,
            highest: packet.sequence,
            anchor: None,
            missing: VecDeque::new(),
        };
        let Some(stream) = self
            .stream
            .as_mut()
            .filter(|stream| stream.ssrc == packet.ssrc)
        else {
            self.heard.streams += 1;
            self.stream = Some(fresh);
            return true;
        };
        let ahead = packet.sequence.wrapping_sub(stream.highest);
        if self.books != Books::Strict && (1..JUMP).contains(&ahead) {
            stream.highest = packet.sequence;
            if self.books == Books::Resuming {
                self.books = Books::Strict;
            }
            return true;
        }
        if ahead == 0 {
            self.heard.twice += 1;
            return false;
        }
        if ahead < JUMP {
            for back in 1..ahead {
                stream.missing.push_back(packet.sequence.wrapping_sub(back));
            }
            self.heard.lost += u64::from(ahead - 1);
            while stream.missing.len() > usize::from(JUMP) {
                stream.missing.pop_front();
            }
            stream.highest = packet.sequence;
            return true;
        }
        if ahead > u16::MAX - JUMP {
            let found = stream
                .missing
                .iter()
                .position(|late| *late == packet.sequence);
            match found {
                Some(at) => {
                    stream.missing.remove(at);
                    self.heard.lost -= 1;
                }
                None => self.heard.twice += 1,
            }
            return found.is_some();
        }
        self.heard.streams += 1;
        self.stream = Some(fresh);
        true
    }

    fn audio(&mut self, now: Instant, packet: &Rtp<'_>, codec: Codec) {
        let speech = Speech::of(self.voice, codec);
        let Some(stream) = &mut self.stream else {
            return;
        };
        let expected = stream.anchor.map(|(sequence, place)| {
            let forward = packet.sequence.wrapping_sub(sequence).cast_signed();
            (place as i64 + i64::from(forward)).rem_euclid(speech.len() as i64) as usize
        });
        match (speech.place(packet.payload), expected) {
            (Some(place), Some(expected)) if place == expected => {
                self.heard.speech += 1;
            }
            // The first frame that is known.
            (Some(_), None) => self.heard.speech += 1,
            _ => self.heard.foreign += 1,
        }
        if let Some(place) = speech.place(packet.payload) {
            stream.anchor = Some((packet.sequence, place));
            if self.arrivals.len() == ARRIVALS {
                self.arrivals.pop_front();
            }
            self.arrivals.push_back((place, now));
        }
    }

    fn digit(&mut self, packet: &Rtp<'_>) {
        // An event takes the place of speech: the sentence stands still meanwhile.
        if let Some(stream) = &mut self.stream
            && let Some((sequence, _)) = &mut stream.anchor
        {
            *sequence = sequence.wrapping_add(1);
        }
        let (Some(&event), true) = (packet.payload.first(), packet.payload.len() >= 4) else {
            self.heard.foreign += 1;
            return;
        };
        if self.last_event != Some(packet.timestamp) {
            self.last_event = Some(packet.timestamp);
            let digit = DIGITS.as_bytes().get(usize::from(event)).copied();
            self.heard.digits.push(digit.map_or('?', char::from));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(hearing: &mut Hearing, sequence: u16, place: usize) {
        let speech = Speech::of(Voice::Teams, Codec::Pcmu);
        hear(hearing, sequence, 0, speech.frame(place));
    }

    fn hear(hearing: &mut Hearing, sequence: u16, payload_type: u8, payload: &[u8]) {
        let packet = Rtp {
            marker: false,
            payload_type,
            sequence,
            timestamp: u32::from(sequence) * 160,
            ssrc: 1,
            payload,
        };
        hearing.take(Instant::now(), &packet);
    }

    #[test]
    fn speech_in_order_over_the_end_of_the_numbers_and_of_the_sentence() {
        let mut hearing = Hearing::new(Voice::Teams);
        let length = Speech::of(Voice::Teams, Codec::Pcmu).len();
        for step in 0..20 {
            say(
                &mut hearing,
                65_526_u16.wrapping_add(step),
                length - 10 + usize::from(step),
            );
        }
        assert_eq!((hearing.heard().speech, hearing.heard().foreign), (20, 0));
        assert_eq!((hearing.heard().lost, hearing.heard().streams), (0, 1));
    }

    #[test]
    fn a_frame_in_the_wrong_place_is_foreign() {
        let mut hearing = Hearing::new(Voice::Teams);
        say(&mut hearing, 1, 10);
        say(&mut hearing, 2, 12);
        hear(&mut hearing, 3, 0, &[0xff; 160]);
        assert_eq!((hearing.heard().speech, hearing.heard().foreign), (1, 2));
    }

    #[test]
    fn the_other_voice_is_foreign() {
        let mut hearing = Hearing::new(Voice::Carrier);
        say(&mut hearing, 1, 10);
        assert_eq!((hearing.heard().speech, hearing.heard().foreign), (0, 1));
    }

    #[test]
    fn lost_late_and_doubled_packets_are_told_apart() {
        let mut hearing = Hearing::new(Voice::Teams);
        for place in [1, 2, 5, 4, 4, 6] {
            say(&mut hearing, place, usize::from(place));
        }
        let heard = hearing.heard();
        assert_eq!(
            (heard.lost, heard.twice, heard.speech, heard.foreign),
            (1, 1, 5, 0)
        );
    }

    #[test]
    fn what_is_cut_short_by_a_hold_is_not_lost() {
        let mut hearing = Hearing::new(Voice::Teams);
        let say = |hearing: &mut Hearing, place| say(hearing, place, usize::from(place));
        say(&mut hearing, 1);
        hearing.hold(Hold::On);
        say(&mut hearing, 2);
        say(&mut hearing, 4);
        hearing.hold(Hold::Over);
        say(&mut hearing, 7);
        assert_eq!(hearing.heard().lost, 0);
        say(&mut hearing, 9);
        assert_eq!((hearing.heard().lost, hearing.heard().speech), (1, 5));
    }

    #[test]
    fn digits_do_not_disturb_the_sentence() {
        let mut hearing = Hearing::new(Voice::Teams);
        hearing.expect_events(Some(101));
        say(&mut hearing, 1, 7);
        for sequence in 2..5 {
            let packet = Rtp {
                marker: false,
                payload_type: 101,
                sequence,
                timestamp: 320,
                ssrc: 1,
                payload: &[11, 10, 0, 160],
            };
            hearing.take(Instant::now(), &packet);
        }
        say(&mut hearing, 5, 8);
        assert_eq!(hearing.heard().digits, "#");
        assert_eq!((hearing.heard().speech, hearing.heard().foreign), (2, 0));
    }
}
