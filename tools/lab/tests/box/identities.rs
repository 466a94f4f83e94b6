//! Certificates: changed while calls run, in both directions (SIG-09); one of its own for a carrier.
//!
//! Not here: whose certificates are believed (`refusals.rs`).

use std::net::SocketAddr;
use std::time::Duration;

use lab::pki::{Identity, Leaf};
use lab::runner::{Lab, write_identity};
use lab::sip::message::{Case, Message};
use lab::tls::{self, Client, TlsFacts, Versions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

use crate::kit::{
    SOON, assert_refused, call_in, call_out, end_clean, hang_up, hear_each_other, start,
};

const FQDN: &str = "sbc1.contoso.example";

/// What the box shows to those who connect to it.
async fn shown(lab: &Lab, name: &str) -> Option<String> {
    let identity = lab
        .pki
        .microsoft
        .issue(&["sip.pstnhub.microsoft.com"], Leaf::ServerOnly)
        .expect("a certificate");
    let client =
        Client::new(Some(&identity), &lab.pki.public.root(), Versions::Both).expect("a client");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind(SocketAddr::new(lab.place.at(15), 0))
        .expect("loopback");
    let stream = socket.connect(lab.tls).await.expect("a listener");
    let (_, facts) = client.connect(name, stream).await.expect("believed");
    facts.peer
}

fn fingerprint(identity: &Identity) -> Option<String> {
    tls::fingerprint(&identity.chain).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_changes_while_calls_run_is_shown_at_once_and_no_call_minds() {
    let lab = start().await;
    let mut pairs = Vec::new();
    for number in 0..4 {
        let (user, outside) = (
            format!("+120255501{number:02}"),
            format!("+131255501{number:02}"),
        );
        pairs.push(if number % 2 == 0 {
            call_in(&lab, &outside, &user).await
        } else {
            call_out(&lab, &user, &outside).await
        });
    }
    let fresh = lab
        .pki
        .public
        .issue(&[FQDN], Leaf::ServerOnly)
        .expect("a certificate");
    assert_ne!(shown(&lab, FQDN).await, fingerprint(&fresh));
    write_identity(&lab.place, "contoso", &fresh).expect("written");
    lab.appliance.reload().await.expect("taken");

    // Both ways from now on.
    assert_eq!(shown(&lab, FQDN).await, fingerprint(&fresh));
    let (call, other) = call_in(&lab, "+13125550142", "+12025550142").await;
    let newest = |facts: Vec<TlsFacts>| facts.last().and_then(|facts| facts.peer.clone());
    assert_eq!(newest(lab.teams.connections()), fingerprint(&fresh));
    hang_up(&call, &other).await;
    // The other tenant's is as it was.
    assert_ne!(
        shown(&lab, "sbc.fabrikam.example").await,
        fingerprint(&fresh)
    );

    // Connections with the old one end when they are quiet, and calls go on over new ones.
    tokio::time::sleep(Duration::from_secs(6)).await;
    for (number, (one, other)) in pairs.iter().enumerate() {
        hear_each_other(one, other).await;
        for end in [one, other] {
            let heard = end.report().heard;
            assert_eq!((heard.lost, heard.foreign), (0, 0), "{number}: {heard:?}");
            // MED-06.
            assert!(
                end.report().rtcp_received > 0,
                "{number}: {:?}",
                end.report()
            );
        }
        let (ends, learns) = if number < 2 {
            (one, other)
        } else {
            (other, one)
        };
        ends.hold().await.expect("held");
        ends.resume().await.expect("taken back");
        hang_up(ends, learns).await;
    }
    end_clean(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_over_tls_sees_the_certificate_that_its_trunk_names() {
    let lab = start().await;
    let names = ["gw.carrier.example", "trunk.contoso.example"];
    let [carriers, ours] = names.map(|name| {
        lab.pki
            .public
            .issue(&[name], Leaf::Both)
            .expect("a certificate")
    });
    let address = SocketAddr::new(lab.place.at(42), 0);
    let listener = TcpListener::bind(address).await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    write_identity(&lab.place, "facing", &ours).expect("written");
    std::fs::write(lab.place.file("public-roots.pem"), lab.pki.public.root()).expect("written");
    lab.reconfigure(|text| {
        let hosts = format!(
            "[dns.hosts]\n\"gw.carrier.example\" = [\"{}\"]\n",
            address.ip()
        );
        text.replacen("[dns.hosts]\n", &hosts, 1) + &secured(address)
    })
    .await
    .expect("taken");

    let outgoing = lab::teams::Outgoing::new("contoso", "+12025550142", "+33155550142");
    let call = lab.teams.call(outgoing).await.expect("ports");
    let acceptor =
        tls::acceptor(&carriers, &lab.pki.public.root(), Versions::Both).expect("an acceptor");
    let (stream, _) = tokio::time::timeout(SOON, listener.accept())
        .await
        .expect("in time")
        .expect("a connection");
    let (mut stream, facts) = tls::accept(&acceptor, stream).await.expect("believed");
    assert_eq!(facts.peer, fingerprint(&ours));
    assert_eq!(facts.server_name.as_deref(), Some("gw.carrier.example"));
    let mut bytes = vec![0; 16 * 1024];
    let length = stream.read(&mut bytes).await.expect("an INVITE");
    let invite = Message::parse(&bytes[..length]).expect("readable");
    assert_eq!(invite.method(), Some("INVITE"));
    let busy = Message::response(&invite, 486, "Busy Here").with_to_tag("x");
    stream
        .write_all(&busy.print(Case::Usual))
        .await
        .expect("written");
    assert_refused(&call.over(SOON).await.expect("an end"), 486);

    // It is shown to the carrier that asks for it, too (SIG-07).
    let client = Client::new(Some(&carriers), &lab.pki.public.root(), Versions::Both);
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind(SocketAddr::new(address.ip(), 0))
        .expect("loopback");
    let connection = socket.connect(lab.tls).await.expect("a listener");
    let (_, facts) = client
        .expect("a client")
        .connect("trunk.contoso.example", connection)
        .await
        .expect("believed");
    assert_eq!(facts.peer, fingerprint(&ours));
    end_clean(lab).await;
}

fn secured(address: SocketAddr) -> String {
    format!(
        r#"
[[identity]]
name = "facing"
certificate = "facing.pem"
key = "facing.key"

[[trust]]
name = "public"
bundle = "public-roots.pem"

[[trunk]]
name = "secured"
kind = "carrier"
listener = "teams"
transport = "tls"
identity = "facing"
trust = "public"
peers = ["gw.carrier.example:{port}"]
sources = ["{address}"]

[[route]]
name = "secured-out"
from = ["teams-contoso"]
prefix = ["+33"]
send_to = ["secured"]
"#,
        port = address.port(),
        address = address.ip(),
    )
}
