//! What the doctor sees: files, the DNS, a handshake with each peer, and what control knows.
//!
//! All of it at once and each within [`PATIENCE`], so that a peer who says nothing costs seconds. Nothing is sent but what a call
//! would begin with: a question to the DNS and a handshake, in which we show the certificate that the trunk would show.
//!
//! Not here: what follows from it (`judge.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use call::api::TrunkView;
use config::document::trunk::{Trunk, TrunkKind};
use config::values::{Endpoint, Transport};
use config::{IdentityId, Snapshot};
use rustls::ClientConfig;
use serde_json::Value;
use sip::resolve::{Answer, Question, Record, RecordKind};
use sip::transport::TlsTarget;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use crate::certificate::{self, Certificate};
use crate::configuration::Configuration;
use crate::resolver::Resolver;
use crate::tls::{self, KeyKind};

/// For a handshake, an answer of the DNS, an answer of control.
const PATIENCE: Duration = Duration::from_secs(6);
/// An answer of control is no longer.
const LONGEST: u64 = 16 << 20;
/// Handshakes at once.
const AT_ONCE: usize = 16;
/// Peers that are tried; a box with more has them tried by their calls.
const MOST_PEERS: usize = 300;

/// All that was seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Seconds since 1970.
    pub(super) now: u64,
    /// By the name of the identity: its chain, or why it cannot be read.
    pub(super) identities: BTreeMap<String, Result<Shown, String>>,
    /// By the name of the trust: its roots.
    pub(super) trusts: BTreeMap<String, Result<Vec<Certificate>, String>>,
    /// Addresses of names, none where there are none.
    pub(super) addresses: BTreeMap<String, Vec<IpAddr>>,
    /// What came of a handshake, by trunk and peer.
    pub(super) handshakes: BTreeMap<(String, String), Handshake>,
    /// Whether media's addresses are this box's.
    pub(super) bound: BTreeMap<IpAddr, Result<(), String>>,
    /// What control says, where it was asked.
    pub(super) control: Option<Result<Running, String>>,
}

/// A chain, and of which kind its key is.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) chain: Vec<Certificate>,
    pub(super) is_rsa: bool,
}

/// A handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Handshake {
    /// It was done, in this version of TLS.
    Done(String),
    /// It was not; why, as the machine says.
    Failed(String),
}

/// A box that runs.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) media: bool,
    pub(super) trunks: Vec<TrunkView>,
}

pub(super) async fn observe(
    config: &Path,
    configuration: &Configuration,
    door: Option<&Path>,
    now: u64,
) -> Seen {
    let snapshot = configuration.snapshot();
    let addresses = resolve(snapshot).await;
    let (handshakes, control) = tokio::join!(shake_hands(configuration, &addresses), async {
        match door {
            Some(door) => Some(ask(door).await),
            None => None,
        }
    });
    let folder = config.parent().unwrap_or_else(|| Path::new(""));
    let read = |file: &str| {
        let pem = std::fs::read(folder.join(file)).map_err(|error| error.to_string())?;
        certificate::read(&pem)
    };
    let shown = |name: &str, file: &str| {
        let identity = configuration.store().identity(name);
        Ok(Shown {
            chain: read(file)?,
            is_rsa: identity.is_some_and(|identity| identity.key_kind() == KeyKind::Rsa),
        })
    };
    let identities = snapshot.identities.iter();
    let trusts = snapshot.trusts.iter();
    let bind = |address: IpAddr| match UdpSocket::bind((address, 0)) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    };
    Seen {
        now,
        identities: identities
            .map(|identity| {
                let seen = shown(&identity.name, &identity.certificate);
                (identity.name.clone(), seen)
            })
            .collect(),
        trusts: trusts
            .map(|trust| (trust.name.clone(), read(&trust.bundle)))
            .collect(),
        addresses,
        handshakes,
        bound: snapshot
            .media
            .faces
            .iter()
            .map(|face| (face.bound, bind(face.bound)))
            .collect(),
        control,
    }
}

/// The identity that a trunk shows.
pub(super) fn identity_of(snapshot: &Snapshot, trunk: &Trunk) -> Option<IdentityId> {
    let own = match &trunk.kind {
        TrunkKind::Teams(teams) => snapshot.tenant(teams.tenant).identity,
        TrunkKind::Carrier(carrier) => carrier.identity,
    };
    own.or_else(|| snapshot.listener(trunk.listener).identity)
}

/// Whom a trunk calls, and how.
pub(super) fn peers(trunk: &Trunk) -> (&[Endpoint], Transport) {
    match &trunk.kind {
        TrunkKind::Teams(teams) => (&teams.proxies, Transport::Tls),
        TrunkKind::Carrier(carrier) => (&carrier.peers, carrier.transport),
    }
}

/// Names of peers and tenants, each once.
fn names(snapshot: &Snapshot) -> BTreeSet<String> {
    let peers = snapshot.trunks.iter().flat_map(|trunk| peers(trunk).0);
    let peers = peers.map(|peer| peer.host.to_ascii_lowercase());
    let tenants = snapshot.tenants.iter().map(|tenant| tenant.fqdn.clone());
    peers
        .chain(tenants)
        .filter(|name| name.parse::<IpAddr>().is_err())
        .take(2 * MOST_PEERS)
        .collect()
}

async fn resolve(snapshot: &Snapshot) -> BTreeMap<String, Vec<IpAddr>> {
    let mut found: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    let mut resolver = Resolver::new(&snapshot.dns, Handle::current());
    let mut open = 0;
    for name in names(snapshot) {
        for kind in [RecordKind::A, RecordKind::Aaaa] {
            resolver.ask(Question::new(&name, kind));
            open += 1;
        }
        found.insert(name, Vec::new());
    }
    let mut batch = Vec::new();
    let until = Instant::now() + PATIENCE;
    while open > 0 {
        if timeout_at(until, resolver.next(&mut batch, AT_ONCE))
            .await
            .is_err()
        {
            break;
        }
        for (question, answer) in batch.drain(..) {
            open -= 1;
            let Answer::Records { records, .. } = answer else {
                continue;
            };
            let addresses = records.into_iter().filter_map(|record| match record {
                Record::Address(address) => Some(address),
                _ => None,
            });
            if let Some(found) = found.get_mut(question.name()) {
                found.extend(addresses);
            }
        }
    }
    found
}

async fn shake_hands(
    configuration: &Configuration,
    addresses: &BTreeMap<String, Vec<IpAddr>>,
) -> BTreeMap<(String, String), Handshake> {
    let mut waiting = Vec::new();
    for trunk in &configuration.snapshot().trunks {
        let (peers, transport) = peers(trunk);
        if transport != Transport::Tls {
            continue;
        }
        for peer in peers {
            let key = (trunk.name.clone(), peer.to_string());
            let host = peer.host.to_ascii_lowercase();
            let at = match host.parse() {
                Ok(address) => Some(address),
                Err(_) => addresses
                    .get(&host)
                    .and_then(|found| found.first().copied()),
            };
            let client = client(configuration, trunk, peer);
            if let (Some(at), Some(client)) = (at, client) {
                let at = SocketAddr::new(at, peer.port.unwrap_or(5061));
                waiting.push((key, at, client));
            }
        }
    }
    waiting.truncate(MOST_PEERS);
    let mut done = BTreeMap::new();
    let mut trying = JoinSet::new();
    for (key, at, (config, target)) in waiting {
        if trying.len() >= AT_ONCE
            && let Some(Ok((key, handshake))) = trying.join_next().await
        {
            done.insert(key, handshake);
        }
        trying.spawn(async move { (key, shake_hand(at, config, &target).await) });
    }
    while let Some(tried) = trying.join_next().await {
        done.extend(tried);
    }
    done
}

fn client(
    configuration: &Configuration,
    trunk: &Trunk,
    peer: &Endpoint,
) -> Option<(Arc<ClientConfig>, TlsTarget)> {
    let snapshot = configuration.snapshot();
    let identity = identity_of(snapshot, trunk)?;
    let trust = match &trunk.kind {
        TrunkKind::Teams(teams) => teams.trust,
        TrunkKind::Carrier(carrier) => carrier.trust?,
    };
    let target = TlsTarget {
        server_name: peer.host.as_str().into(),
        identity: snapshot.identities[identity.index()].name.as_str().into(),
        trust: snapshot.trusts[trust.index()].name.as_str().into(),
    };
    let config = configuration.store().client(&target).ok()?;
    Some((config, target))
}

async fn shake_hand(at: SocketAddr, config: Arc<ClientConfig>, target: &TlsTarget) -> Handshake {
    let name = match tls::server_name(target) {
        Ok(name) => name,
        Err(error) => return Handshake::Failed(error.to_string()),
    };
    let trial = async {
        let stream = TcpStream::connect(at).await?;
        let mut stream = TlsConnector::from(config).connect(name, stream).await?;
        let version = stream.get_ref().1.protocol_version();
        // In TLS 1.3 a peer that does not like our certificate says so behind its own last word: listen for a moment.
        let mut first = [0];
        match timeout(Duration::from_millis(300), stream.read(&mut first)).await {
            Ok(Err(error)) => Err(error),
            Ok(Ok(_)) | Err(_) => Ok(version),
        }
    };
    match timeout(PATIENCE, trial).await {
        Ok(Ok(version)) => {
            let version = version.map_or_else(String::new, |version| format!("{version:?}"));
            Handshake::Done(version.replace("v1_", " 1."))
        }
        Ok(Err(error)) => Handshake::Failed(format!("{at}: {error}")),
        Err(_) => Handshake::Failed(format!("{at}: no answer")),
    }
}

async fn ask(door: &Path) -> Result<Running, String> {
    let running = async {
        let census = question(door, "census").await?;
        let trunks = question(door, "trunks").await?;
        Ok(Running {
            media: census["media"].as_bool().unwrap_or_default(),
            trunks: serde_json::from_value(trunks)?,
        })
    };
    let running: Result<Running, std::io::Error> = timeout(PATIENCE, running)
        .await
        .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
    running.map_err(|error| error.to_string())
}

async fn question(door: &Path, word: &str) -> std::io::Result<Value> {
    let (reading, mut writing) = UnixStream::connect(door).await?.into_split();
    let asked = format!("{{\"query\":\"{word}\"}}\n");
    writing.write_all(asked.as_bytes()).await?;
    let mut line = String::new();
    let reading = reading.take(LONGEST);
    BufReader::new(reading).read_line(&mut line).await?;
    Ok(serde_json::from_str(&line)?)
}
