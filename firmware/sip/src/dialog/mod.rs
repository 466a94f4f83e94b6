//! Dialogs (RFC 3261 §12): who talks to whom, over which route, at which sequence numbers.
//!
//! A [`Dialog`] is made from an INVITE and a response to it, on either side; every fork of an INVITE makes one of its own. It
//! prefills requests, checks the order of those received and follows the peer's Contact. Whether it is early or confirmed
//! is its owner's state, not its own: nothing in here depends on it.
//!
//! Beside it: session timers (RFC 4028), reliable provisionals (RFC 3262), REFER's pieces (RFC 3515, 3891), glare.
//!
//! Not here: transactions, which requests are allowed when.

mod glare;
pub mod refer;
mod reliable;
mod session_timer;

pub use glare::wait as glare_wait;
pub use reliable::{Acknowledged, ReliableReceiver, ReliableSender, ReliableWake};
pub use session_timer::{
    IntervalTooSmall, Raised, Refresh, SessionTimer, SessionTimerImage, SessionTimerPolicy,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::message::{
    HeaderError, Method, Name, NameAddr, Replaces, ReplacesScope, Request, RequestBuilder,
    Response, Text, Uri,
};

/// More Record-Routes than any path has.
const MAX_ROUTES: usize = 32;

/// Which side sent the INVITE, and so made the Call-ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// We did.
    Caller,
    /// The peer did.
    Callee,
}

/// Why a message makes no dialog.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DialogError {
    /// A header that it needs is missing or unreadable.
    #[error("no dialog without {0}")]
    Header(#[from] HeaderError),
    /// The other side gave no tag.
    #[error("no dialog without a tag")]
    NoTag,
    /// The route set is longer than any path.
    #[error("too many routes")]
    TooManyRoutes,
    /// An image of it does not hold what a dialog holds.
    #[error("the image is damaged")]
    Image,
}

/// A request came after one with a higher number (RFC 3261 §12.2.2); answer 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("CSeq {received} after {highest}")]
pub struct OutOfOrder {
    /// Its number.
    pub received: u32,
    /// The highest before.
    pub highest: u32,
}

/// A dialog.
#[derive(Debug, Clone)]
pub struct Dialog {
    role: Role,
    call_id: String,
    /// From or To with our tag, as it goes out in From.
    local: Bytes,
    local_tag: String,
    /// The peer's, as it goes out in To.
    remote: Bytes,
    remote_tag: String,
    local_cseq: u32,
    /// The number of the INVITE that made it, for its ACK.
    invite_cseq: u32,
    remote_cseq: Option<u32>,
    remote_target: Uri,
    /// Route headers in the order in which they go out.
    routes: Vec<NameAddr>,
}

impl Dialog {
    /// We sent `invite`, the peer answered with `response` (101 to 2xx with a To-tag).
    ///
    /// # Errors
    /// The response names no tag or no Contact, or something in it cannot be read.
    pub fn client(invite: &Request, response: &Response) -> Result<Self, DialogError> {
        let headers = response.headers();
        let to = headers.to()?;
        // Ours: it need not be read to be trusted.
        let ours = invite.headers();
        let from = ours.get(Name::From).unwrap_or_default();
        let remote_tag = to.tag().ok_or(DialogError::NoTag)?.to_owned();
        // A 1xx may leave Contact out; then the dialog cannot be used before the 2xx brings one.
        let remote_target = match headers.contact() {
            Ok(contact) => contact.uri().without_headers(),
            Err(error) if response.status().is_success() => return Err(error.into()),
            Err(_) => to.uri().without_headers(),
        };
        let cseq = invite.headers().cseq()?.number;
        Ok(Self {
            role: Role::Caller,
            call_id: headers.call_id()?.as_str().to_owned(),
            local_tag: ours.from_tag().ok_or(DialogError::NoTag)?.to_owned(),
            local: detach(from),
            remote: detach(to.bytes()),
            remote_tag,
            local_cseq: cseq,
            invite_cseq: cseq,
            remote_cseq: None,
            remote_target: detach_uri(&remote_target),
            routes: route_set(response.headers().record_routes()?, Order::Reversed)?,
        })
    }

    /// The peer sent `invite`; our responses bear `local_tag`.
    ///
    /// # Errors
    /// It names no Contact, or something in it cannot be read.
    pub fn server(invite: &Request, local_tag: &str) -> Result<Self, DialogError> {
        let headers = invite.headers();
        let from = headers.from()?;
        let contact = headers.contact()?;
        Ok(Self {
            role: Role::Callee,
            call_id: headers.call_id()?.as_str().to_owned(),
            local: Bytes::from(headers.to()?.with_param("tag", Some(local_tag)).to_string()),
            local_tag: local_tag.to_owned(),
            // RFC 3261 §12.1.1: an RFC 2543 peer has no tag.
            remote_tag: from.tag().unwrap_or_default().to_owned(),
            remote: detach(from.bytes()),
            local_cseq: 0,
            invite_cseq: headers.cseq()?.number,
            remote_cseq: Some(headers.cseq()?.number),
            remote_target: detach_uri(&contact.uri().without_headers()),
            routes: route_set(headers.record_routes()?, Order::AsReceived)?,
        })
    }

    /// An early dialog of ours, and what [`Dialog::client`] makes of its 2xx: route set and target are those of the 2xx
    /// (RFC 3261 §13.2.2.4), the sequence numbers go on.
    #[must_use]
    pub fn confirmed_by(self, answer: Self) -> Self {
        Self {
            remote_target: answer.remote_target,
            routes: answer.routes,
            remote: answer.remote,
            ..self
        }
    }

    /// Which side sent the INVITE.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// Our tag.
    #[must_use]
    pub fn local_tag(&self) -> &str {
        &self.local_tag
    }

    /// The peer's tag.
    #[must_use]
    pub fn remote_tag(&self) -> &str {
        &self.remote_tag
    }

    /// Where the peer wants its requests (its Contact).
    #[must_use]
    pub const fn remote_target(&self) -> &Uri {
        &self.remote_target
    }

    /// Whether a request with our tag in To is of this dialog (RFC 3261 §12.2.2).
    #[must_use]
    pub fn matches(&self, request: &Request) -> bool {
        let headers = request.headers();
        let call_id = headers
            .call_id()
            .is_ok_and(|id| id.as_str() == self.call_id);
        let from = headers.from_tag().unwrap_or_default() == self.remote_tag;
        let to = headers.to_tag() == Some(&self.local_tag);
        call_id && from && to
    }

    /// Whether a Replaces that we received means this dialog (RFC 3891 §3): its To-tag is ours.
    #[must_use]
    pub fn is_meant_by(&self, replaces: &Replaces) -> bool {
        *replaces.call_id == self.call_id
            && *replaces.to_tag == self.local_tag
            && *replaces.from_tag == self.remote_tag
    }

    /// The Replaces by which the peer of this dialog is asked to let somebody else take our place.
    #[must_use]
    pub fn replaces(&self) -> Replaces {
        Replaces {
            call_id: Text::from(self.call_id.as_str()),
            to_tag: Text::from(self.remote_tag.as_str()),
            from_tag: Text::from(self.local_tag.as_str()),
            scope: ReplacesScope::Any,
        }
    }

    /// A new request: a number higher than the last. Not for ACK.
    pub fn request(&mut self, method: Method) -> RequestBuilder {
        self.local_cseq += 1;
        self.build(method, self.local_cseq)
    }

    /// The ACK of the 2xx that made the dialog.
    #[must_use]
    pub fn ack(&self) -> RequestBuilder {
        self.build(Method::Ack, self.invite_cseq)
    }

    /// The ACK of a 2xx to a re-INVITE of ours.
    #[must_use]
    pub fn ack_of(&self, invite: &Request) -> RequestBuilder {
        let number = invite
            .headers()
            .cseq()
            .map_or(self.local_cseq, |cseq| cseq.number);
        self.build(Method::Ack, number)
    }

    /// A request was sent that was not built here (the same once more with credentials): go on from its number.
    pub fn sent(&mut self, request: &Request) {
        if let Ok(cseq) = request.headers().cseq() {
            self.local_cseq = self.local_cseq.max(cseq.number);
        }
    }

    /// The next number, for a request that is built elsewhere.
    #[must_use]
    pub const fn last_cseq(&self) -> u32 {
        self.local_cseq
    }

    fn build(&self, method: Method, number: u32) -> RequestBuilder {
        // RFC 3261 §12.2.1.1: a strict first route takes the Request-URI's place, and the target goes last.
        let strict = self
            .routes
            .first()
            .filter(|route| !route.uri().params().contains("lr"));
        let uri = strict.map_or(&self.remote_target, NameAddr::uri);
        let word = method.to_string();
        let mut builder = Request::build(method, uri)
            .header(Name::MaxForwards, "70")
            .header(Name::From, &self.local)
            .header(Name::To, &self.remote)
            .header(Name::CallId, &self.call_id)
            .header(Name::CSeq, format!("{number} {word}"));
        for route in self.routes.iter().skip(usize::from(strict.is_some())) {
            builder = builder.header(Name::Route, route);
        }
        if strict.is_some() {
            builder = builder.header(Name::Route, NameAddr::new(&self.remote_target));
        }
        builder
    }

    /// Where a request of this dialog goes next: the first route, or the peer itself (INV-09: the Contact of Teams is
    /// never dialled when there is a route).
    #[must_use]
    pub fn next_hop(&self) -> &Uri {
        self.routes
            .first()
            .map_or(&self.remote_target, NameAddr::uri)
    }

    /// A request was received: check its number, follow its Contact if it may change the target.
    ///
    /// # Errors
    /// It is out of order.
    pub fn receive(&mut self, request: &Request) -> Result<(), OutOfOrder> {
        let headers = request.headers();
        let received = headers.cseq().map_or(0, |cseq| cseq.number);
        if request.method() != Method::Ack {
            if let Some(highest) = self.remote_cseq.filter(|highest| received < *highest) {
                return Err(OutOfOrder { received, highest });
            }
            self.remote_cseq = Some(received);
        }
        if matches!(request.method(), Method::Invite | Method::Update)
            && let Ok(contact) = headers.contact()
        {
            self.remote_target = detach_uri(&contact.uri().without_headers());
        }
        Ok(())
    }

    /// A 2xx to a re-INVITE or UPDATE of ours: follow its Contact.
    pub fn refresh_target(&mut self, response: &Response) {
        if response.status().is_success()
            && let Ok(contact) = response.headers().contact()
        {
            self.remote_target = detach_uri(&contact.uri().without_headers());
        }
    }

    /// Everything of it, to be kept over a restart.
    #[must_use]
    pub fn image(&self) -> DialogImage {
        DialogImage {
            role: self.role,
            call_id: self.call_id.clone(),
            local: self.local.to_vec(),
            local_tag: self.local_tag.clone(),
            remote: self.remote.to_vec(),
            remote_tag: self.remote_tag.clone(),
            local_cseq: self.local_cseq,
            invite_cseq: self.invite_cseq,
            remote_cseq: self.remote_cseq,
            remote_target: self.remote_target.as_str().to_owned(),
            routes: self
                .routes
                .iter()
                .map(|route| route.bytes().to_vec())
                .collect(),
        }
    }

    /// A dialog that was kept. Numbers jump ahead, for the image may be older than the last request.
    ///
    /// # Errors
    /// The image is damaged.
    pub fn restore(image: DialogImage) -> Result<Self, DialogError> {
        let routes: Result<Vec<_>, _> = image
            .routes
            .into_iter()
            .map(|route| NameAddr::parse(Bytes::from(route)))
            .collect();
        Ok(Self {
            role: image.role,
            call_id: image.call_id,
            local: Bytes::from(image.local),
            local_tag: image.local_tag,
            remote: Bytes::from(image.remote),
            remote_tag: image.remote_tag,
            local_cseq: image.local_cseq.saturating_add(1_000),
            invite_cseq: image.invite_cseq,
            remote_cseq: image.remote_cseq,
            remote_target: image
                .remote_target
                .parse()
                .map_err(|_| DialogError::Image)?,
            routes: routes.map_err(|_| DialogError::Image)?,
        })
    }
}

/// A dialog as plain data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialogImage {
    /// Which side sent the INVITE.
    pub role: Role,
    /// Call-ID.
    pub call_id: String,
    /// Our From value.
    pub local: Vec<u8>,
    /// Our tag.
    pub local_tag: String,
    /// The peer's value.
    pub remote: Vec<u8>,
    /// The peer's tag.
    pub remote_tag: String,
    /// Our last number.
    pub local_cseq: u32,
    /// The number of the INVITE that made it.
    pub invite_cseq: u32,
    /// The peer's last number.
    pub remote_cseq: Option<u32>,
    /// The peer's Contact URI.
    pub remote_target: String,
    /// The route set in order of sending.
    pub routes: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    AsReceived,
    Reversed,
}

fn route_set(mut records: Vec<NameAddr>, order: Order) -> Result<Vec<NameAddr>, DialogError> {
    if records.len() > MAX_ROUTES {
        return Err(DialogError::TooManyRoutes);
    }
    if order == Order::Reversed {
        records.reverse();
    }
    records
        .into_iter()
        .map(|record| NameAddr::parse(detach(record.bytes())).map_err(|_| DialogError::NoTag))
        .collect()
}

/// A copy that does not keep the message's whole buffer alive for the life of the dialog.
fn detach(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn detach_uri(uri: &Uri) -> Uri {
    Uri::parse(detach(uri.bytes())).unwrap_or_else(|_| uri.clone())
}
