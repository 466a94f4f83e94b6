//! kamailio as a proxy before a carrier: it and the box speak TLS to each other, it writes itself into the route, and every request
//! in the dialog goes through it, from either side.
//!
//! SIPp is the carrier behind it and the party on the box's other side.
//!
//! Not here: audio (`sipp.rs`, `baresip.rs`).
#![forbid(unsafe_code)]

use std::net::Ipv4Addr;
use std::time::Duration;

use tests::certificates::Authority;
use tests::peers::{Peer, await_said, free_port};
use tests::place::Place;
use tests::running::Running;
use tests::scenario::{Side, Step, scenario};

const SOON: Duration = Duration::from_secs(20);
/// The party on the other side of the box.
const PARTY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 61);
const CARRIER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 62);
/// The proxy and the box.
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
modparam("tls", "verify_certificate", 1)
modparam("rr", "enable_double_rr", 1)
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (has_totag()) {
    if (loose_route()) { xlog("L_ALERT", "routed $rm over $proto\n"); t_relay(); }
    else if (!is_method("ACK")) { sl_send_reply("481", "No Route"); }
    exit;
  }
  record_route();
  if ($si == "CARRIER") { $du = "sip:PROXY:BOX;transport=tls"; }
  else { $du = "sip:CARRIER:PORT"; }
  t_relay();
}
"#;

/// Who does what in a call once it is up, and what the proxy must have routed.
struct Call {
    caller: Who,
    party: &'static [Step],
    carrier: &'static [Step],
    routed: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Party,
    Carrier,
}

#[test]
fn our_requests_follow_the_route_through_the_proxy() {
    let call = Call {
        caller: Who::Party,
        party: &[Step::Pauses(300), Step::Holds, Step::Ends],
        carrier: &[Step::IsHeld, Step::IsEnded],
        routed: &["ACK over tls", "INVITE over tls", "BYE over tls"],
    };
    calls_cross(&call, Ipv4Addr::new(127, 0, 0, 63));
}

#[test]
fn requests_of_the_carrier_follow_the_route_through_the_proxy() {
    let call = Call {
        caller: Who::Party,
        party: &[Step::IsHeld, Step::IsEnded],
        carrier: &[Step::Pauses(300), Step::Holds, Step::Ends],
        routed: &["ACK over tls", "INVITE over udp", "BYE over udp"],
    };
    calls_cross(&call, Ipv4Addr::new(127, 0, 0, 64));
}

#[test]
fn calls_of_the_carrier_come_through_the_proxy() {
    let call = Call {
        caller: Who::Carrier,
        party: &[Step::Pauses(300), Step::Holds, Step::Ends],
        carrier: &[Step::IsHeld, Step::IsEnded],
        routed: &["ACK over udp", "INVITE over tls", "BYE over tls"],
    };
    calls_cross(&call, Ipv4Addr::new(127, 0, 0, 65));
}

/// Ports of everybody.
struct Ports {
    proxy_udp: u16,
    proxy_tls: u16,
    box_udp: u16,
    box_tls: u16,
    party: u16,
    carrier: u16,
}

fn calls_cross(call: &Call, media: Ipv4Addr) {
    let place = Place::new("kamailio");
    let authority = Authority::new("kamailio");
    let own = authority.sign(&["sbc.example", "127.0.0.1"]);
    let proxy = authority.sign(&["proxy.example"]);
    place.write("root.pem", authority.pem());
    place.write("own.pem", &own.certificate);
    place.write("own.key", &own.key);
    place.write("proxy.pem", &proxy.certificate);
    place.write("proxy.key", &proxy.key);
    let side = |who| {
        if call.caller == who {
            Side::Caller
        } else {
            Side::Callee
        }
    };
    for (file, who, steps) in [
        ("party.xml", Who::Party, call.party),
        ("carrier.xml", Who::Carrier, call.carrier),
    ] {
        place.write(file, &scenario(side(who), "[media_port]", steps));
    }
    let ports = Ports {
        proxy_udp: free_port(PROXY),
        proxy_tls: free_port(PROXY),
        box_udp: free_port(PROXY),
        box_tls: free_port(PROXY),
        party: free_port(PARTY),
        carrier: free_port(CARRIER),
    };
    let _kamailio = start_kamailio(&place, &ports);
    let running = Running::start(place, &configuration(media, &ports));
    let place = running.place();

    let start = |who| {
        let (name, address, port, target) = match who {
            Who::Party => ("party", PARTY, ports.party, ports.box_udp),
            Who::Carrier => ("carrier", CARRIER, ports.carrier, ports.proxy_udp),
        };
        let (file, target) = (format!("{name}.xml"), format!("{PROXY}:{target}"));
        let mut arguments = vec!["-sf", &file, "-m", "5", "-r", "5"];
        if call.caller == who {
            arguments.push(&target);
        }
        Peer::sipp(place, name, (address, port), &arguments)
    };
    let (mut answers, mut calls) = match call.caller {
        Who::Party => (start(Who::Carrier), start(Who::Party)),
        Who::Carrier => (start(Who::Party), start(Who::Carrier)),
    };
    for side in [&mut calls, &mut answers] {
        let status = side.ended(SOON);
        assert!(status.success(), "sipp says {status}: some call failed");
    }
    for request in call.routed {
        await_said(place, "kamailio.log", &format!("routed {request}"), SOON);
    }
    running.await_nothing_left(SOON);
}

fn start_kamailio(place: &Place, ports: &Ports) -> Peer {
    let folder = place.path().display().to_string();
    let file = place.write(
        "kamailio.cfg",
        &PROXIES
            .replace("PROXY", &PROXY.to_string())
            .replace("UDP\n", &format!("{}\n", ports.proxy_udp))
            .replace("TLS\n", &format!("{}\n", ports.proxy_tls))
            .replace("PLACE", &folder)
            .replace("CARRIER", &CARRIER.to_string())
            .replace("BOX", &ports.box_tls.to_string())
            .replace("PORT", &ports.carrier.to_string()),
    );
    #[rustfmt::skip]
    let kamailio = Peer::start(place, "kamailio", "kamailio", &[
        "-f", &file.display().to_string(), "-DD", "-E", "-P", &format!("{folder}/kamailio.pid"),
        "-Y", &folder, "-m", "64", "-M", "8",
    ]);
    kamailio
}

fn configuration(media: Ipv4Addr, ports: &Ports) -> String {
    let Ports {
        proxy_tls,
        box_udp,
        box_tls,
        party,
        ..
    } = ports;
    format!(
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
address = "{PROXY}:{box_udp}"
[[listener]]
name = "secure"
transport = "tls"
address = "{PROXY}:{box_tls}"
identity = "own"
client_auth = "required"
[[trunk]]
name = "party"
kind = "carrier"
listener = "plain"
peers = ["{PARTY}:{party}"]
sources = ["{PARTY}"]
[[trunk]]
name = "carrier"
kind = "carrier"
listener = "secure"
transport = "tls"
trust = "root"
peers = ["proxy.example:{proxy_tls}"]
sources = ["{PROXY}"]
[[route]]
name = "out"
from = ["party"]
send_to = ["carrier"]
[[route]]
name = "in"
from = ["carrier"]
send_to = ["party"]
"#
    )
}
