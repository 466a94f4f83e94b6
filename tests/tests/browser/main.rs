//! A browser calls a carrier that speaks plain RTP, and is called by it: ICE, a DTLS handshake and SRTP on one leg, none of them on
//! the other, and each hears the other's tone.
//!
//! The browser is aiortc behind a few lines of SIP (`browser.py`), the carrier is SIPp and the audio of this test. They speak for
//! longer than consent lasts (RFC 7675), so checks are answered in the call too.
//!
//! Not here: what hostile parties do in a handshake (`postern`: `media/dtls`), what SDP says of it (`call/tests/dtls.rs`).
#![forbid(unsafe_code)]

use std::f64::consts::TAU;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use media_dsp::codec::pcmu;
use tests::peers::{Peer, await_said, free_port};
use tests::place::Place;
use tests::running::Running;
use tests::scenario::{Side, Step, scenario};

const SOON: Duration = Duration::from_secs(40);
/// Samples of 20 ms.
const FRAME: usize = 160;
const SAYS: f64 = 1_000.0;
const HEARS: f64 = 440.0;

fn configuration(
    media: Ipv4Addr,
    listens: u16,
    browser: SocketAddr,
    carrier: SocketAddr,
) -> String {
    format!(
        r#"
version = 1
[media]
address = "{media}"
ports = "24000-24099"
[[listener]]
name = "trunks"
transport = "udp"
address = "127.0.0.1:{listens}"
[[trunk]]
name = "browser"
kind = "carrier"
listener = "trunks"
peers = ["{browser}"]
sources = ["{browser_at}"]
media = {{ profile = "dtls" }}
[[trunk]]
name = "carrier"
kind = "carrier"
listener = "trunks"
peers = ["{carrier}"]
sources = ["{carrier_at}"]
[[route]]
name = "out"
from = ["browser"]
send_to = ["carrier"]
[[route]]
name = "in"
from = ["carrier"]
send_to = ["browser"]
"#,
        browser_at = browser.ip(),
        carrier_at = carrier.ip(),
    )
}

/// The carrier's end of the audio: says its tone to where sound comes from, and counts the seconds in which it hears the other's.
struct Audio {
    port: u16,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Audio {
    fn start(address: Ipv4Addr) -> Self {
        let socket = UdpSocket::bind((address, 0)).expect("a port");
        socket
            .set_read_timeout(Some(Duration::from_millis(5)))
            .expect("a time");
        let port = socket.local_addr().expect("bound").port();
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        Self {
            port,
            is_over,
            thread: thread::spawn(move || converse(&socket, &over)),
        }
    }

    /// Seconds in which it has heard the tone.
    fn end(self) -> usize {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().expect("it ends")
    }
}

fn converse(socket: &UdpSocket, is_over: &AtomicBool) -> usize {
    let (mut heard, mut seconds, mut buffer) = (Vec::new(), 0, [0; 2_048]);
    let mut other: Option<(SocketAddr, Instant, u16)> = None;
    while !is_over.load(Ordering::Relaxed) {
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            other = other.or_else(|| Some((from, Instant::now(), 0)));
            if length > 12 && buffer[1] & 0x7f == 0 {
                heard.extend(buffer[12..length].iter().map(|byte| pcmu::decode(*byte)));
            }
        }
        if heard.len() >= 8_000 {
            seconds += usize::from(share(&heard, HEARS) > 0.9);
            heard.clear();
        }
        while let Some((to, began, said)) = &mut other
            && began.elapsed() >= Duration::from_millis(20) * u32::from(*said)
        {
            socket
                .send_to(&packet(*said), *to)
                .expect("loopback takes it");
            *said += 1;
        }
    }
    seconds
}

fn packet(number: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(number.to_be_bytes());
    packet.extend((u32::from(number) * FRAME as u32).to_be_bytes());
    packet.extend(0x0c0c_0c0c_u32.to_be_bytes());
    let first = usize::from(number) * FRAME;
    packet.extend((first..first + FRAME).map(|at| {
        let sample = 8_000.0 * (TAU * SAYS * at as f64 / 8_000.0).sin();
        pcmu::encode(sample as i16)
    }));
    packet
}

/// How much of the sound's energy is this tone (Goertzel).
fn share(samples: &[i16], tone: f64) -> f64 {
    let step = 2.0 * (TAU * tone / 8_000.0).cos();
    let (mut before, mut last, mut energy) = (0.0, 0.0, 1.0);
    for sample in samples.iter().map(|sample| f64::from(*sample)) {
        (before, last) = (last, sample + step * last - before);
        energy += sample * sample;
    }
    let power = before * before + last * last - step * before * last;
    2.0 * power / (samples.len() as f64 * energy)
}

/// A call from one to the other: the browser's words, and the seconds in which the carrier has heard it.
fn call(network: u8, caller: Caller) -> (String, usize) {
    let at = |host| Ipv4Addr::new(127, 0, network, host);
    let (browser_at, carrier_at, media) = (at(1), at(2), at(3));
    let listens = free_port(Ipv4Addr::LOCALHOST);
    let (browser_port, carrier_port) = (free_port(browser_at), free_port(carrier_at));
    let place = Place::new("browser");
    let audio = Audio::start(carrier_at);
    let (role, side, step) = match caller {
        Caller::Browser => ("calls", Side::Callee, &[Step::IsEnded][..]),
        Caller::Carrier => (
            "answers",
            Side::Caller,
            &[Step::Pauses(9_000), Step::Ends][..],
        ),
    };
    place.write(
        "carrier.xml",
        &scenario(side, &audio.port.to_string(), step),
    );
    let running = Running::start(
        place,
        &configuration(
            media,
            listens,
            (browser_at, browser_port).into(),
            (carrier_at, carrier_port).into(),
        ),
    );
    let place = running.place();
    let carrier = || {
        let target = format!("127.0.0.1:{listens}");
        let arguments = ["-sf", "carrier.xml", "-m", "1", &target];
        Peer::sipp(place, "carrier", (carrier_at, carrier_port), &arguments)
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/browser.py");
    let browser = || {
        let (address, port, listens) = (
            browser_at.to_string(),
            browser_port.to_string(),
            listens.to_string(),
        );
        let arguments = [script, role, &address, &port, "127.0.0.1", &listens];
        // Debian's own, which has Debian's aiortc.
        Peer::start(place, "browser", "/usr/bin/python3", &arguments)
    };
    let (mut browser, mut carrier) = match caller {
        Caller::Browser => {
            let carrier = carrier();
            (browser(), carrier)
        }
        Caller::Carrier => {
            let browser = browser();
            await_said(place, "browser.log", "is ready", SOON);
            (browser, carrier())
        }
    };
    let words = await_said(place, "browser.log", "has ended", SOON);
    assert!(browser.ended(SOON).success(), "{words}");
    assert!(carrier.ended(SOON).success(), "SIPp has not had its call");
    running.await_nothing_left(SOON);
    let sounds = running.ask(r#"{"query":"sounds"}"#);
    for leg in sounds.expect("control answers").as_array().expect("a list") {
        let (from, to) = (&leg["from_party"], &leg["to_party"]);
        assert!(from["packets"].as_u64() > Some(300), "{leg}");
        assert!(from["mos"].as_f64() > Some(4.0), "{leg}");
        // What the browser hears, its own reports say.
        if leg["trunk"] == "browser" {
            assert!(to["mos"].as_f64() > Some(4.0), "{leg}");
        }
    }
    (words, audio.end())
}

#[derive(Debug, Clone, Copy)]
enum Caller {
    Browser,
    Carrier,
}

fn assert_heard((words, seconds): &(String, usize)) {
    assert!(words.contains("hears the tone, 5 s"), "{words}");
    assert!(
        words.contains("is connected") && !words.contains("is failed"),
        "{words}"
    );
    assert!(*seconds >= 5, "the carrier has heard {seconds} s\n{words}");
}

#[test]
fn a_browser_calls_a_plain_carrier_and_both_hear() {
    assert_heard(&call(51, Caller::Browser));
}

#[test]
fn a_plain_carrier_calls_a_browser_and_both_hear() {
    assert_heard(&call(52, Caller::Carrier));
}
