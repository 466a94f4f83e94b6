//! The media process on an interface's queues: a call crosses it over AF_XDP, and over sockets where that is not to be had.
//!
//! The parties are at the other end of a wire between network namespaces. Where none can be made, the fallback is what is tested.
//!
//! Not here: what the ports do by themselves (`board`'s tests), the media process over sockets (`media.rs`).

mod media_kit;
#[path = "../../../board/tests/namespaces/mod.rs"]
mod namespaces;

use std::net::{IpAddr, UdpSocket};

use media_api::{Command, Event, StreamId};
use media_kit::{Call, LOOPBACK, Media, SOON, hear, party, rtp};
use namespaces::Wire;

fn config(address: IpAddr, interface: &str, owner: &str) -> String {
    format!(
        "version = 1\n[media]\naddress = \"{address}\"\nports = \"30000-59999\"\nworkers = 2\npackets = \"af_xdp\"\ninterface = \"{interface}\"\nowner = \"{owner}\"\n"
    )
}

#[test]
fn a_call_crosses_over_af_xdp() {
    cross("10.77.0.1", "interface");
}

#[test]
fn a_call_crosses_over_an_address_that_is_medias_alone() {
    cross("10.77.0.100", "media");
}

fn cross(here: &str, owner: &str) {
    let wire = match Wire::new() {
        Ok(wire) => wire,
        Err(reason) => {
            eprintln!("NOT TRIED over AF_XDP: {reason}");
            return;
        }
    };
    let here: IpAddr = here.parse().expect("an address");
    // Threads of a thread are where it is: the process is at the near end.
    let media = Media::start_with(owner, &config(here, wire.near(), owner));
    assert!(wire.has_program(), "the interface has the program");
    let mut control = media.control();
    let far = || {
        let socket = wire.far_away(|| UdpSocket::bind("10.77.0.2:0"));
        let socket = socket.expect("the address is there");
        socket
            .set_read_timeout(Some(SOON))
            .expect("a socket has timeouts");
        socket
    };
    // The kernel knows who is at the other end before audio is to go there.
    let (kernel, party) = (UdpSocket::bind("10.77.0.1:0").expect("it is there"), far());
    let to = party.local_addr().expect("it is bound");
    kernel.send_to(b"hello", to).expect("it goes");
    party.recv(&mut [0; 8]).expect("it comes");
    let mut call = Call::between(&mut control, here, far(), far());
    for _ in 0..50 {
        call.frame();
    }
    // RTCP has a port of its own on the plain leg, one more than RTP's.
    let mut report = vec![0x80, 201, 0, 1];
    report.extend(7_u32.to_be_bytes());
    let mut rtcp = call.carrier_stream.local;
    rtcp.set_port(rtcp.port() + 1);
    call.carrier.send_to(&report, rtcp).expect("it goes");
    let statistics = loop {
        control.say(&Command::Statistics(StreamId(1)));
        let statistics = control.wait_for(|event| match event {
            Event::Statistics { id, statistics } if *id == StreamId(1) => Some(statistics.clone()),
            _ => None,
        });
        if statistics.received.rtcp > 0 {
            break statistics;
        }
    };
    assert_eq!(statistics.received.packets, 50);
    assert_eq!(statistics.drops, []);
}

#[test]
fn without_af_xdp_a_call_crosses_over_sockets() {
    let media = Media::start_with("no-frames", &config(LOOPBACK, "nowhere0", "interface"));
    let mut control = media.control();
    let mut call = Call::between(&mut control, LOOPBACK, party(), party());
    for _ in 0..5 {
        call.frame();
    }
    // A configuration with faults is for control to tell; audio goes on.
    let media = Media::start_with("faulty", "version = 7");
    let mut call = Call::new(&mut media.control());
    call.frame();
    call.carrier
        .send_to(&rtp(7, 1), call.carrier_stream.local)
        .expect("loopback takes it");
    hear(&call.teams, call.teams_stream.local);
}
