//! Who a call is played by: the headers, media and manners that all calls of one peer share, and how it reaches the box.
//!
//! Not here: one call (`mod.rs`); which messages of the box a peer takes (`Judge`, written by each peer).

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};

use tokio::sync::{Mutex, broadcast};

use super::Event;
use crate::complaint::Complaints;
use crate::media::{Codec, Voice};
use crate::sdp::{Sdp, Suite};
use crate::sip::flow::{self, UdpPort};
use crate::sip::values::UriParts;
use crate::sip::{Endpoint, Flow, Incoming, Message};
use crate::tls;

/// What all calls of one peer share.
#[derive(Debug)]
pub struct Persona {
    /// Its transactions.
    pub endpoint: Endpoint,
    /// How its requests reach the box.
    pub dialler: Dialler,
    /// Contact values; `{i}` stands for the call's correlation id.
    pub contact: String,
    /// Put into INVITEs and the responses that form dialogs, as the proxy in front of it does.
    pub record_route: Option<String>,
    /// Put into requests and final responses.
    pub headers: Vec<(String, String)>,
    /// Its media.
    pub media: MediaStyle,
    /// What it takes from the box.
    pub judge: Arc<dyn Judge>,
    /// Where its complaints go.
    pub complaints: Complaints,
    /// Where its events go.
    pub events: broadcast::Sender<Event>,
}

/// How a peer does audio.
#[derive(Debug, Clone)]
pub struct MediaStyle {
    /// Where to bind.
    pub address: IpAddr,
    /// What to say.
    pub says: Voice,
    /// What to expect.
    pub hears: Voice,
    /// Codecs in order of preference.
    pub codecs: Vec<Codec>,
    /// Further payload types that an offer lists, with their names, and that are never chosen.
    pub decoration: Vec<(u8, &'static str)>,
    /// Suites to offer in this order; none: plain RTP.
    pub secure: Vec<Suite>,
    /// Whether offers carry `a=rtcp-mux`; answers mirror.
    pub mux: bool,
    /// The payload type of digits.
    pub event: u8,
    /// The first sequence number.
    pub first_sequence: Option<u16>,
}

/// A request is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub code: u16,
    /// Its phrase.
    pub phrase: String,
    /// Further headers, as Reason.
    pub headers: Vec<(String, String)>,
}

impl Refusal {
    /// A refusal without further headers.
    #[must_use]
    pub fn new(code: u16, phrase: &str) -> Self {
        Self {
            code,
            phrase: phrase.to_owned(),
            headers: Vec::new(),
        }
    }

    /// The same with a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// What a description is about to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SdpRole {
    /// The box offers.
    Offer,
    /// The box answers.
    Answer,
}

/// What a peer takes from the box. The default takes everything.
pub trait Judge: fmt::Debug + Send + Sync {
    /// A request within a call, a first INVITE included.
    ///
    /// # Errors
    /// The refusal to answer it with.
    fn request(&self, incoming: &Incoming) -> Result<(), Refusal> {
        let _ = incoming;
        Ok(())
    }

    /// A response to a request of ours.
    fn response(&self, request: &Message, response: &Message) {
        let _ = (request, response);
    }

    /// A description, and the one of the same call before it.
    ///
    /// # Errors
    /// The refusal to answer an offer with.
    fn sdp(&self, role: SdpRole, sdp: &Sdp, before: Option<&Sdp>) -> Result<(), Refusal> {
        let _ = (role, sdp, before);
        Ok(())
    }
}

/// Takes everything.
#[derive(Debug)]
pub struct Indulgent;

impl Judge for Indulgent {}

/// How requests reach the box.
#[derive(Debug)]
pub enum Dialler {
    /// From one socket.
    Udp {
        /// The socket.
        port: Arc<UdpPort>,
        /// The box, where a URI names no address.
        to: SocketAddr,
    },
    /// Over one TCP connection, opened when needed.
    Tcp {
        /// Our address.
        from: IpAddr,
        /// The box.
        to: SocketAddr,
        /// Where messages go.
        endpoint: Endpoint,
        /// The connection.
        open: Mutex<Option<Flow>>,
    },
    /// As Teams: own TLS connections from several addresses, the next request on the next (INV-10).
    Tls(TlsDialler),
}

/// Teams' way to the box.
#[derive(Debug)]
pub struct TlsDialler {
    client: tls::Client,
    endpoint: Endpoint,
    sources: Vec<IpAddr>,
    hosts: std::sync::Mutex<HashMap<String, SocketAddr>>,
    open: Mutex<HashMap<(String, IpAddr), Flow>>,
    turn: AtomicUsize,
}

impl TlsDialler {
    /// Dials hosts by a table of names instead of DNS.
    #[must_use]
    pub fn new(
        client: tls::Client,
        endpoint: Endpoint,
        sources: Vec<IpAddr>,
        hosts: HashMap<String, SocketAddr>,
    ) -> Self {
        Self {
            client,
            endpoint,
            sources,
            hosts: std::sync::Mutex::new(hosts),
            open: Mutex::default(),
            turn: AtomicUsize::new(0),
        }
    }

    /// Closes every connection: the next request opens anew.
    pub async fn close_all(&self) {
        for (_, flow) in self.open.lock().await.drain() {
            flow.close();
        }
    }

    async fn open(&self, host: &str) -> io::Result<Flow> {
        let known = self
            .hosts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&host.to_ascii_lowercase())
            .copied();
        let address = known.ok_or_else(|| io::Error::other(format!("no such host: {host}")))?;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let source = self.sources[turn % self.sources.len()];
        let key = (host.to_ascii_lowercase(), source);
        let known = self.open.lock().await.get(&key).cloned();
        if let Some(flow) = known.filter(Flow::is_open) {
            return Ok(flow);
        }
        // Handshakes run beside each other; of two to one host the later serves on.
        let from = SocketAddr::new(source, 0);
        let flow =
            flow::connect_tls(from, address, host, &self.client, self.endpoint.clone()).await?;
        self.open.lock().await.insert(key, flow.clone());
        Ok(flow)
    }
}

impl Dialler {
    /// A way for a request to this URI.
    ///
    /// # Errors
    /// Where the box cannot be reached.
    pub async fn open(&self, uri: &str) -> io::Result<Flow> {
        let parts = UriParts::parse(uri);
        match self {
            Self::Udp { port, to } => {
                let address = parts.and_then(|parts| {
                    let host: IpAddr = parts.host.parse().ok()?;
                    Some(SocketAddr::new(host, parts.port.unwrap_or(5060)))
                });
                Ok(port.to(address.unwrap_or(*to)))
            }
            Self::Tcp {
                from,
                to,
                endpoint,
                open,
            } => {
                let mut open = open.lock().await;
                if let Some(flow) = open.as_ref().filter(|flow| flow.is_open()) {
                    return Ok(flow.clone());
                }
                let flow =
                    flow::connect_tcp(SocketAddr::new(*from, 0), *to, endpoint.clone()).await?;
                *open = Some(flow.clone());
                Ok(flow)
            }
            Self::Tls(dialler) => {
                let host = parts.map(|parts| parts.host).unwrap_or_default();
                dialler.open(host).await
            }
        }
    }
}
