//! Every rule that Teams holds the box to: what it refuses, and what it only minds.
//!
//! A broken rule is always a complaint. Where Teams would refuse, so does the judge while it is [`Strictness::Strict`];
//! a lenient one lets the call go on, so that one run shows every fault at once.
//!
//! Not here: audio (`crate::media` complains by itself), the route set (`call/hear.rs`), transfers (`referral.rs`).

use std::sync::Arc;

use super::tenants::{Tenant, Tenants, certificate_covers, refusal};
use crate::call::{Judge, Refusal, SdpRole};
use crate::complaint::{Complaints, Rule};
use crate::sdp::{Direction, Sdp, Suite};
use crate::sip::values::{NameAddr, UriParts};
use crate::sip::{Flow, Incoming, Message, Protocol};

/// INV-07: all that Teams takes.
pub const METHODS: [&str; 6] = ["INVITE", "ACK", "OPTIONS", "CANCEL", "BYE", "NOTIFY"];
/// INV-18: commonly reported.
pub const MIN_SE: u32 = 300;
/// Names of the three proxies, in order.
pub const NAMES: [&str; 3] = [
    "sip.pstnhub.microsoft.com",
    "sip2.pstnhub.microsoft.com",
    "sip3.pstnhub.microsoft.com",
];

/// What becomes of a broken rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// A complaint, and the refusal that Teams would send.
    Strict,
    /// A complaint.
    Lenient,
}

/// Teams' judge.
#[derive(Debug)]
pub struct TeamsJudge {
    /// Whose numbers are whose.
    pub tenants: Arc<Tenants>,
    /// Where complaints go.
    pub complaints: Complaints,
    /// What becomes of them.
    pub strictness: Strictness,
    /// Words that would tell of the other leg: its addresses, its names.
    pub secrets: Vec<String>,
}

impl TeamsJudge {
    fn broken(&self, rule: Rule, detail: impl Into<String>) -> Result<(), Refusal> {
        self.complaints.add(rule, detail);
        match self.strictness {
            Strictness::Strict => Err(refusal(rule)),
            Strictness::Lenient => Ok(()),
        }
    }

    /// Minded, never refused.
    fn minds(&self, rule: Rule, detail: impl Into<String>) {
        self.complaints.add(rule, detail);
    }

    /// The tenant that a message's Contact names.
    #[must_use]
    pub fn tenant_of(&self, message: &Message) -> Option<&Tenant> {
        self.tenants.of_host(message.contact()?.parts()?.host)
    }

    fn contact(&self, message: &Message, flow: &Flow) -> Result<(), Refusal> {
        let what = describe(message);
        let Some(contact) = message.contact() else {
            return self.broken(Rule::ContactMissing, what);
        };
        let Some(parts) = contact.parts() else {
            return self.broken(Rule::ContactIsAddress, format!("{what}: {}", contact.uri));
        };
        if parts.scheme != "sip" {
            self.broken(Rule::SipsScheme, format!("{what}: {}", contact.uri))?;
        }
        if is_address(parts.host) {
            return self.broken(Rule::ContactIsAddress, format!("{what}: {}", contact.uri));
        }
        // INV-01: Contact = FQDN;transport=tls.
        if !parts
            .parameter("transport")
            .is_some_and(|transport| transport.eq_ignore_ascii_case("tls"))
        {
            self.broken(Rule::Transport, format!("{what}: {}", contact.uri))?;
        }
        let names = flow
            .tls()
            .map(|facts| facts.peer_names.as_slice())
            .unwrap_or_default();
        if !certificate_covers(names, parts.host) {
            self.broken(
                Rule::ContactNotInCertificate,
                format!("{what}: {} under a certificate for {names:?}", parts.host),
            )?;
        }
        if self.tenants.of_host(parts.host).is_none() {
            self.broken(Rule::TenantUnknown, format!("{what}: {}", parts.host))?;
        }
        // INV-02: none, or the same FQDN.
        for route in message.values("Record-Route") {
            let host = NameAddr::parse(route)
                .and_then(|route| route.parts())
                .map(|parts| parts.host);
            if host.is_none_or(|host| !host.eq_ignore_ascii_case(parts.host)) {
                self.broken(Rule::RecordRoute, format!("{what}: {route}"))?;
            }
        }
        Ok(())
    }

    fn form(&self, message: &Message) -> Result<(), Refusal> {
        let what = describe(message);
        let uris = [
            Some(message.uri()),
            message.header("From").and_then(uri_of),
            message.header("To").and_then(uri_of),
            message.contact().map(|contact| contact.uri),
        ];
        for parts in uris.into_iter().flatten().filter_map(UriParts::parse) {
            if parts.scheme == "sips" {
                self.broken(Rule::SipsScheme, format!("{what}: sips:{}", parts.host))?;
            }
            if parts.user == Some("") {
                self.broken(Rule::EmptyUser, format!("{what}: @{}", parts.host))?;
            }
        }
        if message.header("Replaces").is_some() || message.uri().contains("Replaces") {
            self.broken(Rule::Replaces, &what)?;
        }
        if message.header("X-MS-SBC").is_none()
            && matches!(message.method(), Some("INVITE" | "OPTIONS"))
        {
            self.minds(Rule::NoVendorHeader, &what);
        }
        self.leaks(message);
        Ok(())
    }

    fn leaks(&self, message: &Message) {
        leaks(&self.complaints, &self.secrets, message);
    }

    fn first_invite(&self, message: &Message) -> Result<(), Refusal> {
        self.allows_transfer(message);
        if message
            .values("Require")
            .iter()
            .any(|tag| tag.eq_ignore_ascii_case("100rel"))
        {
            self.broken(Rule::Method, "Require: 100rel, and there is no PRACK here")?;
        }
        if let Some(interval) = message.header("Session-Expires") {
            let seconds = interval
                .split(';')
                .next()
                .and_then(|text| text.trim().parse::<u32>().ok());
            if seconds.is_none_or(|seconds| seconds < MIN_SE) {
                self.complaints.add(Rule::SessionInterval, interval);
                return Err(refusal(Rule::SessionInterval).with("Min-SE", MIN_SE.to_string()));
            }
        }
        // An INVITE that answers a REFER may be for no number at all.
        if message.header("Referred-By").is_none() {
            self.numbers(message)?;
        }
        if message.sdp().is_none() {
            self.broken(Rule::NoOffer, describe(message))?;
        }
        Ok(())
    }

    fn numbers(&self, message: &Message) -> Result<(), Refusal> {
        let callee = UriParts::parse(message.uri())
            .and_then(|parts| parts.user)
            .unwrap_or_default();
        if !callee.starts_with('+') {
            self.broken(Rule::CalleeWithoutPlus, message.uri())?;
        }
        let from = message.header("From").unwrap_or_default();
        let caller = uri_of(from)
            .and_then(UriParts::parse)
            .and_then(|parts| parts.user)
            .unwrap_or_default();
        if !caller.starts_with('+') && caller != "anonymous" {
            self.broken(Rule::CallerWithoutPlus, from)?;
        }
        match self.tenant_of(message) {
            Some(tenant) if !tenant.has(callee) => {
                self.complaints
                    .add(Rule::NumberUnknown, format!("{callee} in {}", tenant.name));
                Err(refusal(Rule::NumberUnknown))
            }
            _ => Ok(()),
        }
    }

    /// REF-01.
    fn allows_transfer(&self, message: &Message) {
        let allow = message.values("Allow");
        if !["REFER", "NOTIFY"]
            .iter()
            .all(|method| allow.contains(method))
        {
            self.minds(
                Rule::AllowLacksTransfer,
                format!("{}: {allow:?}", describe(message)),
            );
        }
    }

    fn crypto(&self, sdp: &Sdp) -> Result<(), Refusal> {
        let audio = &sdp.audio;
        if audio.profile != "RTP/SAVP" {
            return self.broken(Rule::NotSecured, &audio.profile);
        }
        let usable = audio
            .crypto
            .iter()
            .find(|crypto| crypto.suite == Suite::Sha1_80);
        let Some(crypto) = usable else {
            return self.broken(Rule::Suite, format!("{} lines", audio.crypto.len()));
        };
        if crypto.lifetime.as_deref() != Some("2^31") || crypto.mki.is_some() {
            self.minds(
                Rule::KeyParameters,
                format!("lifetime {:?}, MKI {:?}", crypto.lifetime, crypto.mki),
            );
        }
        Ok(())
    }
}

impl Judge for TeamsJudge {
    fn request(&self, incoming: &Incoming) -> Result<(), Refusal> {
        let message = &incoming.message;
        let method = message.method().unwrap_or_default();
        if !METHODS.contains(&method) {
            self.complaints.add(Rule::Method, method);
            return Err(refusal(Rule::Method).with("Allow", METHODS.join(",")));
        }
        if incoming.flow.protocol() != Protocol::Tls {
            self.broken(Rule::Transport, "not over TLS")?;
        }
        self.form(message)?;
        // A target refresh or a dialog of its own needs Contact; REF-02 wants it in NOTIFY.
        if matches!(method, "INVITE" | "OPTIONS" | "NOTIFY") {
            self.contact(message, &incoming.flow)?;
        }
        if method == "INVITE" && message.to_tag().is_none() {
            self.first_invite(message)?;
        }
        if method == "OPTIONS" {
            self.allows_transfer(message);
        }
        Ok(())
    }

    fn response(&self, request: &Message, response: &Message) {
        self.leaks(response);
        let method = request.method().unwrap_or_default();
        let code = response.code().unwrap_or_default();
        let forms_dialog = method == "INVITE" && (101..300).contains(&code);
        let greets = method == "OPTIONS" && code == 200;
        if !(forms_dialog || greets) {
            return;
        }
        let what = format!("{code} to {method}");
        // INV-01: in responses too.
        match response.contact().and_then(|contact| contact.parts()) {
            None => self.minds(Rule::ContactMissing, &what),
            Some(parts) if is_address(parts.host) => {
                self.minds(Rule::ContactIsAddress, format!("{what}: {}", parts.host))
            }
            Some(parts) if self.tenants.of_host(parts.host).is_none() => {
                self.minds(Rule::TenantUnknown, format!("{what}: {}", parts.host));
            }
            Some(_) => {}
        }
        if code >= 200 {
            self.allows_transfer(response);
            if response.header("X-MS-SBC").is_none() {
                self.minds(Rule::NoVendorHeader, &what);
            }
        }
    }

    fn sdp(&self, role: SdpRole, sdp: &Sdp, before: Option<&Sdp>) -> Result<(), Refusal> {
        let audio = &sdp.audio;
        if audio.port == 0 {
            return self.broken(Rule::ExtraMedia, "audio with port 0");
        }
        if sdp.address.is_unspecified() {
            self.broken(Rule::ZeroAddress, "c=0.0.0.0")?;
        }
        if matches!(audio.direction, Direction::SendOnly | Direction::RecvOnly) {
            self.broken(Rule::HalfHold, audio.direction.name())?;
        }
        if role == SdpRole::Offer && !sdp.other_media.is_empty() {
            self.minds(Rule::ExtraMedia, sdp.other_media.join(", "));
        }
        self.crypto(sdp)?;
        let text = sdp.print();
        for secret in self
            .secrets
            .iter()
            .filter(|secret| text.contains(secret.as_str()))
        {
            self.minds(Rule::Leak, format!("{secret} in SDP"));
        }
        if let Some(before) = before {
            if before.rtp() != sdp.rtp() {
                self.minds(
                    Rule::MediaMoved,
                    format!("{} to {}", before.rtp(), sdp.rtp()),
                );
            }
            let same = Sdp {
                origin: before.origin.clone(),
                ..sdp.clone()
            } == *before;
            if same != (before.version() == sdp.version()) {
                self.minds(
                    Rule::SdpVersion,
                    format!("{:?} then {:?}", before.origin, sdp.origin),
                );
            }
        }
        Ok(())
    }
}

/// Words of the other leg in a message: every header but those that a request of ours gave back.
pub fn leaks(complaints: &Complaints, secrets: &[String], message: &Message) {
    for secret in secrets {
        let uri = message.uri().contains(secret.as_str());
        let header = message.headers().iter().find(|(_, value)| {
            value
                .to_ascii_lowercase()
                .contains(&secret.to_ascii_lowercase())
        });
        if uri || header.is_some() {
            let name = header.map_or("Request-URI", |(name, _)| name.as_str());
            complaints.add(
                Rule::Leak,
                format!("{secret} in {name} of {}", describe(message)),
            );
        }
    }
}

fn describe(message: &Message) -> String {
    match message.method() {
        Some(method) => format!("{method} {}", message.uri()),
        None => format!(
            "{} to {}",
            message.code().unwrap_or_default(),
            message.cseq().map_or("?", |(_, method)| method)
        ),
    }
}

fn uri_of(value: &str) -> Option<&str> {
    NameAddr::parse(value).map(|address| address.uri)
}

fn is_address(host: &str) -> bool {
    host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok()
}
