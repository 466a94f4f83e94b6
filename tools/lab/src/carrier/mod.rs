//! A simulated carrier: a trunk over UDP and TCP on one address and port, with a registrar where the box must register.
//!
//! Numbers do what their scripts say, or ring once and answer. It takes nearly everything, and complains of what no
//! carrier should see: anything of the Teams leg, datagrams over the path MTU, SRTP.
//!
//! Not here: calls (`crate::call`), digest (`registrar.rs`).

pub mod registrar;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};

pub use registrar::{Account, Algorithm, Binding, Registrar};

use crate::call::book::CallBook;
use crate::call::{
    Call, Dial, Dialler, Event, Judge, MediaStyle, OfferWhen, Persona, Refusal, Script, SdpRole,
};
use crate::complaint::{Complaints, Rule};
use crate::held::lock;
use crate::media::{Codec, Voice};
use crate::random;
use crate::sdp::{Sdp, Suite};
use crate::sip::endpoint::Stray;
use crate::sip::flow::{self, Listening, UdpPort};
use crate::sip::{Case, Endpoint, Incoming, Message, Protocol};
use crate::teams::judge::leaks;

/// RFC 3261 §18.1.1: over this a request goes by TCP.
const LONGEST_DATAGRAM: usize = 1300;

/// How to play a carrier.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name, in events.
    pub name: String,
    /// Where it listens, UDP and TCP; port 0 takes a free one.
    pub address: SocketAddr,
    /// Where the box listens for it.
    pub box_address: SocketAddr,
    /// How its own requests go.
    pub protocol: Protocol,
    /// Codecs in order of preference.
    pub codecs: Vec<Codec>,
    /// Suites, where it wants SRTP.
    pub suites: Vec<Suite>,
    /// Whether it offers rtcp-mux.
    pub mux: bool,
    /// Whether it supports reliable provisional answers.
    pub reliable: bool,
    /// Words that must not come over from the Teams leg.
    pub secrets: Vec<String>,
    /// Where the box must register.
    pub account: Option<Account>,
}

impl Settings {
    /// A plain carrier over UDP.
    #[must_use]
    pub fn usual(name: &str, address: SocketAddr, box_address: SocketAddr) -> Self {
        Self {
            name: name.to_owned(),
            address,
            box_address,
            protocol: Protocol::Udp,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            suites: Vec::new(),
            mux: false,
            reliable: false,
            secrets: Vec::new(),
            account: None,
        }
    }
}

/// A call from the telephone network.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The number calling, or `anonymous`.
    pub caller: String,
    /// The number called, as this carrier writes it.
    pub callee: String,
    /// Further headers: P-Asserted-Identity, Privacy, Diversion …
    pub headers: Vec<(String, String)>,
    /// The offer.
    pub offer: OfferWhen,
}

impl Outgoing {
    /// A plain call.
    #[must_use]
    pub fn new(caller: &str, callee: &str) -> Self {
        Self {
            caller: caller.to_owned(),
            callee: callee.to_owned(),
            headers: Vec::new(),
            offer: OfferWhen::Early,
        }
    }
}

/// A carrier; clones share it.
#[derive(Debug, Clone)]
pub struct Carrier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    address: SocketAddr,
    persona: Arc<Persona>,
    complaints: Complaints,
    registrar: Option<Registrar>,
    _udp: Arc<UdpPort>,
    _tcp: Listening,
    scripts: Mutex<HashMap<String, Script>>,
    calls: CallBook,
}

impl Carrier {
    /// Opens its ports.
    ///
    /// # Errors
    /// Where the address is taken.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let (endpoint, strays) = Endpoint::new(&settings.name, Case::Usual);
        let (port, tcp) = bind_both(settings.address, &endpoint).await?;
        let address = port.address();
        let port = Arc::new(port);
        let dialler = match settings.protocol {
            Protocol::Udp => Dialler::Udp {
                port: port.clone(),
                to: settings.box_address,
            },
            Protocol::Tcp | Protocol::Tls => Dialler::Tcp {
                from: address.ip(),
                to: settings.box_address,
                endpoint: endpoint.clone(),
                open: tokio::sync::Mutex::new(None),
            },
        };
        let complaints = Complaints::default();
        let transport = match settings.protocol {
            Protocol::Udp => "",
            Protocol::Tcp | Protocol::Tls => ";transport=tcp",
        };
        let supported = if settings.reliable {
            "100rel, timer, replaces"
        } else {
            "timer, replaces"
        };
        let persona = Arc::new(Persona {
            endpoint,
            dialler,
            contact: format!("<sip:{address}{transport}>"),
            record_route: None,
            headers: vec![
                (
                    "Allow".to_owned(),
                    "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, REFER, NOTIFY"
                        .to_owned(),
                ),
                ("Supported".to_owned(), supported.to_owned()),
            ],
            media: MediaStyle {
                address: address.ip(),
                says: Voice::Carrier,
                hears: Voice::Teams,
                codecs: settings.codecs.clone(),
                decoration: Vec::new(),
                secure: settings.suites.clone(),
                mux: settings.mux,
                event: 96,
                first_sequence: None,
            },
            judge: Arc::new(CarrierJudge {
                complaints: complaints.clone(),
                secrets: settings.secrets.clone(),
            }),
            complaints: complaints.clone(),
            events: broadcast::Sender::new(1024),
        });
        let carrier = Self(Arc::new(Inner {
            registrar: settings.account.clone().map(Registrar::new),
            settings,
            address,
            persona,
            complaints,
            _udp: port,
            _tcp: tcp,
            scripts: Mutex::default(),
            calls: CallBook::default(),
        }));
        tokio::spawn(carrier.clone().serve(strays));
        Ok(carrier)
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// What it holds against the box.
    #[must_use]
    pub fn complaints(&self) -> &Complaints {
        &self.0.complaints
    }

    /// What happens in its calls, from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.0.persona.events.subscribe()
    }

    /// Where the box registers, if it must.
    #[must_use]
    pub fn registrar(&self) -> Option<&Registrar> {
        self.0.registrar.as_ref()
    }

    /// Shows every message on standard error.
    pub fn show_messages(&self) {
        self.0.persona.endpoint.show_messages();
    }

    /// What a number does from now on, written as the box sends it.
    pub fn on(&self, number: &str, script: Script) {
        lock(&self.0.scripts).insert(number.to_owned(), script);
    }

    /// Places a call.
    ///
    /// # Errors
    /// Where no media ports are free.
    pub async fn call(&self, outgoing: Outgoing) -> io::Result<Call> {
        let to = self.0.settings.box_address;
        let host = match outgoing.caller.as_str() {
            "anonymous" => "anonymous.invalid".to_owned(),
            _ => self.0.address.to_string(),
        };
        let transport = match self.0.settings.protocol {
            Protocol::Udp => "",
            Protocol::Tcp | Protocol::Tls => ";transport=tcp",
        };
        let dial = Dial {
            uri: format!("sip:{}@{to}{transport}", outgoing.callee),
            from: format!("<sip:{}@{host}>", outgoing.caller),
            to: format!("<sip:{}@{to}>", outgoing.callee),
            headers: outgoing.headers,
            offer: outgoing.offer,
        };
        let call = Call::dial(&self.0.persona, dial).await?;
        self.0.calls.keep(&call);
        Ok(call)
    }

    /// Every call so far, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.0.calls.all()
    }

    /// Waits for a call from the box that fits.
    pub async fn wait_for(&self, within: Duration, fits: impl Fn(&Call) -> bool) -> Option<Call> {
        self.0.calls.wait_for(within, fits).await
    }

    async fn serve(self, mut strays: mpsc::UnboundedReceiver<Stray>) {
        while let Some(stray) = strays.recv().await {
            match stray {
                Stray::Request(incoming) => self.take_stray(incoming),
                Stray::Response(_) => {}
                Stray::Unreadable { error, bytes, .. } => {
                    let text = String::from_utf8_lossy(&bytes)
                        .chars()
                        .take(120)
                        .collect::<String>();
                    self.0
                        .complaints
                        .add(Rule::Unreadable, format!("{error}: {text:?}"));
                }
                Stray::Handshake { peer, error } => {
                    self.0
                        .complaints
                        .add(Rule::Handshake, format!("{peer}: {error}"));
                }
            }
        }
    }

    fn take_stray(&self, incoming: Incoming) {
        let message = &incoming.message;
        let endpoint = &self.0.persona.endpoint;
        let reply =
            |code, phrase| Message::response(message, code, phrase).with_to_tag(&random::token());
        match (message.method().unwrap_or_default(), message.to_tag()) {
            ("ACK", _) => {}
            ("OPTIONS", None) => {
                endpoint.respond(
                    &incoming,
                    reply(200, "OK").with_all(&self.0.persona.headers),
                );
            }
            ("REGISTER", None) => match &self.0.registrar {
                Some(registrar) => endpoint.respond(&incoming, registrar.register(message)),
                None => endpoint.respond(&incoming, reply(405, "Method Not Allowed")),
            },
            ("INVITE", None) => {
                if let Err(refusal) = self.0.persona.judge.request(&incoming) {
                    return endpoint.respond(&incoming, reply(refusal.code, &refusal.phrase));
                }
                let carrier = self.clone();
                tokio::spawn(async move { carrier.take_invite(incoming).await });
            }
            (method, _) => {
                let detail = format!("{method} {} fits no call", message.call_id());
                self.0.complaints.add(Rule::OutOfPlace, detail);
                endpoint.respond(&incoming, reply(481, "Call/Transaction Does Not Exist"));
            }
        }
    }

    async fn take_invite(&self, incoming: Incoming) {
        let Ok(call) = Call::take(&self.0.persona, incoming).await else {
            return;
        };
        self.0.calls.keep(&call);
        let script = lock(&self.0.scripts).get(call.callee()).cloned();
        script.unwrap_or_else(Script::answer).play(call).await;
    }
}

/// What a carrier minds.
#[derive(Debug)]
struct CarrierJudge {
    complaints: Complaints,
    secrets: Vec<String>,
}

impl CarrierJudge {
    fn look(&self, message: &Message) {
        leaks(&self.complaints, &self.secrets, message);
    }
}

impl Judge for CarrierJudge {
    fn request(&self, incoming: &Incoming) -> Result<(), Refusal> {
        self.look(&incoming.message);
        let size = incoming.message.print(Case::Usual).len();
        if incoming.flow.protocol() == Protocol::Udp && size > LONGEST_DATAGRAM {
            self.complaints.add(Rule::UdpSize, format!("{size} bytes"));
        }
        Ok(())
    }

    fn response(&self, _request: &Message, response: &Message) {
        self.look(response);
    }

    fn sdp(&self, _role: SdpRole, sdp: &Sdp, before: Option<&Sdp>) -> Result<(), Refusal> {
        let text = sdp.print();
        for secret in self
            .secrets
            .iter()
            .filter(|secret| text.contains(secret.as_str()))
        {
            self.complaints.add(Rule::Leak, format!("{secret} in SDP"));
        }
        if let Some(before) = before.filter(|before| before.rtp() != sdp.rtp()) {
            self.complaints.add(
                Rule::MediaMoved,
                format!("{} to {}", before.rtp(), sdp.rtp()),
            );
        }
        Ok(())
    }
}

/// UDP and TCP on the same port.
async fn bind_both(address: SocketAddr, endpoint: &Endpoint) -> io::Result<(UdpPort, Listening)> {
    let mut last = None;
    for _ in 0..20 {
        let udp = UdpPort::bind(address, endpoint.clone()).await?;
        match flow::listen_tcp(udp.address(), endpoint.clone()).await {
            Ok(tcp) => return Ok((udp, tcp)),
            // A free UDP port may be taken for TCP; a chosen one stays taken.
            Err(error) if address.port() == 0 => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::other("no free port")))
}
