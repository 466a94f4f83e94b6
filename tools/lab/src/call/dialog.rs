//! A dialog of RFC 3261 §12, either side: identifiers, route set, remote target, and requests within it.
//!
//! Not here: what is agreed about media (`negotiation.rs`), the life of a call (`mod.rs`).

use crate::random;
use crate::sip::Message;
use crate::sip::values::NameAddr;

/// Both ends' view of who talks to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialog {
    /// Call-ID.
    pub call_id: String,
    /// Our name-addr, without a tag.
    pub local: String,
    /// Our tag.
    pub local_tag: String,
    /// Their name-addr, without a tag.
    pub remote: String,
    /// Their tag, once they have answered.
    pub remote_tag: Option<String>,
    /// The URI that requests go to.
    pub target: String,
    routes: Vec<String>,
    cseq: u32,
}

impl Dialog {
    /// Before the first answer: `uri` is what is called.
    #[must_use]
    pub fn calling(uri: &str, local: &str, remote: &str) -> Self {
        Self {
            call_id: random::token(),
            local: local.to_owned(),
            local_tag: random::token(),
            remote: remote.to_owned(),
            remote_tag: None,
            target: uri.to_owned(),
            routes: Vec::new(),
            cseq: 0,
        }
    }

    /// From an INVITE that came in.
    #[must_use]
    pub fn called(invite: &Message) -> Self {
        Self {
            call_id: invite.call_id().to_owned(),
            local: without_tag(invite.header("To").unwrap_or_default()),
            local_tag: random::token(),
            remote: without_tag(invite.header("From").unwrap_or_default()),
            remote_tag: invite.from_tag().map(str::to_owned),
            target: contact(invite).unwrap_or_default(),
            // RFC 3261 §12.1.1: in order for the side that is called.
            routes: owned(&invite.values("Record-Route")),
            cseq: 0,
        }
    }

    /// Takes over what a response to our INVITE says of the far end (RFC 3261 §12.1.2). `own` is the route that the proxy
    /// before us wrote: what it sends on has that route no more, and proxy and user agent are one here.
    pub fn learn(&mut self, response: &Message, own: Option<&str>) {
        self.remote_tag = response.to_tag().map(str::to_owned);
        if let Some(target) = contact(response) {
            self.target = target;
        }
        self.routes = owned(&response.values("Record-Route"));
        self.routes.retain(|route| Some(route.as_str()) != own);
        self.routes.reverse();
    }

    /// A target refresh: a re-INVITE or its answer may name another Contact.
    pub fn refresh(&mut self, message: &Message) {
        if let Some(target) = contact(message) {
            self.target = target;
        }
    }

    /// The next request in the dialog.
    #[must_use]
    pub fn request(&mut self, method: &str) -> Message {
        self.cseq += 1;
        self.numbered(method, self.cseq)
    }

    /// The ACK to a 2xx of the INVITE with this number.
    #[must_use]
    pub fn ack(&self, number: u32) -> Message {
        self.numbered("ACK", number)
    }

    /// Where the next request goes: the first route, else the target.
    #[must_use]
    pub fn next_hop(&self) -> &str {
        self.routes
            .first()
            .and_then(|route| NameAddr::parse(route))
            .map_or(&self.target, |route| route.uri)
    }

    /// `Replaces` for a call that is to take this one's place, as the far end must read it (RFC 3891 §3).
    #[must_use]
    pub fn replaces(&self) -> String {
        format!(
            "{};to-tag={};from-tag={}",
            self.call_id,
            self.remote_tag.as_deref().unwrap_or_default(),
            self.local_tag
        )
    }

    fn numbered(&self, method: &str, number: u32) -> Message {
        let mut request = Message::request(method, &self.target);
        for route in &self.routes {
            request = request.with("Route", route);
        }
        let to = match &self.remote_tag {
            Some(tag) => format!("{};tag={tag}", self.remote),
            None => self.remote.clone(),
        };
        request
            .with("From", format!("{};tag={}", self.local, self.local_tag))
            .with("To", to)
            .with("Call-ID", &self.call_id)
            .with("CSeq", format!("{number} {method}"))
            .with("Max-Forwards", "70")
    }
}

fn contact(message: &Message) -> Option<String> {
    message.contact().map(|contact| contact.uri.to_owned())
}

fn owned(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// A From or To without its tag, other parameters kept.
fn without_tag(value: &str) -> String {
    let (address, parameters) = match value.rfind('>') {
        Some(close) => value.split_at(close + 1),
        None => value.split_at(value.find(';').unwrap_or(value.len())),
    };
    let kept = parameters
        .split(';')
        .skip(1)
        .filter(|part| !part.trim().to_ascii_lowercase().starts_with("tag="));
    kept.fold(address.to_owned(), |text, part| format!("{text};{part}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(text: &str) -> Message {
        Message::parse(text.replace('\n', "\r\n").as_bytes()).expect("readable")
    }

    #[test]
    fn the_callers_route_set_is_reversed_and_leads() {
        let mut dialog = Dialog::calling("sip:+1@sbc", "<sip:a@b>", "<sip:+1@sbc>");
        let _ = dialog.request("INVITE");
        dialog.learn(
            &response(
                "SIP/2.0 200 OK\nTo: <sip:+1@sbc>;tag=x\nCSeq: 1 INVITE\nContact: <sip:sbc:5061>\n\
             Record-Route: <sip:own;lr>, <sip:near;lr>, <sip:far;lr>\n\n",
            ),
            Some("<sip:own;lr>"),
        );
        assert_eq!(dialog.next_hop(), "sip:far;lr");
        let bye = dialog.request("BYE");
        assert_eq!((bye.uri(), bye.cseq()), ("sip:sbc:5061", Some((2, "BYE"))));
        assert_eq!(bye.header("Route"), Some("<sip:far;lr>"));
        assert_eq!(bye.header("To"), Some("<sip:+1@sbc>;tag=x"));
    }

    #[test]
    fn only_the_tag_is_taken_from_a_name() {
        assert_eq!(
            without_tag("\"A\" <sip:a@b;user=phone>;x=1;tag=7"),
            "\"A\" <sip:a@b;user=phone>;x=1"
        );
        assert_eq!(without_tag("sip:a@b;tag=7"), "sip:a@b");
    }
}
