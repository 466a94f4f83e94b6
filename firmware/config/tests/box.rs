//! A whole document is read, its snapshot answers, and a broken one tells everything that is wrong with it at once.
//!
//! The document is the one that a small box has: one tenant, one Teams trunk, one carrier. What is said of broken ones word for
//! word is in `findings`.

use std::net::IpAddr;

use config::{ListenerId, Snapshot};

const BOX: &str = include_str!("box.toml");

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn snapshot() -> std::sync::Arc<Snapshot> {
    config::parse(BOX)
        .unwrap_or_else(|findings| panic!("{findings}"))
        .snapshot()
}

#[test]
fn a_number_finds_its_tenant() {
    let snapshot = snapshot();
    let of = |number| {
        snapshot
            .tenant_of_number(number)
            .map(|id| snapshot.tenant(id).name.as_str())
    };
    assert_eq!(of("+12025550100"), Some("contoso"));
    assert_eq!(of("+12025550199"), Some("contoso"));
    assert_eq!(of("+12025550200"), None);
    assert_eq!(of("12025550100"), None);
    assert_eq!(of("+1202555010"), None);
}

#[test]
fn a_source_finds_its_trunk() {
    let snapshot = snapshot();
    let of = |listener, source, host| {
        snapshot
            .trunk_of(ListenerId(listener), address(source), host)
            .map(|id| snapshot.trunk(id).name.as_str())
    };
    assert_eq!(of(0, "127.0.0.9", None), Some("probe"));
    assert_eq!(of(0, "127.0.0.10", None), None);
    assert_eq!(
        of(1, "52.113.1.1", Some("SBC1.contoso.example")),
        Some("teams-contoso")
    );
    assert_eq!(of(1, "52.113.1.1", Some("other.example")), None);
    assert_eq!(
        of(1, "8.8.8.8", Some("sbc1.contoso.example")),
        None,
        "SIG-03"
    );
    assert!(!snapshot.is_known(ListenerId(0), address("127.0.0.10")));
}

#[test]
fn every_fault_is_reported_at_once_with_its_line() {
    let broken = BOX
        .replace("ports = \"20000-23999\"", "prots = \"20000-23999\"")
        .replace("transport = \"udp\"", "transport = \"sctp\"")
        .replace("send_to = [\"probe\"]", "send_to = [\"prob\"]")
        .replace("sources = [\"127.0.0.9\"]", "sources = [\"0.0.0.0/0\"]")
        .replace("calls_per_second = 50", "calls_per_second = \"many\"");
    let findings = config::parse(&broken).expect_err("five faults").to_string();
    for wanted in [
        "media.prots: there is no setting \"prots\" here; did you mean \"ports\"?",
        "listener.trunks-udp.transport: \"sctp\" cannot stand here. Write \"udp\", \"tcp\" or \"tls\".",
        "there is no trunk named \"prob\"; did you mean \"probe\"?",
        "trunk.probe.sources: a trunk that takes requests from everywhere",
        "tenant.contoso.limits.calls_per_second: a text cannot stand here. Write a whole number from 1.",
    ] {
        assert!(findings.contains(wanted), "{wanted}\nnot in\n{findings}");
    }
    assert_eq!(findings.lines().count(), 5, "{findings}");
    let line = broken
        .lines()
        .position(|line| line.starts_with("prots"))
        .expect("there")
        + 1;
    assert!(
        findings.contains(&format!("line {line}, column 1: media.prots")),
        "{findings}"
    );
}

#[test]
fn a_ported_number_is_taken_out_of_the_range_around_it() {
    let fabrikam = "[[tenant]]\nname = \"fabrikam\"\nfqdn = \"sbc2.fabrikam.example\"\nnumbers = [\"+12025550150\"]\n";
    let snapshot = config::parse(&format!("{BOX}\n{fabrikam}"))
        .unwrap_or_else(|findings| panic!("{findings}"))
        .snapshot();
    let of = |number| {
        snapshot
            .tenant_of_number(number)
            .map(|id| snapshot.tenant(id).name.as_str())
    };
    assert_eq!(of("+12025550149"), Some("contoso"));
    assert_eq!(of("+12025550150"), Some("fabrikam"));
    assert_eq!(of("+12025550151"), Some("contoso"));
    let contoso = snapshot.tenant_of_number("+12025550149").expect("contoso");
    assert!(snapshot.owns(contoso, "+12025550151") && !snapshot.owns(contoso, "+12025550150"));
}

#[test]
fn tenants_share_numbers_where_every_trunk_knows_whose_call_it_is() {
    // MT-01: +1001 exists in two companies.
    let shared = BOX.replace("+12025550100-+12025550199", "+1001")
        + "\n[[tenant]]\nname = \"fabrikam\"\nfqdn = \"sbc2.fabrikam.example\"\nnumbers = [\"+1001\"]\n";
    assert!(
        config::parse(&shared).is_err(),
        "trunk probe would not know whose it is"
    );
    let reserved = shared.replace(
        "kind = \"carrier\"",
        "kind = \"carrier\"\ntenant = \"contoso\"",
    );
    let snapshot = config::parse(&reserved)
        .unwrap_or_else(|findings| panic!("{findings}"))
        .snapshot();
    for fqdn in ["sbc1.contoso.example", "sbc2.fabrikam.example"] {
        let tenant = snapshot.tenant_of_fqdn(fqdn).expect("a tenant");
        assert!(
            snapshot.owns(tenant, "+1001") && !snapshot.owns(tenant, "+1002"),
            "{fqdn}"
        );
    }
}

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "the corpus is read as files, and not by the crate"
)]
fn no_text_makes_it_panic() {
    let corpus = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/regressions/config"
    );
    let mut replayed = 0;
    for seed in std::fs::read_dir(corpus).expect("the corpus").flatten() {
        config::fuzz::fuzz_parse(&std::fs::read(seed.path()).expect("a seed"));
        replayed += 1;
    }
    assert!(replayed > 5, "the corpus is there");
    // Every beginning of a good document is a document that somebody was writing.
    for end in (0..BOX.len()).filter(|end| BOX.is_char_boundary(*end)) {
        config::fuzz::fuzz_parse(&BOX.as_bytes()[..end]);
    }
}
