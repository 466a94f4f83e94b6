//! The console as people use it: in a browser, on a box that carries calls between the lab's Teams and a carrier.
//!
//! The browser is Debian's Chromium, driven by `pages.cjs` with playwright-core; SIPp plays the carrier. What the pages look like is
//! kept as pictures, in `screenshots` beside the programs.
//!
//! Not here: what the API answers to whom (`firmware/console/tests`).
#![forbid(unsafe_code)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::x509::X509;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tests::certificates::Authority;
use tests::peers::{Peer, free_port};
use tests::place::{Place, program};
use tests::scenario::{Side, Step, scenario};

/// What the browser's driver and the players of the API have been installed in.
fn installed() -> PathBuf {
    let program = program("postern");
    let target = program.parent().and_then(Path::parent);
    target.expect("target/debug/postern").to_owned()
}

/// Whom the lab's box takes for its carrier.
const CARRIER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// A lab that serves, and its place.
struct Lab {
    child: Child,
    /// Held open, or its next word would end it.
    _output: BufReader<ChildStdout>,
    ready: Value,
    place: Place,
}

impl Lab {
    fn start(name: &str) -> Self {
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--"])
            .arg(program("lab"))
            .args(["--serve", "--json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the lab starts");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self {
            child,
            _output: output,
            ready,
            place: Place::new(name),
        }
    }

    fn text(&self, name: &str) -> &str {
        self.ready[name].as_str().expect("a text")
    }

    /// A carrier's call to a user of tenant contoso, up until the box ends it.
    fn call(&self) -> Peer {
        let steps = scenario(Side::Caller, "[media_port]", &[Step::IsEnded]);
        let steps = steps
            .replace("+12025550100", "CALLER")
            .replace("+13125550100", "+12025550142")
            .replace("CALLER", "+13125550100");
        let file = self.place.write("carrier.xml", &steps);
        let at = (IpAddr::from(CARRIER), free_port(CARRIER));
        let file = file.to_str().expect("a plain name");
        let udp = self.ready["sip"]["udp"].as_str().expect("an address");
        Peer::sipp(&self.place, "carrier", at, &["-sf", file, "-m", "1", udp])
    }

    /// Does what a person does in a browser, as `pages.cjs` says under this name.
    fn browse(&self, name: &str) {
        let modules = installed().join("node/node_modules");
        assert!(
            modules.is_dir(),
            "the browser's driver is not installed, see Makefile (test-needs)"
        );
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/console/pages.cjs");
        let status = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "node"])
            .arg(script)
            .arg(name)
            .env("NODE_PATH", modules)
            .env("CONSOLE", self.text("console"))
            .env("SETUP_CODE", self.text("setup_code"))
            .env("PLACE", self.place.path())
            .env("SCREENSHOTS", installed().join("screenshots"))
            .env("HOME", self.place.path())
            .stdin(Stdio::null())
            .status()
            .expect("node is installed, see Makefile");
        assert!(status.success(), "{name}: see above");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

#[test]
fn from_the_set_up_code_to_a_call_that_is_watched_in_its_ladder_and_hung_up() {
    let lab = Lab::start("console-first");
    let mut call = lab.call();
    lab.browse("first_start");
    assert!(call.ended(std::time::Duration::from_secs(20)).success());
}

#[test]
fn certificates_come_into_use_while_a_call_goes_on() {
    let lab = Lab::start("console-certificates");
    let own = Authority::new("An authority").sign(&["sbc.northwind.example"]);
    lab.place.write("chain.pem", &own.certificate);
    lab.place.write("key.pem", &own.key);
    let key = PKey::private_key_from_pem(own.key.as_bytes()).expect("a key");
    let certificate = X509::from_pem(own.certificate.as_bytes()).expect("a certificate");
    let mut archive = Pkcs12::builder();
    archive.name("northwind").pkey(&key).cert(&certificate);
    let archive = archive.build2("letmein").expect("PKCS#12");
    let file = lab.place.path().join("pair.p12");
    fs::write(file, archive.to_der().expect("DER")).expect("written");
    let _call = lab.call();
    lab.browse("certificates");
}

#[test]
fn a_commit_that_nobody_confirms_comes_back() {
    Lab::start("console-trial").browse("unconfirmed_commit");
}

#[test]
fn the_admin_of_a_tenant_sees_nothing_of_another() {
    let lab = Lab::start("console-tenants");
    let _call = lab.call();
    lab.browse("tenants");
}

#[test]
fn the_doctor_finds_a_certificate_for_another_name() {
    Lab::start("console-doctor").browse("doctor");
}

#[test]
fn whatever_is_asked_of_the_api_is_answered_as_it_promises() {
    let lab = Lab::start("console-api");
    let python = installed().join("python/bin/python3");
    assert!(
        python.exists(),
        "schemathesis is not installed, see Makefile (test-needs)"
    );
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/console/api.py");
    let status = Command::new("setpriv")
        .args(["--pdeathsig", "TERM", "--"])
        .arg(python)
        .arg(script)
        .current_dir(lab.place.path())
        .env("CONSOLE", lab.text("console"))
        .env("SETUP_CODE", lab.text("setup_code"))
        .stdin(Stdio::null())
        .status()
        .expect("it starts");
    assert!(status.success(), "see above");
}

#[test]
fn axe_finds_nothing_on_any_page() {
    let lab = Lab::start("console-axe");
    let _call = lab.call();
    lab.browse("accessibility");
}
