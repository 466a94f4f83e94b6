//! What the rim tells the protocol about where bytes came from and where they go: pure values, no sockets.
//!
//! The shell owns sockets and connections and names each by a [`FlowId`]; protocol machines only carry these names.
//! Not here: choosing where a request goes (`resolve`), framing (`framing`), TLS itself (the shell).

use std::net::SocketAddr;
use std::sync::Arc;

/// A transport that SIP runs over here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// RFC 3261 §18.1.1: unreliable, one message a datagram.
    Udp,
    /// A byte stream, framed by Content-Length.
    Tcp,
    /// TLS over TCP.
    Tls,
}

impl Transport {
    /// Whether the transport itself resends what is lost, so that transactions need not (RFC 3261 §17).
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// The token of the Via header: `UDP`, `TCP`, `TLS`.
    #[must_use]
    pub const fn via_token(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// The value of a URI's `transport` parameter: `udp`, `tcp`, `tls`.
    #[must_use]
    pub const fn uri_param(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }

    /// The default port (RFC 3261 §19.1.2): 5060, or 5061 for TLS.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }
}

/// A connection (TCP, TLS) that is open, or one UDP socket. Never reused by the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowId(pub u64);

/// Index of a listener in the configuration in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenerId(pub u32);

/// What is known of the peer of a TLS connection, after the handshake.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsPeer {
    /// The name the peer asked for (server side) or that we asked for (client side).
    pub server_name: Option<String>,
    /// DNS names of the peer's certificate, whose chain has been verified. Empty: it showed none.
    pub names: Vec<String>,
}

/// Where a message came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The connection or UDP socket it came on; responses go back on it (RFC 3261 §18.2.2).
    pub flow: FlowId,
    /// The listener, or the listener on whose behalf the connection was opened.
    pub listener: ListenerId,
    /// The transport.
    pub transport: Transport,
    /// Our address.
    pub local: SocketAddr,
    /// The peer's address and port.
    pub remote: SocketAddr,
    /// Present on TLS.
    pub tls: Option<Arc<TlsPeer>>,
}

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The transport.
    pub transport: Transport,
    /// Address and port to send or connect to.
    pub remote: SocketAddr,
    /// The listener to send from (UDP) or on whose behalf to connect (its address is the source address).
    pub listener: ListenerId,
    /// A flow to use if it is still open (RFC 5923, and responses); otherwise the shell connects to `remote`.
    pub flow: Option<FlowId>,
    /// For TLS: what to ask for and show.
    pub tls: Option<TlsTarget>,
}

/// The client side of a TLS connection to be opened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TlsTarget {
    /// SNI, and the name the peer's certificate must hold (SIG-07, RFC 5922).
    pub server_name: Arc<str>,
    /// Name of the identity (certificate and key) in the configuration to show (SIG-06).
    pub identity: Arc<str>,
    /// Name of the trust bundle in the configuration that the peer's chain must end in.
    pub trust: Arc<str>,
}
