//! One `m=` section, typed: payloads, direction, packet time, RTCP, keys, DTLS, ICE.
//!
//! An attribute that is known but cannot be read counts as unknown (RFC 8866 §5.13): it lands in [`Media::other`], and the
//! media is used without it or refused by whoever needs it.
//!
//! Not here: reading and writing (`parse.rs`, `print.rs`); keys (`crypto.rs`).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Address, Crypto, Dtls, UnknownLine};

/// An `m=` line and the lines below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// What is sent: audio, video, …
    pub kind: MediaKind,
    /// Where; 0 refuses the section (RFC 3264 §6).
    pub port: u16,
    /// How.
    pub protocol: Protocol,
    /// In which formats, the preferred first.
    pub formats: Formats,
    /// `c=` of this section.
    pub connection: Option<Address>,
    /// `a=sendrecv` and its like, of this section.
    pub direction: Option<Direction>,
    /// `a=ptime`: milliseconds of sound a packet should hold.
    pub ptime: Option<u16>,
    /// `a=maxptime`: milliseconds of sound a packet may hold.
    pub maxptime: Option<u16>,
    /// `a=rtcp` (RFC 3605).
    pub rtcp: Option<RtcpPort>,
    /// `a=rtcp-mux` (RFC 5761).
    pub rtcp_mux: bool,
    /// `a=crypto` lines, in order (RFC 4568).
    pub crypto: Vec<Crypto>,
    /// DTLS lines of this section.
    pub dtls: Dtls,
    /// `a=mid` (RFC 5888 §4): how a group of sections names it.
    pub mid: Option<String>,
    /// ICE lines of this section.
    pub ice: Ice,
    /// Lines that were not understood, in order; for looking at, never written.
    pub other: Vec<UnknownLine>,
}

impl Media {
    /// A section without attributes.
    pub const fn new(kind: MediaKind, port: u16, protocol: Protocol, formats: Formats) -> Self {
        Self {
            kind,
            port,
            protocol,
            formats,
            connection: None,
            direction: None,
            ptime: None,
            maxptime: None,
            rtcp: None,
            rtcp_mux: false,
            crypto: Vec::new(),
            dtls: Dtls::NONE,
            mid: None,
            ice: Ice {
                ufrag: None,
                password: None,
                lite: false,
                candidates: Vec::new(),
            },
            other: Vec::new(),
        }
    }

    /// The refusal of this section in an answer: same kind, protocol, formats and name, port 0 (RFC 3264 §6).
    pub fn refused(&self) -> Self {
        let mut refused = Self::new(
            self.kind.clone(),
            0,
            self.protocol.clone(),
            self.formats.bare(),
        );
        refused.mid.clone_from(&self.mid);
        refused
    }

    /// RTP payloads in order of preference; none for sections that are not RTP.
    pub fn payloads(&self) -> &[Payload] {
        match &self.formats {
            Formats::Rtp(payloads) => payloads,
            Formats::Other(_) => &[],
        }
    }
}

/// The media type of an `m=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// `audio`
    Audio,
    /// `video`
    Video,
    /// `image` (T.38)
    Image,
    /// Any other, as written.
    Other(String),
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Image => "image",
            Self::Other(kind) => kind,
        })
    }
}

/// The transport of an `m=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `RTP/AVP` (RFC 3551)
    RtpAvp,
    /// `RTP/AVPF` (RFC 4585)
    RtpAvpf,
    /// `RTP/SAVP` (RFC 3711)
    RtpSavp,
    /// `RTP/SAVPF` (RFC 5124)
    RtpSavpf,
    /// `UDP/TLS/RTP/SAVP` (RFC 5764)
    UdpTlsRtpSavp,
    /// `UDP/TLS/RTP/SAVPF` (RFC 5764)
    UdpTlsRtpSavpf,
    /// Any other, as written: `udptl`, `TCP/MSRP`, …
    Other(String),
}

impl Protocol {
    /// Reads the third field of an `m=` line.
    pub fn parse(text: &str) -> Self {
        match text {
            _ if text.eq_ignore_ascii_case("RTP/AVP") => Self::RtpAvp,
            _ if text.eq_ignore_ascii_case("RTP/AVPF") => Self::RtpAvpf,
            _ if text.eq_ignore_ascii_case("RTP/SAVP") => Self::RtpSavp,
            _ if text.eq_ignore_ascii_case("RTP/SAVPF") => Self::RtpSavpf,
            _ if text.eq_ignore_ascii_case("UDP/TLS/RTP/SAVP") => Self::UdpTlsRtpSavp,
            _ if text.eq_ignore_ascii_case("UDP/TLS/RTP/SAVPF") => Self::UdpTlsRtpSavpf,
            _ => Self::Other(text.to_owned()),
        }
    }

    /// Whether its formats are RTP payload types.
    pub fn is_rtp(&self) -> bool {
        match self {
            Self::RtpAvp
            | Self::RtpAvpf
            | Self::RtpSavp
            | Self::RtpSavpf
            | Self::UdpTlsRtpSavp
            | Self::UdpTlsRtpSavpf => true,
            Self::Other(name) => name.contains("RTP/") || name.contains("rtp/"),
        }
    }

    /// Whether packets are SRTP with keys from `a=crypto`.
    pub const fn is_secure(&self) -> bool {
        matches!(self, Self::RtpSavp | Self::RtpSavpf)
    }

    /// Whether packets are SRTP with keys from a DTLS handshake.
    pub const fn is_dtls(&self) -> bool {
        matches!(self, Self::UdpTlsRtpSavp | Self::UdpTlsRtpSavpf)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RtpAvp => "RTP/AVP",
            Self::RtpAvpf => "RTP/AVPF",
            Self::RtpSavp => "RTP/SAVP",
            Self::RtpSavpf => "RTP/SAVPF",
            Self::UdpTlsRtpSavp => "UDP/TLS/RTP/SAVP",
            Self::UdpTlsRtpSavpf => "UDP/TLS/RTP/SAVPF",
            Self::Other(name) => name,
        })
    }
}

/// The formats of an `m=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formats {
    /// Payload types of an RTP protocol, in order.
    Rtp(Vec<Payload>),
    /// Tokens of any other protocol, in order.
    Other(Vec<String>),
}

impl Formats {
    /// The same formats without what `a=` lines said about them.
    fn bare(&self) -> Self {
        match self {
            Self::Rtp(payloads) => {
                Self::Rtp(payloads.iter().map(|p| Payload::bare(p.number)).collect())
            }
            Self::Other(tokens) => Self::Other(tokens.clone()),
        }
    }
}

/// An RTP payload type and what `a=rtpmap` and `a=fmtp` say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The payload type, 0 to 127.
    pub number: u8,
    /// What it is: from `a=rtpmap`, else from the static table of RFC 3551 §6. `None`: a dynamic number without a map.
    pub encoding: Option<Encoding>,
    /// `a=fmtp`, as written.
    pub parameters: Option<String>,
}

impl Payload {
    /// A number with its static meaning, if it has one.
    pub fn bare(number: u8) -> Self {
        Self {
            number,
            encoding: Encoding::of_static(number),
            parameters: None,
        }
    }
}

/// `a=rtpmap`: encoding name, clock rate, channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// The name as written; names compare without case (RFC 4855 §3).
    pub name: String,
    /// RTP clock rate in Hz. G.722 writes 8000 for its 16000 samples a second (RFC 3551 §4.5.2).
    pub clock: u32,
    /// Channels; 1 when not written.
    pub channels: u8,
}

impl Encoding {
    /// A one-channel encoding.
    pub fn mono(name: &str, clock: u32) -> Self {
        Self {
            name: name.to_owned(),
            clock,
            channels: 1,
        }
    }

    /// Whether this is `name` at `clock` Hz on one channel.
    pub fn is(&self, name: &str, clock: u32) -> bool {
        self.name.eq_ignore_ascii_case(name) && self.clock == clock && self.channels == 1
    }

    /// The audio payload types with a fixed meaning that are still met (RFC 3551 §6, table 4).
    pub fn of_static(number: u8) -> Option<Self> {
        let (name, clock) = match number {
            0 => ("PCMU", 8000),
            3 => ("GSM", 8000),
            4 => ("G723", 8000),
            8 => ("PCMA", 8000),
            9 => ("G722", 8000),
            13 => ("CN", 8000),
            15 => ("G728", 8000),
            18 => ("G729", 8000),
            _ => return None,
        };
        Some(Self::mono(name, clock))
    }
}

/// `a=rtcp:port [IN IP4 address]` (RFC 3605).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtcpPort {
    /// The port RTCP goes to.
    pub port: u16,
    /// Its address, when it differs from that of the media.
    pub address: Option<Address>,
}

/// Who sends, as seen by the writer of the description (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// `sendrecv`
    SendRecv,
    /// `sendonly`
    SendOnly,
    /// `recvonly`
    RecvOnly,
    /// `inactive`
    Inactive,
}

impl Direction {
    /// Reads the attribute's name.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "sendrecv" => Self::SendRecv,
            "sendonly" => Self::SendOnly,
            "recvonly" => Self::RecvOnly,
            "inactive" => Self::Inactive,
            _ => return None,
        })
    }

    /// Whether the writer sends.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the writer receives.
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same flow seen from the other end.
    pub const fn reversed(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            both => both,
        }
    }

    /// What both allow (RFC 3264 §6.1).
    pub const fn and(self, other: Self) -> Self {
        match (
            self.sends() && other.sends(),
            self.receives() && other.receives(),
        ) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        })
    }
}

/// The ICE lines of a level (RFC 8839).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ice {
    /// `a=ice-ufrag`
    pub ufrag: Option<String>,
    /// `a=ice-pwd`
    pub password: Option<String>,
    /// `a=ice-lite`
    pub lite: bool,
    /// `a=candidate`, in order.
    pub candidates: Vec<Candidate>,
}

/// `a=candidate` (RFC 8839 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Foundation.
    pub foundation: String,
    /// Component: 1 is RTP, 2 is RTCP.
    pub component: u16,
    /// `UDP`, `TCP`, … as written.
    pub transport: String,
    /// Priority.
    pub priority: u32,
    /// Address; a name may stand here (RFC 8839 §5.1).
    pub address: String,
    /// Port.
    pub port: u16,
    /// `host`, `srflx`, `prflx`, `relay`, … as written.
    pub kind: String,
    /// What follows the type (`raddr`, `rport`, `tcptype`, …), as written.
    pub rest: String,
}

#[cfg(test)]
mod tests {
    use super::Direction::{self, Inactive, RecvOnly, SendOnly, SendRecv};

    #[test]
    fn directions_reverse_and_meet() {
        let all = [SendRecv, SendOnly, RecvOnly, Inactive];
        for a in all {
            assert_eq!(a.reversed().reversed(), a);
            assert_eq!(a.reversed().sends(), a.receives());
            assert_eq!(Direction::parse(&a.to_string()), Some(a));
            for b in all {
                assert_eq!(a.and(b), b.and(a));
                assert_eq!(a.and(b).sends(), a.sends() && b.sends());
                assert_eq!(a.and(b).receives(), a.receives() && b.receives());
            }
        }
    }
}
