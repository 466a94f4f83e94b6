//! Who may offer when, what a body is, and which version our next description bears (RFC 3264, RFC 6337).
//!
//! [`OfferAnswer`] is the bookkeeping of one dialog: at most one offer is outstanding, whoever made it. It reads no SDP;
//! it says of a body, by the message that carries it, whether it is an offer, an answer or a repetition ([`Role`]).
//! [`Author`] stamps our descriptions: the same text keeps its version, a changed one gets the next (RFC 3264 §8).
//!
//! Not here: codecs, keys, addresses (`call::media`); retransmission and reliability of the messages (transactions).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Origin, SessionDescription};

/// Whose turn it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OfferAnswer {
    /// Nothing was offered yet, or the first offer was refused.
    #[default]
    Nothing,
    /// Both sides agree.
    Agreed,
    /// Our offer waits for their answer.
    Ours(Before),
    /// Their offer waits for our answer.
    Theirs(Before),
}

/// Where a refused offer leads back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Before {
    /// To a dialog without a session.
    Nothing,
    /// To the session agreed before (RFC 3264 §8: a refused offer changes nothing).
    Agreed,
}

impl Before {
    const fn state(self) -> OfferAnswer {
        match self {
            Self::Nothing => OfferAnswer::Nothing,
            Self::Agreed => OfferAnswer::Agreed,
        }
    }
}

/// An offer or answer where none may stand (RFC 3264 §4, RFC 6337 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OutOfTurn {
    /// Our own offer is outstanding: their offer crosses it.
    #[error("our own offer is still unanswered")]
    OursPending,
    /// Their earlier offer is unanswered.
    #[error("their earlier offer is still unanswered")]
    TheirsPending,
    /// An answer without an offer.
    #[error("there is no offer to answer")]
    NoOffer,
}

impl OutOfTurn {
    /// How a request that carries it is refused (RFC 3261 §14.2, RFC 3311 §5.2).
    pub const fn status(self) -> u16 {
        match self {
            Self::OursPending => 491,
            // With Retry-After of 0 to 10 seconds.
            Self::TheirsPending => 500,
            Self::NoOffer => 400,
        }
    }
}

impl OfferAnswer {
    /// We send an offer.
    ///
    /// # Errors
    /// While another offer is outstanding.
    pub fn offer_sent(&mut self) -> Result<(), OutOfTurn> {
        *self = Self::Ours(self.before()?);
        Ok(())
    }

    /// They sent an offer.
    ///
    /// # Errors
    /// While another offer is outstanding; [`OutOfTurn::status`] tells the refusal.
    pub fn offer_received(&mut self) -> Result<(), OutOfTurn> {
        *self = Self::Theirs(self.before()?);
        Ok(())
    }

    /// We send the answer to their offer.
    ///
    /// # Errors
    /// When they offered nothing.
    pub fn answer_sent(&mut self) -> Result<(), OutOfTurn> {
        match self {
            Self::Theirs(_) => *self = Self::Agreed,
            Self::Ours(_) => return Err(OutOfTurn::OursPending),
            Self::Nothing | Self::Agreed => return Err(OutOfTurn::NoOffer),
        }
        Ok(())
    }

    /// They answered our offer.
    ///
    /// # Errors
    /// When we offered nothing.
    pub fn answer_received(&mut self) -> Result<(), OutOfTurn> {
        match self {
            Self::Ours(_) => *self = Self::Agreed,
            Self::Theirs(_) => return Err(OutOfTurn::TheirsPending),
            Self::Nothing | Self::Agreed => return Err(OutOfTurn::NoOffer),
        }
        Ok(())
    }

    /// The outstanding offer, whoever made it, was refused or withdrawn: back to what was before it.
    pub fn offer_refused(&mut self) {
        if let Self::Ours(before) | Self::Theirs(before) = self {
            *self = before.state();
        }
    }

    /// What a body is that arrived, or is to be sent, in `carrier` (RFC 6337 §2.2, table 1; RFC 3261 §13.2.1).
    ///
    /// # Errors
    /// When no body may stand there now.
    pub fn role(self, sender: Sender, carrier: Carrier) -> Result<Role, OutOfTurn> {
        // Seen from the sender of the body, so that one table serves both directions.
        let (own, foreign) = match (self, sender) {
            (Self::Ours(_), Sender::Us) | (Self::Theirs(_), Sender::Them) => (true, false),
            (Self::Ours(_), Sender::Them) | (Self::Theirs(_), Sender::Us) => (false, true),
            (Self::Nothing | Self::Agreed, _) => (false, false),
        };
        let pending = match sender {
            Sender::Us => OutOfTurn::TheirsPending,
            Sender::Them => OutOfTurn::OursPending,
        };
        let repeated = match sender {
            Sender::Us => OutOfTurn::OursPending,
            Sender::Them => OutOfTurn::TheirsPending,
        };
        match carrier {
            // Requests that may only offer.
            Carrier::Invite | Carrier::Update if foreign => Err(pending),
            Carrier::Invite | Carrier::Update if own => Err(repeated),
            Carrier::Invite | Carrier::Update => Ok(Role::Offer),
            // The answer if there is something to answer; else the offer of a delayed exchange, or the same again.
            Carrier::Provisional | Carrier::ReliableProvisional | Carrier::InviteSuccess => {
                match (self, foreign, own) {
                    (_, true, _) => Ok(Role::Answer),
                    // RFC 3261 §13.2.1: an unreliable provisional carries no offer.
                    (Self::Nothing, ..) if carrier == Carrier::Provisional => {
                        Err(OutOfTurn::NoOffer)
                    }
                    // The offer was in a provisional before, and has not been answered by PRACK yet.
                    (_, _, true) | (Self::Agreed, ..) => Ok(Role::Repetition),
                    _ => Ok(Role::Offer),
                }
            }
            // The answer to an offer in a reliable provisional, else a new offer (RFC 3262 §5).
            Carrier::Prack => match (foreign, own) {
                (true, _) => Ok(Role::Answer),
                (_, true) => Err(repeated),
                _ => Ok(Role::Offer),
            },
            // Only the answer to what the request or the 2xx offered.
            Carrier::PrackSuccess | Carrier::UpdateSuccess | Carrier::Ack => {
                if foreign {
                    Ok(Role::Answer)
                } else {
                    Err(OutOfTurn::NoOffer)
                }
            }
        }
    }

    const fn before(self) -> Result<Before, OutOfTurn> {
        match self {
            Self::Nothing => Ok(Before::Nothing),
            Self::Agreed => Ok(Before::Agreed),
            Self::Ours(_) => Err(OutOfTurn::OursPending),
            Self::Theirs(_) => Err(OutOfTurn::TheirsPending),
        }
    }
}

/// Who sends the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// This side.
    Us,
    /// The peer.
    Them,
}

/// The message a body travels in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// INVITE, the first or a later one.
    Invite,
    /// A provisional response sent unreliably.
    Provisional,
    /// A provisional response under RFC 3262.
    ReliableProvisional,
    /// A 2xx to INVITE.
    InviteSuccess,
    /// ACK to a 2xx.
    Ack,
    /// PRACK.
    Prack,
    /// 2xx to PRACK.
    PrackSuccess,
    /// UPDATE.
    Update,
    /// 2xx to UPDATE.
    UpdateSuccess,
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A new offer.
    Offer,
    /// The answer to the outstanding offer.
    Answer,
    /// What was said already in this exchange, said again. In the same dialog it is to be ignored (RFC 6337 §3.1.1); from
    /// another fork it is that fork's answer.
    Repetition,
}

/// Writes `o=` for one leg: session id for its life, version by change.
#[derive(Clone, Debug)]
pub struct Author {
    session_id: u64,
    address: IpAddr,
    /// The highest version ever sent; a refused offer has used its number up too.
    highest: u64,
}

impl Author {
    /// An author who has written nothing yet. The session id should be unique to the leg.
    pub const fn new(session_id: u64, address: IpAddr) -> Self {
        Self::resumed(session_id, address, 0)
    }

    /// An author who has used the versions up to `highest`.
    pub const fn resumed(session_id: u64, address: IpAddr, highest: u64) -> Self {
        Self {
            session_id,
            address,
            highest,
        }
    }

    /// An origin for a description that is still to be stamped.
    pub fn origin(&self) -> Origin {
        Origin {
            username: "-".to_owned(),
            session_id: self.session_id.into(),
            session_version: self.highest.into(),
            address: self.address.into(),
        }
    }

    /// The session id.
    pub const fn session_id(&self) -> u64 {
        self.session_id
    }

    /// The highest version used.
    pub const fn highest(&self) -> u64 {
        self.highest
    }

    /// Stamps `description`: as `last`, what was said last and holds, if it says the same; else with the next version.
    pub fn stamp(
        &mut self,
        mut description: SessionDescription,
        last: Option<&SessionDescription>,
    ) -> SessionDescription {
        match last {
            Some(last) if description.same_content(last) => {
                description.origin = last.origin.clone();
            }
            _ => {
                self.highest = self.highest.saturating_add(1);
                description.origin = self.origin();
            }
        }
        description
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::{Formats, Media, MediaKind, Payload, Protocol};

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn one_offer_at_a_time() {
        let mut turn = OfferAnswer::default();
        assert_eq!(turn.answer_sent(), Err(OutOfTurn::NoOffer));
        assert_eq!(turn.answer_received(), Err(OutOfTurn::NoOffer));
        turn.offer_sent().expect("nothing outstanding");
        assert_eq!(turn.offer_sent(), Err(OutOfTurn::OursPending));
        let glare = turn.offer_received().expect_err("it crosses ours");
        assert_eq!(glare.status(), 491);
        assert_eq!(turn.answer_sent(), Err(OutOfTurn::OursPending));
        turn.answer_received().expect("ours is outstanding");
        turn.offer_received().expect("nothing outstanding");
        assert_eq!(turn.offer_received().map_err(OutOfTurn::status), Err(500));
        assert_eq!(turn.answer_received(), Err(OutOfTurn::TheirsPending));
        turn.answer_sent().expect("theirs is outstanding");
        assert_eq!(turn, OfferAnswer::Agreed);
    }

    #[test]
    fn a_refused_offer_leads_back() {
        let mut turn = OfferAnswer::Nothing;
        turn.offer_sent().expect("nothing outstanding");
        turn.offer_refused();
        assert_eq!(turn, OfferAnswer::Nothing);
        let mut turn = OfferAnswer::Agreed;
        turn.offer_received().expect("nothing outstanding");
        turn.offer_refused();
        assert_eq!(turn, OfferAnswer::Agreed);
        turn.offer_refused();
        assert_eq!(turn, OfferAnswer::Agreed);
    }

    /// The six patterns of RFC 6337 §2.2, table 1: (1) INVITE/2xx, (2) 2xx/ACK, (3) INVITE/reliable 1xx,
    /// (4) reliable 1xx/PRACK, (5) PRACK/2xx, (6) UPDATE/2xx.
    #[test]
    fn the_patterns_of_rfc_6337() {
        use Carrier::{
            Ack, Invite, InviteSuccess, Prack, PrackSuccess, ReliableProvisional, Update,
            UpdateSuccess,
        };
        use OfferAnswer::{Agreed, Nothing};
        for (before, offer, answer, from) in [
            (Nothing, Invite, InviteSuccess, Sender::Us),
            (Agreed, Invite, InviteSuccess, Sender::Them),
            (Nothing, InviteSuccess, Ack, Sender::Them),
            (Nothing, Invite, ReliableProvisional, Sender::Us),
            (Nothing, ReliableProvisional, Prack, Sender::Them),
            (Agreed, Prack, PrackSuccess, Sender::Us),
            (Agreed, Update, UpdateSuccess, Sender::Them),
        ] {
            let mut turn = before;
            assert_eq!(turn.role(from, offer), Ok(Role::Offer), "{offer:?}");
            let other = match from {
                Sender::Us => {
                    turn.offer_sent().expect("nothing outstanding");
                    Sender::Them
                }
                Sender::Them => {
                    turn.offer_received().expect("nothing outstanding");
                    Sender::Us
                }
            };
            assert_eq!(turn.role(other, answer), Ok(Role::Answer), "{answer:?}");
        }
    }

    #[test]
    fn bodies_where_none_may_stand() {
        use Carrier::{Ack, InviteSuccess, Prack, Provisional, Update};
        let ours = OfferAnswer::Ours(Before::Nothing);
        let theirs = OfferAnswer::Theirs(Before::Nothing);
        // Early answer, then the same in the 200; another fork's answer looks the same.
        assert_eq!(ours.role(Sender::Them, Provisional), Ok(Role::Answer));
        assert_eq!(
            OfferAnswer::Agreed.role(Sender::Them, InviteSuccess),
            Ok(Role::Repetition)
        );
        assert_eq!(
            OfferAnswer::Nothing.role(Sender::Them, Provisional),
            Err(OutOfTurn::NoOffer)
        );
        assert_eq!(ours.role(Sender::Them, Update), Err(OutOfTurn::OursPending));
        assert_eq!(
            theirs.role(Sender::Them, Update),
            Err(OutOfTurn::TheirsPending)
        );
        assert_eq!(
            theirs.role(Sender::Us, Update),
            Err(OutOfTurn::TheirsPending)
        );
        assert_eq!(ours.role(Sender::Us, Prack), Err(OutOfTurn::OursPending));
        assert_eq!(
            OfferAnswer::Agreed.role(Sender::Them, Ack),
            Err(OutOfTurn::NoOffer)
        );
    }

    #[test]
    fn versions_follow_changes() {
        let mut author = Author::new(3905, HERE);
        let mut say = |port, last: Option<&SessionDescription>| {
            let mut sdp = SessionDescription::new(author.origin());
            sdp.media.push(Media::new(
                MediaKind::Audio,
                port,
                Protocol::RtpAvp,
                Formats::Rtp(vec![Payload::bare(0)]),
            ));
            author.stamp(sdp, last)
        };
        let agreed = say(1000, None);
        assert_eq!(agreed.origin.session_version, 1);
        assert_eq!(say(1000, Some(&agreed)), agreed);
        assert_eq!(say(2000, Some(&agreed)).origin.session_version, 2);
        // The offer of port 2000 was refused: what was agreed holds, in its old version …
        assert_eq!(say(1000, Some(&agreed)), agreed);
        // … and the number 2 is used up.
        assert_eq!(say(3000, Some(&agreed)).origin.session_version, 3);
    }
}
