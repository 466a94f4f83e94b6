//! Each red and amber line, from what was seen alone.
//!
//! Not here: how it is seen (`tests/tests/console` examines a box between the lab's Teams and a carrier).

use std::sync::Arc;

use call::api::TargetView;

use super::*;

const TEXT: &str = r#"
version = 1
[media]
address = "192.0.2.10"
ports = "20000-20399"
[limits]
concurrent_calls = 100
[[listener]]
name = "trunks"
transport = "udp"
address = "192.0.2.10:5060"
[[listener]]
name = "teams"
transport = "tls"
address = "192.0.2.10:5061"
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
fqdn = "sbc1.contoso.example"
identity = "shown"
numbers = ["+12025550100-+12025550199"]
[[trunk]]
name = "teams-contoso"
kind = "teams"
tenant = "contoso"
listener = "teams"
trust = "microsoft"
proxies = ["sip.pstnhub.microsoft.com:5061"]
sources = ["52.112.0.0/14"]
[[trunk]]
name = "probe"
kind = "carrier"
listener = "trunks"
peers = ["192.0.2.20"]
sources = ["192.0.2.20"]
[[route]]
name = "in"
from = ["probe"]
to_numbers = ["tenant"]
send_to = ["teams-contoso"]
[[route]]
name = "out"
from = ["teams-contoso"]
send_to = ["probe"]
"#;

const NOW_IS: u64 = 1_790_000_000;
const PROXY: &str = "sip.pstnhub.microsoft.com:5061";

fn snapshot(text: &str) -> Arc<Snapshot> {
    config::parse(text).expect("it is in order").snapshot()
}

fn certificate(subject: &str, issuer: &str, days: i64) -> Certificate {
    Certificate {
        subject: subject.to_owned(),
        issuer: issuer.to_owned(),
        names: vec!["sbc1.contoso.example".to_owned()],
        not_before: NOW_IS as i64 - DAY,
        not_after: NOW_IS as i64 + days * DAY,
        serves: true,
    }
}

fn view(trunk: &str, last: Option<Outcome>, reachable: Reachability) -> TrunkView {
    TrunkView {
        trunk: trunk.to_owned(),
        tenant: None,
        targets: vec![TargetView {
            target: PROXY.to_owned(),
            reachable,
            last,
            ago: Some(5),
        }],
        registration: None,
        asked_us: Some(10),
    }
}

/// A box with nothing wrong.
fn well() -> Seen {
    let roots = ROOTS.iter().map(|root| certificate(root, root, 3_000));
    let chain = vec![
        certificate("CN=sbc1.contoso.example", "CN=Intermediate", 200),
        certificate("CN=Intermediate", "CN=Root", 2_000),
    ];
    let answered = Outcome::Answered {
        status: 200,
        milliseconds: 40,
    };
    Seen {
        now: NOW_IS,
        identities: [(
            "shown".to_owned(),
            Ok(Shown {
                chain,
                is_rsa: true,
            }),
        )]
        .into(),
        trusts: [("microsoft".to_owned(), Ok(roots.collect()))].into(),
        addresses: ["sbc1.contoso.example", "sip.pstnhub.microsoft.com"]
            .map(|name| (name.to_owned(), vec![IpAddr::from([203, 0, 113, 1])]))
            .into(),
        handshakes: [(
            ("teams-contoso".to_owned(), PROXY.to_owned()),
            Handshake::Done("TLS 1.3".to_owned()),
        )]
        .into(),
        bound: [(IpAddr::from([192, 0, 2, 10]), Ok(()))].into(),
        control: Some(Ok(Running {
            media: true,
            trunks: vec![view("teams-contoso", Some(answered), Reachability::Up)],
        })),
    }
}

/// The lights of a check that are not green.
fn lights(seen: &Seen, check: Check) -> Vec<Light> {
    let report = judge(&snapshot(TEXT), seen);
    let findings = report.findings.into_iter();
    let of_it = findings.filter(|finding| finding.check == check && finding.light != Light::Green);
    of_it
        .map(|finding| {
            assert!(finding.cure.is_some(), "{finding:?}");
            finding.light
        })
        .collect()
}

#[test]
fn a_box_that_is_well_is_green_all_over() {
    let report = judge(&snapshot(TEXT), &well());
    assert_eq!(report.worst(), Light::Green, "{report}");
    assert!(report.findings.len() > 15);
    assert!(report.findings.iter().all(|finding| finding.cure.is_none()));
}

#[test]
fn each_thing_that_is_wrong_is_found() {
    type Harm = fn(&mut Seen);
    fn own(seen: &mut Seen) -> &mut Certificate {
        &mut chain(seen)[0]
    }
    fn chain(seen: &mut Seen) -> &mut Vec<Certificate> {
        let shown = seen.identities.get_mut("shown").expect("it is there");
        &mut shown.as_mut().expect("it can be read").chain
    }
    fn running(seen: &mut Seen) -> &mut Running {
        let control = seen.control.as_mut().expect("it was asked");
        control.as_mut().expect("it runs")
    }
    fn shakes(seen: &mut Seen, error: &str) {
        for handshake in seen.handshakes.values_mut() {
            *handshake = Handshake::Failed(error.to_owned());
        }
    }
    let harms: [(Check, Light, Harm); 24] = [
        (Check::Clock, Light::Red, |seen| seen.now = 1_000),
        (Check::Planes, Light::Red, |seen| {
            running(seen).media = false
        }),
        (Check::Planes, Light::Red, |seen| {
            seen.control = Some(Err("gone".to_owned()))
        }),
        (Check::Planes, Light::Amber, |seen| seen.control = None),
        (Check::MediaAddress, Light::Red, |seen| {
            seen.bound
                .insert(IpAddr::from([192, 0, 2, 10]), Err("not ours".to_owned()));
        }),
        (Check::FqdnResolves, Light::Amber, |seen| {
            seen.addresses.remove("sbc1.contoso.example");
        }),
        (Check::CertificateName, Light::Red, |seen| {
            own(seen).names = vec!["sbc2.contoso.example".to_owned()]
        }),
        (Check::CertificateName, Light::Red, |seen| {
            own(seen).names.clear()
        }),
        (Check::CertificateValidity, Light::Red, |seen| {
            own(seen).not_after = NOW_IS as i64 - 1
        }),
        (Check::CertificateValidity, Light::Red, |seen| {
            own(seen).not_after = NOW_IS as i64 + 6 * DAY
        }),
        (Check::CertificateValidity, Light::Amber, |seen| {
            own(seen).not_after = NOW_IS as i64 + 20 * DAY
        }),
        (Check::CertificateValidity, Light::Red, |seen| {
            own(seen).not_before = NOW_IS as i64 + 1
        }),
        (Check::CertificateChain, Light::Red, |seen| {
            chain(seen).truncate(1)
        }),
        (Check::CertificateChain, Light::Red, |seen| {
            own(seen).issuer = "CN=Another".to_owned()
        }),
        (Check::CertificateChain, Light::Red, |seen| {
            seen.identities
                .insert("shown".to_owned(), Err("no PEM".to_owned()));
        }),
        (Check::CertificateUsage, Light::Red, |seen| {
            own(seen).serves = false
        }),
        (Check::CertificateKey, Light::Amber, |seen| {
            let shown = seen.identities.get_mut("shown").expect("it is there");
            shown.as_mut().expect("it can be read").is_rsa = false;
        }),
        (Check::TrustedRoots, Light::Amber, |seen| {
            let roots = seen.trusts.get_mut("microsoft").expect("it is there");
            roots.as_mut().expect("it can be read").remove(2);
        }),
        (Check::PeerResolves, Light::Red, |seen| {
            seen.addresses.remove("sip.pstnhub.microsoft.com");
        }),
        (Check::PeerHandshake, Light::Red, |seen| {
            shakes(seen, "connection refused")
        }),
        (Check::OptionsSent, Light::Red, |seen| {
            running(seen).trunks = vec![view(
                "teams-contoso",
                Some(Outcome::NoAnswer),
                Reachability::Down,
            )];
        }),
        (Check::OptionsSent, Light::Amber, |seen| {
            running(seen).trunks = vec![view("teams-contoso", None, Reachability::Unknown)];
        }),
        (Check::OptionsReceived, Light::Amber, |seen| {
            running(seen).trunks[0].asked_us = None
        }),
        (Check::Registration, Light::Red, |seen| {
            running(seen).trunks[0].registration = Some(RegistrationState::Refused);
        }),
    ];
    for (check, light, harm) in harms {
        let mut seen = well();
        harm(&mut seen);
        assert_eq!(lights(&seen, check), [light], "{check:?}");
    }
}

#[test]
fn what_the_configuration_itself_says_is_judged_too() {
    let report = |text: &str| judge(&snapshot(text), &well());
    let light = |report: &Report, check| {
        let of_it = |finding: &&Finding| finding.check == check;
        let lights = report.findings.iter().filter(of_it);
        lights.map(|finding| finding.light).max()
    };
    let few = TEXT.replace("concurrent_calls = 100", "concurrent_calls = 101");
    assert_eq!(light(&report(&few), Check::MediaPorts), Some(Light::Red));
    let private = TEXT.replace("192.0.2.10", "10.0.0.10");
    assert_eq!(
        light(&report(&private), Check::MediaAddress),
        Some(Light::Amber)
    );
    let one_way = TEXT
        .split("[[route]]\nname = \"out\"")
        .next()
        .expect("the rest");
    assert_eq!(light(&report(one_way), Check::Routes), Some(Light::Amber));
}

#[test]
fn a_failed_handshake_is_blamed_on_what_it_says() {
    for (error, word) in [
        ("Connection refused (os error 111)", "firewall"),
        ("invalid peer certificate: UnknownIssuer", "lacks the root"),
        (
            "invalid peer certificate: certificate not valid for name \"x\"",
            "another name",
        ),
        ("invalid peer certificate: Expired", "clock"),
        (
            "received fatal alert: CertificateUnknown",
            "our certificate",
        ),
        ("odd", "Tell the peer"),
    ] {
        assert!(blame(error).contains(word), "{error}: {}", blame(error));
    }
}
