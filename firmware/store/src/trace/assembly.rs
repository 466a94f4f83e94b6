//! Whose is what was heard: messages find their call by the Call-ID of a leg, and go on disk piece by piece.
//!
//! A message may be heard before call control says whose it is (the INVITE that begins a call); it waits for a moment. What nobody
//! claims (OPTIONS, REGISTER, strangers) is let go. Everything that waits is bounded.
//!
//! Not here: files (`archive`); the clock, which is in what is heard.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::mem;

use super::item::{CallNumber, Item, LegNumber, Message, Micros, What};
use super::summary::Summary;

/// A message waits this long for somebody to claim it.
const UNCLAIMED: u64 = 2_000_000;
/// So many of them.
const MOST_UNCLAIMED: usize = 1_024;
/// A call that has been silent for so long goes to disk.
const SILENT: u64 = 1_000_000;
/// An ended call is listened to for so long: retransmissions, the last BYE, how it sounded.
const LINGERS: u64 = 3_000_000;
/// Octets of a call that may wait to be written.
const LARGEST_PIECE: usize = 128 * 1024;
/// Octets of messages kept of one call, and how many things: a call that speaks more than this is not followed to the letter.
const LARGEST_CALL: usize = 1024 * 1024;
const MOST_ITEMS: u32 = 2_000;
/// Calls in progress that are followed.
const MOST_CALLS: usize = 20_000;
/// Legs of a call that are followed.
const MOST_LEGS: u8 = 64;

/// Something heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A message on the wire.
    Message {
        /// Its Call-ID.
        call_id: String,
        /// It.
        message: Message,
    },
    /// A call begins. All of `summary` that is known already.
    Began(Summary),
    /// A leg of a call has this Call-ID.
    Leg {
        /// The call.
        call: CallNumber,
        /// The leg.
        leg: LegNumber,
        /// Its Call-ID.
        call_id: String,
    },
    /// Call control told something of a call, in JSON.
    Told {
        /// The call.
        call: CallNumber,
        /// What it told.
        json: String,
    },
    /// A call is tried towards this trunk.
    Towards {
        /// The call.
        call: CallNumber,
        /// The trunk.
        trunk: String,
    },
    /// A leg sounded like this at its worst, in hundredths of the mean opinion score.
    Sounded {
        /// The call.
        call: CallNumber,
        /// The score.
        opinion: u16,
    },
    /// A call is over.
    Ended {
        /// The call.
        call: CallNumber,
        /// The word of why.
        ending: String,
        /// The SIP status that the caller saw.
        status: Option<u16>,
        /// Seconds from the answer to the end.
        duration: u32,
        /// Microsoft's correlation id.
        correlation: Option<String>,
    },
}

/// A piece of a call, to be written: the last one if `is_last`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The call as far as it is known.
    pub summary: Summary,
    /// What happened since the piece before.
    pub items: Vec<Item>,
    /// Whether the call is over.
    pub is_last: bool,
}

#[derive(Debug)]
struct Live {
    summary: Summary,
    items: Vec<Item>,
    /// Octets of the messages that wait, and of all so far.
    waiting: usize,
    octets: usize,
    count: u32,
    left_out: u32,
    /// When something was last heard.
    heard: Micros,
}

#[derive(Debug)]
struct Unclaimed {
    at: Micros,
    call_id: String,
    message: Message,
}

/// The calls in progress.
#[derive(Debug, Default)]
pub struct Assembly {
    calls: HashMap<CallNumber, Live>,
    legs: HashMap<String, (CallNumber, LegNumber)>,
    unclaimed: VecDeque<Unclaimed>,
    /// Pieces that have grown too long to wait.
    ready: Vec<Piece>,
    /// Calls that began while too many were followed.
    unfollowed: u64,
}

impl Assembly {
    /// Takes what was heard.
    pub fn hear(&mut self, at: Micros, heard: Heard) {
        match heard {
            Heard::Message { call_id, message } => match self.legs.get(&call_id) {
                Some(&(call, leg)) => self.add(call, at, What::Message { leg, message }),
                None => self.wait(at, call_id, message),
            },
            Heard::Began(summary) => self.begin(at, summary),
            Heard::Leg { call, leg, call_id } => self.join(at, call, leg, call_id),
            Heard::Told { call, json } => self.add(call, at, What::Told(json)),
            Heard::Towards { call, trunk } => {
                if let Some(live) = self.calls.get_mut(&call) {
                    live.summary.to_trunk = Some(trunk);
                }
            }
            Heard::Sounded { call, opinion } => {
                if let Some(live) = self.calls.get_mut(&call) {
                    let worst = live.summary.opinion.unwrap_or(opinion);
                    live.summary.opinion = Some(worst.min(opinion));
                }
            }
            Heard::Ended {
                call,
                ending,
                status,
                duration,
                correlation,
            } => {
                if let Some(live) = self.calls.get_mut(&call) {
                    live.heard = at;
                    live.summary.ended = at;
                    live.summary.ending = ending;
                    live.summary.status = status;
                    live.summary.duration = duration;
                    live.summary.correlation = correlation;
                }
            }
        }
    }

    /// What is to be written at this moment. To be asked a few times a second.
    pub fn settle(&mut self, now: Micros) -> Vec<Piece> {
        while let Some(first) = self.unclaimed.front()
            && first.at.after(UNCLAIMED) < now
        {
            self.unclaimed.pop_front();
        }
        let mut pieces = mem::take(&mut self.ready);
        let legs = &mut self.legs;
        self.calls.retain(|_, live| {
            let is_over = live.summary.ended != Micros(0);
            if is_over && live.summary.ended.after(LINGERS) < now {
                for call_id in &live.summary.call_ids {
                    legs.remove(call_id);
                }
                pieces.push(live.take(true));
                return false;
            }
            if !live.items.is_empty() && !is_over && live.heard.after(SILENT) < now {
                pieces.push(live.take(false));
            }
            true
        });
        pieces
    }

    /// Everything that waits, because the recorder ends; calls in progress stay unended.
    pub fn finish(&mut self) -> Vec<Piece> {
        let mut pieces = mem::take(&mut self.ready);
        for (_, mut live) in self.calls.drain() {
            let is_over = live.summary.ended != Micros(0);
            pieces.push(live.take(is_over));
        }
        self.legs.clear();
        pieces
    }

    /// A call in progress as far as it is known, and what of it is not written yet.
    #[must_use]
    pub fn live(&self, call: CallNumber) -> Option<(&Summary, &[Item])> {
        let live = self.calls.get(&call)?;
        Some((&live.summary, &live.items))
    }

    /// The calls that are over and still listened to, the newest first.
    #[must_use]
    pub fn ended(&self) -> Vec<&Summary> {
        let calls = self.calls.values().map(|live| &live.summary);
        let mut ended: Vec<_> = calls.filter(|call| call.ended != Micros(0)).collect();
        ended.sort_by_key(|call| Reverse((call.ended, call.call)));
        ended
    }

    /// How many calls were not followed, because too many were.
    #[must_use]
    pub const fn unfollowed(&self) -> u64 {
        self.unfollowed
    }

    fn begin(&mut self, at: Micros, summary: Summary) {
        if self.calls.len() >= MOST_CALLS {
            self.unfollowed += 1;
            return;
        }
        self.calls.entry(summary.call).or_insert(Live {
            summary,
            items: Vec::new(),
            waiting: 0,
            octets: 0,
            count: 0,
            left_out: 0,
            heard: at,
        });
    }

    fn join(&mut self, at: Micros, call: CallNumber, leg: LegNumber, call_id: String) {
        let Some(live) = self.calls.get_mut(&call) else {
            return;
        };
        if leg.0 >= MOST_LEGS {
            return;
        }
        let count = usize::from(leg.0) + 1;
        if live.summary.call_ids.len() < count {
            live.summary.call_ids.resize(count, String::new());
        }
        live.summary.call_ids[usize::from(leg.0)].clone_from(&call_id);
        live.heard = at;
        self.claim(call, leg, &call_id);
        self.legs.insert(call_id, (call, leg));
    }

    /// Gives a leg the messages that have waited for it.
    fn claim(&mut self, call: CallNumber, leg: LegNumber, call_id: &str) {
        let is_theirs = |unclaimed: &Unclaimed| unclaimed.call_id == call_id;
        while let Some(place) = self.unclaimed.iter().position(is_theirs) {
            if let Some(Unclaimed { at, message, .. }) = self.unclaimed.remove(place) {
                self.add(call, at, What::Message { leg, message });
            }
        }
    }

    fn wait(&mut self, at: Micros, call_id: String, message: Message) {
        if self.unclaimed.len() >= MOST_UNCLAIMED {
            self.unclaimed.pop_front();
        }
        self.unclaimed.push_back(Unclaimed {
            at,
            call_id,
            message,
        });
    }

    fn add(&mut self, call: CallNumber, at: Micros, what: What) {
        let Some(live) = self.calls.get_mut(&call) else {
            return;
        };
        live.heard = at;
        let octets = match &what {
            What::Message { message, .. } => message.bytes.len(),
            What::Told(json) => json.len(),
            What::LeftOut(_) => 0,
        };
        if live.octets + octets > LARGEST_CALL || live.count >= MOST_ITEMS {
            live.left_out += 1;
            return;
        }
        live.octets += octets;
        live.waiting += octets;
        live.count += 1;
        live.items.push(Item { at, what });
        if live.waiting > LARGEST_PIECE {
            self.ready.push(live.take(false));
        }
    }
}

impl Live {
    fn take(&mut self, is_last: bool) -> Piece {
        self.waiting = 0;
        let mut items = mem::take(&mut self.items);
        if is_last && self.left_out > 0 {
            items.push(Item {
                at: self.summary.ended,
                what: What::LeftOut(self.left_out),
            });
        }
        Piece {
            summary: self.summary.clone(),
            items,
            is_last,
        }
    }
}
