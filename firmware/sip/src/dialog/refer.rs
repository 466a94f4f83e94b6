//! REFER (RFC 3515), Replaces (RFC 3891) and the NOTIFYs between: the pieces that a call puts together.
//!
//! Not here: what a transfer does to a call.

use bytes::Bytes;

pub use crate::message::Replaces;
use crate::message::{Name, NameAddr, Request, RequestBuilder, StatusCode, Uri, UriError};

/// The target of a Refer-To without its headers, and the dialog that it wants replaced, if it names one.
#[must_use]
pub fn split(refer_to: &Uri) -> (Uri, Option<Replaces>) {
    let replaces = refer_to.header("Replaces").and_then(|value| {
        let value = Bytes::copy_from_slice(&value);
        Replaces::parse(&value).ok()
    });
    (refer_to.without_headers(), replaces)
}

/// A Refer-To that asks for a call to `target` in place of a dialog of its user (RFC 3891 §5: attended transfer).
///
/// # Errors
/// The two together are longer than a URI may be.
pub fn join(target: &Uri, replaces: &Replaces) -> Result<NameAddr, UriError> {
    let mut text = target.without_headers().to_string();
    text.push_str("?Replaces=");
    for byte in replaces.to_string().bytes() {
        // RFC 3261 §25.1 `hnv-unreserved` and `unreserved`, less what some parsers stumble over.
        if byte.is_ascii_alphanumeric() || b"-_.!~*".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(NameAddr::new(&text.parse()?))
}

/// What a NOTIFY tells the side that sent the REFER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How the new call stands; `None` if the body does not say.
    pub status: Option<StatusCode>,
    /// Whether more follows.
    pub subscription: Open,
}

/// Whether a subscription goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// Another NOTIFY follows.
    Yes,
    /// This was the last.
    No,
}

impl Progress {
    /// Of a NOTIFY; `None` if it is of another event package.
    #[must_use]
    pub fn of_notify(notify: &Request) -> Option<Self> {
        let headers = notify.headers();
        let event = headers.event().ok().flatten()?;
        if !event.package.eq_ignore_ascii_case("refer") {
            return None;
        }
        let state = headers.subscription_state().ok().flatten()?;
        let subscription = if state.is_terminated() {
            Open::No
        } else {
            Open::Yes
        };
        Some(Self {
            status: sipfrag_status(notify.body()),
            subscription,
        })
    }
}

/// The subscription that an accepted REFER makes, seen from the side that was asked (RFC 3515 §2.4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The number of the REFER, which names the subscription where there are several (RFC 3515 §2.4.6).
    id: u32,
}

impl Subscription {
    /// Of a REFER; `None` if its sender wants none (RFC 4488).
    #[must_use]
    pub fn of_refer(refer: &Request) -> Option<Self> {
        let headers = refer.headers();
        if headers
            .get(Name::ReferSub)
            .is_some_and(|value| value.trim_ascii().eq_ignore_ascii_case(b"false"))
        {
            return None;
        }
        Some(Self {
            id: headers.cseq().ok()?.number,
        })
    }

    /// The NOTIFY that tells how it goes; a final status ends the subscription.
    #[must_use]
    pub fn notify(&self, notify: RequestBuilder, status: StatusCode) -> RequestBuilder {
        let state = if status.is_final() {
            "terminated;reason=noresource"
        } else {
            "active;expires=60"
        };
        notify
            .header(Name::Event, format!("refer;id={}", self.id))
            .header(Name::SubscriptionState, state)
            .body("message/sipfrag;version=2.0", sipfrag(status))
    }
}

/// The body of a NOTIFY: a status line (RFC 3420).
#[must_use]
pub fn sipfrag(status: StatusCode) -> Bytes {
    Bytes::from(format!("SIP/2.0 {} {}\r\n", status.code(), status.phrase()))
}

/// The status that a sipfrag tells.
#[must_use]
pub fn sipfrag_status(body: &[u8]) -> Option<StatusCode> {
    let line = body.split(|byte| *byte == b'\n').next()?;
    let rest = line.strip_prefix(b"SIP/2.0 ")?;
    let digits = core::str::from_utf8(rest.get(..3)?).ok()?;
    StatusCode::new(digits.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sipfrag_tells_what_was_put_into_it() {
        for status in [
            StatusCode::TRYING,
            StatusCode::RINGING,
            StatusCode::OK,
            StatusCode::BUSY_HERE,
        ] {
            assert_eq!(sipfrag_status(&sipfrag(status)), Some(status));
        }
        for odd in [
            &b""[..],
            b"SIP/2.0",
            b"SIP/2.0 x",
            b"SIP/2.0 99 x",
            b"SIP/2.0 2",
        ] {
            assert_eq!(sipfrag_status(odd), None);
        }
    }
}
