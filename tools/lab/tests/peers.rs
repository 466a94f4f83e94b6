//! The lab's own peers against each other's manners, without a box: a hand-made SBC of a few lines speaks to Teams over
//! TLS, and Teams' answers, audio and complaints are what the spec says.
//!
//! Not here: the box (`tests/`).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lab::call::{
    Call, Dial, Dialler, Ending, Indulgent, MediaStyle, OfferWhen, Persona, Phase, Refusal, Script,
    Step, TlsDialler,
};
use lab::carrier::{self, Carrier};
use lab::complaint::{Complaints, Rule};
use lab::media::{Codec, Voice};
use lab::pki::{Identity, Leaf, Pki};
use lab::sdp::Suite;
use lab::sip::{Case, Endpoint};
use lab::teams::{self, Fault, Teams, Tenant};
use lab::tls::{Client, Versions};
use tokio::sync::{broadcast, mpsc};

const SOON: Duration = Duration::from_secs(5);
const FQDN: &str = "sbc1.contoso.example";

struct Rig {
    teams: Teams,
    sbc: Arc<Persona>,
    _strays: mpsc::UnboundedReceiver<lab::sip::endpoint::Stray>,
}

async fn rig(network: u8, identity: impl FnOnce(&Pki) -> Identity) -> Rig {
    rig_with(
        network,
        identity,
        &format!("<sip:{FQDN}:5061;transport=tls>"),
    )
    .await
}

/// An SBC that writes this into Contact.
async fn rig_with(network: u8, identity: impl FnOnce(&Pki) -> Identity, contact: &str) -> Rig {
    let pki = Pki::new().expect("certificates");
    let microsoft = pki
        .microsoft
        .issue(
            &["sip.pstnhub.microsoft.com", "*.pstnhub.microsoft.com"],
            Leaf::ServerOnly,
        )
        .expect("a certificate");
    let mut settings = teams::Settings::usual([127, 52, network], microsoft, pki.public.root());
    settings.tenants = vec![Tenant {
        name: "contoso".to_owned(),
        fqdn: FQDN.to_owned(),
        numbers: vec![12_025_550_100..=12_025_550_199],
    }];
    let teams = Teams::start(settings).await.expect("Teams");
    let own = identity(&pki);
    let (endpoint, strays) = Endpoint::new("sbc", Case::Usual);
    let client = Client::new(Some(&own), &pki.microsoft.root(), Versions::Both).expect("a client");
    let hosts: HashMap<String, SocketAddr> = teams
        .names()
        .into_iter()
        .map(|(name, address)| (name, SocketAddr::new(address, teams.proxies()[0].port())))
        .collect();
    let sbc = Arc::new(Persona {
        dialler: Dialler::Tls(TlsDialler::new(
            client,
            endpoint.clone(),
            vec![IpAddr::from([127, 0, 0, 1])],
            hosts,
        )),
        endpoint,
        contact: contact.to_owned(),
        record_route: None,
        headers: vec![
            (
                "Allow".to_owned(),
                "INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY, REFER".to_owned(),
            ),
            ("X-MS-SBC".to_owned(), "Lab/Test/1".to_owned()),
        ],
        media: MediaStyle {
            address: IpAddr::from([127, 0, 0, 1]),
            says: Voice::Carrier,
            hears: Voice::Teams,
            codecs: vec![Codec::Pcma],
            decoration: Vec::new(),
            secure: vec![Suite::Sha1_80],
            mux: true,
            event: 101,
            first_sequence: None,
        },
        judge: Arc::new(Indulgent),
        complaints: Complaints::default(),
        events: broadcast::Sender::new(16),
    });
    Rig {
        teams,
        sbc,
        _strays: strays,
    }
}

fn good(pki: &Pki) -> Identity {
    pki.public
        .issue(&[FQDN], Leaf::ServerOnly)
        .expect("a certificate")
}

fn to_contoso(number: &str) -> Dial {
    Dial {
        uri: format!("sip:{number}@sip.pstnhub.microsoft.com:5061;user=phone;transport=tls"),
        from: format!("<sip:+13125550100@{FQDN};user=phone>"),
        to: format!("<sip:{number}@sip.pstnhub.microsoft.com;user=phone>"),
        headers: Vec::new(),
        offer: OfferWhen::Early,
    }
}

async fn refused(rig: &Rig, dial: Dial) -> u16 {
    let call = Call::dial(&rig.sbc, dial).await.expect("ports");
    match call.up(SOON).await {
        Err(Ending::Refused { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_call_speaks_both_ways_is_held_rekeyed_and_ended_without_complaint() {
    let rig = rig(1, good).await;
    let call = Call::dial(&rig.sbc, to_contoso("+12025550142"))
        .await
        .expect("ports");
    call.up(SOON).await.expect("answered");
    let other = rig
        .teams
        .wait_for(SOON, |call| call.callee() == "+12025550142")
        .await
        .expect("taken");
    tokio::time::sleep(Duration::from_millis(700)).await;
    call.hold().await.expect("held");
    assert!(
        other
            .theirs()
            .is_some_and(|sdp| sdp.audio.direction == lab::sdp::Direction::Inactive)
    );
    tokio::time::sleep(Duration::from_millis(100)).await;
    let held = other.report().sent;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(other.report().sent, held, "held is silent");
    call.resume().await.expect("resumed");
    call.rekey().await.expect("new keys");
    tokio::time::sleep(Duration::from_millis(700)).await;
    for report in [call.report(), other.report()] {
        assert!(report.protected && report.heard.speech > 50, "{report:?}");
        assert_eq!(
            (report.heard.foreign, report.heard.lost, report.refused),
            (0, 0, 0)
        );
    }
    call.hang_up().await;
    assert_eq!(other.over(SOON).await, Some(Ending::HungUpThere(None)));
    rig.teams.complaints().assert_none();
    rig.sbc.complaints.assert_none();
}

#[tokio::test]
async fn forks_ring_with_tags_of_their_own_and_one_answers() {
    let rig = rig(2, good).await;
    rig.teams.on("+12025550101", Script::forks());
    let call = Call::dial(&rig.sbc, to_contoso("+12025550101"))
        .await
        .expect("ports");
    call.up(SOON).await.expect("answered");
    let mut tags: Vec<String> = call
        .messages()
        .iter()
        .filter(|message| message.code() > Some(100))
        .filter_map(|message| message.to_tag().map(str::to_owned))
        .collect();
    tags.dedup();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 3, "{tags:?}");
    call.hang_up().await;
    rig.teams.complaints().assert_none();
}

#[tokio::test]
async fn every_refusal_has_its_status_and_its_rule() {
    let rig = rig(3, good).await;
    let complaints = rig.teams.complaints();
    type Spoil = fn(&mut Dial);
    let cases: [(u16, Rule, Spoil); 7] = [
        (404, Rule::NumberUnknown, |dial| {
            *dial = to_contoso("+12025550200")
        }),
        (404, Rule::CalleeWithoutPlus, |dial| {
            *dial = to_contoso("12025550142")
        }),
        (400, Rule::CallerWithoutPlus, |dial| {
            dial.from = format!("<sip:0312@{FQDN}>")
        }),
        (488, Rule::NoOffer, |dial| dial.offer = OfferWhen::Delayed),
        (403, Rule::Replaces, |dial| {
            dial.headers = vec![("Replaces".to_owned(), "a;to-tag=b;from-tag=c".to_owned())]
        }),
        (422, Rule::SessionInterval, |dial| {
            dial.headers = vec![("Session-Expires".to_owned(), "90".to_owned())]
        }),
        (403, Rule::RecordRoute, |dial| {
            dial.headers = vec![("Record-Route".to_owned(), "<sip:192.0.2.1;lr>".to_owned())]
        }),
    ];
    for (code, rule, spoil) in cases {
        let mut dial = to_contoso("+12025550142");
        spoil(&mut dial);
        assert_eq!(refused(&rig, dial).await, code, "{rule:?}");
        assert_eq!(complaints.count(rule), 1, "{:?}", complaints.all());
        complaints.clear();
    }
}

#[tokio::test]
async fn every_contact_but_the_right_one_is_refused() {
    // INV-01, INV-03.
    let cases = [
        (
            403,
            Rule::ContactIsAddress,
            "<sip:127.0.0.1:5061;transport=tls>",
        ),
        (
            403,
            Rule::ContactIsAddress,
            "<sip:[::1]:5061;transport=tls>",
        ),
        (
            403,
            Rule::Transport,
            "<sip:sbc1.contoso.example:5061;transport=tcp>",
        ),
        (403, Rule::Transport, "<sip:sbc1.contoso.example:5061>"),
        (
            416,
            Rule::SipsScheme,
            "<sips:sbc1.contoso.example:5061;transport=tls>",
        ),
        (
            400,
            Rule::EmptyUser,
            "<sip:@sbc1.contoso.example:5061;transport=tls>",
        ),
        (
            403,
            Rule::TenantUnknown,
            "<sip:sbc1.tailspin.example:5061;transport=tls>",
        ),
    ];
    for (network, (code, rule, contact)) in (30..).zip(cases) {
        let both = |pki: &Pki| {
            pki.public
                .issue(&[FQDN, "sbc1.tailspin.example"], Leaf::ServerOnly)
                .expect("a certificate")
        };
        let rig = rig_with(network, both, contact).await;
        assert_eq!(
            refused(&rig, to_contoso("+12025550142")).await,
            code,
            "{contact}"
        );
        let complaints = rig.teams.complaints();
        assert_eq!(
            complaints.count(rule),
            1,
            "{contact}: {:?}",
            complaints.all()
        );
    }
}

#[tokio::test]
async fn a_name_that_is_not_in_the_certificate_is_forbidden() {
    let rig = rig(4, |pki| {
        pki.public
            .issue(&["other.example"], Leaf::ServerOnly)
            .expect("a certificate")
    })
    .await;
    assert_eq!(refused(&rig, to_contoso("+12025550142")).await, 403);
    assert_eq!(
        rig.teams.complaints().count(Rule::ContactNotInCertificate),
        1
    );
}

#[tokio::test]
async fn an_impostor_an_expired_and_a_chainless_certificate_do_not_come_in() {
    let identities: [fn(&Pki) -> Identity; 4] = [
        |pki| {
            pki.stranger
                .issue(&[FQDN], Leaf::ServerOnly)
                .expect("a certificate")
        },
        |pki| {
            pki.public
                .issue(&[FQDN], Leaf::Expired)
                .expect("a certificate")
        },
        |pki| {
            pki.public
                .issue(&[FQDN], Leaf::ClientOnly)
                .expect("a certificate")
        },
        |pki| {
            pki.public
                .issue(&[FQDN], Leaf::ServerOnly)
                .expect("a certificate")
                .without_issuers()
        },
    ];
    for (network, identity) in (10..).zip(identities) {
        let rig = rig(network, identity).await;
        let call = Call::dial(&rig.sbc, to_contoso("+12025550142"))
            .await
            .expect("ports");
        // Under TLS 1.3 a client learns of its refusal only by the silence that follows.
        assert!(
            call.up(Duration::from_secs(1)).await.is_err(),
            "network {network}"
        );
        assert_eq!(
            rig.teams.complaints().count(Rule::Handshake),
            1,
            "network {network}"
        );
    }
}

#[tokio::test]
async fn busy_cancelled_and_unavailable_are_told_apart() {
    let rig = rig(5, good).await;
    rig.teams.on("+12025550110", Script::busy(Some(34)));
    rig.teams.on("+12025550111", Script::ring_only());
    assert_eq!(refused(&rig, to_contoso("+12025550110")).await, 486);
    let call = Call::dial(&rig.sbc, to_contoso("+12025550111"))
        .await
        .expect("ports");
    assert_eq!(
        call.ringing(SOON)
            .await
            .map(|phase| matches!(phase, Phase::Ringing(_))),
        Some(true)
    );
    call.cancel(Some("SIP;cause=200;text=\"Call completed elsewhere\""));
    assert_eq!(call.over(SOON).await, Some(Ending::Cancelled(None)));
    let other = rig
        .teams
        .wait_for(SOON, |call| call.callee() == "+12025550111")
        .await
        .expect("taken");
    // INV-15.
    assert!(
        matches!(other.over(SOON).await, Some(Ending::Cancelled(Some(reason))) if reason.contains("elsewhere"))
    );
    rig.teams.fault(0, Fault::Unavailable(1));
    assert_eq!(refused(&rig, to_contoso("+12025550142")).await, 503);
    rig.teams.complaints().assert_none();
}

#[tokio::test]
async fn two_carriers_call_each_other_over_udp_and_tcp() {
    for protocol in [lab::sip::Protocol::Udp, lab::sip::Protocol::Tcp] {
        let nowhere: SocketAddr = "127.0.0.1:9".parse().expect("an address");
        let free: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let two = Carrier::start(carrier::Settings::usual("two", free, nowhere))
            .await
            .expect("ports");
        let mut settings = carrier::Settings::usual("one", free, two.address());
        settings.protocol = protocol;
        let one = Carrier::start(settings).await.expect("ports");
        two.on(
            "2",
            Script::answer().then([Step::Wait(Duration::from_millis(400)), Step::HangUp]),
        );
        two.on(
            "3",
            Script(vec![Step::Refuse(Refusal::new(603, "Decline"))]),
        );
        let call = one
            .call(carrier::Outgoing::new("1", "2"))
            .await
            .expect("ports");
        call.up(SOON).await.expect("answered");
        assert_eq!(call.over(SOON).await, Some(Ending::HungUpThere(None)));
        let delayed = carrier::Outgoing {
            offer: OfferWhen::Delayed,
            ..carrier::Outgoing::new("1", "4")
        };
        let call = one.call(delayed).await.expect("ports");
        call.up(SOON).await.expect("answered");
        tokio::time::sleep(Duration::from_millis(800)).await;
        assert!(call.report().sent > 5, "the answer went with the ACK");
        call.hang_up().await;
        let call = one
            .call(carrier::Outgoing::new("1", "3"))
            .await
            .expect("ports");
        assert!(matches!(
            call.over(SOON).await,
            Some(Ending::Refused { code: 603, .. })
        ));
        assert_eq!(one.complaints().all(), []);
        assert_eq!(two.complaints().all(), []);
    }
}
