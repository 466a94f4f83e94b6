//! One side of a call: one INVITE usage towards one party.
//!
//! A leg hides what SIP is made of (transactions, dialogs, forks, PRACK, session timers, glare, offer and answer) and tells
//! its call in a few words what the party wants: [`LegEvent`]. The call answers through the methods, each of which says what goes out.
//! All forks of one INVITE are one leg; it settles on the first answer and ends the others by itself.
//!
//! `incoming` is the leg we were called on until we answer, `outgoing` the one we call on until it is answered, `confirmed` what both
//! are afterwards, `offers` their changes in mid-call, `refer` transfers, `unused` what changes nothing, `wire` what stands in the headers,
//! `stream` its packets.

pub(crate) mod confirmed;
pub(crate) mod incoming;
pub(crate) mod offers;
pub(crate) mod outgoing;
pub(crate) mod refer;
pub(crate) mod stream;
pub(crate) mod unused;
pub(crate) mod wire;

use bytes::Bytes;
use embassy_time::Instant;
use media_api::StreamId;
use serde::{Deserialize, Serialize};
use sip::message::{Headers, Method, Name, Request, Response, StatusCode};
use sip::transaction::{ClientId, ServerId};
use sip::transport::Source;

use crate::api::CallId;
use crate::cause::Cause;
use crate::core::Now;
use crate::desk::Desk;
use crate::media::negotiate::Description;
pub(crate) use refer::Referral;

/// Number of a leg within its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct LegNo(pub(crate) u8);

impl LegNo {
    /// The number of the leg that stands at `index`; `call::MAX_LEGS` keeps it small.
    pub(crate) fn of(index: usize) -> Self {
        Self(u8::try_from(index).unwrap_or(u8::MAX))
    }
}

/// What reaches a leg from the transaction layer.
#[derive(Debug)]
pub(crate) enum LegInput {
    /// A request in its dialog.
    Request {
        id: ServerId,
        request: Request,
        source: Source,
    },
    /// The INVITE we were called with has been cancelled.
    Cancelled { reason: Option<Bytes> },
    /// A 2xx of ours has been acknowledged.
    Acked(Request),
    /// A 2xx of ours has not been acknowledged in time.
    AckMissing,
    /// A response to a request of ours.
    Response {
        client: ClientId,
        response: Response,
    },
    /// No final response in time.
    TimedOut { client: ClientId },
    /// The request could not be delivered at all.
    Unreachable { client: ClientId },
}

/// What a leg tells its call.
#[derive(Debug)]
pub(crate) enum LegEvent {
    /// The party called has made progress: 101 to 199, with an early answer if it gave one.
    Progress {
        status: StatusCode,
        description: Option<Description>,
    },
    /// The party called has answered; acknowledged already.
    Answered(Description),
    /// The party called will not answer.
    Failed(Cause),
    /// The party that called has given up before the answer; its INVITE has got its 487.
    GaveUp(Option<Bytes>),
    /// The party wants another session; [`Leg::answer_offer`] or [`Leg::refuse_offer`] must follow.
    Offered { description: Description },
    /// The party has answered an offer of ours.
    Agreed(Description),
    /// The party has refused an offer of ours; the session is as before.
    OfferRefused(StatusCode),
    /// The party wants to be replaced; [`Leg::accept_transfer`] or [`Leg::refuse_transfer`] must follow.
    Transfer(Box<Referral>),
    /// The party has hung up.
    Parted { reason: Option<Bytes> },
    /// The party is gone without a word; the leg has ended.
    Lost,
    /// Microsoft's correlation id of this leg (INV-23).
    Correlated(String),
}

/// How a leg is told goodbye: each state takes from it what it can say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parting {
    /// For a caller who has no answer yet.
    status: Option<StatusCode>,
    /// The Reason header (RFC 3326).
    reason: Option<Bytes>,
    /// Retry-After in seconds, with 503.
    retry_after: Option<u32>,
}

impl Parting {
    /// Nobody answered because of this.
    pub(crate) fn because(cause: &Cause) -> Self {
        Self {
            status: Some(cause.status_for_caller()),
            reason: cause.reason_for_caller(),
            retry_after: None,
        }
    }

    /// With this status and nothing else.
    pub(crate) const fn status_only(status: StatusCode) -> Self {
        Self {
            status: Some(status),
            reason: None,
            retry_after: None,
        }
    }

    /// The caller gave up.
    pub(crate) const fn gave_up(reason: Option<Bytes>) -> Self {
        Self {
            status: Some(StatusCode::REQUEST_TERMINATED),
            reason,
            retry_after: None,
        }
    }

    /// A party hung up.
    pub(crate) const fn hung_up(reason: Option<Bytes>) -> Self {
        Self {
            status: None,
            reason,
            retry_after: None,
        }
    }

    /// INV-15: somebody else has answered.
    pub(crate) fn completed_elsewhere() -> Self {
        let reason = Bytes::from_static(b"SIP;cause=200;text=\"Call completed elsewhere\"");
        Self {
            status: None,
            reason: Some(reason),
            retry_after: None,
        }
    }

    pub(crate) const fn status(&self) -> Option<StatusCode> {
        self.status
    }

    pub(crate) const fn reason(&self) -> Option<&Bytes> {
        self.reason.as_ref()
    }

    pub(crate) const fn retry_after(&self) -> Option<u32> {
        self.retry_after
    }
}

/// Where a leg stands; each state holds what it knows and no more.
#[derive(Debug)]
pub(crate) enum State {
    /// We were called and have not answered.
    Incoming(Box<incoming::Incoming>),
    /// We called and have no answer.
    Outgoing(Box<outgoing::Outgoing>),
    /// We called, gave up, and wait for the final response.
    Cancelling(Box<outgoing::Cancelling>),
    /// Answered.
    Confirmed(Box<confirmed::Confirmed>),
    /// Our BYE is on its way; one of the party's that crosses it is answered (RFC 3261 §15.1.2).
    Leaving(ClientId),
    /// Nothing more will be said or heard.
    Ended,
}

/// One side of a call.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) no: LegNo,
    pub(crate) call: CallId,
    pub(crate) wire: wire::Wire,
    pub(crate) stream: stream::Stream,
    pub(crate) state: State,
    /// INVITEs of the party whose ACK or CANCEL is this leg's to hear.
    pub(crate) invites: Vec<ServerId>,
}

impl Leg {
    /// Whether nothing more will be said or heard.
    pub(crate) const fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Whether its party has been told goodbye, or has said it.
    pub(crate) const fn is_gone(&self) -> bool {
        matches!(
            self.state,
            State::Ended | State::Leaving(_) | State::Cancelling(_)
        )
    }

    /// What its party last said it can do.
    pub(crate) fn described(&self) -> Option<&Description> {
        self.stream.negotiation.described()
    }

    /// Whether offering `description` would change anything for its party.
    pub(crate) fn would_change(&self, description: &Description) -> bool {
        self.stream.negotiation.would_change(description)
    }

    /// The stream of this leg.
    pub(crate) const fn stream(&self) -> StreamId {
        self.stream.id
    }

    /// Say goodbye in the way that fits the state; later calls do nothing.
    pub(crate) fn part(&mut self, desk: &mut Desk, now: Now, parting: &Parting) {
        let state = std::mem::replace(&mut self.state, State::Ended);
        self.state = match state {
            State::Incoming(incoming) => {
                incoming.turn_down(desk, now, &self.wire, parting);
                State::Ended
            }
            State::Outgoing(outgoing) => outgoing.give_up(desk, now, parting),
            State::Cancelling(cancelling) => State::Cancelling(cancelling),
            State::Confirmed(mut confirmed) => State::Leaving(
                confirmed.hang_up(desk, now, self.call, self.no, &self.wire, parting),
            ),
            State::Leaving(bye) => State::Leaving(bye),
            State::Ended => State::Ended,
        };
        self.remove_stream(desk);
    }

    /// Give back everything without a word: the call is closed.
    pub(crate) fn abandon(&mut self, desk: &mut Desk, now: Now) {
        self.remove_stream(desk);
        self.stream.release(desk, now);
        desk.forget_tag(&self.wire.local_tag);
        for invite in self.invites.drain(..) {
            desk.forget_invite(invite);
        }
        self.state = State::Ended;
    }

    /// An input of the layer below, for this leg.
    pub(crate) fn hear(&mut self, desk: &mut Desk, now: Now, input: LegInput) -> Vec<LegEvent> {
        if let LegInput::Request {
            id,
            request,
            source,
        } = &input
        {
            // INV-10: from any address of the trunk, over any connection; from another trunk it is nobody's.
            let sources = &self.wire.trunk().sources;
            if !sources
                .iter()
                .any(|network| network.contains(source.remote.ip()))
            {
                let status = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
                desk.answer(now, *id, request, status, &self.wire);
                return Vec::new();
            }
        }
        match self.state {
            State::Incoming(_) => self.hear_incoming(desk, now, input),
            State::Outgoing(_) => self.hear_outgoing(desk, now, input),
            State::Cancelling(_) => self.hear_cancelling(desk, now, input),
            State::Confirmed(_) => self.hear_confirmed(desk, now, input),
            State::Leaving(bye) => {
                match input {
                    LegInput::Response {
                        client, response, ..
                    } if client == bye && response.status().is_final() => {
                        self.state = State::Ended;
                    }
                    LegInput::TimedOut { client } | LegInput::Unreachable { client }
                        if client == bye =>
                    {
                        self.state = State::Ended;
                    }
                    LegInput::Request { id, request, .. } => {
                        let status = match request.method() {
                            Method::Bye => StatusCode::OK,
                            _ => StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
                        };
                        desk.answer(now, id, &request, status, &self.wire);
                    }
                    _ => {}
                }
                Vec::new()
            }
            State::Ended => {
                if let LegInput::Request { id, request, .. } = input {
                    let status = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
                    desk.answer(now, id, &request, status, &self.wire);
                }
                Vec::new()
            }
        }
    }

    /// Whatever is due.
    pub(crate) fn wake(&mut self, desk: &mut Desk, now: Now) -> Vec<LegEvent> {
        match self.state {
            State::Incoming(_) => self.wake_incoming(desk, now),
            State::Confirmed(_) => self.wake_confirmed(desk, now),
            State::Cancelling(_) => {
                self.wake_cancelling(now);
                Vec::new()
            }
            State::Outgoing(_) | State::Leaving(_) | State::Ended => Vec::new(),
        }
    }

    /// What its party speaks of what it can do.
    pub(crate) fn spoken(&self) -> Option<Description> {
        self.stream.negotiation.spoken()
    }

    /// Go to another call under another number; what is left behind has ended.
    pub(crate) fn move_to(&mut self, desk: &mut Desk, call: CallId, no: LegNo) -> Self {
        for invite in &self.invites {
            desk.enlist_invite(*invite, call, no);
        }
        let wire = self.wire.clone();
        let state = std::mem::replace(&mut self.state, State::Ended);
        let stream = self.stream.take();
        desk.enlist(&wire.local_tag, call, no);
        desk.enlist_stream(stream.id, call, no);
        self.wire.local_tag = String::new();
        let moved = Self {
            no,
            call,
            wire,
            stream,
            state,
            invites: std::mem::take(&mut self.invites),
        };
        moved.announce(desk);
        moved
    }

    /// Tell what is said on it, once it has been answered.
    pub(crate) fn announce(&self, desk: &mut Desk) {
        if let State::Confirmed(confirmed) = &self.state {
            desk.tell_leg(self.call, self.no, &self.wire, confirmed.dialog.call_id());
        }
    }

    /// When [`Leg::wake`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Incoming(incoming) => incoming.deadline(),
            // The transaction of a BYE ends by itself.
            State::Outgoing(_) | State::Leaving(_) | State::Ended => None,
            State::Cancelling(cancelling) => Some(cancelling.until),
            State::Confirmed(confirmed) => confirmed.deadline(),
        }
    }
}

/// The value of the Reason header, if there is one (RFC 3326).
pub(crate) fn reason_of(headers: Headers<'_>) -> Option<Bytes> {
    headers.get(Name::Reason).map(Bytes::copy_from_slice)
}
