//! What follows from what was seen: a light for each thing, and what to do.
//!
//! A function of its arguments. Red is what calls fail by, now; amber what they will or may fail by, and what cannot be known from
//! here; each red and amber line says what to do.
//!
//! Not here: looking (`observe.rs`).

use std::net::IpAddr;

use call::api::{Outcome, Reachability, RegistrationState, TrunkView};
use config::document::tenant::Tenant;
use config::document::trunk::{Trunk, TrunkKind};
use config::{IdentityId, Snapshot, TrunkId};
use console::doctor::{Check, Finding, Light, Report};

use super::observe::{Handshake, Running, Seen, Shown, identity_of, peers};
use crate::certificate::Certificate;

/// No box of ours is older: a clock before 2026 has never been set.
const BUILT: u64 = 1_767_225_600;
const DAY: i64 = 86_400;
/// Days before a certificate ends at which it should be renewed, and at which it must.
const SOON: i64 = 30;
const NOW: i64 = 7;
/// SIG-08: the ends of the names of the roots that Microsoft's certificates end in.
const ROOTS: [&str; 4] = [
    "DigiCert Global Root G2",
    "DigiCert TLS RSA4096 Root G5",
    "Microsoft RSA Root Certificate Authority 2017",
    "Microsoft ECC Root Certificate Authority 2017",
];
/// OPT-03: a minute apart, so that three are missing.
const ASKED_WITHIN: u64 = 200;

/// Judges a box.
pub(super) fn judge(snapshot: &Snapshot, seen: &Seen) -> Report {
    let mut findings = of_box(snapshot, seen);
    for tenant in &snapshot.tenants {
        findings.extend(of_tenant(snapshot, tenant, seen));
    }
    for (id, trunk) in snapshot.trunks() {
        findings.extend(of_trunk(snapshot, id, trunk, seen));
    }
    Report { findings }
}

/// What is found of one thing, line by line.
struct Notes {
    about: String,
    findings: Vec<Finding>,
}

impl Notes {
    fn about(about: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            findings: Vec::new(),
        }
    }

    fn green(&mut self, check: Check, seen: impl Into<String>) {
        self.note(check, Light::Green, seen.into(), None);
    }

    fn amber(&mut self, check: Check, seen: impl Into<String>, cure: &str) {
        self.note(check, Light::Amber, seen.into(), Some(cure));
    }

    fn red(&mut self, check: Check, seen: impl Into<String>, cure: &str) {
        self.note(check, Light::Red, seen.into(), Some(cure));
    }

    fn note(&mut self, check: Check, light: Light, seen: String, cure: Option<&str>) {
        self.findings.push(Finding {
            about: self.about.clone(),
            check,
            light,
            seen,
            cure: cure.map(str::to_owned),
        });
    }
}

fn of_box(snapshot: &Snapshot, seen: &Seen) -> Vec<Finding> {
    let mut notes = Notes::about("box");
    notes.green(Check::Configuration, "the configuration is in order");
    match &seen.control {
        Some(Ok(Running { media: true, .. })) => {
            notes.green(Check::Planes, "control and media are there");
        }
        Some(Ok(_)) => notes.red(
            Check::Planes,
            "control is there, and media is not",
            "It is started again by itself; if that lasts, its log says why it ends.",
        ),
        Some(Err(error)) => notes.red(
            Check::Planes,
            format!("control does not answer: {error}"),
            "Start the box; its log says why it does not run.",
        ),
        None => notes.amber(
            Check::Planes,
            "nobody was asked what runs",
            "Name the folder of a running box (--run), and what it knows is looked at too.",
        ),
    }
    if seen.now < BUILT {
        notes.red(
            Check::Clock,
            "the clock has never been set",
            "Set it: by this time no certificate is valid.",
        );
    } else {
        notes.green(Check::Clock, "the clock has been set");
    }
    of_media(snapshot, seen, &mut notes);
    notes.findings
}

fn of_media(snapshot: &Snapshot, seen: &Seen, notes: &mut Notes) {
    let media = &snapshot.media;
    let has_teams = snapshot.trunks.iter().any(Trunk::is_teams);
    for face in media.faces.iter() {
        let (bound, told) = (face.bound, face.advertised);
        match seen.bound.get(&bound) {
            Some(Err(error)) => notes.red(
                Check::MediaAddress,
                format!("media cannot have {bound}: {error}"),
                "Give [media] address an address of this box.",
            ),
            // Teams sends audio from the Internet, and a private address leads nowhere from there (MED-05).
            _ if has_teams && is_private(told) => notes.amber(
                Check::MediaAddress,
                format!("peers are told to send audio to {told}, which is private"),
                "Behind NAT set [media] advertised to the public address, and forward the media ports.",
            ),
            _ => notes.green(
                Check::MediaAddress,
                format!("audio comes to {bound}, and peers are told {told}"),
            ),
        }
    }
    let ports = u32::from(media.ports.last - media.ports.first) + 1;
    let calls = ports / 4;
    match snapshot.limits.concurrent_calls {
        Some(most) if most > calls => notes.red(
            Check::MediaPorts,
            format!("{ports} media ports are enough for {calls} calls, and {most} are allowed"),
            "Enlarge [media] ports: a call takes four.",
        ),
        _ => notes.green(
            Check::MediaPorts,
            format!("{ports} media ports are enough for {calls} calls"),
        ),
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_private() || address.is_loopback() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

fn of_tenant(snapshot: &Snapshot, tenant: &Tenant, seen: &Seen) -> Vec<Finding> {
    let mut notes = Notes::about(format!("tenant {}", tenant.name));
    let fqdn = &tenant.fqdn;
    match seen.addresses.get(fqdn).map_or(&[][..], Vec::as_slice) {
        [] => notes.amber(
            Check::FqdnResolves,
            format!("{fqdn} has no address in the DNS as this box sees it"),
            "Make an A record of it that leads here, or Teams cannot call.",
        ),
        [first, ..] => notes.green(Check::FqdnResolves, format!("{fqdn} leads to {first}")),
    }
    let uses = |(_, trunk): &(TrunkId, &Trunk)| matches!(&trunk.kind, TrunkKind::Teams(teams) if snapshot.tenant(teams.tenant).name == tenant.name);
    let identity = snapshot
        .trunks()
        .find(uses)
        .and_then(|(_, trunk)| identity_of(snapshot, trunk))
        .or(tenant.identity);
    if let Some(identity) = identity {
        of_identity(snapshot, identity, fqdn, seen, &mut notes);
    }
    notes.findings
}

fn of_identity(snapshot: &Snapshot, id: IdentityId, fqdn: &str, seen: &Seen, notes: &mut Notes) {
    let name = &snapshot.identities[id.index()].name;
    let Shown { chain, is_rsa } = match seen.identities.get(name) {
        Some(Ok(shown)) => shown,
        Some(Err(error)) => {
            return notes.red(
                Check::CertificateChain,
                format!("the certificate of identity {name} cannot be read: {error}"),
                "Have it issued again, as PEM.",
            );
        }
        None => return,
    };
    let Some(own) = chain.first() else { return };
    // SIG-06, SIG-07
    if own.is_for(fqdn) {
        notes.green(
            Check::CertificateName,
            format!("the certificate of identity {name} is for {fqdn}"),
        );
    } else {
        notes.red(
            Check::CertificateName,
            format!(
                "the certificate of identity {name} is for {}, and Teams expects {fqdn}",
                listed(&own.names)
            ),
            "Have one issued with this name among its subjectAltNames, or name the right identity.",
        );
    }
    validity(own, name, seen.now, notes);
    whole(chain, name, notes);
    // SIG-08
    if own.serves {
        notes.green(Check::CertificateUsage, "it may be shown by a server");
    } else {
        notes.red(
            Check::CertificateUsage,
            "it may not be shown by a server (no serverAuth among its extended usages)",
            "Have it issued for TLS servers.",
        );
    }
    // SIG-05
    if *is_rsa {
        notes.green(Check::CertificateKey, "its key is RSA");
    } else {
        notes.amber(
            Check::CertificateKey,
            "its key is not RSA",
            "Teams may offer suites for RSA keys alone: have it issued for an RSA key of 2048 bits or more.",
        );
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "no name".to_owned(),
        names => names.join(", "),
    }
}

fn validity(own: &Certificate, name: &str, now: u64, notes: &mut Notes) {
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let days = (own.not_after - now).div_euclid(DAY);
    if own.not_before > now {
        notes.red(
            Check::CertificateValidity,
            format!("the certificate of identity {name} is not valid yet"),
            "Look at the clock; else wait, or have it issued again.",
        );
    } else if own.not_after <= now {
        notes.red(
            Check::CertificateValidity,
            format!(
                "the certificate of identity {name} has expired {} days ago",
                -days
            ),
            "Have it issued anew and put it in its place: no call is dropped by that.",
        );
    } else if days < NOW {
        notes.red(
            Check::CertificateValidity,
            format!("the certificate of identity {name} ends in {days} days"),
            "Have it issued anew now.",
        );
    } else if days < SOON {
        notes.amber(
            Check::CertificateValidity,
            format!("the certificate of identity {name} ends in {days} days"),
            "Have it issued anew.",
        );
    } else {
        notes.green(
            Check::CertificateValidity,
            format!("the certificate of identity {name} is valid for {days} days"),
        );
    }
}

/// SIG-06: Teams refuses a chain with a certificate missing, and one that ends in nobody's root.
fn whole(chain: &[Certificate], name: &str, notes: &mut Notes) {
    let breaks = chain
        .windows(2)
        .any(|pair| pair[0].issuer != pair[1].subject);
    match chain {
        [own] if own.is_self_signed() => notes.red(
            Check::CertificateChain,
            format!("the certificate of identity {name} is self-signed"),
            "Have one issued by a public authority: Teams believes no other.",
        ),
        [_] => notes.red(
            Check::CertificateChain,
            format!("the file of identity {name} has the certificate alone"),
            "Append the intermediate certificates of its authority: Teams does not fetch them.",
        ),
        _ if breaks => notes.red(
            Check::CertificateChain,
            format!("in the file of identity {name} a certificate is not followed by its issuer's"),
            "Put them in order: the box's first, then each one's issuer.",
        ),
        _ => notes.green(
            Check::CertificateChain,
            format!("its chain has {} certificates", chain.len()),
        ),
    }
}

fn of_trunk(snapshot: &Snapshot, id: TrunkId, trunk: &Trunk, seen: &Seen) -> Vec<Finding> {
    let mut notes = Notes::about(format!("trunk {}", trunk.name));
    let (peers, _) = peers(trunk);
    for peer in peers {
        let host = peer.host.to_ascii_lowercase();
        if host.parse::<IpAddr>().is_ok() {
            continue;
        }
        match seen.addresses.get(&host).map_or(&[][..], Vec::as_slice) {
            [] => notes.red(
                Check::PeerResolves,
                format!("{host} has no address in the DNS"),
                "Look at the name, and at [dns] servers; a peer with SRV records alone is found by calls, and not here.",
            ),
            [first, ..] => notes.green(Check::PeerResolves, format!("{host} is {first}")),
        }
    }
    for peer in peers {
        let key = (trunk.name.clone(), peer.to_string());
        match seen.handshakes.get(&key) {
            Some(Handshake::Done(version)) => notes.green(
                Check::PeerHandshake,
                format!("{peer} shakes hands by {version}, and is believed"),
            ),
            Some(Handshake::Failed(error)) => {
                notes.red(
                    Check::PeerHandshake,
                    format!("{peer}: {error}"),
                    blame(error),
                );
            }
            None => {}
        }
    }
    if let TrunkKind::Teams(teams) = &trunk.kind {
        roots(&snapshot.trusts[teams.trust.index()].name, seen, &mut notes);
    }
    if let Some(Ok(running)) = &seen.control
        && let Some(view) = running.trunks.iter().find(|view| view.trunk == trunk.name)
    {
        of_running(view, trunk, &mut notes);
    }
    routes(snapshot, id, &mut notes);
    notes.findings
}

/// What most likely is wrong when a handshake fails so.
fn blame(error: &str) -> &'static str {
    let error = error.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| error.contains(word));
    if says(&["refused", "no answer", "unreachable", "timed out"]) {
        "A firewall is in the way, the port is wrong, or nobody listens there."
    } else if says(&["unknownissuer", "unknown issuer"]) {
        "The bundle of this trunk's trust lacks the root of the peer's certificate."
    } else if says(&["notvalidforname", "not valid for name"]) {
        "The peer shows a certificate for another name: look at the name in the configuration."
    } else if says(&["expired", "notvalidyet"]) {
        "A certificate is out of its time: look at the clock, else tell the peer."
    } else if says(&["alert", "certificate"]) {
        "The peer does not believe our certificate: look at the tenant's lines above."
    } else {
        "Tell the peer what was seen."
    }
}

/// SIG-08: Microsoft changes its authorities; who trusts one root alone is cut off one day.
fn roots(trust: &str, seen: &Seen, notes: &mut Notes) {
    match seen.trusts.get(trust) {
        Some(Ok(bundle)) => {
            let has = |root: &&&str| bundle.iter().any(|have| have.subject.contains(**root));
            let missing: Vec<&str> = ROOTS.iter().filter(|root| !has(root)).copied().collect();
            if missing.is_empty() {
                notes.green(
                    Check::TrustedRoots,
                    format!("trust {trust} has Microsoft's roots"),
                );
            } else {
                notes.amber(
                    Check::TrustedRoots,
                    format!(
                        "trust {trust} has {} roots, without {}",
                        bundle.len(),
                        missing.join(", ")
                    ),
                    "Add them to its bundle: Microsoft's certificates may end in any of them.",
                );
            }
        }
        Some(Err(error)) => notes.red(
            Check::TrustedRoots,
            format!("the bundle of trust {trust} cannot be read: {error}"),
            "Give it as PEM.",
        ),
        None => {}
    }
}

fn of_running(view: &TrunkView, trunk: &Trunk, notes: &mut Notes) {
    for target in &view.targets {
        let seen = format!("{}: {}", target.target, said(target.last));
        match target.reachable {
            Reachability::Up => notes.green(Check::OptionsSent, seen),
            Reachability::Unknown => notes.amber(
                Check::OptionsSent,
                seen,
                "It is asked every minute: examine again.",
            ),
            Reachability::Down => {
                let cure = match target.last {
                    Some(Outcome::NotSent) => "See its address and its handshake above.",
                    Some(Outcome::Answered { .. }) => {
                        "The peer says by 503 that it takes no calls: ask it why."
                    }
                    _ => {
                        "It is reached, and says nothing: for Teams look at the FQDN in Contact and in the tenant's settings."
                    }
                };
                notes.red(Check::OptionsSent, seen, cure);
            }
        }
    }
    if trunk.is_teams() {
        match view.asked_us {
            Some(ago) if ago <= ASKED_WITHIN => {
                notes.green(Check::OptionsReceived, format!("it has asked us by OPTIONS {ago} s ago"));
            }
            Some(ago) => notes.amber(
                Check::OptionsReceived,
                format!("it has not asked us by OPTIONS for {ago} s"),
                "Teams asks every minute while it sends calls: look at the gateway's state in the Teams admin centre.",
            ),
            None => notes.amber(
                Check::OptionsReceived,
                "it has not asked us by OPTIONS yet",
                "Make the gateway for this FQDN and port in the tenant (New-CsOnlinePSTNGateway), and let its signalling in.",
            ),
        }
    }
    match view.registration {
        Some(RegistrationState::Registered) => {
            notes.green(Check::Registration, "the registrar has us");
        }
        Some(RegistrationState::Trying) => notes.red(
            Check::Registration,
            "the registrar does not have us yet",
            "It is tried again by itself; look at the registrar's name and at the way to it.",
        ),
        Some(RegistrationState::Refused) => notes.red(
            Check::Registration,
            "the registrar refuses us",
            "User or password is wrong: look at the trunk's credentials.",
        ),
        None => {}
    }
}

fn said(outcome: Option<Outcome>) -> String {
    match outcome {
        Some(Outcome::Answered {
            status,
            milliseconds,
        }) => format!("answers OPTIONS with {status} after {milliseconds} ms"),
        Some(Outcome::NoAnswer) => "does not answer OPTIONS".to_owned(),
        Some(Outcome::NotSent) => "OPTIONS cannot be sent to it".to_owned(),
        None => "has not answered OPTIONS yet".to_owned(),
    }
}

fn routes(snapshot: &Snapshot, id: TrunkId, notes: &mut Notes) {
    let from = snapshot
        .routes
        .iter()
        .any(|route| route.from.is_empty() || route.from.contains(&id));
    let to = snapshot.routes.iter().any(|route| {
        let mut targets = route.send_to.iter().flat_map(|group| &group.trunks);
        targets.any(|(trunk, _)| *trunk == id)
    });
    match (from, to) {
        (true, true) => notes.green(Check::Routes, "calls are routed from it and to it"),
        (true, false) => notes.amber(
            Check::Routes,
            "no route sends calls to it",
            "If calls are to go there, add a [[route]] with it in send_to.",
        ),
        (false, true) => notes.amber(
            Check::Routes,
            "no route takes calls from it",
            "If calls are to come from there, add a [[route]] with it in from.",
        ),
        (false, false) => notes.red(
            Check::Routes,
            "no route takes calls from it or sends calls to it",
            "Add a [[route]], or remove the trunk.",
        ),
    }
}

#[cfg(test)]
mod tests;
