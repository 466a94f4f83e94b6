//! `lab --serve --json`, as a stranger to this code would use it: the line, the addresses that are written down, the end.
//!
//! Not here: the calls of `lab --once` (`box.rs`).

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use lab::call::Ending;
use lab::carrier::{self, Carrier};
use lab::sip::Protocol;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(10);

struct Served {
    child: Child,
    line: String,
    ready: Value,
}

fn serve() -> Served {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(["--serve", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the lab starts");
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    output.read_line(&mut line).expect("a line");
    let ready = serde_json::from_str(&line).expect("of JSON");
    Served { child, line, ready }
}

impl Served {
    fn address(&self, transport: &str) -> SocketAddr {
        let text = self.ready["sip"][transport].as_str().expect("an address");
        text.parse().expect("well formed")
    }

    fn console(&self) -> SocketAddr {
        let text = self.ready["console"].as_str().expect("an address");
        let address = text.strip_prefix("https://").expect("by HTTPS");
        address.parse().expect("well formed")
    }

    fn pid(&self, name: &str) -> Pid {
        let number = self.ready["pids"][name].as_i64().expect("a number");
        i32::try_from(number)
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process")
    }
}

impl Served {
    /// Ends the lab in this way; the box must end with it.
    fn end(&mut self, signal: Signal) -> ExitStatus {
        let processes = [self.pid("control"), self.pid("media")];
        let status = end(&mut self.child, signal, &processes);
        let until = Instant::now() + SOON;
        while TcpStream::connect(self.console()).is_ok() {
            assert!(Instant::now() < until, "the console lives on");
            std::thread::sleep(Duration::from_millis(20));
        }
        status
    }
}

fn end(child: &mut Child, signal: Signal, processes: &[Pid]) -> ExitStatus {
    let own = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .expect("a process");
    kill_process(own, signal).expect("it lives");
    let status = child.wait().expect("it ends");
    let until = Instant::now() + SOON;
    for process in processes {
        while test_kill_process(*process).is_ok() {
            assert!(Instant::now() < until, "{process:?} lives on");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    status
}

async fn carrier_at(address: &str, to: SocketAddr, protocol: Protocol) -> Carrier {
    let own = SocketAddr::new(address.parse().expect("an address"), 0);
    let mut settings = carrier::Settings::usual(address, own, to);
    settings.protocol = protocol;
    Carrier::start(settings).await.expect("ports")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probe_is_served_a_stranger_is_not_and_nothing_survives_the_end() {
    let mut served = serve();
    assert_eq!(served.ready["ready"], true);
    for (transport, protocol) in [("udp", Protocol::Udp), ("tcp", Protocol::Tcp)] {
        let probe = carrier_at("127.0.0.9", served.address(transport), protocol).await;
        let call = probe
            .call(carrier::Outgoing::new("+13125550100", "+12025550142"))
            .await
            .expect("ports");
        call.up(SOON).await.expect("answered");
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let heard = call.report().heard;
        assert!(
            heard.speech > 40 && heard.lost == 0 && heard.foreign == 0,
            "{transport}: {heard:?}"
        );
        call.hang_up().await;
        assert_eq!(probe.complaints().all(), []);
    }
    let stranger = carrier_at("127.0.0.10", served.address("udp"), Protocol::Udp).await;
    let call = stranger
        .call(carrier::Outgoing::new("+13125550100", "+12025550142"))
        .await
        .expect("ports");
    let ending = call.over(Duration::from_secs(2)).await;
    assert!(
        matches!(ending, None | Some(Ending::Refused { .. })),
        "{ending:?}"
    );

    assert!(served.end(Signal::TERM).success());
}

#[test]
fn calls_that_are_interrupted_leave_nothing_running() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lab"))
        .arg("--once")
        .stderr(Stdio::piped())
        .spawn()
        .expect("the lab starts");
    let mut words = BufReader::new(child.stderr.take().expect("piped")).lines();
    let mut until = |sign: &str| {
        words
            .find_map(|line| line.ok()?.split_once(sign).map(|(_, rest)| rest.to_owned()))
            .expect("it goes on")
    };
    let folder = until("lab: ready in ");
    let processes = ["control", "media", "console"].map(|name| {
        let file = format!("{folder}/run/{name}.pid");
        let number = std::fs::read_to_string(file).expect("announced");
        Pid::from_raw(number.trim().parse().expect("a number")).expect("a process")
    });
    until("answered");
    end(&mut child, Signal::TERM, &processes);
}

#[test]
fn the_line_is_as_it_is_promised_and_every_way_to_end_ends_all() {
    for signal in [Signal::INT, Signal::KILL] {
        let mut served = serve();
        let (udp, tcp, tls) = (
            served.address("udp"),
            served.address("tcp"),
            served.address("tls"),
        );
        let (control, media) = (
            served.pid("control").as_raw_nonzero(),
            served.pid("media").as_raw_nonzero(),
        );
        let console = served.console();
        assert!(TcpStream::connect(console).is_ok(), "it listens");
        let code = served.ready["setup_code"].as_str().expect("a code");
        assert_eq!(
            served.line,
            format!(
                "{{\"ready\":true,\"sip\":{{\"udp\":\"{udp}\",\"tcp\":\"{tcp}\",\"tls\":\"{tls}\"}},\
                 \"pids\":{{\"control\":{control},\"media\":{media}}},\
                 \"console\":\"https://{console}\",\"setup_code\":\"{code}\"}}\n"
            )
        );
        let status = served.end(signal);
        // Killed, it has no last word; what it started ends all the same.
        assert_eq!(status.success(), signal != Signal::KILL, "{status}");
    }
}
