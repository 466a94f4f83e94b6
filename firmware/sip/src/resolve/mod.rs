//! From a URI to addresses (RFC 3263), and on to the next address when one fails.
//!
//! A [`Goal`] says what is to be reached. [`Resolver::lookup`] gives its [`Hop`]s at once when the answers are known, or the
//! [`Question`]s to be asked of the DNS; [`Resolver::answered`] takes the answers. [`Failover`] walks along the hops, by the
//! cause of each failure; [`Outages`] remembers who is not worth asking now.
//!
//! Not here: the DNS protocol, listeners, connections.

mod cache;
mod failover;
mod question;
mod resolver;
mod walk;

pub use cache::Cache;
pub use failover::{Cause, Failover, Outages, SILENCE, Verdict};
pub use question::{Answer, Naptr, Question, Record, RecordKind, Srv};
pub use resolver::{Lookup, Resolver, Settled, Ticket};

pub use crate::message::HostPort;

use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;

use crate::message::{Host, Scheme, Uri};
use crate::transport::Transport;

/// What is to be reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Goal {
    /// The name or address.
    pub host: Host,
    /// The port, where one is given.
    pub port: Option<u16>,
    /// The transport, where one is given.
    pub transport: Option<Transport>,
    /// Whether the scheme demands TLS.
    pub security: Security,
}

/// What a scheme demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Security {
    /// `sip:`
    Any,
    /// `sips:`: TLS alone.
    Tls,
}

/// A URI that leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GoalError {
    /// It names no host (`tel:`, `urn:`).
    #[error("the URI names no host")]
    NoHost,
    /// Its transport is none of ours, or UDP where TLS is demanded.
    #[error("the URI names a transport that is not spoken here")]
    Transport,
    /// Its `maddr` is no host.
    #[error("the URI's maddr is no host")]
    Maddr,
}

impl Goal {
    /// Of a URI (RFC 3263 §4): `maddr` goes before the host, TLS before TCP where the scheme demands it.
    ///
    /// # Errors
    /// Nothing can be reached by it.
    pub fn of_uri(uri: &Uri) -> Result<Self, GoalError> {
        let host = uri.host().ok_or(GoalError::NoHost)?;
        let security = match uri.scheme() {
            Scheme::Sips => Security::Tls,
            _ => Security::Any,
        };
        let params = uri.params();
        let host = match params.value("maddr") {
            Some(maddr) => maddr.parse().map_err(|_| GoalError::Maddr)?,
            None => host.clone(),
        };
        let named = match params.value("transport") {
            Some(named) => Some(
                [Transport::Udp, Transport::Tcp, Transport::Tls]
                    .into_iter()
                    .find(|transport| transport.uri_param().eq_ignore_ascii_case(named))
                    .ok_or(GoalError::Transport)?,
            ),
            None => None,
        };
        let transport = match (named, security) {
            (Some(Transport::Udp), Security::Tls) => return Err(GoalError::Transport),
            // RFC 3261 §26.2.2: sips over TCP is TLS.
            (Some(Transport::Tcp), Security::Tls) => Some(Transport::Tls),
            (named, _) => named,
        };
        Ok(Self {
            host,
            port: uri.port(),
            transport,
            security,
        })
    }
}

/// What we can speak from where we stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abilities {
    /// Transports, the best first.
    pub transports: Vec<Transport>,
    /// Address families.
    pub families: Families,
}

/// Address families, the better first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Families {
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
    /// IPv4, then IPv6.
    V4ThenV6,
    /// IPv6, then IPv4 (RFC 6724).
    V6ThenV4,
}

impl Families {
    const fn kinds(self) -> &'static [RecordKind] {
        match self {
            Self::V4 => &[RecordKind::A],
            Self::V6 => &[RecordKind::Aaaa],
            Self::V4ThenV6 => &[RecordKind::A, RecordKind::Aaaa],
            Self::V6ThenV4 => &[RecordKind::Aaaa, RecordKind::A],
        }
    }
}

/// One address to try.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Hop {
    /// How.
    pub transport: Transport,
    /// Where.
    pub addr: SocketAddr,
    /// The name that a certificate must show (RFC 5922 §4): that of the goal, whatever SRV made of it.
    pub server_name: Arc<str>,
}

/// Nothing to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unresolved {
    /// The DNS knows no address of it.
    #[error("the name has no address")]
    NoAddress,
    /// The DNS did not answer.
    #[error("the name servers did not answer")]
    NoAnswer,
    /// It can be reached only in ways that we cannot go.
    #[error("no transport or address family in common")]
    NothingInCommon,
    /// Too many names are waiting for an answer.
    #[error("too many names are being looked up")]
    Busy,
}
