//! Tenants, and how Teams finds the one that a message of the box is for.
//!
//! Spec 1.3: the first Contact's name must be in the box's certificate; the whole name, else its parent, must be a tenant's
//! domain; the number is looked up in that tenant alone. Each failure has its status and Microsoft's code.
//!
//! Not here: other rules about Contact (`judge.rs`).

use std::ops::RangeInclusive;

use crate::call::Refusal;
use crate::complaint::Rule;

/// A customer of Microsoft's with a trunk to the box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its name, for people.
    pub name: String,
    /// The trunk's FQDN: the box, as this tenant knows it.
    pub fqdn: String,
    /// Numbers assigned to its users, without the `+`.
    pub numbers: Vec<RangeInclusive<u64>>,
}

/// All tenants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tenants(pub Vec<Tenant>);

impl Tenants {
    /// The tenant of a Contact's host: by the whole name, else by its parent (the carrier model).
    #[must_use]
    pub fn of_host(&self, host: &str) -> Option<&Tenant> {
        let by = |name: &str| {
            self.0
                .iter()
                .find(|tenant| tenant.fqdn.eq_ignore_ascii_case(name))
        };
        by(host).or_else(|| by(host.split_once('.')?.1))
    }

    /// The tenant of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Tenant> {
        self.0.iter().find(|tenant| tenant.name == name)
    }
}

impl Tenant {
    /// Whether a user of it has this number, written `+…`.
    #[must_use]
    pub fn has(&self, number: &str) -> bool {
        number
            .strip_prefix('+')
            .and_then(|digits| digits.parse().ok())
            .is_some_and(|number: u64| self.numbers.iter().any(|range| range.contains(&number)))
    }
}

/// Whether a certificate with these names stands for `host`: exactly, or by a wildcard for one label (RFC 2818 §3.1).
#[must_use]
pub fn certificate_covers(names: &[String], host: &str) -> bool {
    names.iter().any(|name| match name.strip_prefix("*.") {
        Some(parent) => host
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent)),
        None => name.eq_ignore_ascii_case(host),
    })
}

/// A refusal as Teams words it: the status and, in Reason, its own code.
#[must_use]
pub fn refusal(rule: Rule) -> Refusal {
    let (code, phrase, microsoft) = match rule {
        Rule::ContactMissing => (
            400,
            "Bad Request",
            "both Record-Route and Contact headers are missing",
        ),
        Rule::ContactIsAddress
        | Rule::ContactNotInCertificate
        | Rule::TenantUnknown
        | Rule::RecordRoute => (403, "Forbidden", "510532 no trunk configuration was found"),
        Rule::Transport => (
            403,
            "Forbidden",
            "510532 the transport of Contact is not tls",
        ),
        Rule::Replaces => (403, "Forbidden", "INVITE with Replaces is not accepted"),
        Rule::NumberUnknown => (404, "Not Found", "511404 no user has this number"),
        Rule::CalleeWithoutPlus => (404, "Not Found", "511404 the number has no +"),
        Rule::CallerWithoutPlus => (400, "Bad Request", "540400 the caller has no +"),
        Rule::SipsScheme => (416, "Unsupported URI Scheme", "540400 sips"),
        Rule::Method => (405, "Method Not Allowed", "540405"),
        Rule::SessionInterval => (422, "Session Interval Too Small", "540422"),
        Rule::ZeroAddress => (488, "Not Acceptable Here", "531052 c=0.0.0.0"),
        Rule::NoOffer
        | Rule::NotSecured
        | Rule::Suite
        | Rule::HalfHold
        | Rule::ExtraMedia
        | Rule::BadSdp => (
            488,
            "Not Acceptable Here",
            "531000 SrtpEncryptionRequired or unusable SDP",
        ),
        _ => (400, "Bad Request", "540400 SIP format"),
    };
    Refusal::new(code, phrase).with("Reason", format!("Q.850;cause=63;text=\"{microsoft}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let names = ["*.example.com".to_owned()];
        assert!(certificate_covers(&names, "sbc.example.com"));
        assert!(!certificate_covers(&names, "sbc.test.example.com"));
        assert!(!certificate_covers(&names, "example.com"));
    }

    #[test]
    fn a_tenant_is_found_by_its_name_or_its_parents() {
        let tenants = Tenants(vec![Tenant {
            name: "contoso".to_owned(),
            fqdn: "sbc1.contoso.example".to_owned(),
            numbers: vec![12_025_550_100..=12_025_550_199],
        }]);
        for host in ["SBC1.contoso.example", "cust.sbc1.contoso.example"] {
            assert!(tenants.of_host(host).is_some(), "{host}");
        }
        assert!(tenants.of_host("contoso.example").is_none());
        let contoso = &tenants.0[0];
        assert!(contoso.has("+12025550142"));
        assert!(!contoso.has("12025550142") && !contoso.has("+12025550200"));
    }
}
