//! A simulated Teams: three proxies over mutual TLS, a table of tenants, calls both ways, and every rule of the spec.
//!
//! One endpoint serves the three listeners; its own requests leave from other addresses than it listens on, over
//! connections of their own. A number does what its [`Script`] says, or rings once and answers.
//!
//! Not here: the rules (`judge.rs`), OPTIONS (`options.rs`), transfers (`referral.rs`), calls (`crate::call`).

pub mod judge;
mod options;
mod referral;
mod settings;
pub mod tenants;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};

use judge::{MIN_SE, TeamsJudge};
pub use judge::{NAMES, Strictness};
pub use referral::{Target, Transferred};
pub use settings::{Fault, Outgoing, Settings};
pub use tenants::{Tenant, Tenants};

use crate::call::book::CallBook;
use crate::call::{
    Call, Dial, Dialler, Event, Judge, MediaStyle, Persona, Refusal, Script, TlsDialler,
};
use crate::complaint::{Complaints, Rule};
use crate::held::lock;
use crate::media::{Codec, Voice};
use crate::sip::endpoint::Stray;
use crate::sip::flow::{self, Listening};
use crate::sip::{Case, Endpoint, Flow, Incoming, Message, Protocol};
use crate::tls::{self, TlsFacts};

pub(crate) const SERVER: &str = "Microsoft.PSTNHub.SIPProxy v.2026.1.1.1 i.EUWE.1";
/// Handshakes remembered.
const KEPT_CONNECTIONS: usize = 500;

/// Teams; clones share it.
#[derive(Debug, Clone)]
pub struct Teams(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    tenants: Arc<Tenants>,
    persona: Arc<Persona>,
    judge: Arc<TeamsJudge>,
    complaints: Complaints,
    proxies: [SocketAddr; 3],
    listening: Mutex<Vec<Option<Listening>>>,
    _trap: Option<Listening>,
    faults: Mutex<[Fault; 3]>,
    scripts: Mutex<HashMap<String, Script>>,
    calls: CallBook,
    referrals: Mutex<Vec<referral::Referral>>,
    heard: Mutex<options::Heard>,
    options_answered: AtomicU64,
    connections: Mutex<Vec<TlsFacts>>,
}

impl Teams {
    /// Opens the proxies.
    ///
    /// # Errors
    /// Where an address is taken or the certificates do not fit.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let (endpoint, strays) = Endpoint::new("teams", Case::Upper);
        let acceptor = tls::acceptor(&settings.identity, &settings.box_roots, settings.versions)?;
        let mut listening = Vec::new();
        for address in settings.proxies {
            let listener = flow::listen_tls(address, acceptor.clone(), endpoint.clone()).await?;
            listening.push(Some(listener));
        }
        let proxies: [SocketAddr; 3] = std::array::from_fn(|at| {
            listening[at]
                .as_ref()
                .map_or(settings.proxies[at], Listening::address)
        });
        // INV-09: whoever dials the Contact's port 443 is heard, where we may listen there at all.
        let trap = SocketAddr::new(settings.media, 443);
        let trap = flow::listen_tcp(trap, endpoint.clone()).await.ok();
        let complaints = Complaints::default();
        let tenants = Arc::new(Tenants(settings.tenants.clone()));
        let judge = Arc::new(TeamsJudge {
            tenants: tenants.clone(),
            complaints: complaints.clone(),
            strictness: settings.strictness,
            secrets: settings.secrets.clone(),
        });
        let client = tls::Client::new(
            Some(&settings.identity),
            &settings.box_roots,
            settings.versions,
        )?;
        let persona = Arc::new(Persona {
            dialler: Dialler::Tls(TlsDialler::new(
                client,
                endpoint.clone(),
                settings.sources.clone(),
                settings.hosts.clone(),
            )),
            endpoint,
            contact: "<sip:api-du-a-euwe.pstnhub.microsoft.com:443;x-i={i};x-c=0123abcd/s/1/89ef>"
                .to_owned(),
            record_route: Some(format!(
                "<sip:sip-du-a-eu.pstnhub.microsoft.com:{};transport=tls;lr>",
                proxies[0].port()
            )),
            headers: [
                ("Allow", judge::METHODS.join(",")),
                ("Supported", "histinfo,timer".to_owned()),
                ("User-Agent", SERVER.to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec(),
            media: media_style(&settings),
            judge: judge.clone(),
            complaints: complaints.clone(),
            events: broadcast::Sender::new(1024),
        });
        let teams = Self(Arc::new(Inner {
            settings,
            tenants,
            persona,
            judge,
            complaints,
            proxies,
            listening: Mutex::new(listening),
            _trap: trap,
            faults: Mutex::new([Fault::None; 3]),
            scripts: Mutex::default(),
            calls: CallBook::default(),
            referrals: Mutex::default(),
            heard: Mutex::default(),
            options_answered: AtomicU64::new(0),
            connections: Mutex::default(),
        }));
        tokio::spawn(teams.clone().serve(strays));
        Ok(teams)
    }

    /// Where sip, sip2 and sip3 are.
    #[must_use]
    pub fn proxies(&self) -> [SocketAddr; 3] {
        self.0.proxies
    }

    /// Names that must resolve for the box, with their addresses.
    #[must_use]
    pub fn names(&self) -> Vec<(String, IpAddr)> {
        let mut names: Vec<(String, IpAddr)> = NAMES
            .iter()
            .zip(self.0.proxies)
            .map(|(name, address)| ((*name).to_owned(), address.ip()))
            .collect();
        names.push((
            "sip-du-a-eu.pstnhub.microsoft.com".to_owned(),
            self.0.proxies[0].ip(),
        ));
        names.push((
            "api-du-a-euwe.pstnhub.microsoft.com".to_owned(),
            self.0.settings.media,
        ));
        names
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

    /// How many OPTIONS of its own the box has answered with 200.
    #[must_use]
    pub fn options_answered(&self) -> u64 {
        self.0.options_answered.load(Ordering::Relaxed)
    }

    /// What the handshakes of the box's connections showed.
    #[must_use]
    pub fn connections(&self) -> Vec<TlsFacts> {
        lock(&self.0.connections).clone()
    }

    /// What a number does from now on, written `+…`.
    pub fn on(&self, number: &str, script: Script) {
        lock(&self.0.scripts).insert(number.to_owned(), script);
    }

    /// What a proxy does from now on.
    pub fn fault(&self, proxy: usize, fault: Fault) {
        lock(&self.0.faults)[proxy] = fault;
    }

    /// A proxy is gone: its port refuses. It does not come back.
    pub fn close(&self, proxy: usize) {
        lock(&self.0.listening)[proxy] = None;
    }

    /// Cuts every connection that Teams has opened to the box.
    pub async fn cut_connections(&self) {
        if let Dialler::Tls(dialler) = &self.0.persona.dialler {
            dialler.close_all().await;
        }
    }

    /// Shows every message on standard error.
    pub fn show_messages(&self) {
        self.0.persona.endpoint.show_messages();
    }

    /// Places a call.
    ///
    /// # Errors
    /// Where the tenant is unknown or no media ports are free.
    pub async fn call(&self, outgoing: Outgoing) -> io::Result<Call> {
        let tenant = self
            .0
            .tenants
            .named(&outgoing.tenant)
            .ok_or_else(|| io::Error::other(format!("no tenant {}", outgoing.tenant)))?;
        let port = self
            .0
            .settings
            .hosts
            .get(&tenant.fqdn)
            .map_or(5061, SocketAddr::port);
        let mut headers = vec![
            ("Min-SE".to_owned(), MIN_SE.to_string()),
            ("Session-Expires".to_owned(), "3600".to_owned()),
        ];
        headers.extend(outgoing.headers);
        let uri = format!(
            "sip:{}@{}:{port};user=phone;transport=tls",
            outgoing.callee, tenant.fqdn
        );
        let dial = Dial {
            from: format!(
                "\"Alex\" <sip:{}@sip.pstnhub.microsoft.com:5061;user=phone>",
                outgoing.caller
            ),
            to: format!(
                "<sip:{}@{}:{port};user=phone>",
                outgoing.callee, tenant.fqdn
            ),
            uri,
            headers,
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

    fn settings(&self) -> &Settings {
        &self.0.settings
    }

    fn tenants(&self) -> &Tenants {
        &self.0.tenants
    }

    fn persona(&self) -> &Arc<Persona> {
        &self.0.persona
    }

    fn tenant_of(&self, message: &Message) -> Option<&Tenant> {
        self.0.judge.tenant_of(message)
    }

    fn referrals(&self) -> MutexGuard<'_, Vec<referral::Referral>> {
        lock(&self.0.referrals)
    }

    fn heard(&self) -> MutexGuard<'_, options::Heard> {
        lock(&self.0.heard)
    }

    fn count_answer(&self) {
        self.0.options_answered.fetch_add(1, Ordering::Relaxed);
    }

    async fn serve(self, mut strays: mpsc::UnboundedReceiver<Stray>) {
        while let Some(stray) = strays.recv().await {
            match stray {
                Stray::Request(incoming) => self.take_stray(incoming),
                // A repeated answer to something long over is no fault.
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
        if incoming.flow.protocol() != Protocol::Tls {
            return self
                .0
                .complaints
                .add(Rule::RouteIgnored, "port 443 was dialled");
        }
        let Some(proxy) = self.proxy_of(&incoming.flow) else {
            // Over a connection of ours: nothing but responses belongs there.
            return self.0.complaints.add(
                Rule::OutOfPlace,
                format!(
                    "{} over a connection that Teams opened",
                    message.method().unwrap_or_default()
                ),
            );
        };
        let fault = lock(&self.0.faults)[proxy];
        match fault {
            Fault::None => {}
            Fault::Silent => return,
            Fault::Unavailable(seconds) => {
                let refusal = Refusal::new(503, "Service Unavailable")
                    .with("Retry-After", seconds.to_string());
                return self.refuse(&incoming, &refusal);
            }
        }
        self.look_at_connection(proxy, &incoming.flow);
        let method = message.method().unwrap_or_default();
        if method == "ACK" {
            return;
        }
        if let Err(refusal) = self.0.judge.request(&incoming) {
            return self.refuse(&incoming, &refusal);
        }
        match (method, message.to_tag()) {
            ("OPTIONS", None) => {
                self.hear_options(proxy, message);
                let reply = self.options_reply(message);
                self.0.persona.endpoint.respond(&incoming, reply);
            }
            ("INVITE", None) => {
                let teams = self.clone();
                tokio::spawn(async move { teams.take_invite(incoming).await });
            }
            _ => {
                self.0.complaints.add(
                    Rule::OutOfPlace,
                    format!("{method} {} fits no call", message.call_id()),
                );
                self.refuse(
                    &incoming,
                    &Refusal::new(481, "Call/Transaction Does Not Exist"),
                );
            }
        }
    }

    async fn take_invite(&self, incoming: Incoming) {
        if let Some(referral) = self.referral_for(&incoming.message) {
            return self.take_referred(incoming, referral).await;
        }
        let Some(call) = self.take(incoming).await else {
            return;
        };
        let script = lock(&self.0.scripts).get(call.callee()).cloned();
        script.unwrap_or_else(Script::answer).play(call).await;
    }

    async fn take(&self, incoming: Incoming) -> Option<Call> {
        let call = Call::take(&self.0.persona, incoming).await.ok()?;
        self.0.calls.keep(&call);
        Some(call)
    }

    fn refuse(&self, incoming: &Incoming, refusal: &Refusal) {
        let reply = Message::response(&incoming.message, refusal.code, &refusal.phrase)
            .with_to_tag(&crate::random::token())
            .with("Server", SERVER)
            .with_all(&refusal.headers);
        self.0.persona.endpoint.respond(incoming, reply);
    }

    fn proxy_of(&self, flow: &Flow) -> Option<usize> {
        self.0
            .proxies
            .iter()
            .position(|address| *address == flow.local())
    }

    /// SIG-06, SIG-07: once a connection, which shows by its port.
    fn look_at_connection(&self, proxy: usize, flow: &Flow) {
        let Some(facts) = flow.tls() else { return };
        if facts.server_name.as_deref() != Some(NAMES[proxy])
            && !facts.server_name.as_deref().is_some_and(is_internal)
        {
            self.0.complaints.add(
                Rule::ServerName,
                format!("{:?} on {}", facts.server_name, NAMES[proxy]),
            );
        }
        let mut known = lock(&self.0.connections);
        if known.len() < KEPT_CONNECTIONS {
            known.push(facts.clone());
        }
    }
}

/// A name of Microsoft's own nodes, which a route set may hold.
fn is_internal(name: &str) -> bool {
    name.starts_with("sip-du-") && name.ends_with(".pstnhub.microsoft.com")
}

fn media_style(settings: &Settings) -> MediaStyle {
    MediaStyle {
        address: settings.media,
        says: Voice::Teams,
        hears: Voice::Carrier,
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        decoration: vec![
            (104, "SILK/16000"),
            (9, "G722/8000"),
            (103, "SILK/8000"),
            (18, "G729/8000"),
        ],
        secure: settings.suites.clone(),
        mux: true,
        event: 101,
        first_sequence: settings.first_sequence,
    }
}
