//! One call of a peer, as a handle: dialled or taken, then held, resumed, re-keyed, transferred and ended by its methods.
//!
//! A task behind the handle answers what the box sends meanwhile. Every message of the box goes past the persona's
//! [`Judge`]; a refusal of his is what the box gets.
//!
//! ```text
//! dialled:  Calling -> Ringing(18x) -> Up -> Over      taken:  Ringing -> Up -> Over
//! ```
//!
//! Not here: what to do when (`script.rs`), descriptions (`negotiation.rs`), who is whom (`persona.rs`).

pub(crate) mod book;
mod change;
mod dialled;
pub mod dialog;
mod hear;
pub mod negotiation;
pub mod persona;
pub mod script;
mod taken;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

pub use change::{ChangeFailed, Transfer};
pub use dialled::{Dial, OfferWhen};
use dialog::Dialog;
use negotiation::Negotiation;
pub use persona::{Dialler, Indulgent, Judge, MediaStyle, Persona, Refusal, SdpRole, TlsDialler};
pub use script::{Script, Step};
pub use taken::{EarlyMedia, Fork, Provisional, Reliable};

use crate::media::{self, Report, Session};
use crate::random;
use crate::sdp::Sdp;
use crate::sip::values::{NameAddr, UriParts};
use crate::sip::{Incoming, Message};

/// Messages kept of each call.
const KEPT_MESSAGES: usize = 500;

/// Where a call is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Dialled, nothing heard.
    Calling,
    /// Dialled and this 18x heard, or taken and not answered.
    Ringing(u16),
    /// Answered.
    Up,
    /// Over.
    Over(Ending),
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// By our BYE.
    HungUp,
    /// By the box's BYE, with its Reason.
    HungUpThere(Option<String>),
    /// Not answered: refused by the box with this status.
    Refused {
        /// The status.
        code: u16,
        /// Its phrase.
        phrase: String,
        /// Reason, if any.
        reason: Option<String>,
    },
    /// Not answered: refused by us.
    RefusedHere(u16),
    /// Cancelled by the one who called, with its Reason.
    Cancelled(Option<String>),
    /// The box did not answer at all, or could not be reached.
    NoAnswer(String),
}

/// Something that happened in a call, for whoever watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `teams`, or the carrier's name.
    pub peer: String,
    /// Call-ID.
    pub call: String,
    /// The number calling.
    pub caller: String,
    /// The number called.
    pub callee: String,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It was dialled by us.
    Dialled,
    /// It came from the box.
    Came,
    /// It has moved on.
    Phase(Phase),
    /// Audio was agreed anew: `sendrecv`, `inactive`; and the suite.
    Media(String),
    /// A transfer was asked for.
    Transfer(String),
    /// A NOTIFY told this of a transfer.
    Notified(u16),
}

/// Which end of a call we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// We dialled.
    Caller,
    /// The box did.
    Callee,
}

/// One call; clones share it.
#[derive(Debug, Clone)]
pub struct Call(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    persona: Arc<Persona>,
    side: Side,
    id: String,
    caller: String,
    callee: String,
    contact: String,
    correlation: String,
    since: Instant,
    media: Session,
    state: Mutex<State>,
    phase: watch::Sender<Phase>,
    notified: watch::Sender<Vec<u16>>,
    /// Wakes whoever drives the INVITE: to a CANCEL asked for, or a PRACK that came.
    nudge: Notify,
    changing: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    dialog: Dialog,
    negotiation: Negotiation,
    invite: Option<Incoming>,
    /// We sent a 2xx whose ACK is awaited; with the offer in it, where the ACK brings the answer.
    awaiting_ack: Option<Incoming>,
    reliable: u32,
    /// Our own re-INVITE is under way: theirs gets a 491.
    offering: bool,
    holding: bool,
    cancel: Option<Cancel>,
    heard: Vec<Message>,
}

/// A CANCEL asked for while the INVITE is under way.
#[derive(Debug, Clone)]
struct Cancel {
    reason: Option<String>,
}

impl Call {
    async fn new(
        persona: &Arc<Persona>,
        side: Side,
        dialog: Dialog,
        (caller, callee): (String, String),
    ) -> io::Result<Self> {
        let style = &persona.media;
        let media = Session::open(media::Settings {
            address: style.address,
            says: style.says,
            hears: style.hears,
            first_sequence: style.first_sequence,
            complaints: persona.complaints.clone(),
        })
        .await?;
        let correlation = random::guid();
        let phase = match side {
            Side::Caller => Phase::Calling,
            Side::Callee => Phase::Ringing(100),
        };
        let call = Self(Arc::new(Inner {
            persona: persona.clone(),
            side,
            id: dialog.call_id.clone(),
            caller,
            callee,
            contact: persona.contact.replace("{i}", &correlation),
            correlation,
            since: Instant::now(),
            state: Mutex::new(State {
                dialog,
                negotiation: Negotiation::new(style.clone(), media.local()),
                invite: None,
                awaiting_ack: None,
                reliable: 0,
                offering: false,
                holding: false,
                cancel: None,
                heard: Vec::new(),
            }),
            media,
            phase: watch::Sender::new(phase),
            notified: watch::Sender::new(Vec::new()),
            nudge: Notify::new(),
            changing: tokio::sync::Mutex::new(()),
        }));
        tokio::spawn(hear::hear(call.clone(), persona.endpoint.enrol(call.id())));
        Ok(call)
    }

    /// Call-ID.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The number calling, as written.
    #[must_use]
    pub fn caller(&self) -> &str {
        &self.0.caller
    }

    /// The number called, as written.
    #[must_use]
    pub fn callee(&self) -> &str {
        &self.0.callee
    }

    /// Which end we are.
    #[must_use]
    pub fn side(&self) -> Side {
        self.0.side
    }

    /// `x-i` of our Contact (INV-23).
    #[must_use]
    pub fn correlation(&self) -> &str {
        &self.0.correlation
    }

    /// When it began.
    #[must_use]
    pub fn since(&self) -> Instant {
        self.0.since
    }

    /// Who plays it.
    #[must_use]
    pub fn persona(&self) -> &Arc<Persona> {
        &self.0.persona
    }

    /// Where it is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.0.phase.borrow().clone()
    }

    /// Waits until it is up.
    ///
    /// # Errors
    /// How it ended instead, or `NoAnswer` where `within` has passed.
    pub async fn up(&self, within: Duration) -> Result<(), Ending> {
        let reached = self
            .reach(within, |phase| matches!(phase, Phase::Up | Phase::Over(_)))
            .await;
        match reached {
            Some(Phase::Over(ending)) => Err(ending),
            Some(_) => Ok(()),
            None => Err(Ending::NoAnswer(format!(
                "{:?} after {within:?}",
                self.phase()
            ))),
        }
    }

    /// Waits until it rings (or is further).
    pub async fn ringing(&self, within: Duration) -> Option<Phase> {
        self.reach(within, |phase| *phase != Phase::Calling).await
    }

    /// Waits until it is over; `None` where it is not in time.
    pub async fn over(&self, within: Duration) -> Option<Ending> {
        match self
            .reach(within, |phase| matches!(phase, Phase::Over(_)))
            .await
        {
            Some(Phase::Over(ending)) => Some(ending),
            _ => None,
        }
    }

    /// How its audio went so far.
    #[must_use]
    pub fn report(&self) -> Report {
        self.0.media.report()
    }

    /// Its audio.
    #[must_use]
    pub fn media(&self) -> &Session {
        &self.0.media
    }

    /// Every message that the box sent in it, oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.state().heard.clone()
    }

    /// The box's last description.
    #[must_use]
    pub fn theirs(&self) -> Option<Sdp> {
        self.state().negotiation.theirs().cloned()
    }

    /// Our last description.
    #[must_use]
    pub fn ours(&self) -> Option<Sdp> {
        self.state().negotiation.ours().cloned()
    }

    /// A copy of its dialog.
    #[must_use]
    pub fn dialog(&self) -> Dialog {
        self.state().dialog.clone()
    }

    /// Statuses that NOTIFYs brought, in order.
    #[must_use]
    pub fn notified(&self) -> Vec<u16> {
        self.0.notified.borrow().clone()
    }

    /// Waits for the final status of a transfer.
    pub async fn transferred(&self, within: Duration) -> Option<u16> {
        let mut watching = self.0.notified.subscribe();
        let last = |codes: &Vec<u16>| codes.last().copied().filter(|code| *code >= 200);
        let reached = timeout(within, watching.wait_for(|codes| last(codes).is_some())).await;
        reached.ok()?.ok().and_then(|codes| last(&codes))
    }

    async fn reach(&self, within: Duration, fits: impl Fn(&Phase) -> bool) -> Option<Phase> {
        let mut watching = self.0.phase.subscribe();
        let reached = timeout(within, watching.wait_for(|phase| fits(phase))).await;
        reached.ok()?.ok().map(|phase| phase.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves on; once over, it stays over.
    fn enter(&self, phase: Phase) {
        let moved = self.0.phase.send_if_modified(|now| {
            let moves = !matches!(now, Phase::Over(_)) && *now != phase;
            if moves {
                *now = phase.clone();
            }
            moves
        });
        if !moved {
            return;
        }
        self.tell(What::Phase(phase.clone()));
        if matches!(phase, Phase::Over(_)) {
            self.0.media.end();
        }
    }

    fn tell(&self, what: What) {
        let event = Event {
            peer: self.0.persona.endpoint.name().to_owned(),
            call: self.0.id.clone(),
            caller: self.0.caller.clone(),
            callee: self.0.callee.clone(),
            what,
        };
        // Nobody has to watch.
        let _ = self.0.persona.events.send(event);
    }

    fn note(&self, message: &Message) {
        let mut state = self.state();
        if state.heard.len() < KEPT_MESSAGES {
            state.heard.push(message.clone());
        }
    }

    /// Puts what was agreed into effect.
    fn follow(&self) {
        let (plan, word) = {
            let state = self.state();
            let negotiation = &state.negotiation;
            let word = negotiation.theirs().map(|theirs| {
                let suite = negotiation.suite().map_or("RTP", |suite| suite.name());
                format!("{} {suite}", theirs.audio.direction.name())
            });
            (negotiation.plan(), word)
        };
        if let (Some(plan), Some(word)) = (plan, word) {
            self.0.media.follow(plan);
            self.tell(What::Media(word));
        }
    }

    /// A request of ours within the dialog, with what every request of this peer carries.
    fn compose(&self, method: &str) -> Message {
        let request = self.state().dialog.request(method);
        request
            .with("Contact", &self.0.contact)
            .with_all(&self.0.persona.headers)
    }

    /// A response of ours to a request in this call.
    fn reply(&self, to: &Incoming, code: u16, phrase: &str) -> Message {
        let tag = self.state().dialog.local_tag.clone();
        Message::response(&to.message, code, phrase)
            .with_to_tag(&tag)
            .with("Contact", &self.0.contact)
            .with_all(&self.0.persona.headers)
    }

    fn refuse_request(&self, to: &Incoming, refusal: &Refusal) {
        let reply = self
            .reply(to, refusal.code, &refusal.phrase)
            .with_all(&refusal.headers);
        self.0.persona.endpoint.respond(to, reply);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.persona.endpoint.dismiss(&self.id);
    }
}

/// The user part of a From, To or Request-URI; the whole URI where it has none.
#[must_use]
pub fn number_in(value: &str) -> String {
    let uri = NameAddr::parse(value).map_or(value, |address| address.uri);
    match UriParts::parse(uri).and_then(|parts| parts.user) {
        Some(user) => user.to_owned(),
        None => uri.to_owned(),
    }
}
