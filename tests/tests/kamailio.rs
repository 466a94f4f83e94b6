//! kamailio as a proxy before a carrier: the box speaks TLS to it, it writes itself into the route, and every request in the
//! dialog goes through it, from either side.
//!
//! SIPp is the carrier behind it and the caller on the box's other side.
//!
//! Not here: audio (`sipp_audio.rs`, `baresip.rs`).
#![forbid(unsafe_code)]

use std::net::Ipv4Addr;
use std::time::Duration;

use tests::certificates::Authority;
use tests::peers::{Peer, await_said, free_port};
use tests::place::Place;
use tests::running::Running;

const SOON: Duration = Duration::from_secs(20);
const CALLER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 61);
const CALLEE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 62);
const PROXY: Ipv4Addr = Ipv4Addr::LOCALHOST;

const PROXIES: &str = r#"#!KAMAILIO
debug=1
log_stderror=yes
children=2
listen=udp:PROXY:UDP
listen=tls:PROXY:TLS
enable_tls=yes
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "xlog.so"
loadmodule "tls.so"
modparam("tls", "private_key", "PLACE/proxy.key")
modparam("tls", "certificate", "PLACE/proxy.pem")
modparam("tls", "ca_list", "PLACE/root.pem")
modparam("tls", "tls_method", "TLSv1.2+")
modparam("rr", "enable_double_rr", 1)
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (has_totag()) {
    if (loose_route()) { xlog("L_ALERT", "routed $rm over $proto\n"); t_relay(); }
    else if (!is_method("ACK")) { sl_send_reply("481", "No Route"); }
    exit;
  }
  record_route();
  $du = "sip:CALLEE";
  t_relay();
}
"#;

/// Answers with the route as it came; the end is `ENDED` or `ENDS`.
const ANSWERS: &str = r#"<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="callee">
  <recv request="INVITE" rrs="true">
    <action><ereg regexp=".*" search_in="hdr" header="From" assign_to="1"/></action>
  </recv>
  <Reference variables="1"/>
  <send retrans="500"><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_Record-Route:]
      [last_From:]
      [last_To:];tag=[pid]t[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      Contact: <sip:callee@[local_ip]:[local_port]>
      Content-Type: application/sdp
      Content-Length: [len]

      v=0
      o=callee 1 1 IN IP4 [local_ip]
      s=-
      c=IN IP4 [local_ip]
      t=0 0
      m=audio [media_port] RTP/AVP 0
      a=rtpmap:0 PCMU/8000
  ]]></send>
  <recv request="ACK"/>
  END
</scenario>
"#;

/// The call is ended by the other side.
const ENDED: &str = r#"<recv request="BYE"/>
  <send><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0
  ]]></send>"#;

/// The call is ended by this side, over the route that it has seen.
const ENDS: &str = r#"<pause milliseconds="300"/>
  <send retrans="500"><![CDATA[
      BYE [next_url] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      [routes]
      From: <sip:callee@[local_ip]:[local_port]>;tag=[pid]t[call_number]
      To:[$1]
      Call-ID: [call_id]
      CSeq: 1 BYE
      Max-Forwards: 70
      Content-Length: 0
  ]]></send>
  <recv response="200"/>"#;

/// The call is ended by the caller.
const ENDS_CALLER: &str = r#"<pause milliseconds="300"/>
  <send retrans="500"><![CDATA[
      BYE [next_url] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: <sip:+12025550100@[local_ip]:[local_port]>;tag=[pid]c[call_number]
      To: <sip:+13125550100@[remote_ip]:[remote_port]>[peer_tag_param]
      Call-ID: [call_id]
      CSeq: 2 BYE
      Max-Forwards: 70
      Content-Length: 0
  ]]></send>
  <recv response="200"/>"#;

/// Calls; the end is `ENDED` or `ENDS_CALLER`.
const CALLS: &str = r#"<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="caller">
  <send retrans="500"><![CDATA[
      INVITE sip:+13125550100@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: <sip:+12025550100@[local_ip]:[local_port]>;tag=[pid]c[call_number]
      To: <sip:+13125550100@[remote_ip]:[remote_port]>
      Call-ID: [call_id]
      CSeq: 1 INVITE
      Contact: <sip:caller@[local_ip]:[local_port]>
      Max-Forwards: 70
      Content-Type: application/sdp
      Content-Length: [len]

      v=0
      o=caller 1 1 IN IP4 [local_ip]
      s=-
      c=IN IP4 [local_ip]
      t=0 0
      m=audio [media_port] RTP/AVP 0
      a=rtpmap:0 PCMU/8000
  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="200" rrs="true"/>
  <send><![CDATA[
      ACK [next_url] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      [last_From:]
      [last_To:]
      Call-ID: [call_id]
      CSeq: 1 ACK
      Max-Forwards: 70
      Content-Length: 0
  ]]></send>
  END
</scenario>
"#;

#[test]
fn our_requests_follow_the_route_through_the_proxy() {
    a_call_is_ended(ENDS_CALLER, ENDED, "tls");
}

#[test]
fn requests_of_the_carrier_follow_the_route_through_the_proxy() {
    a_call_is_ended(ENDED, ENDS, "udp");
}

/// A call whose BYE comes to the proxy over `transport`.
fn a_call_is_ended(caller_ends: &str, callee_ends: &str, transport: &str) {
    let place = Place::new("kamailio");
    let authority = Authority::new("kamailio");
    let own = authority.sign(&["sbc.example", "127.0.0.1"]);
    let proxy = authority.sign(&["proxy.example"]);
    place.write("root.pem", authority.pem());
    place.write("own.pem", &own.certificate);
    place.write("own.key", &own.key);
    place.write("proxy.pem", &proxy.certificate);
    place.write("proxy.key", &proxy.key);
    place.write(
        "callee.xml",
        &ANSWERS.replace("END\n", &format!("{callee_ends}\n")),
    );
    place.write(
        "caller.xml",
        &CALLS.replace("END\n", &format!("{caller_ends}\n")),
    );
    let media = if transport == "tls" {
        "127.0.0.63"
    } else {
        "127.0.0.64"
    };
    let (udp, tls) = (free_port(PROXY), free_port(PROXY));
    let (listens, secure) = (free_port(PROXY), free_port(PROXY));
    let (caller, callee) = (free_port(CALLER), free_port(CALLEE));
    let folder = place.path().display().to_string();
    let file = place.write(
        "kamailio.cfg",
        &PROXIES
            .replace("PROXY", &PROXY.to_string())
            .replace("UDP", &udp.to_string())
            .replace("TLS\n", &format!("{tls}\n"))
            .replace("PLACE", &folder)
            .replace("CALLEE", &format!("{CALLEE}:{callee}")),
    );
    #[rustfmt::skip]
    let _kamailio = Peer::start(&place, "kamailio", "kamailio", &[
        "-f", &file.display().to_string(), "-DD", "-E", "-P", &format!("{folder}/kamailio.pid"),
        "-Y", &folder, "-m", "64", "-M", "8",
    ]);
    let running = Running::start(
        place,
        &format!(
            r#"
version = 1
[media]
address = "{media}"
ports = "24000-24099"
[dns.hosts]
"proxy.example" = ["{PROXY}"]
[[identity]]
name = "own"
certificate = "own.pem"
key = "own.key"
[[trust]]
name = "root"
bundle = "root.pem"
[[listener]]
name = "plain"
transport = "udp"
address = "127.0.0.1:{listens}"
[[listener]]
name = "secure"
transport = "tls"
address = "127.0.0.1:{secure}"
identity = "own"
client_auth = "required"
[[trunk]]
name = "caller"
kind = "carrier"
listener = "plain"
peers = ["{CALLER}:{caller}"]
sources = ["{CALLER}"]
[[trunk]]
name = "carrier"
kind = "carrier"
listener = "secure"
transport = "tls"
trust = "root"
peers = ["proxy.example:{tls}"]
sources = ["{PROXY}"]
[[route]]
name = "out"
from = ["caller"]
send_to = ["carrier"]
"#
        ),
    );
    let place = running.place();
    #[rustfmt::skip]
    let mut answers = Peer::sipp(place, "callee", (CALLEE, callee), &["-sf", "callee.xml", "-m", "5"]);
    #[rustfmt::skip]
    let mut calls = Peer::sipp(place, "caller", (CALLER, caller), &[
        "-sf", "caller.xml", "-m", "5", "-r", "5",
        &format!("127.0.0.1:{listens}"),
    ]);
    for side in [&mut calls, &mut answers] {
        let status = side.ended(SOON);
        assert!(status.success(), "sipp says {status}: some call failed");
    }
    await_said(place, "kamailio.log", "routed ACK over tls", SOON);
    await_said(
        place,
        "kamailio.log",
        &format!("routed BYE over {transport}"),
        SOON,
    );
    running.await_nothing_left(SOON);
}
