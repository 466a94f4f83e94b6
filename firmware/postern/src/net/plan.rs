//! What the network is to be: its listeners, the sources it trusts, its identities. Plain values, made from a configuration.
//!
//! Applying one plan after another is how a reload reaches the sockets.
//!
//! Not here: sockets (`listening`).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sip::transport::Transport;

use crate::tls::{ServerPlan, Store};

/// A listener to be open.
#[derive(Debug, Clone)]
pub struct ListenerPlan {
    /// Its name, for the log.
    pub name: Arc<str>,
    /// What it speaks.
    pub transport: Transport,
    /// Where it listens.
    pub address: SocketAddr,
    /// For TLS.
    pub tls: Option<ServerPlan>,
}

/// Which sources belong to trunks.
#[derive(Clone)]
pub struct Trusted(Arc<dyn Fn(IpAddr) -> bool>);

impl Trusted {
    /// Asks `test` of every source.
    pub fn new(test: impl Fn(IpAddr) -> bool + 'static) -> Self {
        Self(Arc::new(test))
    }

    pub(super) fn contains(&self, source: IpAddr) -> bool {
        (self.0)(source)
    }
}

impl Default for Trusted {
    fn default() -> Self {
        Self::new(|_| false)
    }
}

impl std::fmt::Debug for Trusted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trusted")
    }
}

/// All that the network needs of a configuration.
#[derive(Debug, Clone)]
pub struct Plan {
    /// In the order of their [`ListenerId`]s.
    pub listeners: Vec<ListenerPlan>,
    /// The sources of the trunks.
    pub trusted: Trusted,
    /// Identities and trust for connections of ours.
    pub store: Arc<Store>,
}

/// A listener that could not be opened. The others are.
#[derive(Debug, thiserror::Error)]
#[error("listener {name} cannot listen on {address}: {cause}")]
pub struct ListenError {
    /// Its name.
    pub name: Arc<str>,
    /// Its address.
    pub address: SocketAddr,
    /// Why.
    pub cause: io::Error,
}
