//! What Teams refuses of a box that is set up wrongly, and what the box refuses of those who are not Teams.
//!
//! Not here: refusals of a callee (`calls.rs`); Teams' rules one by one (`peers.rs`).

use std::net::SocketAddr;
use std::time::Duration;

use lab::call::Ending;
use lab::carrier;
use lab::complaint::Rule;
use lab::pki::{Identity, Leaf, Pki};
use lab::runner::{Lab, write_identity};
use lab::tls::{Client, Versions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, UdpSocket};
use tokio::time::timeout;

use crate::kit::{
    OUTSIDE, SOON, USER, assert_nothing_left, assert_refused, call_in, end_clean, ending_of,
    ending_of_out, hang_up, probe, start,
};

const FQDN: &str = "sbc1.contoso.example";

/// Teams refuses a call of the box for this reason, tells it once, and takes calls again once the cause is gone.
async fn teams_refuses(lab: &Lab, rule: Rule) {
    // INV-14: 403 is tried nowhere else.
    assert_refused(&ending_of(lab, USER).await, 403);
    assert_eq!(
        lab.teams.complaints().count(rule),
        1,
        "{:?}",
        lab.teams.complaints().all()
    );
    lab.teams.complaints().clear();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_name_is_refused_by_teams_until_it_is_right_again() {
    let lab = start().await;
    let before = std::fs::read_to_string(lab.place.file("contoso.pem")).expect("there");
    let key = std::fs::read_to_string(lab.place.file("contoso.key")).expect("there");
    let other = lab
        .pki
        .public
        .issue(&["sbc1.tailspin.example"], Leaf::ServerOnly)
        .expect("a certificate");
    write_identity(&lab.place, "contoso", &other).expect("written");
    lab.appliance.reload().await.expect("taken");
    teams_refuses(&lab, Rule::ContactNotInCertificate).await;
    std::fs::write(lab.place.file("contoso.pem"), before).expect("written");
    std::fs::write(lab.place.file("contoso.key"), key).expect("written");
    lab.appliance.reload().await.expect("taken");
    let (call, other) = call_in(&lab, OUTSIDE, USER).await;
    hang_up(&call, &other).await;
    end_clean(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_no_tenant_has_is_refused_by_teams() {
    let lab = start().await;
    let unknown = "sbc9.contoso.example";
    let identity = lab
        .pki
        .public
        .issue(&[unknown], Leaf::ServerOnly)
        .expect("a certificate");
    write_identity(&lab.place, "contoso", &identity).expect("written");
    lab.reconfigure(|text| text.replace(FQDN, unknown))
        .await
        .expect("taken");
    teams_refuses(&lab, Rule::TenantUnknown).await;
    assert_nothing_left(&lab).await;
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_teams_itself_is_heard_on_its_listener() {
    let lab = start().await;
    let strangers = Pki::new().expect("certificates");
    let issue = |names: &[&str], leaf| lab.pki.microsoft.issue(names, leaf).expect("a certificate");
    let proxy = ["sip.pstnhub.microsoft.com"];
    // SIG-08: serverAuth alone is what Microsoft shows.
    let good = issue(&proxy, Leaf::ServerOnly);
    for versions in [Versions::Both, Versions::Only12] {
        assert!(is_heard(&lab, Some(&good), versions).await);
    }
    let cases = [
        ("none", None, Versions::Both),
        ("none, TLS 1.2", None, Versions::Only12),
        // SIG-04.
        ("TLS 1.1", Some(good.clone()), Versions::Only11),
        (
            "another name",
            Some(issue(&["sip.tailspin.example"], Leaf::ServerOnly)),
            Versions::Both,
        ),
        (
            "expired",
            Some(issue(&proxy, Leaf::Expired)),
            Versions::Both,
        ),
        // SEC-01: the right name under a root of its own.
        (
            "another root",
            strangers.microsoft.issue(&proxy, Leaf::Both).ok(),
            Versions::Both,
        ),
    ];
    for (case, identity, versions) in cases {
        assert!(!is_heard(&lab, identity.as_ref(), versions).await, "{case}");
    }
    end_clean(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn teams_is_not_heard_by_another_way_and_a_carrier_not_by_teams_way() {
    let lab = start().await;
    let from_teams = SocketAddr::new(lab.place.at(15), 0);
    assert!(!is_heard_over_udp(from_teams, lab.trunks).await);
    let from_carrier = SocketAddr::new(probe(&lab).address().ip(), 0);
    assert!(is_heard_over_udp(from_carrier, lab.trunks).await);
    // A number that the box would take from Teams is no number for a carrier to call.
    let outgoing = carrier::Outgoing::new(OUTSIDE, "+13125550143");
    let call = probe(&lab).call(outgoing).await.expect("ports");
    assert_refused(&call.over(SOON).await.expect("an end"), 404);
    // Nor does Teams get further than the tenant's routes.
    let ending = ending_of_out(&lab, "+33155550143").await;
    assert!(matches!(ending, Ending::Refused { .. }), "{ending:?}");
    end_clean(lab).await;
}

fn options(via: &str) -> Vec<u8> {
    format!(
        "OPTIONS sip:{FQDN} SIP/2.0\r\nVia: SIP/2.0/{via};branch=z9hG4bK{};rport\r\n\
         From: <sip:sip.pstnhub.microsoft.com>;tag=1\r\nTo: <sip:{FQDN}>\r\nCall-ID: {}\r\n\
         CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
        via.len(),
        via.len()
    )
    .into_bytes()
}

/// Whether the box answers an OPTIONS of whoever shows this from Teams' network. Under TLS 1.3 a client learns of its
/// refusal by the first read.
async fn is_heard(lab: &Lab, identity: Option<&Identity>, versions: Versions) -> bool {
    let client = Client::new(identity, &lab.pki.public.root(), versions).expect("a client");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind(SocketAddr::new(lab.place.at(15), 0))
        .expect("loopback");
    let stream = socket.connect(lab.tls).await.expect("a listener");
    let local = stream.local_addr().expect("bound");
    let Ok((mut stream, _)) = client.connect(FQDN, stream).await else {
        return false;
    };
    if stream
        .write_all(&options(&format!("TLS {local}")))
        .await
        .is_err()
    {
        return false;
    }
    let mut answer = [0; 2048];
    match timeout(SOON, stream.read(&mut answer)).await {
        Ok(Ok(length)) => answer[..length].starts_with(b"SIP/2.0 200"),
        Ok(Err(_)) => false,
        Err(_) => panic!("neither answered nor refused"),
    }
}

async fn is_heard_over_udp(from: SocketAddr, to: SocketAddr) -> bool {
    let socket = UdpSocket::bind(from).await.expect("loopback");
    let local = socket.local_addr().expect("bound");
    let request = options(&format!("UDP {local}"));
    socket.send_to(&request, to).await.expect("sent");
    let mut answer = [0; 2048];
    let heard = timeout(Duration::from_millis(700), socket.recv(&mut answer)).await;
    heard.is_ok_and(|heard| heard.is_ok_and(|length| answer[..length].starts_with(b"SIP/2.0 200")))
}
