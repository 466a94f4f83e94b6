//! Control is killed with a hundred calls up: their audio goes on, and either side can end them afterwards.
//!
//! Both parties are this test, in plain text over UDP; their packets carry the number of the call and of the packet, so that a gap
//! is seen as packets that never came, not as time that passed.
//!
//! Not here: what control writes down and reads again (`call::journal`).
#![forbid(unsafe_code)]

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tests::place::Place;
use tests::running::{Plane, Running};

const CALLS: usize = 100;
/// Two packets of 20 ms may be missing, three may not: 50 ms.
const MAY_MISS: u32 = 2;

const CALLER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 31);
const CALLEE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 32);

fn bind(address: Ipv4Addr) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind((address, 0)).expect("a port");
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a time");
    let local = socket.local_addr().expect("bound");
    (socket, local)
}

fn configuration(listens: u16, caller: SocketAddr, callee: SocketAddr) -> String {
    format!(
        r#"
version = 1
[media]
address = "127.0.0.1"
ports = "27000-27999"
[[listener]]
name = "trunks"
transport = "udp"
address = "127.0.0.1:{listens}"
[[trunk]]
name = "caller"
kind = "carrier"
listener = "trunks"
peers = ["{caller}"]
sources = ["{CALLER}"]
[[trunk]]
name = "callee"
kind = "carrier"
listener = "trunks"
peers = ["{callee}"]
sources = ["{CALLEE}"]
[[route]]
name = "out"
from = ["caller"]
send_to = ["callee"]
"#
    )
}

fn sdp(rtp: SocketAddr) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio {1} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n",
        rtp.ip(),
        rtp.port()
    )
}

fn header<'t>(text: &'t str, name: &str) -> &'t str {
    text.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map_or_else(|| panic!("no {name} in\n{text}"), |(_, value)| value.trim())
}

fn audio_port(text: &str) -> u16 {
    let line = text
        .lines()
        .find(|line| line.starts_with("m=audio "))
        .expect("audio");
    line.split(' ')
        .nth(1)
        .and_then(|port| port.parse().ok())
        .expect("a port")
}

fn receive(socket: &UdpSocket) -> (String, SocketAddr) {
    let mut buffer = [0; 4_096];
    let (length, from) = socket
        .recv_from(&mut buffer)
        .expect("somebody says something");
    (
        String::from_utf8_lossy(&buffer[..length]).into_owned(),
        from,
    )
}

/// One party's side of a call, to be ended from here.
struct Dialog {
    call_id: String,
    from: String,
    to: String,
    target: String,
    /// Where the box listens for this party's packets.
    audio: SocketAddr,
}

impl Dialog {
    fn bye(&self, local: SocketAddr) -> String {
        format!(
            "BYE {} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKbye{}\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 900 BYE\r\nContent-Length: 0\r\n\r\n",
            self.target,
            self.call_id.replace('-', ""),
            self.from,
            self.to,
            self.call_id
        )
    }
}

fn uri(name_addr: &str) -> String {
    name_addr
        .split(['<', '>'])
        .nth(1)
        .expect("a URI in angle brackets")
        .to_owned()
}

fn response(request: &str, status: &str, extra: &str, body: &str) -> String {
    let mut out = format!("SIP/2.0 {status}\r\n");
    for line in request.lines().filter(|line| line.starts_with("Via:")) {
        out.push_str(line);
        out.push_str("\r\n");
    }
    let to = header(request, "To");
    let tag = if to.contains(";tag=") {
        ""
    } else {
        ";tag=callee"
    };
    out.push_str(&format!(
        "From: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n{extra}Content-Length: {}\r\n\r\n{body}",
        header(request, "From"),
        header(request, "Call-ID"),
        header(request, "CSeq"),
        body.len()
    ));
    out
}

fn packet(call: usize, number: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend_from_slice(&(number as u16).to_be_bytes());
    packet.extend_from_slice(&(number * 160).to_be_bytes());
    packet.extend_from_slice(&(0x1000_0000 + call as u32).to_be_bytes());
    let mut payload = [0xff_u8; 160];
    payload[..8].copy_from_slice(&(call as u64).to_be_bytes());
    payload[8..12].copy_from_slice(&number.to_be_bytes());
    packet.extend_from_slice(&payload);
    packet
}

/// A hundred calls: the two parties' views of each, by number of the call.
fn set_up(
    listens: u16,
    (caller, caller_at): (&UdpSocket, SocketAddr),
    (callee, callee_at): (&UdpSocket, SocketAddr),
    (caller_rtp, callee_rtp): (SocketAddr, SocketAddr),
) -> (Vec<Dialog>, Vec<Dialog>) {
    let the_box = SocketAddr::from((Ipv4Addr::LOCALHOST, listens));
    let (mut callers, mut callees) = (Vec::new(), Vec::new());
    for call in 0..CALLS {
        let body = sdp(caller_rtp);
        let invite = format!(
            "INVITE sip:+13125550{call:03}@127.0.0.1:{listens} SIP/2.0\r\nVia: SIP/2.0/UDP {caller_at};branch=z9hG4bKinv{call}\r\nMax-Forwards: 70\r\nFrom: <sip:+1202555{call:04}@{caller_at}>;tag=c{call}\r\nTo: <sip:+13125550{call:03}@127.0.0.1:{listens}>\r\nCall-ID: restart-{call}\r\nCSeq: 1 INVITE\r\nContact: <sip:{caller_at}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        caller.send_to(invite.as_bytes(), the_box).expect("sent");
        let (at_callee, from) = loop {
            let (text, from) = receive(callee);
            if text.starts_with("INVITE ") {
                break (text, from);
            }
        };
        let ok = response(
            &at_callee,
            "200 OK",
            &format!("Contact: <sip:{callee_at}>\r\nContent-Type: application/sdp\r\n"),
            &sdp(callee_rtp),
        );
        callee.send_to(ok.as_bytes(), from).expect("sent");
        callees.push(Dialog {
            call_id: header(&at_callee, "Call-ID").to_owned(),
            from: header(&ok, "To").to_owned(),
            to: header(&at_callee, "From").to_owned(),
            target: uri(header(&at_callee, "Contact")),
            audio: SocketAddr::from((Ipv4Addr::LOCALHOST, audio_port(&at_callee))),
        });
        let answered = loop {
            let (text, _) = receive(caller);
            if text.starts_with("SIP/2.0 200 ")
                && header(&text, "Call-ID") == format!("restart-{call}")
            {
                break text;
            }
        };
        let target = uri(header(&answered, "Contact"));
        let ack = format!(
            "ACK {target} SIP/2.0\r\nVia: SIP/2.0/UDP {caller_at};branch=z9hG4bKack{call}\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: restart-{call}\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
            header(&answered, "From"),
            header(&answered, "To")
        );
        caller.send_to(ack.as_bytes(), the_box).expect("sent");
        callers.push(Dialog {
            call_id: format!("restart-{call}"),
            from: header(&answered, "From").to_owned(),
            to: header(&answered, "To").to_owned(),
            target,
            audio: SocketAddr::from((Ipv4Addr::LOCALHOST, audio_port(&answered))),
        });
    }
    (callers, callees)
}

/// Answer every BYE that waits, noting its call; the calls whose own BYE has been answered.
fn answer_byes(socket: &UdpSocket, told: &mut HashSet<String>) -> HashSet<String> {
    let mut ended = HashSet::new();
    let mut buffer = [0; 4_096];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.starts_with("BYE ") {
            socket
                .send_to(response(&text, "200 OK", "", "").as_bytes(), from)
                .expect("sent");
            told.insert(header(&text, "Call-ID").to_owned());
            break;
        }
        if text.starts_with("SIP/2.0 200 ") && header(&text, "CSeq") == "900 BYE" {
            ended.insert(header(&text, "Call-ID").to_owned());
            break;
        }
    }
    ended
}

#[test]
fn audio_goes_on_without_control_and_every_call_can_be_ended_afterwards() {
    let (caller, caller_at) = bind(CALLER);
    let (callee, callee_at) = bind(CALLEE);
    let (caller_audio, caller_rtp) = bind(CALLER);
    let (callee_audio, callee_rtp) = bind(CALLEE);
    let listens = bind(Ipv4Addr::LOCALHOST).1.port();
    let mut running = Running::start(
        Place::new("restart"),
        &configuration(listens, caller_at, callee_at),
    );
    let (callers, callees) = set_up(
        listens,
        (&caller, caller_at),
        (&callee, callee_at),
        (caller_rtp, callee_rtp),
    );
    assert_eq!(running.census()["calls"], CALLS);

    // Every call's caller speaks, 50 packets a second; the callee notes what it hears.
    let ends = Arc::new(AtomicBool::new(false));
    let targets: Vec<SocketAddr> = callers.iter().map(|dialog| dialog.audio).collect();
    let spoken = {
        let ends = Arc::clone(&ends);
        thread::spawn(move || {
            let mut number = 0_u32;
            while !ends.load(Ordering::Relaxed) {
                for (call, target) in targets.iter().enumerate() {
                    caller_audio
                        .send_to(&packet(call, number), target)
                        .expect("sent");
                }
                number += 1;
                thread::sleep(Duration::from_millis(20));
            }
            number
        })
    };
    let heard = {
        let ends = Arc::clone(&ends);
        callee_audio
            .set_read_timeout(Some(Duration::from_millis(200)))
            .expect("a time");
        thread::spawn(move || {
            let mut last: HashMap<u64, u32> = HashMap::new();
            let mut worst = 0_u32;
            let mut buffer = [0; 2_048];
            loop {
                match callee_audio.recv(&mut buffer) {
                    Ok(length) if length >= 24 => {
                        let call = u64::from_be_bytes(buffer[12..20].try_into().expect("8 bytes"));
                        let number =
                            u32::from_be_bytes(buffer[20..24].try_into().expect("4 bytes"));
                        let before = last.insert(call, number);
                        worst =
                            worst.max(before.map_or(0, |before| number.saturating_sub(before + 1)));
                    }
                    Ok(_) => {}
                    Err(_) if ends.load(Ordering::Relaxed) => return (last, worst),
                    Err(_) => {}
                }
            }
        })
    };
    thread::sleep(Duration::from_secs(1));
    running.kill(Plane::Control);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(
        running.census()["calls"],
        CALLS,
        "the calls are known to the new control"
    );
    ends.store(true, Ordering::Relaxed);
    let spoken = spoken.join().expect("it spoke");
    let (last, worst) = heard.join().expect("it listened");
    assert_eq!(last.len(), CALLS, "every call is heard");
    assert!(
        worst <= MAY_MISS,
        "{worst} packets in a row are missing of a call"
    );
    assert!(
        last.values().all(|number| number + MAY_MISS >= spoken - 1),
        "a call fell silent"
    );

    // Half of the calls are ended by the caller, half by the callee; the other side of each is told and answers. Requests are sent
    // again as UDP wants it, so that a lost datagram is no fault.
    for socket in [&caller, &callee] {
        socket
            .set_read_timeout(Some(Duration::from_millis(100)))
            .expect("a time");
    }
    let the_box = SocketAddr::from((Ipv4Addr::LOCALHOST, listens));
    let mut told: HashSet<String> = HashSet::new();
    for call in 0..CALLS {
        let (mine, at, other, dialog, party) = if call % 2 == 0 {
            (&caller, caller_at, &callee, &callers[call], &callees[call])
        } else {
            (&callee, callee_at, &caller, &callees[call], &callers[call])
        };
        let mut ended = false;
        for _ in 0..100 {
            if !ended {
                mine.send_to(dialog.bye(at).as_bytes(), the_box)
                    .expect("sent");
            }
            answer_byes(other, &mut told);
            ended |= answer_byes(mine, &mut told).contains(&dialog.call_id);
            if ended && told.contains(&party.call_id) {
                break;
            }
        }
        assert!(
            ended && told.contains(&party.call_id),
            "call {call} cannot be ended"
        );
    }
    for _ in 0..10 {
        answer_byes(&caller, &mut told);
        answer_byes(&callee, &mut told);
    }
    running.await_nothing_left(Duration::from_secs(20));
}
