//! baresip as a carrier over TLS with SRTP that it insists on, and as one in plain text: each hears the other through the box.
//!
//! Both say real speech and keep what they decode, so what is compared is what was said at one end and what was heard at the other.
//!
//! Not here: load, which is SIPp's (`sipp_audio.rs`), and Teams, whom the lab plays.
#![forbid(unsafe_code)]

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use tests::certificates::Authority;
use tests::peers::{Peer, await_said, free_port};
use tests::place::Place;
use tests::running::Running;
use tests::workspace;

const SOON: Duration = Duration::from_secs(20);
/// Between two looks at what was heard.
const LOOK: Duration = Duration::from_millis(200);
/// 100 ms of speech.
const PIECE: usize = 800;
const CARRIER: &str = "tools/lab/assets/carrier.wav";
const TEAMS: &str = "tools/lab/assets/teams.wav";

/// One baresip: where it is, what it says, and its manners.
struct Phone {
    name: &'static str,
    address: Ipv4Addr,
    /// SIP here, and TLS on the next.
    port: u16,
    orders: u16,
    speech: &'static str,
    account: &'static str,
    peer: Peer,
}

const SECURE: &str = ";transport=tls>;mediaenc=srtp-mand";
const PLAIN: &str = ";transport=udp>";

impl Phone {
    fn start(
        place: &Place,
        name: &'static str,
        address: Ipv4Addr,
        account: &'static str,
        speech: &'static str,
    ) -> Self {
        let (port, orders) = (free_port(address), free_port(address));
        let folder = place.path().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let said = folder.join("speech.wav");
        fs::write(&said, at_length(&samples(&workspace::root().join(speech)))).expect("a file");
        place.write(
            &format!("{name}/config"),
            &format!(
                "net_interface {address}\n\
                 sip_listen {address}:{port}\n\
                 sip_certificate {folder}/../phone.pem\n\
                 sip_verify_server no\n\
                 call_local_timeout 60\n\
                 call_max_calls 4\n\
                 audio_player aufile,/dev/null\n\
                 audio_source aufile,{said}\n\
                 audio_alert aufile,/dev/null\n\
                 ausrc_srate 8000\n\
                 module_path /usr/lib/baresip/modules\n\
                 module aufile.so\n\
                 module g711.so\n\
                 module srtp.so\n\
                 module sndfile.so\n\
                 module_tmp uuid.so\n\
                 module_tmp account.so\n\
                 module_app menu.so\n\
                 module_app ctrl_tcp.so\n\
                 ctrl_tcp_listen {address}:{orders}\n\
                 snd_path {folder}\n",
                folder = folder.display(),
                said = said.display(),
            ),
        );
        place.write(&format!("{name}/contacts"), "");
        let own = if account == SECURE { port + 1 } else { port };
        place.write(
            &format!("{name}/accounts"),
            &format!(
                "<sip:+13125550100@{address}:{own}{account};regint=0;answermode=auto;audio_codecs=PCMU\n"
            ),
        );
        let peer = Peer::start(place, name, "baresip", &["-f", name]);
        await_said(place, &format!("{name}.log"), "baresip is ready", SOON);
        Self {
            name,
            address,
            port,
            orders,
            speech,
            account,
            peer,
        }
    }

    /// Where it listens in its account's way.
    fn port(&self) -> u16 {
        if self.account == SECURE {
            self.port + 1
        } else {
            self.port
        }
    }

    /// Gives an order and waits until it has been heard.
    fn order(&self, command: &str, parameters: &str) {
        let order =
            format!(r#"{{"command":"{command}","params":"{parameters}","token":"{command}"}}"#);
        let mut phone = TcpStream::connect((self.address, self.orders)).expect("it listens");
        phone
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("a time");
        write!(phone, "{}:{order},", order.len()).expect("told");
        let mut heard = Vec::new();
        let mut buffer = [0; 4_096];
        while !String::from_utf8_lossy(&heard).contains(r#""response":true"#) {
            let length = phone.read(&mut buffer).expect("it answers");
            assert!(length > 0, "it hangs up on its orders");
            heard.extend_from_slice(&buffer[..length]);
        }
    }

    fn log(&self) -> String {
        format!("{}.log", self.name)
    }

    /// What it has decoded so far, call by call, one after another.
    fn heard(&self, place: &Place) -> Vec<i16> {
        let mut files: Vec<_> = fs::read_dir(place.path().join(self.name))
            .expect("its folder")
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
            .collect();
        files.sort();
        files.iter().flat_map(|path| samples(path)).collect()
    }

    /// What it last said that it sends and hears, in bits a second, over some seconds.
    fn rates(&self, place: &Place) -> Option<[u32; 2]> {
        let log = fs::read(place.path().join(self.log())).ok()?;
        let log = String::from_utf8_lossy(&log);
        let (_, last) = log.rsplit_once("audio=")?;
        let (sent, heard) = last.split_once(" (bit/s)")?.0.split_once('/')?;
        Some([sent.parse().ok()?, heard.parse().ok()?])
    }

    /// Waits until what it sends and hears is as it should be.
    fn await_rates(&self, place: &Place, are: impl Fn(u32) -> bool) {
        let until = Instant::now() + SOON;
        while !self
            .rates(place)
            .is_some_and(|rates| rates.into_iter().all(&are))
        {
            assert!(
                Instant::now() < until,
                "{}: {:?}",
                self.name,
                self.rates(place)
            );
            thread::sleep(LOOK);
        }
    }

    /// Waits until it has heard what the other says.
    fn await_speech_of(&self, other: &Self, place: &Place) {
        let said = samples(&workspace::root().join(other.speech));
        let until = Instant::now() + SOON;
        while !contains(&self.heard(place), &said) {
            assert!(
                Instant::now() < until,
                "{} does not hear {}",
                self.name,
                other.name
            );
            thread::sleep(LOOK);
        }
    }
}

/// The samples of a file in mono and 16 bits.
fn samples(path: &std::path::Path) -> Vec<i16> {
    let bytes = fs::read(path).expect("a file of sound");
    let data = bytes.windows(4).position(|word| word == b"data");
    data.map_or_else(Vec::new, |at| {
        bytes[(at + 8).min(bytes.len())..]
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect()
    })
}

/// A file that says it for a minute and more: baresip hangs up where its speech ends.
fn at_length(samples: &[i16]) -> Vec<u8> {
    let sound: Vec<u8> = samples
        .iter()
        .flat_map(|sample| sample.to_le_bytes())
        .collect();
    let sound = sound.repeat(10);
    let length = u32::try_from(sound.len()).expect("a minute or so");
    let mut file = b"RIFF".to_vec();
    file.extend((length + 36).to_le_bytes());
    file.extend(b"WAVEfmt ");
    // PCM, one channel, 8,000 samples a second of two bytes each.
    file.extend(16_u32.to_le_bytes());
    file.extend([1, 0, 1, 0]);
    file.extend(8_000_u32.to_le_bytes());
    file.extend(16_000_u32.to_le_bytes());
    file.extend([2, 0, 16, 0]);
    file.extend(b"data");
    file.extend(length.to_le_bytes());
    file.extend(sound);
    file
}

/// What G.711 makes of a sample is at most a sixteenth of it, or a few units, away.
fn alike(said: i16, heard: i16) -> bool {
    let (said, heard) = (i32::from(said), i32::from(heard));
    (said - heard).abs() <= 16 + said.abs() / 16
}

/// Whether some loud piece of what was said is in what was heard.
fn contains(heard: &[i16], said: &[i16]) -> bool {
    said.chunks_exact(PIECE)
        .filter(|piece| piece.iter().filter(|sample| sample.abs() > 500).count() > PIECE / 2)
        .any(|piece| {
            heard.windows(PIECE).any(|window| {
                piece
                    .iter()
                    .zip(window)
                    .all(|(said, heard)| alike(*said, *heard))
            })
        })
}

fn configuration(media: Ipv4Addr, listens: u16, tls: u16, secure: &Phone, plain: &Phone) -> String {
    format!(
        r#"
version = 1
[media]
address = "{media}"
ports = "24000-24099"
[dns.hosts]
"phone.example" = ["{secure_at}"]
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
address = "127.0.0.1:{tls}"
identity = "own"
client_auth = "required"
[[trunk]]
name = "secure"
kind = "carrier"
listener = "secure"
transport = "tls"
trust = "root"
peers = ["phone.example:{secure_port}"]
sources = ["{secure_at}"]
[trunk.media]
profile = "savp"
[[trunk]]
name = "plain"
kind = "carrier"
listener = "plain"
peers = ["{plain_at}:{plain_port}"]
sources = ["{plain_at}"]
[trunk.media]
sources = "latch"
[[route]]
name = "in"
from = ["secure"]
send_to = ["plain"]
[[route]]
name = "out"
from = ["plain"]
send_to = ["secure"]
"#,
        secure_at = secure.address,
        secure_port = secure.port(),
        plain_at = plain.address,
        plain_port = plain.port(),
    )
}

/// Which end does a thing.
#[derive(Clone, Copy)]
enum End {
    Secure,
    Plain,
}

/// A call from one end, heard at both, held and resumed by its caller, ended from the same or the other end.
fn speech_crosses(network: u8, calls: End, hangs_up: End) {
    let at = |host| Ipv4Addr::new(127, 0, network, host);
    let place = Place::new("baresip");
    let authority = Authority::new("baresip");
    let own = authority.sign(&["sbc.example"]);
    let phone = authority.sign(&["phone.example"]);
    place.write("root.pem", authority.pem());
    place.write("own.pem", &own.certificate);
    place.write("own.key", &own.key);
    place.write("phone.pem", &format!("{}{}", phone.certificate, phone.key));
    // Whatever it is told to bind, baresip connects, and sends audio, from the address that the system
    // chooses: hence the latch. Its Contact names that address, its certificate does not.
    let mut secure = Phone::start(&place, "secure", Ipv4Addr::LOCALHOST, SECURE, TEAMS);
    let mut plain = Phone::start(&place, "plain", at(2), PLAIN, CARRIER);
    let listens = free_port(Ipv4Addr::LOCALHOST);
    let tls = free_port(Ipv4Addr::LOCALHOST);
    let configuration = configuration(at(3), listens, tls, &secure, &plain);
    let running = Running::start(place, &configuration);
    let place = running.place();

    let (caller, target) = match calls {
        End::Secure => (
            &secure,
            format!("sip:+13125550100@127.0.0.1:{tls};transport=tls"),
        ),
        End::Plain => (
            &plain,
            format!("sip:+13125550100@127.0.0.1:{listens};transport=udp"),
        ),
    };
    caller.order("dial", &target);
    await_said(place, &secure.log(), "SRTP is Enabled", SOON);
    for phone in [&secure, &plain] {
        await_said(place, &phone.log(), "Call established", SOON);
    }
    secure.await_speech_of(&plain, place);
    plain.await_speech_of(&secure, place);

    caller.order("hold", "");
    for phone in [&secure, &plain] {
        phone.await_rates(place, |rate| rate == 0);
    }
    assert_eq!(running.census()["calls"], 1, "a hold ends nothing");
    caller.order("resume", "");
    // Its decoder stays silent after a hold, between two of its kind as well: what arrives is counted instead.
    for phone in [&secure, &plain] {
        phone.await_rates(place, |rate| rate > 60_000);
    }

    // Which line says so depends on whether the re-INVITE is still under way.
    let (ends, is_told) = match hangs_up {
        End::Secure => (&secure, &plain),
        End::Plain => (&plain, &secure),
    };
    ends.order("hangup", "");
    await_said(place, &ends.log(), "terminate call", SOON);
    await_said(place, &is_told.log(), "session closed", SOON);
    running.await_nothing_left(SOON);
    secure.peer.stop();
    plain.peer.stop();
}

#[test]
fn a_call_from_srtp_to_plain_is_heard_both_ways_and_ended_by_its_caller() {
    speech_crosses(43, End::Secure, End::Secure);
}

#[test]
fn a_call_from_plain_to_srtp_is_heard_both_ways_and_ended_by_its_callee() {
    speech_crosses(44, End::Plain, End::Secure);
}
