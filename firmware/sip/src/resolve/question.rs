//! What is asked of the DNS and what it says, as values.
//!
//! Names are kept in lower case without a trailing dot, so that equal questions are equal.
//!
//! Not here: the wire format; a resolver of the rim asks and answers.

use std::net::IpAddr;
use std::sync::Arc;

use embassy_time::Duration;

/// The kinds of records that SIP needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordKind {
    /// RFC 3403.
    Naptr,
    /// RFC 2782.
    Srv,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
}

/// A question to the DNS.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Question {
    name: Arc<str>,
    kind: RecordKind,
}

impl Question {
    /// About a name.
    #[must_use]
    pub fn new(name: &str, kind: RecordKind) -> Self {
        Self {
            name: normal(name),
            kind,
        }
    }

    /// The name, lower case, without a trailing dot.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kind of record.
    #[must_use]
    pub const fn kind(&self) -> RecordKind {
        self.kind
    }
}

pub(super) fn normal(name: &str) -> Arc<str> {
    name.strip_suffix('.')
        .unwrap_or(name)
        .to_ascii_lowercase()
        .into()
}

/// A NAPTR record; only those with flag `s` and an empty regular expression serve SIP (RFC 3263 §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naptr {
    /// Lower goes first.
    pub order: u16,
    /// Among equal orders, lower goes first.
    pub preference: u16,
    /// `s`: the replacement is looked up as SRV.
    pub flags: String,
    /// `SIP+D2U`, `SIP+D2T`, `SIPS+D2T`.
    pub service: String,
    /// The name of the SRV records.
    pub replacement: String,
}

/// An SRV record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    /// Lower goes first.
    pub priority: u16,
    /// Share among equal priorities.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host; `.` says that the service is not offered.
    pub target: String,
}

/// A record of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Of a NAPTR question.
    Naptr(Naptr),
    /// Of an SRV question.
    Srv(Srv),
    /// Of an A or AAAA question.
    Address(IpAddr),
}

/// What the DNS said. Records of another kind than was asked for are passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Records, good for a time.
    Records {
        /// The records.
        records: Vec<Record>,
        /// The least of their TTLs.
        ttl: Duration,
    },
    /// There is no such name, or none of this kind (RFC 2308).
    None {
        /// How long that holds: the least of the SOA's TTL and its minimum.
        ttl: Duration,
    },
    /// The name servers did not answer, or failed.
    Failed,
}

impl Answer {
    /// Addresses, good for a time.
    #[must_use]
    pub fn addresses(addresses: impl IntoIterator<Item = IpAddr>, ttl: Duration) -> Self {
        let records = addresses.into_iter().map(Record::Address).collect();
        Self::Records { records, ttl }
    }

    pub(super) fn records(&self) -> &[Record] {
        match self {
            Self::Records { records, .. } => records,
            Self::None { .. } | Self::Failed => &[],
        }
    }
}
