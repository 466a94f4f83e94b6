//! Writes a description: CRLF, one order for all, only what has a type.
//!
//! The order is that of RFC 8866 §5, with the attributes of a media section as Teams' own samples have them: payloads,
//! packet time, RTCP, keys, ICE, direction. Every RTP payload gets its `a=rtpmap`, static ones included. Unknown lines
//! are left out, always.

use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

use super::{
    Address, Candidate, Direction, Family, Formats, Ice, Media, Origin, Payload, RtcpPort,
    SessionDescription,
};

impl Display for SessionDescription {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "v=0\r\no={}\r\ns={}\r\n", self.origin, self.name)?;
        if let Some(address) = &self.connection {
            write!(f, "c={address}\r\n")?;
        }
        f.write_str("t=0 0\r\n")?;
        if self.ice.lite {
            f.write_str("a=ice-lite\r\n")?;
        }
        ice(f, &self.ice)?;
        milliseconds(f, "ptime", self.ptime)?;
        direction(f, self.direction)?;
        self.media.iter().try_for_each(|media| section(f, media))
    }
}

impl Display for Origin {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {}",
            self.username, self.session_id, self.session_version, self.address
        )
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(ip)) => write!(f, "IN IP4 {ip}"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "IN IP6 {ip}"),
            Self::Name {
                name,
                family: Family::Ip4,
            } => write!(f, "IN IP4 {name}"),
            Self::Name {
                name,
                family: Family::Ip6,
            } => write!(f, "IN IP6 {name}"),
        }
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

fn section(f: &mut Formatter<'_>, media: &Media) -> fmt::Result {
    write!(f, "m={} {} {}", media.kind, media.port, media.protocol)?;
    match &media.formats {
        Formats::Rtp(payloads) => payloads
            .iter()
            .try_for_each(|p| write!(f, " {}", p.number))?,
        Formats::Other(tokens) => tokens.iter().try_for_each(|token| write!(f, " {token}"))?,
    }
    f.write_str("\r\n")?;
    if let Some(address) = &media.connection {
        write!(f, "c={address}\r\n")?;
    }
    media.payloads().iter().try_for_each(|p| payload(f, p))?;
    milliseconds(f, "ptime", media.ptime)?;
    milliseconds(f, "maxptime", media.maxptime)?;
    if let Some(RtcpPort { port, address }) = &media.rtcp {
        write!(f, "a=rtcp:{port}")?;
        if let Some(address) = address {
            write!(f, " {address}")?;
        }
        f.write_str("\r\n")?;
    }
    if media.rtcp_mux {
        f.write_str("a=rtcp-mux\r\n")?;
    }
    for crypto in &media.crypto {
        write!(f, "a=crypto:{crypto}\r\n")?;
    }
    ice(f, &media.ice)?;
    direction(f, media.direction)
}

fn payload(f: &mut Formatter<'_>, payload: &Payload) -> fmt::Result {
    if let Some(encoding) = &payload.encoding {
        write!(
            f,
            "a=rtpmap:{} {}/{}",
            payload.number, encoding.name, encoding.clock
        )?;
        if encoding.channels > 1 {
            write!(f, "/{}", encoding.channels)?;
        }
        f.write_str("\r\n")?;
    }
    if let Some(parameters) = &payload.parameters {
        write!(f, "a=fmtp:{} {parameters}\r\n", payload.number)?;
    }
    Ok(())
}

/// What both levels share; `ice-lite` belongs to the session alone.
fn ice(f: &mut Formatter<'_>, ice: &Ice) -> fmt::Result {
    if let Some(ufrag) = &ice.ufrag {
        write!(f, "a=ice-ufrag:{ufrag}\r\n")?;
    }
    if let Some(password) = &ice.password {
        write!(f, "a=ice-pwd:{password}\r\n")?;
    }
    ice.candidates
        .iter()
        .try_for_each(|candidate| write!(f, "a=candidate:{candidate}\r\n"))
}

fn milliseconds(f: &mut Formatter<'_>, name: &str, value: Option<u16>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, "a={name}:{value}\r\n"))
}

fn direction(f: &mut Formatter<'_>, direction: Option<Direction>) -> fmt::Result {
    direction.map_or(Ok(()), |direction| write!(f, "a={direction}\r\n"))
}
