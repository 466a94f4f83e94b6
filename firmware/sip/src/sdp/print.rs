//! Writes a description: CRLF, one order for all, only what has a type.
//!
//! The order is that of RFC 8866 §5, with the attributes of a media section as Teams' own samples have them: payloads,
//! packet time, RTCP, keys, DTLS, name, ICE, direction. Every RTP payload gets its `a=rtpmap`, static ones included. Unknown lines
//! are left out, always.

use std::fmt::{self, Display, Formatter, Write};

use super::{
    Address, Candidate, Direction, Dtls, Family, Formats, Ice, Media, Origin, Payload, RtcpPort,
    SessionDescription,
};
use crate::digits::{push_address, push_number};

/// The usual description of audio fits.
const USUAL: usize = 512;

impl SessionDescription {
    /// The description as it goes into a body. Every call has several, so the formatter, which costs more than the text, is left
    /// to what is rare.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::with_capacity(USUAL);
        out.push_str("v=0\r\no=");
        origin(&mut out, &self.origin);
        out.push_str("\r\ns=");
        out.push_str(&self.name);
        out.push_str("\r\n");
        connection(&mut out, self.connection.as_ref());
        out.push_str("t=0 0\r\n");
        if !self.bundle.is_empty() {
            let _ = write!(out, "a=group:BUNDLE {}\r\n", self.bundle.join(" "));
        }
        if self.ice.lite {
            out.push_str("a=ice-lite\r\n");
        }
        dtls(&mut out, &self.dtls);
        ice(&mut out, &self.ice);
        milliseconds(&mut out, "a=ptime:", self.ptime);
        direction(&mut out, self.direction);
        for media in &self.media {
            section(&mut out, media);
        }
        out
    }
}

impl Display for SessionDescription {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl Display for Origin {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        origin(&mut out, self);
        f.write_str(&out)
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        address(&mut out, self);
        f.write_str(&out)
    }
}

impl Display for Candidate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {} {} {} typ {}",
            self.foundation,
            self.component,
            self.transport,
            self.priority,
            self.address,
            self.port,
            self.kind
        )?;
        if !self.rest.is_empty() {
            write!(f, " {}", self.rest)?;
        }
        Ok(())
    }
}

fn origin(out: &mut String, origin: &Origin) {
    out.push_str(&origin.username);
    out.push(' ');
    push_number(out, origin.session_id);
    out.push(' ');
    push_number(out, origin.session_version);
    out.push(' ');
    address(out, &origin.address);
}

fn address(out: &mut String, address: &Address) {
    out.push_str(match address {
        Address::Ip(ip) if ip.is_ipv4() => "IN IP4 ",
        Address::Ip(_) => "IN IP6 ",
        Address::Name {
            family: Family::Ip4,
            ..
        } => "IN IP4 ",
        Address::Name {
            family: Family::Ip6,
            ..
        } => "IN IP6 ",
    });
    match address {
        Address::Ip(ip) => push_address(out, *ip),
        Address::Name { name, .. } => out.push_str(name),
    }
}

fn connection(out: &mut String, at: Option<&Address>) {
    if let Some(at) = at {
        out.push_str("c=");
        address(out, at);
        out.push_str("\r\n");
    }
}

fn section(out: &mut String, media: &Media) {
    // Writing to a string cannot fail, here and below.
    let _ = write!(out, "m={} ", media.kind);
    push_number(out, media.port);
    let _ = write!(out, " {}", media.protocol);
    match &media.formats {
        Formats::Rtp(payloads) => {
            for payload in payloads {
                out.push(' ');
                push_number(out, payload.number);
            }
        }
        Formats::Other(tokens) => {
            for token in tokens {
                out.push(' ');
                out.push_str(token);
            }
        }
    }
    out.push_str("\r\n");
    connection(out, media.connection.as_ref());
    for described in media.payloads() {
        payload(out, described);
    }
    milliseconds(out, "a=ptime:", media.ptime);
    milliseconds(out, "a=maxptime:", media.maxptime);
    if let Some(RtcpPort { port, address: at }) = &media.rtcp {
        out.push_str("a=rtcp:");
        push_number(out, *port);
        if let Some(at) = at {
            out.push(' ');
            address(out, at);
        }
        out.push_str("\r\n");
    }
    if media.rtcp_mux {
        out.push_str("a=rtcp-mux\r\n");
    }
    for crypto in &media.crypto {
        let _ = write!(out, "a=crypto:{crypto}\r\n");
    }
    dtls(out, &media.dtls);
    if let Some(mid) = &media.mid {
        out.push_str("a=mid:");
        out.push_str(mid);
        out.push_str("\r\n");
    }
    ice(out, &media.ice);
    direction(out, media.direction);
}

fn payload(out: &mut String, payload: &Payload) {
    if let Some(encoding) = &payload.encoding {
        out.push_str("a=rtpmap:");
        push_number(out, payload.number);
        out.push(' ');
        out.push_str(&encoding.name);
        out.push('/');
        push_number(out, encoding.clock);
        if encoding.channels > 1 {
            out.push('/');
            push_number(out, encoding.channels);
        }
        out.push_str("\r\n");
    }
    if let Some(parameters) = &payload.parameters {
        out.push_str("a=fmtp:");
        push_number(out, payload.number);
        out.push(' ');
        out.push_str(parameters);
        out.push_str("\r\n");
    }
}

fn dtls(out: &mut String, dtls: &Dtls) {
    for fingerprint in &dtls.fingerprints {
        let _ = write!(out, "a=fingerprint:{fingerprint}\r\n");
    }
    if let Some(setup) = dtls.setup {
        let _ = write!(out, "a=setup:{setup}\r\n");
    }
}

/// What both levels share; `ice-lite` belongs to the session alone.
fn ice(out: &mut String, ice: &Ice) {
    if let Some(ufrag) = &ice.ufrag {
        let _ = write!(out, "a=ice-ufrag:{ufrag}\r\n");
    }
    if let Some(password) = &ice.password {
        let _ = write!(out, "a=ice-pwd:{password}\r\n");
    }
    for candidate in &ice.candidates {
        let _ = write!(out, "a=candidate:{candidate}\r\n");
    }
}

fn milliseconds(out: &mut String, attribute: &str, value: Option<u16>) {
    if let Some(value) = value {
        out.push_str(attribute);
        push_number(out, value);
        out.push_str("\r\n");
    }
}

fn direction(out: &mut String, direction: Option<Direction>) {
    if let Some(direction) = direction {
        let _ = write!(out, "a={direction}\r\n");
    }
}
