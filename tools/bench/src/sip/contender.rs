//! What stands between caller and callee: the box, or kamailio 5.6 as a stateful proxy.
//!
//! Both are set up to carry the same calls the same way, with two workers where workers are counted, and to say little.
//!
//! Not here: what calls.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::{env, io};

use serde_json::Value;

use super::bridge::Bridge;
use super::load::{CALLEE, CALLER};
use crate::place::{Place, free_port, program};
use crate::process::Process;

const PATIENCE: Duration = Duration::from_secs(30);
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Where the box has its audio: there every port is free.
const MEDIA: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 23);

/// What is spoken on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tls,
}

/// One that carries calls.
#[derive(Debug)]
pub(super) struct Contender {
    process: Process,
    address: SocketAddr,
    run: PathBuf,
}

impl Contender {
    /// The box, as built beside this program, with its audio on sockets.
    pub(super) fn postern(
        place: &Place,
        transport: Transport,
        answers: u16,
        bridge: Option<&Bridge>,
    ) -> Self {
        let media = format!("address = \"{MEDIA}\"");
        Self::postern_with(place, transport, answers, bridge, &media)
    }

    /// The same with its audio as `media` says, in lines of a configuration.
    pub(super) fn postern_with(
        place: &Place,
        transport: Transport,
        answers: u16,
        bridge: Option<&Bridge>,
        media: &str,
    ) -> Self {
        let address = SocketAddr::from((HERE, free_port(HERE)));
        if let Some(bridge) = bridge {
            let pair = bridge.sign("box.bench");
            place.write("box.pem", &pair.certificate);
            place.write("box.key", &pair.key);
            place.write("root.pem", bridge.root());
        }
        let configuration = place.write(
            "postern.toml",
            &configuration(transport, address, answers, media),
        );
        let run = place.path().join("run");
        let mut process = Process::start(
            "postern",
            place.path(),
            Command::new(program("postern"))
                .args(["run", "--config"])
                .arg(configuration)
                .arg("--run")
                .arg(&run),
        );
        process.await_ready(PATIENCE, || {
            census(&run).is_ok_and(|census| census["media"] == true)
        });
        Self {
            process,
            address,
            run,
        }
    }

    /// Its peer.
    pub(super) fn kamailio(
        place: &Place,
        transport: Transport,
        answers: u16,
        bridge: Option<&Bridge>,
    ) -> Self {
        let address = SocketAddr::from((HERE, free_port(HERE)));
        if let Some(bridge) = bridge {
            let pair = bridge.sign("proxy.bench");
            place.write("proxy.pem", &pair.certificate);
            place.write("proxy.key", &pair.key);
        }
        let file = place.write("kamailio.cfg", &proxy(place, transport, address, answers));
        let run = place.path().join("kamailio");
        let mut process = Process::start(
            "kamailio",
            place.path(),
            Command::new("kamailio")
                .arg("-f")
                .arg(file)
                .args(["-DD", "-E", "-m", "256", "-M", "16", "-P"])
                .arg(run.with_extension("pid"))
                .arg("-Y")
                .arg(place.path()),
        );
        process.await_ready(PATIENCE, || answers_options(transport, address));
        Self {
            process,
            address,
            run,
        }
    }

    /// Where it listens.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// CPU it has spent.
    pub(super) fn cpu(&self) -> Duration {
        self.process.cpu()
    }

    /// Memory it holds.
    pub(super) fn memory(&self) -> u64 {
        self.process.memory()
    }

    /// What the box has in its tables.
    pub(super) fn census(&self) -> Value {
        census(&self.run).expect("control answers")
    }
}

fn census(run: &std::path::Path) -> io::Result<Value> {
    let mut control = UnixStream::connect(run.join("control.sock"))?;
    control.set_read_timeout(Some(PATIENCE))?;
    writeln!(control, r#"{{"query":"census"}}"#)?;
    let mut line = String::new();
    BufReader::new(control).read_line(&mut line)?;
    serde_json::from_str(&line).map_err(io::Error::other)
}

fn configuration(transport: Transport, address: SocketAddr, answers: u16, media: &str) -> String {
    let (listener, trunk) = match transport {
        Transport::Udp => (r#"transport = "udp""#, r#"transport = "udp""#),
        Transport::Tls => (
            "transport = \"tls\"\nidentity = \"box\"\nclient_auth = \"none\"",
            "transport = \"tls\"\ntrust = \"root\"",
        ),
    };
    let secrets = match transport {
        Transport::Udp => "",
        Transport::Tls => {
            r#"
[[identity]]
name = "box"
certificate = "box.pem"
key = "box.key"
[[trust]]
name = "root"
bundle = "root.pem"
"#
        }
    };
    format!(
        r#"
version = 1
[media]
{media}
ports = "10000-59999"
{secrets}
[[listener]]
name = "trunks"
address = "{address}"
{listener}
[[trunk]]
name = "caller"
kind = "carrier"
listener = "trunks"
peers = ["{CALLER}:{answers}"]
sources = ["{CALLER}"]
{trunk}
[[trunk]]
name = "callee"
kind = "carrier"
listener = "trunks"
peers = ["{CALLEE}:{answers}"]
sources = ["{CALLEE}"]
{trunk}
[[route]]
name = "out"
from = ["caller"]
send_to = ["callee"]
"#
    )
}

fn proxy(place: &Place, transport: Transport, address: SocketAddr, answers: u16) -> String {
    let folder = place.path().display();
    let architecture = env::consts::ARCH;
    let (listen, to, secrets) = match transport {
        Transport::Udp => ("udp", "", String::new()),
        Transport::Tls => (
            "tls",
            ";transport=tls",
            format!(
                r#"loadmodule "tls.so"
modparam("tls", "certificate", "{folder}/proxy.pem")
modparam("tls", "private_key", "{folder}/proxy.key")
modparam("tls", "tls_method", "TLSv1.2+")
"#
            ),
        ),
    };
    let enable = if transport == Transport::Tls {
        "yes"
    } else {
        "no"
    };
    format!(
        r#"#!KAMAILIO
debug=0
log_stderror=yes
children=2
tcp_children=2
enable_tls={enable}
listen={listen}:{address}
mpath="/usr/lib/{architecture}-linux-gnu/kamailio/modules/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
{secrets}
request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
  if (has_totag()) {{ if (loose_route()) {{ t_relay(); }} exit; }}
  if (is_method("INVITE")) {{ record_route(); }}
  $du = "sip:{CALLEE}:{answers}{to}";
  t_relay();
}}
"#
    )
}

/// Whether one listens there: over UDP it is asked.
fn answers_options(transport: Transport, address: SocketAddr) -> bool {
    if transport == Transport::Tls {
        return std::net::TcpStream::connect(address).is_ok();
    }
    let ask = || -> io::Result<usize> {
        let socket = std::net::UdpSocket::bind((HERE, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        let here = socket.local_addr()?;
        let options = format!(
            "OPTIONS sip:{address} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKready\r\nMax-Forwards: 70\r\nFrom: <sip:bench@{here}>;tag=1\r\nTo: <sip:{address}>\r\nCall-ID: ready\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        socket.send_to(options.as_bytes(), address)?;
        socket.recv(&mut [0; 2_048])
    };
    ask().is_ok()
}
