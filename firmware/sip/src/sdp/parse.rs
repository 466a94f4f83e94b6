//! Reads a description, line by line, with its bounds.
//!
//! The lines that carry the description (`v=`, `o=`, `c=`, `m=`) must be right, or the error names them. Every other line
//! is either understood or kept as unknown. When a line that may stand once stands twice, the first counts.
//!
//! Tolerated, because it is met: bare LF, empty lines, missing `s=` and `t=`, spaces in the user name of `o=`, host names
//! and bracketed IPv6 in `c=`, a refused `m=` line without formats, bytes that are no UTF-8.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::{
    Address, Bound, Candidate, Direction, Encoding, Family, Formats, Ice, Media, MediaKind, Origin,
    ParseError, Payload, Problem, Protocol, RtcpPort, SessionDescription, UnknownLine, limit,
};

/// Reads a whole body.
pub(super) fn description(body: &[u8]) -> Result<SessionDescription, ParseError> {
    let whole = |problem| ParseError { line: 0, problem };
    if body.len() > limit::BODY {
        return Err(whole(Problem::TooLarge(Bound::Body)));
    }
    let text = String::from_utf8_lossy(body);
    let mut reader = Reader::default();
    for (index, line) in text.split('\n').enumerate() {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let at = |problem| ParseError {
            line: number,
            problem,
        };
        if index >= limit::LINES {
            return Err(at(Problem::TooLarge(Bound::Lines)));
        }
        let line = line.trim_end_matches('\r');
        if !line.trim().is_empty() {
            reader.line(line).map_err(at)?;
        }
    }
    reader.finish().map_err(whole)
}

/// Digits only: `FromStr` of the integers would also take a sign.
pub(super) fn decimal<T: FromStr>(text: &str) -> Option<T> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

#[derive(Default)]
enum Reader {
    /// Nothing yet.
    #[default]
    Start,
    /// `v=0` was there; these lines came before `o=`.
    Version(Vec<UnknownLine>),
    /// `o=` was there.
    Description(Box<SessionDescription>),
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), Problem> {
        if line.len() > limit::LINE {
            return Err(Problem::TooLarge(Bound::Line));
        }
        if line.chars().any(|c| c.is_ascii_control() && c != '\t') {
            return Err(Problem::Control);
        }
        let mut letters = line.chars();
        let (Some(letter), Some('=')) = (letters.next(), letters.next()) else {
            return Err(Problem::NotALine);
        };
        if !letter.is_ascii_alphabetic() {
            return Err(Problem::NotALine);
        }
        let value = letters.as_str();
        match self {
            Self::Start if letter == 'v' && value.trim() == "0" => {
                *self = Self::Version(Vec::new())
            }
            Self::Start => return Err(Problem::Version),
            Self::Version(early) if letter == 'o' => {
                let mut description = SessionDescription::new(origin(value)?);
                description.other = std::mem::take(early);
                *self = Self::Description(Box::new(description));
            }
            Self::Version(_) if letter == 'm' => return Err(Problem::NoOrigin),
            Self::Version(early) => early.push(unknown(letter, value)),
            Self::Description(description) => below_origin(description, letter, value)?,
        }
        Ok(())
    }

    fn finish(self) -> Result<SessionDescription, Problem> {
        match self {
            Self::Start => Err(Problem::Empty),
            Self::Version(_) => Err(Problem::NoOrigin),
            Self::Description(mut description) => {
                description.media.iter_mut().for_each(static_meanings);
                Ok(*description)
            }
        }
    }
}

fn below_origin(
    description: &mut SessionDescription,
    letter: char,
    value: &str,
) -> Result<(), Problem> {
    if letter == 'm' {
        if description.media.len() == limit::MEDIA {
            return Err(Problem::TooLarge(Bound::Media));
        }
        description.media.push(media(value)?);
        return Ok(());
    }
    let understood = match description.media.last_mut() {
        Some(section) => match letter {
            'c' => first(&mut section.connection, Some(connection(value)?)),
            'a' => media_attribute(section, value)?,
            _ => false,
        },
        None => match letter {
            's' if description.name == "-" => {
                let name = value.trim();
                if !name.is_empty() {
                    description.name = name.to_owned();
                }
                true
            }
            'c' => first(&mut description.connection, Some(connection(value)?)),
            // The times of a call are those of its dialog; `t=0 0` is written.
            't' => true,
            'a' => session_attribute(description, value)?,
            _ => false,
        },
    };
    if !understood {
        let other = description
            .media
            .last_mut()
            .map_or(&mut description.other, |section| &mut section.other);
        other.push(unknown(letter, value));
    }
    Ok(())
}

fn session_attribute(
    description: &mut SessionDescription,
    attribute: &str,
) -> Result<bool, Problem> {
    let (name, value) = split(attribute);
    Ok(match (name, value) {
        ("ptime", Some(value)) => first(&mut description.ptime, packet_time(value)),
        ("group", Some(value)) => bundle(&mut description.bundle, value),
        ("ice-lite", None) => {
            description.ice.lite = true;
            true
        }
        (name, None) => first(&mut description.direction, Direction::parse(name)),
        (name, Some(value)) => {
            description.dtls.take(name, value) || ice_attribute(&mut description.ice, name, value)?
        }
    })
}

/// Whether the attribute was understood.
fn media_attribute(media: &mut Media, attribute: &str) -> Result<bool, Problem> {
    let (name, value) = split(attribute);
    Ok(match (name, value) {
        ("rtpmap", Some(value)) => rtpmap(media, value).is_some(),
        ("fmtp", Some(value)) => fmtp(media, value).is_some(),
        ("ptime", Some(value)) => first(&mut media.ptime, packet_time(value)),
        ("maxptime", Some(value)) => first(&mut media.maxptime, packet_time(value)),
        ("rtcp", Some(value)) => first(&mut media.rtcp, rtcp(value)),
        ("mid", Some(value)) => first(&mut media.mid, section_name(value)),
        ("rtcp-mux", None) => {
            media.rtcp_mux = true;
            true
        }
        ("crypto", Some(value)) => match value.parse() {
            Ok(_) if media.crypto.len() == limit::CRYPTO => {
                return Err(Problem::TooLarge(Bound::Crypto));
            }
            Ok(crypto) => {
                media.crypto.push(crypto);
                true
            }
            Err(_) => false,
        },
        (name, None) => first(&mut media.direction, Direction::parse(name)),
        (name, Some(value)) => {
            media.dtls.take(name, value) || ice_attribute(&mut media.ice, name, value)?
        }
    })
}

fn section_name(text: &str) -> Option<String> {
    let is_one = (1..=limit::MID).contains(&text.len()) && !text.contains(char::is_whitespace);
    is_one.then(|| text.to_owned())
}

/// RFC 9143 §5: the first group of its kind; other groups are not understood.
fn bundle(names: &mut Vec<String>, value: &str) -> bool {
    let Some(group) = value.strip_prefix("BUNDLE ").filter(|_| names.is_empty()) else {
        return false;
    };
    let read: Option<Vec<String>> = group.split_ascii_whitespace().map(section_name).collect();
    let read = read.filter(|read| (1..=limit::MEDIA).contains(&read.len()));
    read.map(|read| *names = read).is_some()
}

fn ice_attribute(ice: &mut Ice, name: &str, value: &str) -> Result<bool, Problem> {
    let word = || (!value.is_empty() && !value.contains(' ')).then(|| value.to_owned());
    Ok(match name {
        "ice-ufrag" => first(&mut ice.ufrag, word()),
        "ice-pwd" => first(&mut ice.password, word()),
        "candidate" => match candidate(value) {
            Some(_) if ice.candidates.len() == limit::CANDIDATES => {
                return Err(Problem::TooLarge(Bound::Candidates));
            }
            Some(candidate) => {
                ice.candidates.push(candidate);
                true
            }
            None => false,
        },
        _ => false,
    })
}

fn origin(value: &str) -> Result<Origin, Problem> {
    // Read from the right: there are writers with spaces in their user name.
    let mut fields: Vec<&str> = value.split_ascii_whitespace().collect();
    let mut field = || fields.pop().ok_or(Problem::Origin);
    let (host, family, network) = (field()?, field()?, field()?);
    let (version, id) = (field()?, field()?);
    let username = if fields.is_empty() {
        "-".to_owned()
    } else {
        fields.join("-")
    };
    Ok(Origin {
        username,
        session_id: decimal(id).ok_or(Problem::Origin)?,
        session_version: decimal(version).ok_or(Problem::Origin)?,
        address: address(network, family, host).ok_or(Problem::Origin)?,
    })
}

fn connection(value: &str) -> Result<Address, Problem> {
    let mut fields = value.split_ascii_whitespace();
    let mut field = || fields.next().ok_or(Problem::Connection);
    address(field()?, field()?, field()?).ok_or(Problem::Connection)
}

fn address(network: &str, family: &str, host: &str) -> Option<Address> {
    if !network.eq_ignore_ascii_case("IN") {
        return None;
    }
    let family = match family {
        _ if family.eq_ignore_ascii_case("IP4") => Family::Ip4,
        _ if family.eq_ignore_ascii_case("IP6") => Family::Ip6,
        _ => return None,
    };
    // A multicast address bears a TTL and a count after a slash.
    let host = host.split('/').next().unwrap_or(host);
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Some(Address::Ip(ip));
    }
    let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    if let Some(ip) = bracketed.and_then(|host| host.parse::<Ipv6Addr>().ok()) {
        return Some(Address::Ip(ip.into()));
    }
    let is_name = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    is_name.then(|| Address::Name {
        name: host.to_owned(),
        family,
    })
}

fn media(value: &str) -> Result<Media, Problem> {
    let mut fields = value.split_ascii_whitespace();
    let mut field = || fields.next().ok_or(Problem::Media);
    let (kind, port, protocol) = (field()?, field()?, field()?);
    let kind = match kind {
        _ if kind.eq_ignore_ascii_case("audio") => MediaKind::Audio,
        _ if kind.eq_ignore_ascii_case("video") => MediaKind::Video,
        _ if kind.eq_ignore_ascii_case("image") => MediaKind::Image,
        other => MediaKind::Other(other.to_owned()),
    };
    // `port/count` announces several ports; only the first is of use.
    let port = port.split('/').next().and_then(decimal);
    let port = port.ok_or(Problem::Media)?;
    let protocol = Protocol::parse(protocol);
    let formats = formats(fields, port, &protocol)?;
    Ok(Media::new(kind, port, protocol, formats))
}

fn formats<'a>(
    tokens: impl Iterator<Item = &'a str>,
    port: u16,
    protocol: &Protocol,
) -> Result<Formats, Problem> {
    let tokens: Vec<&str> = tokens.take(limit::FORMATS + 1).collect();
    if tokens.len() > limit::FORMATS {
        return Err(Problem::TooLarge(Bound::Formats));
    }
    if tokens.is_empty() {
        // A refused line without formats is met; the grammar wants one, and which one does not matter.
        return match port {
            0 if protocol.is_rtp() => Ok(Formats::Rtp(vec![Payload::bare(0)])),
            0 => Ok(Formats::Other(vec!["-".to_owned()])),
            _ => Err(Problem::Media),
        };
    }
    if !protocol.is_rtp() {
        return Ok(Formats::Other(
            tokens.into_iter().map(str::to_owned).collect(),
        ));
    }
    let mut payloads: Vec<Payload> = Vec::with_capacity(tokens.len());
    for token in tokens {
        let number = decimal(token).filter(|number| *number <= 127);
        let number = number.ok_or(Problem::PayloadType)?;
        if !payloads.iter().any(|payload| payload.number == number) {
            payloads.push(Payload {
                number,
                encoding: None,
                parameters: None,
            });
        }
    }
    Ok(Formats::Rtp(payloads))
}

/// RFC 3551 §6: a number without a map may still have a meaning.
fn static_meanings(media: &mut Media) {
    if let Formats::Rtp(payloads) = &mut media.formats {
        for payload in payloads {
            payload.encoding = payload
                .encoding
                .take()
                .or_else(|| Encoding::of_static(payload.number));
        }
    }
}

/// `rtpmap:<payload type> <name>/<clock>[/<channels>]`
fn rtpmap(media: &mut Media, value: &str) -> Option<()> {
    let (payload, map) = payload_of(media, value)?;
    let mut parts = map.split('/');
    let name = parts.next().filter(|name| !name.is_empty())?;
    let clock = decimal(parts.next()?).filter(|clock| *clock > 0)?;
    let channels = match parts.next() {
        Some(channels) => decimal(channels).filter(|channels| *channels > 0)?,
        None => 1,
    };
    if name.contains(' ') {
        return None;
    }
    let encoding = Encoding {
        name: name.to_owned(),
        clock,
        channels,
    };
    first(&mut payload.encoding, Some(encoding)).then_some(())
}

/// `fmtp:<payload type> <parameters>`
fn fmtp(media: &mut Media, value: &str) -> Option<()> {
    let (payload, parameters) = payload_of(media, value)?;
    first(&mut payload.parameters, Some(parameters.to_owned())).then_some(())
}

/// The payload that a line speaks of, and the rest of the line.
fn payload_of<'m, 'v>(media: &'m mut Media, value: &'v str) -> Option<(&'m mut Payload, &'v str)> {
    let (number, rest) = value.split_once(' ')?;
    let number: u8 = decimal(number)?;
    let rest = rest.trim();
    let Formats::Rtp(payloads) = &mut media.formats else {
        return None;
    };
    let payload = payloads.iter_mut().find(|p| p.number == number)?;
    (!rest.is_empty()).then_some((payload, rest))
}

fn rtcp(value: &str) -> Option<RtcpPort> {
    let mut fields = value.split_ascii_whitespace();
    let port = decimal(fields.next()?)?;
    let address = match fields.next() {
        Some(network) => Some(address(network, fields.next()?, fields.next()?)?),
        None => None,
    };
    Some(RtcpPort { port, address })
}

fn candidate(value: &str) -> Option<Candidate> {
    let mut fields = value.split_ascii_whitespace();
    let mut field = || fields.next().map(str::to_owned);
    let foundation = field()?;
    let component = decimal(&field()?)?;
    let transport = field()?;
    let priority = decimal(&field()?)?;
    let address = field()?;
    let port = decimal(&field()?)?;
    if field()? != "typ" {
        return None;
    }
    let kind = field()?;
    Some(Candidate {
        foundation,
        component,
        transport,
        priority,
        address,
        port,
        kind,
        rest: fields.collect::<Vec<_>>().join(" "),
    })
}

fn packet_time(value: &str) -> Option<u16> {
    decimal(value).filter(|milliseconds| *milliseconds > 0)
}

/// `name` or `name:value`, without the spaces around.
fn split(attribute: &str) -> (&str, Option<&str>) {
    match attribute.split_once(':') {
        Some((name, value)) => (name.trim(), Some(value.trim())),
        None => (attribute.trim(), None),
    }
}

/// Fills an empty `slot`; whether `value` was there and the slot was free.
fn first<T>(slot: &mut Option<T>, value: Option<T>) -> bool {
    let fills = slot.is_none() && value.is_some();
    if fills {
        *slot = value;
    }
    fills
}

fn unknown(letter: char, value: &str) -> UnknownLine {
    UnknownLine {
        letter,
        text: value.to_owned(),
    }
}
