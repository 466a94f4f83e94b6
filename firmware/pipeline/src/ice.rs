//! ICE, lite (RFC 8445 §2.5): checks are answered, none is ever sent; who controls nominates.
//!
//! ```text
//!  datagram → STUN → ours? integrity, fingerprint, user name → pair noted, under the name of the fork it comes from
//!           → answer, written where the request lay;  nominated or best → where media goes
//! ```
//!
//! Invariants: what does not prove that it knows our password is dropped without an answer, so nothing is reflected; pairs
//! and names are bounded, and nothing is allocated for a check. Before anybody nominates, media goes to the checked pair of the
//! highest priority (ICE-04); once the party has answered, only the pairs of its own fork count (ICE-02). Checks go on for as long as
//! the party wants to know our consent (RFC 7675), and are answered for as long as the stream lives.
//!
//! Where RFC 8489 §6.3.1 and §9.1.3 would refuse a check with 400, 401 or 420, this is silent or passes over what it does not know:
//! an error without integrity would be an answer to anybody, and Teams asks that its attributes be ignored (ICE-06).
//!
//! Not here: media's own gate (`gate.rs`), TURN, checks of our own.

use core::net::SocketAddr;

use hal::Packet;
use measure::{DropReason, MediaCounter};
use media_api::{Event, Ice};
use media_dsp::NoRoom;
use media_dsp::stun::{Attribute, BINDING, Builder, Check, Class, Message};

use crate::flow::{Purpose, Slot};
use crate::gate::Moved;
use crate::relay::Pipeline;
use crate::verdict::{Step, Verdict};

/// Pairs that are remembered, of all forks: beyond it the one of the lowest priority gives way.
const PAIRS: usize = 16;

/// A longer name of a party is nobody's (RFC 8839 §5.4 allows 256; those that are met have 4 to 16).
const NAME: usize = 64;

type Name = heapless::Vec<u8, NAME>;

/// ICE on one stream.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    terms: Ice,
    pairs: heapless::Vec<Pair, PAIRS>,
}

/// A remote address that has been heard by a good check.
#[derive(Debug, Clone)]
struct Pair {
    remote: SocketAddr,
    purpose: Purpose,
    party: Name,
    priority: u32,
    /// Counts nominations; none is zero, the last is the highest (RFC 8445 §8.1.1: the last nomination holds).
    nominated: u32,
}

impl Pipeline {
    /// The way of a STUN datagram: its answer goes back where it came from, in its place.
    pub(crate) fn stun(
        &mut self,
        packet: &mut Packet,
        slot: Slot,
        purpose: Purpose,
    ) -> Step<Verdict> {
        let stream = self.table.stream_mut(slot).ok_or(DropReason::UnknownPort)?;
        let agent = stream.ice.as_mut().ok_or(DropReason::UnexpectedStun)?;
        let length = packet.len();
        let Heard::Answer(length) =
            agent.hear(packet.remote, purpose, packet.buffer_mut(), length)?
        else {
            return Ok(Verdict::Taken);
        };
        packet.set_len(length);
        self.totals.add(MediaCounter::ChecksAnswered, 1);
        if let Some(chosen) = agent.chosen(purpose)
            && let Moved::To(address) = stream.gate.choose(purpose, chosen)
        {
            let id = stream.id();
            self.outbox.tell(Event::Latched { id, address });
        }
        self.handshakes.begin(stream);
        Ok(Verdict::Leaves)
    }
}

/// What a check has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The answer is so long.
    Answer(usize),
    /// An indication: it keeps a mapping of the network alive and has no answer (RFC 8445 §11).
    Kept,
}

/// Whether a stream goes on under other terms as the same session of ICE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Continuity {
    /// With the same name and password of ours.
    GoesOn,
    /// RFC 8445 §9: with new ones. Media goes where it went until new checks come.
    Restarted,
}

impl Agent {
    pub(crate) fn new(terms: Ice) -> Self {
        Self {
            terms,
            pairs: heapless::Vec::new(),
        }
    }

    /// Other terms.
    pub(crate) fn replaced(&mut self, terms: Ice) -> Continuity {
        let is_same = (&terms.name, &terms.password) == (&self.terms.name, &self.terms.password);
        self.terms = terms;
        if is_same {
            Continuity::GoesOn
        } else {
            self.pairs.clear();
            Continuity::Restarted
        }
    }

    /// Whether the party has sent a check for RTP from there.
    pub(crate) fn knows(&self, from: SocketAddr) -> bool {
        self.of_party(Purpose::Rtp).any(|pair| pair.remote == from)
    }

    /// Where media goes, by what has been checked.
    pub(crate) fn chosen(&self, purpose: Purpose) -> Option<SocketAddr> {
        self.of_party(purpose)
            .max_by_key(|pair| (pair.nominated, pair.priority))
            .map(|pair| pair.remote)
    }

    fn of_party(&self, purpose: Purpose) -> impl Iterator<Item = &Pair> {
        let party = self.terms.party.as_deref().map(str::as_bytes);
        self.pairs.iter().filter(move |pair| {
            pair.purpose == purpose && party.is_none_or(|party| pair.party == party)
        })
    }

    /// Hears a datagram from somewhere and answers it in its place. `room` begins with the datagram of `length` octets.
    ///
    /// # Errors
    /// It is no good check, and nothing has changed.
    pub(crate) fn hear(
        &mut self,
        from: SocketAddr,
        purpose: Purpose,
        room: &mut [u8],
        length: usize,
    ) -> Step<Heard> {
        let datagram = room.get(..length).ok_or(DropReason::UnprovenStun)?;
        let message = Message::parse(datagram).map_err(|_| DropReason::UnprovenStun)?;
        let class = message.class();
        if message.method() != BINDING || !matches!(class, Class::Request | Class::Indication) {
            return Err(DropReason::UnexpectedStun);
        }
        // RFC 8445 §7.1: FINGERPRINT is a must.
        if message.fingerprint() != Check::Valid {
            return Err(DropReason::UnprovenStun);
        }
        if class == Class::Indication {
            return Ok(Heard::Kept);
        }
        let request = Request::read(&message);
        // RFC 8489 §9.1.3 would answer 400 and 401 here; that would be an answer to anybody.
        let party = request
            .party_for(self.terms.name.as_bytes())
            .ok_or(DropReason::UnprovenStun)?;
        if message.integrity(self.terms.password.as_bytes()) != Check::Valid {
            return Err(DropReason::UnprovenStun);
        }
        let id = message.transaction_id();
        let is_conflict = request.claims_to_be_controlled;
        if !is_conflict {
            let party = Name::from_slice(party).map_err(|_| DropReason::UnprovenStun)?;
            self.note(from, purpose, party, &request);
        }
        let class = if is_conflict {
            Class::Error
        } else {
            Class::Success
        };
        let mut answer = || -> Result<usize, NoRoom> {
            let mut builder = Builder::binding(class, id, room)?;
            if is_conflict {
                // RFC 8445 §7.3.1.1: a lite agent is controlled by a full one, always.
                builder.error_code(487, "Role Conflict")?;
            } else {
                builder.xor_mapped_address(from)?;
            }
            let built = builder
                .integrity(self.terms.password.as_bytes())?
                .fingerprint()?;
            Ok(built.finish())
        };
        answer().map(Heard::Answer).map_err(|_| DropReason::NoRoom)
    }

    fn note(&mut self, from: SocketAddr, purpose: Purpose, party: Name, request: &Request<'_>) {
        let newest = self.pairs.iter().map(|pair| pair.nominated).max();
        let next = newest.unwrap_or(0).saturating_add(1);
        let known = self
            .pairs
            .iter_mut()
            .find(|pair| (pair.remote, pair.purpose) == (from, purpose) && pair.party == party);
        if let Some(pair) = known {
            pair.priority = request.priority;
            // Said again by every check of the pair (RFC 8445 §8.1.1): that is no other nomination.
            if request.nominates && pair.nominated == 0 {
                pair.nominated = next;
            }
            return;
        }
        if self.pairs.is_full() {
            let least = (0..self.pairs.len())
                .min_by_key(|place| (self.pairs[*place].nominated, self.pairs[*place].priority));
            if let Some(least) = least {
                self.pairs.swap_remove(least);
            }
        }
        let nominated = if request.nominates { next } else { 0 };
        // There is room now.
        let _ = self.pairs.push(Pair {
            remote: from,
            purpose,
            party,
            priority: request.priority,
            nominated,
        });
    }
}

/// What a check says.
#[derive(Debug, Default)]
struct Request<'a> {
    user: Option<&'a [u8]>,
    priority: u32,
    nominates: bool,
    claims_to_be_controlled: bool,
}

impl<'a> Request<'a> {
    fn read(message: &Message<'a>) -> Self {
        let mut request = Self::default();
        for attribute in message.attributes() {
            match attribute {
                Attribute::Username(name) => request.user = Some(name),
                Attribute::Priority(priority) => request.priority = priority,
                Attribute::UseCandidate => request.nominates = true,
                Attribute::IceControlled(_) => request.claims_to_be_controlled = true,
                _ => {}
            }
        }
        request
    }

    /// RFC 8445 §7.2.2: our name, a colon, the name of who checks.
    fn party_for(&self, ours: &[u8]) -> Option<&'a [u8]> {
        self.user?.strip_prefix(ours)?.strip_prefix(b":")
    }
}
