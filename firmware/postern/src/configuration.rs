//! A configuration loaded: the document read and checked, the files that it names read with it, and what of it the network
//! and the resolver need.
//!
//! Everything that is wrong is told at once, the document's findings with line and cure, the files' with their name. Files
//! are named relative to the folder of the configuration.
//!
//! Not here: what settings mean (`config`), certificates' contents (`tls`).

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use config::document::listener::{ClientAuth, Listener};
use config::document::trunk::{Trunk, TrunkKind};
use config::{Finding, Findings, IdentityId, ListenerId, Snapshot, TrustId};
use rustls::pki_types::ServerName;
use sip::transport::Transport;

use crate::net::{ListenerPlan, Plan, Trusted};
use crate::tls::{
    self, Acceptance, Identity, IdentityError, KeyKind, Names, ServerPlan, Store, Trust, TrustError,
};

/// What is wrong with a configuration.
#[derive(Debug)]
pub struct LoadError {
    file: PathBuf,
    faults: Faults,
}

#[derive(Debug)]
enum Faults {
    Unreadable(io::Error),
    Document(Findings),
    Files(Vec<FileFault>),
}

/// What is wrong with a file that a configuration names.
#[derive(Debug, thiserror::Error)]
enum FileFault {
    #[error("identity {name}: {} cannot be read: {error}. Name a file relative to the configuration's folder.", file.display())]
    Unreadable {
        name: String,
        file: PathBuf,
        error: io::Error,
    },
    #[error("identity {name}: {error}")]
    Identity { name: String, error: IdentityError },
    #[error("trust {name}: {error}")]
    Trust { name: String, error: TrustError },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match &self.faults {
            Faults::Unreadable(error) => write!(f, "{file} cannot be read: {error}"),
            Faults::Document(findings) => {
                writeln!(f, "{file} has {} faults:", findings.0.len())?;
                write!(f, "{findings}")
            }
            Faults::Files(faults) => {
                writeln!(f, "{file} names files with {} faults:", faults.len())?;
                faults.iter().try_for_each(|fault| writeln!(f, "{fault}"))
            }
        }
    }
}

impl std::error::Error for LoadError {}

impl LoadError {
    /// Each fault by itself: its place in the document, where it has one, and what is wrong.
    #[must_use]
    pub fn faults(&self) -> Vec<(Option<&Finding>, String)> {
        match &self.faults {
            Faults::Unreadable(error) => vec![(None, error.to_string())],
            Faults::Document(findings) => findings
                .into_iter()
                .map(|finding| (Some(finding), told(finding)))
                .collect(),
            Faults::Files(faults) => faults
                .iter()
                .map(|fault| (None, fault.to_string()))
                .collect(),
        }
    }
}

/// A finding without its place: what is wrong, and what to do.
fn told(finding: &Finding) -> String {
    format!("{}. {}", finding.problem, finding.problem.cure())
}

/// Something that works and yet should be known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// SIG-05: every suite that Teams offers wants an RSA key of us.
    #[error(
        "identity {identity} of Teams trunk {trunk} has no RSA key: Teams may find no common cipher suite"
    )]
    NotRsa {
        /// The identity.
        identity: String,
        /// The trunk.
        trunk: String,
    },
}

/// A configuration that may come into force.
#[derive(Debug)]
pub struct Configuration {
    snapshot: Arc<Snapshot>,
    store: Arc<Store>,
}

impl Configuration {
    /// Loads `file`. Identities and trust equal to those of `previous` stay the same in memory, so that connections made
    /// with them stay, too.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn load(file: &Path, previous: Option<&Store>) -> Result<Self, LoadError> {
        let text = fs::read_to_string(file).map_err(|error| LoadError {
            file: file.to_owned(),
            faults: Faults::Unreadable(error),
        })?;
        Self::of(&text, file, previous)
    }

    /// The same of a text that is to stand in `file`.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn of(text: &str, file: &Path, previous: Option<&Store>) -> Result<Self, LoadError> {
        let fault = |faults| LoadError {
            file: file.to_owned(),
            faults,
        };
        let document = config::parse(text).map_err(|findings| fault(Faults::Document(findings)))?;
        let snapshot = document.snapshot();
        let folder = file.parent().unwrap_or_else(|| Path::new(""));
        let store =
            store(&snapshot, folder, previous).map_err(|faults| fault(Faults::Files(faults)))?;
        Ok(Self {
            snapshot,
            store: Arc::new(store),
        })
    }

    /// As calls use it.
    #[must_use]
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Its identities and trust.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// What the network is to be.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let listeners = (0..).map(ListenerId).zip(&self.snapshot.listeners);
        let listeners = listeners.map(|(id, listener)| ListenerPlan {
            name: listener.name.as_str().into(),
            transport: transport(listener.transport),
            address: listener.address,
            tls: self.server_plan(id, listener),
        });
        let snapshot = Arc::clone(&self.snapshot);
        let is_trunk = move |source| {
            let mut networks = snapshot.trunks.iter().flat_map(|trunk| &trunk.sources);
            networks.any(|network| network.contains(source))
        };
        Plan {
            listeners: listeners.collect(),
            trusted: Trusted::new(is_trunk),
            store: Arc::clone(&self.store),
        }
    }

    /// What works and yet should be known.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let snapshot = &self.snapshot;
        let teams = snapshot.trunks.iter().filter(|trunk| trunk.is_teams());
        let weak = teams.filter_map(|trunk| {
            let tenant = trunk.tenant().and_then(|id| snapshot.tenant(id).identity);
            let id = tenant.or_else(|| snapshot.listener(trunk.listener).identity)?;
            let identity = self.identity_name(id);
            let known = self.store.identity(identity)?;
            (known.key_kind() != KeyKind::Rsa).then(|| Warning::NotRsa {
                identity: identity.to_owned(),
                trunk: trunk.name.clone(),
            })
        });
        weak.collect()
    }

    fn server_plan(&self, id: ListenerId, listener: &Listener) -> Option<ServerPlan> {
        let default = self
            .store
            .identity(self.identity_name(listener.identity?))?;
        let trunks = self
            .snapshot
            .trunks
            .iter()
            .filter(|trunk| trunk.listener == id);
        // A carrier asks for us by a name in the certificate that its trunk has for it; a tenant's name is the tenant's.
        let carriers = trunks.clone().filter_map(|trunk| match &trunk.kind {
            TrunkKind::Carrier(carrier) => {
                self.store.identity(self.identity_name(carrier.identity?))
            }
            TrunkKind::Teams(_) => None,
        });
        let of_carriers = carriers.flat_map(|identity| {
            let names = identity.names().into_iter();
            names.map(move |name| (name, Arc::clone(identity)))
        });
        let tenants = self.snapshot.tenants.iter();
        let of_tenants = tenants.filter_map(|tenant| {
            let identity = self.store.identity(self.identity_name(tenant.identity?))?;
            Some((tenant.fqdn.to_ascii_lowercase(), Arc::clone(identity)))
        });
        // The later one of a name holds.
        let by_name = of_carriers.chain(of_tenants);
        Some(ServerPlan {
            default: Arc::clone(default),
            by_name: by_name.collect(),
            client_auth: match listener.client_auth {
                ClientAuth::Required => tls::ClientAuth::Required,
                ClientAuth::Requested => tls::ClientAuth::Requested,
                ClientAuth::None => tls::ClientAuth::None,
            },
            acceptances: trunks.filter_map(|trunk| self.acceptance(trunk)).collect(),
        })
    }

    /// How a peer of `trunk` proves itself: by a chain to the trunk's roots and a name that the configuration gives its
    /// peers (SIG-08: the names of Microsoft's proxies).
    fn acceptance(&self, trunk: &Trunk) -> Option<Acceptance> {
        let (trust, peers, domain) = match &trunk.kind {
            TrunkKind::Teams(teams) => (teams.trust, &teams.proxies, None),
            TrunkKind::Carrier(carrier) => {
                (carrier.trust?, &carrier.peers, carrier.domain.as_deref())
            }
        };
        let names: HashSet<&str> = peers
            .iter()
            .map(|peer| peer.host.as_str())
            .chain(domain)
            .collect();
        let mut names: Vec<_> = names
            .into_iter()
            .filter_map(|name| ServerName::try_from(name.to_owned()).ok())
            .collect();
        // In one order, so that the same configuration gives the same plan.
        names.sort_by_key(|name| name.to_str().into_owned());
        Some(Acceptance {
            trust: Arc::clone(self.store.trust(self.trust_name(trust))?),
            names: if names.is_empty() {
                Names::Any
            } else {
                Names::OneOf(names)
            },
        })
    }

    fn identity_name(&self, id: IdentityId) -> &str {
        &self.snapshot.identities[id.index()].name
    }

    fn trust_name(&self, id: TrustId) -> &str {
        &self.snapshot.trusts[id.index()].name
    }
}

fn store(
    snapshot: &Snapshot,
    folder: &Path,
    previous: Option<&Store>,
) -> Result<Store, Vec<FileFault>> {
    let mut faults = Vec::new();
    let read = |name: &str, file: &str| {
        let file = folder.join(file);
        fs::read(&file).map_err(|error| FileFault::Unreadable {
            name: name.to_owned(),
            file,
            error,
        })
    };
    let mut identities = Vec::new();
    for identity in &snapshot.identities {
        let name = &identity.name;
        let pair = read(name, &identity.certificate)
            .and_then(|chain| Ok((chain, read(name, &identity.key)?)));
        let loaded = pair.and_then(|(chain, key)| {
            Identity::from_pem(&chain, &key).map_err(|error| FileFault::Identity {
                name: name.clone(),
                error,
            })
        });
        match loaded {
            Ok(loaded) => identities.push((Arc::from(name.as_str()), loaded)),
            Err(fault) => faults.push(fault),
        }
    }
    let mut trusts = Vec::new();
    for trust in &snapshot.trusts {
        let name = &trust.name;
        let loaded = read(name, &trust.bundle).and_then(|bundle| {
            Trust::from_pem(&bundle).map_err(|error| FileFault::Trust {
                name: name.clone(),
                error,
            })
        });
        match loaded {
            Ok(loaded) => trusts.push((Arc::from(name.as_str()), loaded)),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        Ok(Store::next(identities, trusts, previous))
    } else {
        Err(faults)
    }
}

fn transport(transport: config::values::Transport) -> Transport {
    match transport {
        config::values::Transport::Udp => Transport::Udp,
        config::values::Transport::Tcp => Transport::Tcp,
        config::values::Transport::Tls => Transport::Tls,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        version = 1
        [media]
        address = "127.0.0.1"
        ports = "20000-20999"
        [[listener]]
        name = "trunks"
        transport = "udp"
        address = "127.0.0.1:5060"
        [[listener]]
        name = "teams"
        transport = "tls"
        address = "127.0.0.1:5061"
        identity = "shown"
        [[identity]]
        name = "shown"
        certificate = "shown.pem"
        key = "shown.key"
        [[trust]]
        name = "microsoft"
        bundle = "roots.pem"
        [[tenant]]
        name = "contoso"
        fqdn = "SBC1.contoso.example"
        identity = "shown"
        numbers = ["+12025550100-+12025550199"]
        [[trunk]]
        name = "teams-contoso"
        kind = "teams"
        tenant = "contoso"
        listener = "teams"
        trust = "microsoft"
        sources = ["52.112.0.0/14"]
        [[trunk]]
        name = "probe"
        kind = "carrier"
        listener = "trunks"
        peers = ["127.0.0.9:5070"]
        sources = ["127.0.0.9"]
        [[route]]
        name = "in"
        from = ["probe"]
        to_numbers = ["tenant"]
        send_to = ["teams-contoso"]
    "#;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!(
            "postern-configuration-{}-{name}",
            std::process::id()
        ));
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("postern.toml"), TEXT).expect("written");
        folder
    }

    fn with_files(name: &str) -> PathBuf {
        let folder = folder(name);
        let pair = rcgen::generate_simple_self_signed(["sbc1.contoso.example".to_owned()])
            .expect("a pair");
        fs::write(folder.join("shown.pem"), pair.cert.pem()).expect("written");
        fs::write(folder.join("shown.key"), pair.signing_key.serialize_pem()).expect("written");
        fs::write(folder.join("roots.pem"), pair.cert.pem()).expect("written");
        folder
    }

    #[test]
    fn every_file_that_is_missing_is_told_at_once() {
        let error = Configuration::load(&folder("missing").join("postern.toml"), None)
            .expect_err("no files");
        let text = error.to_string();
        assert!(
            text.contains("shown.pem") && text.contains("roots.pem") && text.contains("2 faults"),
            "{text}"
        );
    }

    #[test]
    fn findings_of_the_document_are_told_with_their_lines() {
        let folder = with_files("findings");
        let file = folder.join("postern.toml");
        fs::write(
            &file,
            TEXT.replace("kind = \"carrier\"", "kind = \"courier\""),
        )
        .expect("written");
        let text = Configuration::load(&file, None)
            .expect_err("no such kind")
            .to_string();
        assert!(
            text.contains("line ") && text.contains("trunk.probe.kind"),
            "{text}"
        );
    }

    #[test]
    fn the_plan_names_who_may_connect_and_what_is_shown() {
        let folder = with_files("plan");
        let configuration =
            Configuration::load(&folder.join("postern.toml"), None).expect("in order");
        let plan = configuration.plan();
        assert_eq!(plan.listeners.len(), 2);
        assert!(plan.listeners[0].tls.is_none());
        let teams = plan.listeners[1].tls.as_ref().expect("TLS");
        assert_eq!(
            teams.by_name[0].0, "sbc1.contoso.example",
            "names of hosts know no case"
        );
        assert_eq!(teams.client_auth, tls::ClientAuth::Required);
        // SIG-08: any of the three proxies.
        let Names::OneOf(names) = &teams.acceptances[0].names else {
            panic!("Teams must show a name")
        };
        let names: Vec<_> = names
            .iter()
            .map(|name| name.to_str().into_owned())
            .collect();
        assert_eq!(
            names,
            [
                "sip.pstnhub.microsoft.com",
                "sip2.pstnhub.microsoft.com",
                "sip3.pstnhub.microsoft.com"
            ]
        );
        // SIG-05: these keys are ECDSA.
        assert_eq!(configuration.warnings().len(), 1);
    }

    #[test]
    fn the_same_files_again_are_the_same_identities() {
        let file = with_files("again").join("postern.toml");
        let first = Configuration::load(&file, None).expect("in order");
        let second = Configuration::load(&file, Some(first.store())).expect("in order");
        let place = |configuration: &Configuration| {
            Arc::as_ptr(configuration.store().identity("shown").expect("there"))
        };
        assert_eq!(place(&first), place(&second));
    }
}
