//! Session descriptions as the lab reads and writes them: one audio stream, SDES keys, and what a judge wants to see.
//!
//! Reading keeps what the checks need (the origin line, every payload, every crypto line, further media); writing gives
//! the lines that Teams or a plain carrier writes.
//!
//! Not here: who may offer when (`call/negotiation.rs`), what Teams refuses (`teams/judge.rs`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Which way audio goes, seen from the one who writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// From the writer alone.
    SendOnly,
    /// To the writer alone.
    RecvOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    /// As an attribute.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// What the other side answers when it has nothing against it (RFC 3264 §6.1).
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            same => same,
        }
    }

    /// Whether the writer sends.
    #[must_use]
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    fn named(name: &str) -> Option<Self> {
        [
            Self::SendRecv,
            Self::SendOnly,
            Self::RecvOnly,
            Self::Inactive,
        ]
        .into_iter()
        .find(|direction| direction.name() == name)
    }
}

/// A crypto suite of RFC 4568 and RFC 7714.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// `AES_CM_128_HMAC_SHA1_80`, the one that Teams takes.
    Sha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`.
    Sha1_32,
    /// `AEAD_AES_128_GCM`.
    Gcm128,
    /// `AEAD_AES_256_GCM`.
    Gcm256,
}

impl Suite {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sha1_80, Self::Sha1_32, Self::Gcm128, Self::Gcm256];

    /// As an attribute.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::Sha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::Gcm128 => "AEAD_AES_128_GCM",
            Self::Gcm256 => "AEAD_AES_256_GCM",
        }
    }

    /// Bytes of the master key and of the salt behind it.
    #[must_use]
    pub fn lengths(self) -> (usize, usize) {
        match self {
            Self::Sha1_80 | Self::Sha1_32 => (16, 14),
            Self::Gcm128 => (16, 12),
            Self::Gcm256 => (32, 12),
        }
    }
}

/// One `a=crypto` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crypto {
    /// Its tag.
    pub tag: u32,
    /// The suite.
    pub suite: Suite,
    /// Master key and salt.
    pub key: Vec<u8>,
    /// As written: `2^31`.
    pub lifetime: Option<String>,
    /// As written: `1:1`.
    pub mki: Option<String>,
}

impl Crypto {
    /// A line with a fresh key and Teams' lifetime (MED-02).
    #[must_use]
    pub fn fresh(tag: u32, suite: Suite) -> Self {
        let (key, salt) = suite.lengths();
        let random = crate::random::bytes::<44>();
        Self {
            tag,
            suite,
            key: random[..key + salt].to_vec(),
            lifetime: Some("2^31".to_owned()),
            mki: None,
        }
    }

    fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace();
        let tag = words.next()?.parse().ok()?;
        let name = words.next()?;
        let suite = Suite::ALL.into_iter().find(|suite| suite.name() == name)?;
        let mut parts = words.next()?.strip_prefix("inline:")?.split('|');
        let key = BASE64.decode(parts.next()?).ok()?;
        let (master, salt) = suite.lengths();
        if key.len() != master + salt {
            return None;
        }
        let (mut lifetime, mut mki) = (None, None);
        for part in parts {
            let place = if part.contains(':') {
                &mut mki
            } else {
                &mut lifetime
            };
            *place = Some(part.to_owned());
        }
        Some(Self {
            tag,
            suite,
            key,
            lifetime,
            mki,
        })
    }

    fn print(&self) -> String {
        let mut line = format!(
            "a=crypto:{} {} inline:{}",
            self.tag,
            self.suite.name(),
            BASE64.encode(&self.key)
        );
        for part in [&self.lifetime, &self.mki].into_iter().flatten() {
            let _ = write!(line, "|{part}");
        }
        line
    }
}

/// The audio stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audio {
    /// RTP port; 0 refuses the stream.
    pub port: u16,
    /// `RTP/AVP`, `RTP/SAVP`.
    pub profile: String,
    /// Payload types in order of preference.
    pub payloads: Vec<u8>,
    /// `a=rtpmap`, by payload type.
    pub maps: BTreeMap<u8, String>,
    /// Which way.
    pub direction: Direction,
    /// Keys, in order.
    pub crypto: Vec<Crypto>,
    /// Crypto lines that could not be read.
    pub crypto_unread: usize,
    /// `a=rtcp`.
    pub rtcp: Option<u16>,
    /// `a=rtcp-mux`.
    pub mux: bool,
    /// `a=ptime`.
    pub ptime: Option<u32>,
    /// Attributes not named above, whole lines.
    pub others: Vec<String>,
}

/// One session description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sdp {
    /// The value of `o=`.
    pub origin: String,
    /// The address for audio.
    pub address: IpAddr,
    /// The first audio stream.
    pub audio: Audio,
    /// Any other `m=` lines.
    pub other_media: Vec<String>,
}

/// Why a description cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpFault {
    /// No `v=0` at the start.
    #[error("it does not begin with v=0")]
    NotSdp,
    /// A line cannot be read.
    #[error("line {0:?}")]
    Line(String),
    /// No `o=` line.
    #[error("no origin")]
    NoOrigin,
    /// No `c=` line.
    #[error("no connection address")]
    NoAddress,
    /// No `m=audio`.
    #[error("no audio")]
    NoAudio,
}

impl Sdp {
    /// Reads a description.
    ///
    /// # Errors
    /// Where something that is needed is missing or unreadable.
    pub fn parse(text: &str) -> Result<Self, SdpFault> {
        let mut lines = text.lines().map(str::trim_end);
        if lines.next() != Some("v=0") {
            return Err(SdpFault::NotSdp);
        }
        let mut reading = Reading::default();
        for line in lines.filter(|line| !line.is_empty()) {
            reading
                .take(line)
                .ok_or_else(|| SdpFault::Line(line.to_owned()))?;
        }
        reading.finish()
    }

    /// The version in the origin line.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.origin.split_whitespace().nth(2)
    }

    /// Where audio goes.
    #[must_use]
    pub fn rtp(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.audio.port)
    }

    /// Where RTCP goes (RFC 3605, RFC 5761).
    #[must_use]
    pub fn rtcp(&self) -> SocketAddr {
        let port = if self.audio.mux {
            self.audio.port
        } else {
            self.audio
                .rtcp
                .unwrap_or_else(|| self.audio.port.wrapping_add(1))
        };
        SocketAddr::new(self.address, port)
    }

    /// The payload type of `telephone-event/8000`.
    #[must_use]
    pub fn telephone_event(&self) -> Option<u8> {
        self.audio
            .maps
            .iter()
            .find(|(_, map)| map.to_ascii_lowercase().starts_with("telephone-event/8000"))
            .map(|(payload, _)| *payload)
    }

    /// The text.
    #[must_use]
    pub fn print(&self) -> String {
        let audio = &self.audio;
        let mut text = format!("v=0\r\no={}\r\ns=session\r\n", self.origin);
        let _ = write!(
            text,
            "c=IN IP4 {}\r\nb=CT:10000000\r\nt=0 0\r\n",
            self.address
        );
        let _ = write!(text, "m=audio {} {}", audio.port, audio.profile);
        for payload in &audio.payloads {
            let _ = write!(text, " {payload}");
        }
        text.push_str("\r\n");
        if let Some(port) = audio.rtcp {
            let _ = write!(text, "a=rtcp:{port}\r\n");
        }
        for other in &audio.others {
            let _ = write!(text, "{other}\r\n");
        }
        for (payload, map) in &audio.maps {
            let _ = write!(text, "a=rtpmap:{payload} {map}\r\n");
            if map.starts_with("telephone-event") {
                let _ = write!(text, "a=fmtp:{payload} 0-16\r\n");
            }
        }
        for crypto in &audio.crypto {
            let _ = write!(text, "{}\r\n", crypto.print());
        }
        if audio.mux {
            text.push_str("a=rtcp-mux\r\n");
        }
        if let Some(ptime) = audio.ptime {
            let _ = write!(text, "a=ptime:{ptime}\r\n");
        }
        let _ = write!(text, "a={}\r\n", audio.direction.name());
        text
    }
}

#[derive(Default)]
struct Reading {
    origin: Option<String>,
    session_address: Option<IpAddr>,
    session_direction: Option<Direction>,
    audio: Option<(Audio, Option<IpAddr>)>,
    in_other: bool,
    other_media: Vec<String>,
}

impl Reading {
    fn take(&mut self, line: &str) -> Option<()> {
        let (kind, value) = line.split_once('=')?;
        match kind {
            "o" => self.origin = Some(value.to_owned()),
            "c" => self.connection(value)?,
            "m" => self.media(value)?,
            "a" if !self.in_other => self.attribute(line, value),
            _ => {}
        }
        Some(())
    }

    fn connection(&mut self, value: &str) -> Option<()> {
        let address = value
            .split_whitespace()
            .nth(2)?
            .split('/')
            .next()?
            .parse()
            .ok()?;
        match (&mut self.audio, self.in_other) {
            (None, false) => self.session_address = Some(address),
            (Some((_, place)), false) => *place = Some(address),
            (_, true) => {}
        }
        Some(())
    }

    fn media(&mut self, value: &str) -> Option<()> {
        let mut words = value.split_whitespace();
        if words.next()? != "audio" || self.audio.is_some() {
            self.in_other = true;
            self.other_media.push(value.to_owned());
            return Some(());
        }
        let port = words.next()?.split('/').next()?.parse().ok()?;
        let profile = words.next()?.to_owned();
        let payloads = words.map(|word| word.parse().ok()).collect::<Option<_>>()?;
        let audio = Audio {
            port,
            profile,
            payloads,
            maps: BTreeMap::new(),
            direction: self.session_direction.unwrap_or(Direction::SendRecv),
            crypto: Vec::new(),
            crypto_unread: 0,
            rtcp: None,
            mux: false,
            ptime: None,
            others: Vec::new(),
        };
        self.audio = Some((audio, None));
        Some(())
    }

    fn attribute(&mut self, line: &str, value: &str) {
        let (name, value) = value.split_once(':').unwrap_or((value, ""));
        let direction = Direction::named(name);
        let Some((audio, _)) = &mut self.audio else {
            self.session_direction = direction.or(self.session_direction);
            return;
        };
        match name {
            "rtpmap" => {
                if let Some((payload, map)) = value.split_once(' ')
                    && let Ok(payload) = payload.parse()
                {
                    audio.maps.insert(payload, map.to_owned());
                }
            }
            "crypto" => match Crypto::parse(value) {
                Some(crypto) => audio.crypto.push(crypto),
                None => audio.crypto_unread += 1,
            },
            "rtcp" => {
                audio.rtcp = value
                    .split_whitespace()
                    .next()
                    .and_then(|port| port.parse().ok())
            }
            "rtcp-mux" => audio.mux = true,
            // Written anew with every telephone-event.
            "fmtp" if value.ends_with(" 0-16") => {}
            "ptime" => audio.ptime = value.parse().ok(),
            _ => match direction {
                Some(direction) => audio.direction = direction,
                None => audio.others.push(line.to_owned()),
            },
        }
    }

    fn finish(self) -> Result<Sdp, SdpFault> {
        let (audio, own) = self.audio.ok_or(SdpFault::NoAudio)?;
        Ok(Sdp {
            origin: self.origin.ok_or(SdpFault::NoOrigin)?,
            address: own.or(self.session_address).ok_or(SdpFault::NoAddress)?,
            audio,
            other_media: self.other_media,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=- 3905 1 IN IP4 198.51.100.20\r\ns=-\r\nc=IN IP4 198.51.100.20\r\nt=0 0\r\n\
        m=audio 20010 RTP/SAVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
        a=rtcp:20011\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd|2^31|1:1\r\n\
        a=inactive\r\na=label:main-audio\r\nm=video 0 RTP/AVP 99\r\na=sendonly\r\n";

    #[test]
    fn reads_what_the_checks_need() {
        let sdp = Sdp::parse(OFFER).expect("readable");
        assert_eq!(sdp.version(), Some("1"));
        assert_eq!(sdp.rtp(), "198.51.100.20:20010".parse().expect("address"));
        assert_eq!(sdp.rtcp().port(), 20011);
        assert_eq!(sdp.audio.direction, Direction::Inactive);
        assert_eq!(sdp.telephone_event(), Some(101));
        let crypto = &sdp.audio.crypto[0];
        assert_eq!((crypto.suite, crypto.key.len()), (Suite::Sha1_80, 30));
        assert_eq!(crypto.lifetime.as_deref(), Some("2^31"));
        assert_eq!(crypto.mki.as_deref(), Some("1:1"));
        assert_eq!(sdp.other_media, ["video 0 RTP/AVP 99"]);
    }

    #[test]
    fn writes_what_it_reads() {
        let mut sdp = Sdp::parse(OFFER).expect("readable");
        sdp.other_media.clear();
        assert_eq!(Sdp::parse(&sdp.print()).as_ref(), Ok(&sdp));
    }

    #[test]
    fn says_what_is_missing() {
        assert_eq!(Sdp::parse("m=audio"), Err(SdpFault::NotSdp));
        assert_eq!(
            Sdp::parse("v=0\no=- 1 1 IN IP4 1.2.3.4\nc=IN IP4 1.2.3.4"),
            Err(SdpFault::NoAudio)
        );
    }
}
