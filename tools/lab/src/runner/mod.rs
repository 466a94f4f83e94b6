//! A lab on its feet: Teams, two carriers, and the box between them, in a folder and on addresses of their own.
//!
//! Tests drive a [`Lab`] through its parts; the program `lab` plays [`calls`] on it.
//!
//! Not here: the peers (`crate::teams`, `crate::carrier`).

pub mod appliance;
pub mod calls;
pub mod configuration;
pub mod place;
pub mod show;
pub mod summary;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use appliance::{Appliance, ConsoleNotice, Pids};
use configuration::Shape;
use place::{PROBE, PROBE_PORT, Place, free_port};

use crate::carrier::{self, Account, Algorithm, Carrier};
use crate::pki::{Identity, Leaf, Pki};
use crate::teams::{self, Teams, Tenant};

/// How long the box may take to be ready, and to greet Teams.
const READY: Duration = Duration::from_secs(20);

/// Where the box has its media: the last octet of an address that nobody else of the lab uses.
const BOX_MEDIA: u8 = 31;

/// How to set a lab up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who plays the static carrier.
    pub probe: ProbePlayer,
    /// Show every SIP message on standard error.
    pub messages: bool,
    /// Leave the folder behind.
    pub keep: bool,
    /// How often the box sends OPTIONS, in seconds.
    pub options: u64,
    /// Appended to the configuration.
    pub more_configuration: String,
    /// What becomes of rules that the box breaks.
    pub strictness: teams::Strictness,
}

/// Who plays the static carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbePlayer {
    /// The lab, on a free port.
    Lab,
    /// Whoever binds 127.0.0.9:5070.
    Other,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            probe: ProbePlayer::Lab,
            messages: false,
            keep: false,
            options: 60,
            more_configuration: String::new(),
            strictness: teams::Strictness::Strict,
        }
    }
}

/// Teams, carriers and the box.
#[derive(Debug)]
pub struct Lab {
    /// The simulated Teams.
    pub teams: Teams,
    /// The static carrier, where the lab plays it.
    pub probe: Option<Carrier>,
    /// The carrier that the box registers to, for tenant fabrikam.
    pub registering: Carrier,
    /// The box.
    pub appliance: Appliance,
    /// Where the box takes carriers' UDP and TCP.
    pub trunks: SocketAddr,
    /// Where the box takes Teams' TLS.
    pub tls: SocketAddr,
    /// The certificates of this run.
    pub pki: Pki,
    /// Addresses and folder.
    pub place: Place,
    pids: Pids,
    console: ConsoleNotice,
}

impl Lab {
    /// Sets everything up and waits until the box takes calls and has greeted Teams.
    ///
    /// # Errors
    /// Where a part does not come up; with the end of the box's log.
    pub async fn start(options: Options) -> io::Result<Self> {
        let program = place::postern()?;
        let mut place = Place::new()?;
        if options.keep {
            place.keep();
        }
        let pki = Pki::new()?;
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let (trunks, tls) = (free_port(loopback)?, free_port(loopback)?);
        let tenants = tenants();
        let teams = start_teams(&options, &place, &pki, &tenants, tls).await?;
        let secrets = teams_secrets(&place, &tenants);
        let probe = match options.probe {
            ProbePlayer::Lab => {
                let address = SocketAddr::new(IpAddr::from(PROBE), 0);
                let mut settings = carrier::Settings::usual("probe", address, trunks);
                settings.secrets.clone_from(&secrets);
                Some(Carrier::start(settings).await?)
            }
            ProbePlayer::Other => None,
        };
        let account = account();
        let mut settings =
            carrier::Settings::usual("registering", SocketAddr::new(place.at(41), 0), trunks);
        settings.secrets = secrets;
        settings.account = Some(account.clone());
        let registering = Carrier::start(settings).await?;
        let probe_address = match &probe {
            Some(carrier) => carrier.address(),
            None => SocketAddr::new(IpAddr::from(PROBE), PROBE_PORT),
        };
        let text = configuration::text(&Shape {
            trunks,
            teams: tls,
            media: place.at(BOX_MEDIA),
            names: &teams.names(),
            proxies: teams.proxies(),
            network: place.network,
            probe: probe_address,
            registrar: registering.address(),
            account: &account,
            tenants: &tenants,
            options: options.options,
            more: &options.more_configuration,
        });
        write_files(&place, &pki, &tenants, &text)?;
        if options.messages {
            teams.show_messages();
            registering.show_messages();
            if let Some(probe) = &probe {
                probe.show_messages();
            }
        }
        let mut appliance = Appliance::start(&program, &place.file("postern.toml"), &place.folder)?;
        let pids = appliance.ready(READY).await?;
        let console = appliance.console(READY).await?;
        let lab = Self {
            teams,
            probe,
            registering,
            appliance,
            trunks,
            tls,
            pki,
            place,
            pids,
            console,
        };
        lab.wait_until_known().await?;
        Ok(lab)
    }

    /// The box's processes as they were when it became ready.
    #[must_use]
    pub fn pids(&self) -> Pids {
        self.pids
    }

    /// Where its console was when it became ready.
    #[must_use]
    pub fn console(&self) -> &ConsoleNotice {
        &self.console
    }

    /// Everything that any peer holds against the box.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let carriers = self.probe.iter().chain([&self.registering]);
        let of_carriers = carriers.flat_map(|carrier| carrier.complaints().all());
        self.teams
            .complaints()
            .all()
            .into_iter()
            .chain(of_carriers)
            .map(|complaint| complaint.to_string())
            .collect()
    }

    /// Changes the configuration of the box while it runs.
    ///
    /// # Errors
    /// Where the box does not take it; with the end of its log.
    pub async fn reconfigure(&self, change: impl FnOnce(String) -> String) -> io::Result<()> {
        let file = self.place.file("postern.toml");
        let text = std::fs::read_to_string(&file)?;
        std::fs::write(file, change(text))?;
        self.appliance.reload().await
    }

    /// Ends the box and frees everything.
    pub async fn stop(self) {
        self.appliance.stop().await;
    }

    async fn wait_until_known(&self) -> io::Result<()> {
        let failed = |what: &str| {
            let complaints = self.complaints().join("\n");
            io::Error::other(format!(
                "{what}\n{complaints}\n{}",
                self.appliance.last_words()
            ))
        };
        if !self.teams.greeted(READY).await {
            return Err(failed("no OPTIONS of every tenant on every proxy"));
        }
        let until = Instant::now() + READY;
        while self
            .registering
            .registrar()
            .and_then(|registrar| registrar.binding())
            .is_none()
        {
            if Instant::now() > until {
                return Err(failed("the box did not register"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

fn tenants() -> Vec<Tenant> {
    vec![
        Tenant {
            name: "contoso".to_owned(),
            fqdn: "sbc1.contoso.example".to_owned(),
            numbers: vec![12_025_550_100..=12_025_550_199],
        },
        Tenant {
            name: "fabrikam".to_owned(),
            fqdn: "sbc.fabrikam.example".to_owned(),
            numbers: vec![14_255_550_100..=14_255_550_199],
        },
    ]
}

fn account() -> Account {
    Account {
        realm: "trunk.example".to_owned(),
        user: "fabrikam".to_owned(),
        password: "correct-horse".to_owned(),
        algorithm: Algorithm::Sha256,
        longest: Duration::from_secs(600),
        shortest: Duration::from_secs(60),
    }
}

/// What no carrier may see: topology of the Teams leg.
fn teams_secrets(place: &Place, tenants: &[Tenant]) -> Vec<String> {
    let [a, b, c] = place.network;
    let mut secrets: Vec<String> = (1..30).map(|last| format!("{a}.{b}.{c}.{last}:")).collect();
    secrets.push(place.at(21).to_string());
    secrets.extend([
        "pstnhub".to_owned(),
        "Microsoft".to_owned(),
        "orgid".to_owned(),
    ]);
    secrets.extend(tenants.iter().map(|tenant| tenant.fqdn.clone()));
    secrets
}

async fn start_teams(
    options: &Options,
    place: &Place,
    pki: &Pki,
    tenants: &[Tenant],
    tls: SocketAddr,
) -> io::Result<Teams> {
    let names = ["sip.pstnhub.microsoft.com", "*.pstnhub.microsoft.com"];
    let identity = pki.microsoft.issue(&names, Leaf::ServerOnly)?;
    let mut settings = teams::Settings::usual(place.network, identity, pki.public.root());
    settings.tenants = tenants.to_vec();
    settings.hosts = tenants
        .iter()
        .map(|tenant| (tenant.fqdn.clone(), tls))
        .collect::<HashMap<_, _>>();
    settings.strictness = options.strictness;
    // What Teams may not see: the carriers.
    settings.secrets = vec![PROBE.to_string(), place.at(41).to_string()];
    settings.least_options_interval = Duration::from_secs(options.options.saturating_sub(5));
    Teams::start(settings).await
}

fn write_files(place: &Place, pki: &Pki, tenants: &[Tenant], text: &str) -> io::Result<()> {
    for tenant in tenants {
        let identity = pki.public.issue(&[&tenant.fqdn], Leaf::ServerOnly)?;
        write_identity(place, &tenant.name, &identity)?;
    }
    std::fs::write(place.file("microsoft-roots.pem"), pki.microsoft.root())?;
    std::fs::write(place.file("postern.toml"), text)
}

/// Puts an identity where the configuration names it; with a reload it takes effect (SIG-09).
///
/// # Errors
/// Where the folder cannot be written to.
pub fn write_identity(place: &Place, name: &str, identity: &Identity) -> io::Result<()> {
    std::fs::write(place.file(&format!("{name}.key")), &identity.key)?;
    std::fs::write(place.file(&format!("{name}.pem")), &identity.chain)
}
