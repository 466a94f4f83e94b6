//! Transactions (RFC 3261 §17, RFC 6026): one table of all of them, sans-IO.
//!
//! [`Layer::handle`] takes what was received and what is to be sent, [`Layer::poll`] gives what goes out and what the user must know,
//! [`Layer::deadline`] says when [`Input::Wake`] is due. Drain `poll` to `None` after every input.
//!
//! The layer resends, absorbs what is repeated, answers CANCEL and merged requests by itself, says 100 to an INVITE at once
//! (INV-11), repeats a 2xx until its ACK and the ACK when the 2xx is repeated. It bounds its own size: past
//! [`MAX_SERVERS`] requests are answered 503 without being kept.
//!
//! Not here: dialogs, where a request goes (`resolve`), sockets.

mod client;
mod key;
mod layer;
mod server;
mod stamp;
mod timers;

pub use layer::{Layer, MAX_SERVERS};
pub use timers::{Reliability, Timers};

use bytes::Bytes;
use embassy_time::Duration;

use crate::message::{HostPort, Message, Request, Response};
use crate::transport::{FlowId, Source, Target};

/// A client transaction. Numbers are never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub u64);

/// A server transaction. Numbers are never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerId(pub u64);

/// What the layer is told.
#[derive(Debug)]
pub enum Input {
    /// A message was received.
    Received {
        /// The message.
        message: Message,
        /// Where it came from.
        source: Source,
    },
    /// Send a request. The layer adds its Via.
    Send {
        /// A number of [`Layer::next_client_id`].
        id: ClientId,
        /// The request, without Via.
        request: Request,
        /// Where to.
        target: Target,
        /// What the Via says of us.
        sent_by: HostPort,
        /// How long to wait for a first response; `None`: 64*T1.
        patience: Option<Duration>,
    },
    /// Respond. A second final response is ignored.
    Respond {
        /// The transaction.
        id: ServerId,
        /// The response.
        response: Response,
    },
    /// Acknowledge a 2xx of the dialog with this remote tag. The layer adds the Via and repeats the ACK as needed.
    Acknowledge {
        /// The INVITE.
        id: ClientId,
        /// The To-tag of the 2xx.
        to_tag: String,
        /// The ACK, without Via.
        ack: Request,
        /// Where to.
        target: Target,
        /// What the Via says of us.
        sent_by: HostPort,
    },
    /// Cancel an INVITE (RFC 3261 §9.1). It goes out with the first provisional response, or now if there was one.
    Cancel {
        /// The INVITE.
        id: ClientId,
        /// A Reason header (RFC 3326).
        reason: Option<Bytes>,
    },
    /// A `Transmit` of this transaction could not be carried out.
    TransportFailed {
        /// The transaction.
        client: ClientId,
    },
    /// A connection is gone: requests that went out on it by [`Target::flow`] and have heard nothing fail.
    FlowClosed(FlowId),
    /// The deadline has been reached.
    Wake,
}

/// What the layer wants.
#[derive(Debug)]
pub enum Output {
    /// Send bytes.
    Transmit {
        /// Where to.
        target: Target,
        /// One message.
        bytes: Bytes,
        /// The transaction to be named in [`Input::TransportFailed`].
        client: Option<ClientId>,
    },
    /// Tell the user.
    Event(Event),
}

/// What the user of the layer must know.
#[derive(Debug)]
pub enum Event {
    /// A new request, to be answered by [`Input::Respond`].
    Request {
        /// Its transaction.
        id: ServerId,
        /// The request.
        request: Request,
        /// Where it came from.
        source: Source,
    },
    /// An INVITE that has no final response has been cancelled; the CANCEL is answered, the INVITE (487) is not.
    Cancelled {
        /// The INVITE.
        invite: ServerId,
        /// The CANCEL.
        request: Request,
    },
    /// A 2xx has been acknowledged, for the first time.
    Acked {
        /// The INVITE.
        invite: ServerId,
        /// The ACK, whose body may be the answer.
        ack: Request,
        /// Where it came from.
        source: Source,
    },
    /// A 2xx has not been acknowledged in 64*T1: the session should be ended (RFC 3261 §13.3.1.4).
    AckMissing {
        /// The INVITE.
        invite: ServerId,
    },
    /// A response: every provisional one, the final one, and the first 2xx of each further fork.
    Response {
        /// The transaction.
        id: ClientId,
        /// The response.
        response: Response,
        /// Where it came from.
        source: Source,
    },
    /// No final response came in time; `Ended` follows.
    TimedOut {
        /// The transaction.
        id: ClientId,
    },
    /// The request could not be sent; `Ended` follows.
    Unreachable {
        /// The transaction.
        id: ClientId,
    },
    /// Nothing more will be heard of this transaction.
    Ended {
        /// The transaction.
        id: ClientId,
    },
}

/// How many transactions stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Client transactions, lingering ones included.
    pub clients: usize,
    /// Server transactions, lingering ones included.
    pub servers: usize,
}
