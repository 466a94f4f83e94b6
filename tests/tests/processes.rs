//! The box as processes: started, killed, told to read its configuration again, ended.
//!
//! What calls survive of all this is in the tests of calls; here nothing is up but OPTIONS, which shows that somebody serves.
//!
//! Not here: what a configuration means.
#![forbid(unsafe_code)]

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tests::place::{Place, program};
use tests::running::{Plane, Running};

const TRUNK: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

fn free_port() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    socket.local_addr().expect("bound").port()
}

fn configuration(port: u16) -> String {
    format!(
        r#"
version = 1
[media]
address = "127.0.0.1"
ports = "24000-24099"
[[listener]]
name = "trunks"
transport = "udp"
address = "127.0.0.1:{port}"
[[trunk]]
name = "probe"
kind = "carrier"
listener = "trunks"
peers = ["127.0.0.9:5070"]
sources = ["127.0.0.9"]
[[route]]
name = "out"
from = ["probe"]
send_to = ["probe"]
"#
    )
}

/// Whether OPTIONS from the trunk is answered at `port`.
fn is_served(port: u16) -> bool {
    let socket = UdpSocket::bind((TRUNK, 0)).expect("an address of loopback");
    socket
        .set_read_timeout(Some(Duration::from_millis(700)))
        .expect("a time");
    let local = socket.local_addr().expect("bound");
    let options = format!(
        "OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {local};branch=z9hG4bK{};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:probe@{local}>;tag=1\r\n\
         To: <sip:127.0.0.1:{port}>\r\n\
         Call-ID: {}\r\n\
         CSeq: 1 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n",
        local.port(),
        local.port()
    );
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    socket.send_to(options.as_bytes(), to).expect("sent");
    let mut answer = [0; 2048];
    socket
        .recv(&mut answer)
        .is_ok_and(|length| answer[..length].starts_with(b"SIP/2.0 200 "))
}

fn is_there(pid: Pid) -> bool {
    test_kill_process(pid).is_ok()
}

fn await_gone(pid: Pid) {
    let until = Instant::now() + Duration::from_secs(10);
    while is_there(pid) {
        assert!(Instant::now() < until, "process {pid:?} is still there");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_process_that_is_killed_is_started_again_and_serves() {
    let port = free_port();
    let mut running = Running::start(Place::new("killed"), &configuration(port));
    assert!(is_served(port));
    let media = running.pid(Plane::Media);
    running.kill(Plane::Control);
    assert!(is_served(port));
    assert_eq!(running.pid(Plane::Media), media, "media does not notice");
    running.kill(Plane::Media);
    assert!(is_served(port));
}

#[test]
fn a_configuration_with_faults_changes_nothing_and_is_told_of() {
    let port = free_port();
    let running = Running::start(Place::new("faults"), &configuration(port));
    running.reload(&configuration(free_port()).replace("ports = ", "prots = "));
    assert!(is_served(port));
    let log = running.log();
    assert!(
        log.contains("media.prots") && log.contains("ports"),
        "the log names the fault and its cure: {log}"
    );
}

#[test]
fn a_listener_moves_with_the_configuration() {
    let (before, after) = (free_port(), free_port());
    let running = Running::start(Place::new("moves"), &configuration(before));
    let control = running.pid(Plane::Control);
    running.reload(&configuration(after));
    assert!(is_served(after));
    assert!(!is_served(before));
    assert_eq!(running.pid(Plane::Control), control, "without a restart");
}

#[test]
fn all_processes_end_together_even_if_the_first_is_killed() {
    let running = Running::start(Place::new("ends"), &configuration(free_port()));
    let all = [running.pid(Plane::Control), running.pid(Plane::Media)];
    drop(running);
    all.into_iter().for_each(await_gone);

    let running = Running::start(Place::new("dies"), &configuration(free_port()));
    let all = [running.pid(Plane::Control), running.pid(Plane::Media)];
    kill_process(running.supervisor(), Signal::KILL).expect("it runs");
    all.into_iter().for_each(await_gone);
}

#[test]
fn check_tells_every_fault_and_says_so_by_its_status() {
    let place = Place::new("check");
    let right = place.write("right.toml", &configuration(5060));
    let wrong = configuration(5060)
        .replace("udp", "carrier-pigeon")
        .replace("[\"probe\"]", "[\"prob\"]");
    let wrong = place.write("wrong.toml", &wrong);
    let check = |file| {
        Command::new(program("postern"))
            .arg("check")
            .arg(file)
            .output()
            .expect("runs")
    };
    assert!(check(&right).status.success());
    let output = check(&wrong);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text.contains("line 8") && text.contains("carrier-pigeon"),
        "{text}"
    );
    assert!(
        text.contains("did you mean") && text.contains("probe"),
        "{text}"
    );
}

#[test]
fn a_process_whose_supervisor_has_ended_before_it_began_does_not_begin() {
    let place = Place::new("orphan");
    let file = place.write("postern.toml", &configuration(free_port()));
    for plane in ["media", "control", "run"] {
        let mut command = Command::new(program("postern"));
        command
            .arg(plane)
            .arg("--run")
            .arg(place.path().join("run"));
        if plane != "media" {
            command.arg("--config").arg(&file);
        }
        // No process has this number, so it is not our child's parent.
        let status = command
            .env("POSTERN_SUPERVISED", u32::MAX.to_string())
            .status()
            .expect("it starts");
        assert!(!status.success(), "{plane}");
    }
}
