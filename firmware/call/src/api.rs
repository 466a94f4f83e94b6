//! The only door of call control: what console, monitor, contact centre and the command line may ask of it and hear from it.
//!
//! Plain data without SIP types: whoever stands outside sees calls, trunks and counts, never a `Call`, a dialog or a
//! message. Commands are applied in the order in which they arrive; events are told once, in the order in which things happened.

use measure::Insecurity;
use serde::{Deserialize, Serialize};

/// Number of a call, unique for the life of the journal: a restarted control goes on counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CallId(pub u64);

impl core::fmt::Display for CallId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What may be asked of call control at any time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// End a call: both sides get BYE (or the refusal that fits its stage). Unknown calls are ignored.
    HangUp(CallId),
    /// Take no new calls: INVITE is answered 503 and OPTIONS to Teams stop (spec §1.4); calls in progress go on.
    Drain,
    /// Take calls again.
    Resume,
}

/// Why a call ended, or why it never began. The word is the same in log, counter and record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The caller hung up after the answer.
    CallerHungUp,
    /// The callee hung up after the answer.
    CalleeHungUp,
    /// The caller gave up before the answer.
    CallerGaveUp,
    /// Busy (486, 600).
    Busy,
    /// Nobody answered (480, 408 after ringing, our own ringing limit).
    NoAnswer,
    /// The callee declined (603 and its like).
    Declined,
    /// Another refusal of the callee's side.
    Refused,
    /// No target could be reached.
    Unreachable,
    /// No route, or the rules of this box forbid the call.
    NotRouted,
    /// A limit of box, tenant or trunk was reached.
    LimitReached,
    /// The two sides have no codec or no transport profile in common.
    NoCommonMedia,
    /// A side vanished: session timer, missing ACK, failed refresh.
    Lost,
    /// Ended by command.
    Administrative,
    /// The box itself failed: no port, no media plane.
    Internal,
}

/// What call control tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A call was admitted and is being routed.
    Started {
        /// The call.
        call: CallId,
        /// Trunk it came from.
        from_trunk: String,
        /// Tenant it belongs to, once known.
        tenant: Option<String>,
        /// Calling number as received.
        caller: String,
        /// Called number as received.
        called: String,
    },
    /// A target is being tried.
    Trying {
        /// The call.
        call: CallId,
        /// Trunk the target belongs to.
        trunk: String,
        /// Called number as sent.
        called: String,
    },
    /// A call has a leg: what is said on it bears this Call-ID. Told again when a leg goes to another call.
    Leg {
        /// The call.
        call: CallId,
        /// Number of the leg: 0 is the caller's.
        leg: u8,
        /// Its trunk.
        trunk: String,
        /// Its Call-ID.
        call_id: String,
    },
    /// A call in progress was taken over from a control that died.
    Restored {
        /// The call.
        call: CallId,
        /// Trunk it came from.
        from_trunk: String,
        /// Trunk it went to.
        to_trunk: Option<String>,
        /// Tenant it belongs to, where its trunks tell.
        tenant: Option<String>,
        /// Calling number as received.
        caller: String,
        /// Called number as received.
        called: String,
    },
    /// The callee rings.
    Ringing {
        /// The call.
        call: CallId,
    },
    /// The callee answered and the caller was told.
    Answered {
        /// The call.
        call: CallId,
    },
    /// A party was replaced by another one.
    Transferred {
        /// The call.
        call: CallId,
    },
    /// The call is over; nothing of it is left but this record.
    Ended {
        /// The call.
        call: CallId,
        /// Why.
        ending: Ending,
        /// The SIP status that the caller saw, where there was one.
        status: Option<u16>,
        /// Seconds from the answer to the end, 0 if never answered.
        duration: u32,
        /// Microsoft's correlation id of the Teams side, if it gave one (INV-23).
        correlation: Option<String>,
    },
    /// A party should speak and is not heard; told once until it is heard again.
    Silent {
        /// The call.
        call: CallId,
        /// Trunk of the leg.
        trunk: String,
        /// How long it has been silent.
        milliseconds: u32,
    },
    /// A party has not proven by its handshake that it is who its session description says: the call ends.
    Insecure {
        /// The call.
        call: CallId,
        /// Trunk of the leg.
        trunk: String,
        /// Why.
        reason: Insecurity,
    },
    /// The stream of a leg has ended, and this is how it was: about the time of [`Event::Ended`], often a little earlier.
    Sounded {
        /// The call.
        call: CallId,
        /// Trunk of the leg.
        trunk: String,
        /// How it was.
        sound: Sound,
    },
    /// A request was turned away before it became a call.
    TurnedAway {
        /// The word of the reason.
        reason: TurnedAway,
        /// The sender's address.
        from: std::net::SocketAddr,
    },
    /// The reachability of a trunk's target changed.
    Target {
        /// The trunk.
        trunk: String,
        /// The target as configured.
        target: String,
        /// Whether it answers.
        reachable: Reachability,
    },
    /// The registration of a trunk changed.
    Registration {
        /// The trunk.
        trunk: String,
        /// Its state.
        state: RegistrationState,
    },
}

/// How the audio of one leg was, both ways. Times are in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sound {
    /// What its party said, as it came to the box.
    pub from_party: Way,
    /// What the box sent to it, as the party has reported.
    pub to_party: Way,
    /// To the party and back, where its reports tell.
    pub round_trip_us: Option<u32>,
    /// Packets that came for this stream and went no further, whatever the reason.
    pub dropped: u64,
}

/// One direction of a leg's audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Way {
    /// RTP packets.
    pub packets: u64,
    /// Packets lost on the way, where somebody has counted.
    pub lost: Option<u64>,
    /// Jitter at the end of it, where somebody has measured.
    pub jitter_us: Option<u32>,
    /// The mean opinion by the E-model (ITU-T G.107), where the rest is known.
    pub mos: Option<Opinion>,
}

/// A mean opinion score, kept in hundredths and written as 4.41.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "f64", into = "f64")]
pub struct Opinion(pub u16);

impl From<Opinion> for f64 {
    fn from(Opinion(hundredths): Opinion) -> Self {
        Self::from(hundredths) / 100.0
    }
}

impl From<f64> for Opinion {
    fn from(score: f64) -> Self {
        // A cast of what is out of range, or no number, stays in range.
        Self((score * 100.0).round() as u16)
    }
}

impl core::fmt::Display for Opinion {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// Why a request did not become a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnedAway {
    /// No trunk has this source on this listener (SIG-03): dropped without an answer.
    Stranger,
    /// Nobody's dialog: answered 481.
    NoSuchDialog,
    /// The method is not served here: 405 or 501.
    Method,
    /// The request lacks what it needs: 400.
    Malformed,
    /// It requires an extension that we do not have: 420.
    Extension,
    /// The box is draining or full: 503.
    Unavailable,
}

/// Whether a target of a trunk answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reachability {
    /// Not yet known.
    Unknown,
    /// It answered the last probe.
    Up,
    /// It did not answer, or said 503.
    Down,
}

/// State of a trunk's registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationState {
    /// Registered with the registrar.
    Registered,
    /// Trying, or waiting to try again.
    Trying,
    /// The registrar refused: wrong credentials or unknown user.
    Refused,
}

/// What stands in the tables at this moment: all zero but the listeners' own when nothing goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Census {
    /// Calls in any stage.
    pub calls: usize,
    /// Legs of all calls.
    pub legs: usize,
    /// Dialogs that in-dialog requests can find.
    pub dialogs: usize,
    /// Client transactions, those that linger included.
    pub clients: usize,
    /// Server transactions, those that linger included.
    pub servers: usize,
    /// Media ports in use.
    pub ports: usize,
    /// Media ports resting after use.
    pub ports_resting: usize,
    /// Requests that wait for a name to be resolved.
    pub resolving: usize,
}

/// A trunk as it is at the moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrunkView {
    /// Its name.
    pub trunk: String,
    /// The tenant whose it is, where it is one's alone.
    #[serde(default)]
    pub tenant: Option<String>,
    /// Whom it calls, as far as they are asked for by OPTIONS.
    pub targets: Vec<TargetView>,
    /// Whether we are registered, where the trunk registers.
    #[serde(default)]
    pub registration: Option<RegistrationState>,
    /// Seconds since the peer last asked us by OPTIONS, if it has.
    #[serde(default)]
    pub asked_us: Option<u64>,
}

/// A target of a trunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetView {
    /// Its name or address, and port.
    pub target: String,
    /// Whether it answers.
    pub reachable: Reachability,
    /// What came of the last OPTIONS.
    #[serde(default)]
    pub last: Option<Outcome>,
    /// Seconds since then.
    #[serde(default)]
    pub ago: Option<u64>,
}

/// What came of an OPTIONS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An answer with this status, after so many milliseconds.
    Answered {
        /// The status.
        status: u16,
        /// From question to answer.
        milliseconds: u64,
    },
    /// None in time.
    NoAnswer,
    /// It could not be sent: no address, no connection, no handshake.
    NotSent,
}

/// One call as seen from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallView {
    /// The call.
    pub call: CallId,
    /// Calling number.
    pub caller: String,
    /// Called number.
    pub called: String,
    /// Trunk of the caller.
    pub from_trunk: String,
    /// Trunk of the callee, once chosen.
    pub to_trunk: Option<String>,
    /// Tenant it belongs to, where it is known.
    #[serde(default)]
    pub tenant: Option<String>,
    /// What it does.
    pub stage: Stage,
}

/// What a call does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// A target is being looked for or tried.
    Routing,
    /// The callee rings.
    Ringing,
    /// Both sides have answered.
    Talking,
    /// A party is being replaced.
    Transferring,
    /// Saying goodbye.
    Ending,
}
