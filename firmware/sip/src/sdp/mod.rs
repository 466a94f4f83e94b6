//! SDP: what a SIP body says about media (RFC 8866, RFC 3264, RFC 4568).
//!
//! - [`SessionDescription::parse`] reads tolerantly: missing `s=` and `t=`, bare LF, names in `c=`, unknown lines.
//!   Only what makes the description unusable is an error, and then with its line ([`ParseError`]).
//! - [`Display`](std::fmt::Display) writes strictly: CRLF, fixed order, typed lines only. What was not understood is kept
//!   for looking at ([`SessionDescription::other`], [`Media::other`]) and is never written again, so nothing unknown can
//!   cross from one leg of a call to the other.
//! - [`offer_answer`] says who may offer when, and which `o=` version the next description bears.
//!
//! Every collection is bounded ([`limit`]): a body decides neither our memory nor our time.
//!
//! Not here: which codecs and keys a leg accepts (that is policy, in `call::media`); ICE beyond reading its lines.

pub mod crypto;
pub mod dtls;
pub mod limit;
pub mod media;
pub mod offer_answer;

mod parse;
mod print;

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;

pub use self::crypto::{Crypto, KeyParameter, Lifetime, MasterKey, Mki, SessionParameter, Suite};
pub use self::dtls::{Dtls, Fingerprint, Setup};
pub use self::media::{
    Candidate, Direction, Encoding, Formats, Ice, Media, MediaKind, Payload, Protocol, RtcpPort,
};

/// A whole description: the session's lines, then one [`Media`] per `m=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionDescription {
    /// `o=`: who wrote this, and which version it is.
    pub origin: Origin,
    /// `s=`; `-` when the writer left it out.
    pub name: String,
    /// `c=` of the session: holds for each media section without one of its own.
    pub connection: Option<Address>,
    /// The direction of the session: holds for each media section without one of its own.
    pub direction: Option<Direction>,
    /// `a=ptime` of the session: holds for each media section without one of its own.
    pub ptime: Option<u16>,
    /// ICE lines of the session level (`ice-ufrag`, `ice-pwd`, `ice-lite`).
    pub ice: Ice,
    /// DTLS lines of the session level: they hold for each media section without its own.
    pub dtls: Dtls,
    /// `a=group:BUNDLE`: the names of the sections that share one transport (RFC 9143).
    pub bundle: Vec<String>,
    /// Lines that were not understood, in order; for looking at, never written.
    pub other: Vec<UnknownLine>,
    /// The `m=` sections, in order. An answer mirrors their number and order (RFC 3264 §6).
    pub media: Vec<Media>,
}

impl SessionDescription {
    /// An empty description by `origin`, `s=-`.
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            name: "-".to_owned(),
            connection: None,
            direction: None,
            ptime: None,
            ice: Ice::default(),
            dtls: Dtls::NONE,
            bundle: Vec::new(),
            other: Vec::new(),
            media: Vec::new(),
        }
    }

    /// Reads `body`, whatever its line ends.
    ///
    /// # Errors
    /// When a line that carries the description (`v=`, `o=`, `c=`, `m=`) cannot be read, or when a bound is passed.
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        parse::description(body)
    }

    /// Where `media` is sent: its own `c=`, else the session's (RFC 8866 §5.7).
    pub fn address_of<'a>(&'a self, media: &'a Media) -> Option<&'a Address> {
        media.connection.as_ref().or(self.connection.as_ref())
    }

    /// The direction of `media`: its own, else the session's, else sendrecv (RFC 3264 §5.1).
    pub fn direction_of(&self, media: &Media) -> Direction {
        media
            .direction
            .or(self.direction)
            .unwrap_or(Direction::SendRecv)
    }

    /// Whether both say the same thing, apart from who wrote it and in which version (RFC 3264 §8). Lines that were not
    /// understood count: what they say may differ.
    pub fn same_content(&self, other: &Self) -> bool {
        let Self {
            origin: _,
            name,
            connection,
            direction,
            ptime,
            ice,
            dtls,
            bundle,
            other: unknown,
            media,
        } = self;
        *name == other.name
            && *connection == other.connection
            && *direction == other.direction
            && *ptime == other.ptime
            && *ice == other.ice
            && *dtls == other.dtls
            && *bundle == other.bundle
            && *unknown == other.other
            && *media == other.media
    }

    /// The fingerprints of `media`: its own, else the session's (RFC 8122 §5).
    pub fn fingerprints_of<'a>(&'a self, media: &'a Media) -> &'a [Fingerprint] {
        let own = &media.dtls.fingerprints;
        if own.is_empty() {
            &self.dtls.fingerprints
        } else {
            own
        }
    }

    /// Who begins the handshake of `media`, as its section says, else the session (RFC 4145 §4).
    pub fn setup_of(&self, media: &Media) -> Option<Setup> {
        media.dtls.setup.or(self.dtls.setup)
    }

    /// The packet time of `media`: its own, else the session's.
    pub fn ptime_of(&self, media: &Media) -> Option<u16> {
        media.ptime.or(self.ptime)
    }
}

/// `o=` (RFC 8866 §5.2): the writer's name, its session and the version of this description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// User name; `-` when there is none.
    pub username: String,
    /// Session id. Writers exist that use more than 64 bits.
    pub session_id: u128,
    /// Session version: one higher with each change (RFC 3264 §8).
    pub session_version: u128,
    /// The writer's address; says nothing about where media goes.
    pub address: Address,
}

/// An address in `o=`, `c=` or `a=rtcp`: `IN IP4 …`, `IN IP6 …`, or a host name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A literal address.
    Ip(IpAddr),
    /// A fully qualified domain name, kept as written.
    Name {
        /// The name.
        name: String,
        /// The address family it was announced with.
        family: Family,
    },
}

impl Address {
    /// The literal address, if this is one.
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Name { .. } => None,
        }
    }

    /// `0.0.0.0` or `::`: the hold of RFC 2543 (RFC 3264 §8.4).
    pub const fn is_unspecified(&self) -> bool {
        match self {
            Self::Ip(ip) => ip.is_unspecified(),
            Self::Name { .. } => false,
        }
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip)
    }
}

/// The address family of a named [`Address`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `IP4`
    Ip4,
    /// `IP6`
    Ip6,
}

/// A line that has no type here, kept so that a person can look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLine {
    /// The letter before `=`.
    pub letter: char,
    /// The text after it.
    pub text: String,
}

/// Why a body is no description, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("SDP line {line}: {problem}")]
pub struct ParseError {
    /// The line, counted from 1; 0 for the body as a whole.
    pub line: u32,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// Nothing but white space.
    #[error("the body is empty")]
    Empty,
    /// Not `x=…`.
    #[error("not a letter, an equals sign and a value")]
    NotALine,
    /// A control character within a line.
    #[error("a control character in the line")]
    Control,
    /// The first line is not `v=0`.
    #[error("the description does not begin with v=0")]
    Version,
    /// There is no `o=` line before the media.
    #[error("the o= line is missing")]
    NoOrigin,
    /// `o=` without its six fields, or with ids that are not numbers.
    #[error("the o= line cannot be read")]
    Origin,
    /// `c=` that is not `IN IP4|IP6 address`.
    #[error("the c= line cannot be read")]
    Connection,
    /// `m=` without kind, port, protocol and formats.
    #[error("the m= line cannot be read")]
    Media,
    /// A payload type over 127, or none at all, in an RTP `m=` line.
    #[error("a payload type of the m= line cannot be read")]
    PayloadType,
    /// A bound of [`limit`] is passed.
    #[error("too large: more than {0} allowed")]
    TooLarge(Bound),
}

/// Which bound was passed; its value is the constant of the same name in [`limit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// [`limit::BODY`]
    Body,
    /// [`limit::LINE`]
    Line,
    /// [`limit::LINES`]
    Lines,
    /// [`limit::MEDIA`]
    Media,
    /// [`limit::FORMATS`]
    Formats,
    /// [`limit::CRYPTO`]
    Crypto,
    /// [`limit::CANDIDATES`]
    Candidates,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, of) = match self {
            Self::Body => (limit::BODY, "bytes in the body"),
            Self::Line => (limit::LINE, "bytes in a line"),
            Self::Lines => (limit::LINES, "lines"),
            Self::Media => (limit::MEDIA, "m= lines"),
            Self::Formats => (limit::FORMATS, "formats in an m= line"),
            Self::Crypto => (limit::CRYPTO, "a=crypto lines in one media section"),
            Self::Candidates => (limit::CANDIDATES, "ICE candidates in one media section"),
        };
        write!(f, "{value} {of}")
    }
}
