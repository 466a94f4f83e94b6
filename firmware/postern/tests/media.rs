//! The media process as control and two parties meet it: over its socket and over UDP on loopback.
//!
//! Not here: the ways of packets one by one (`pipeline`'s tests, in simulated time), packets past the kernel
//! (`media_frames.rs`).

mod media_kit;

use std::collections::VecDeque;
use std::io::Write;
use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::time::{Duration, Instant};

use measure::{DropReason, MediaCounter, Refusal};
use media_api::{Command, Decoder, Event, StreamId, VERSION, Version, encode};
use media_kit::*;

#[test]
fn audio_goes_on_without_control_and_another_control_adopts_it() {
    let media = Media::start("adopt");
    let mut first = media.control();
    let mut call = Call::new(&mut first);
    call.frame();
    let mut started: Vec<StreamId> = (0..2)
        .map(|_| {
            first.wait_for(|event| {
                if let Event::RtpStarted { id } = event {
                    Some(*id)
                } else {
                    None
                }
            })
        })
        .collect();
    started.sort();
    assert_eq!(started, [StreamId(1), StreamId(2)], "INV-17");

    // Control dies in mid-call, in the middle of a frame even.
    first.stream.write_all(&[40, 0, 0]).expect("it takes it");
    drop(first);
    for _ in 0..25 {
        call.frame();
        std::thread::sleep(FRAME);
    }

    let mut second = media.control();
    assert_eq!(second.streams(), [StreamId(1), StreamId(2)]);
    // What it remembers it says again, and nothing breaks.
    second.put(&call.teams_stream);
    second.put(&call.carrier_stream);
    second.say(&Command::Link {
        a: StreamId(1),
        b: StreamId(2),
    });
    for _ in 0..5 {
        call.frame();
    }
    second.say(&Command::Remove(StreamId(2)));
    let statistics = second.wait_for(|event| match event {
        Event::Removed {
            id: StreamId(2),
            statistics,
        } => Some(statistics.clone()),
        _ => None,
    });
    assert_eq!(
        (
            statistics.received.packets,
            statistics.sent.packets,
            statistics.received.lost
        ),
        (31, 31, 0)
    );
    assert_eq!(statistics.drops, []);
    second.say(&Command::Remove(StreamId(1)));
    assert_eq!(second.streams(), []);

    std::thread::sleep(Duration::from_millis(300));
    media.counters(|page| {
        assert_eq!(page.process(), std::process::id());
        assert_eq!(
            (
                page.counter(MediaCounter::PacketsRelayed),
                page.counter(MediaCounter::Streams)
            ),
            (62, 0)
        );
        assert_eq!(page.drops(DropReason::Unauthenticated), 0);
    });
}

#[test]
fn a_call_crosses_from_ipv4_to_ipv6() {
    let media = Media::start("families");
    let mut control = media.control();
    let six = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let far = UdpSocket::bind((six, 0)).expect("loopback is there");
    far.set_read_timeout(Some(SOON))
        .expect("a socket has timeouts");
    let mut call = Call::numbered(&mut control, 0, [LOOPBACK, six], party(), far);
    for _ in 0..50 {
        call.frame();
    }
    control.say(&Command::Statistics(StreamId(2)));
    let received = control.wait_for(|event| match event {
        Event::Statistics { statistics, .. } => Some(statistics.received),
        _ => None,
    });
    assert_eq!((received.packets, received.lost), (50, 0));
}

#[test]
fn the_last_to_say_hello_is_the_control() {
    let media = Media::start("takeover");
    let mut first = media.control();
    let mut call = Call::new(&mut first);
    call.frame();
    let mut second = media.control();
    assert!(first.is_closed(), "the first is let go");
    assert_eq!(second.streams(), [StreamId(1), StreamId(2)]);
    call.frame();
    second.say(&Command::Ping);
    second.wait_for(|event| (*event == Event::Pong).then_some(()));
}

#[test]
fn whoever_is_no_control_is_shown_out_and_the_control_stays() {
    let media = Media::start("guests");
    let mut control = media.control();
    let mut call = Call::new(&mut control);

    // Garbage, a length without end, a command without hello, half a hello, nothing.
    let mut ping = Vec::new();
    encode(&Command::Ping, &mut ping).expect("a ping fits");
    for said in [
        &[0xff; 64][..],
        &u32::MAX.to_le_bytes(),
        &ping,
        &[9, 0],
        &[],
    ] {
        let mut guest = Control {
            stream: media.connect(),
            decoder: Decoder::new(),
            events: VecDeque::new(),
            certificate: None,
        };
        guest.stream.write_all(said).expect("it takes it");
        assert!(guest.is_closed(), "{said:?}");
    }
    // Another version is told ours before it goes.
    let mut other = Control {
        stream: media.connect(),
        decoder: Decoder::new(),
        events: VecDeque::new(),
        certificate: None,
    };
    other.say(&Command::Hello {
        version: Version(VERSION.0 + 1),
    });
    assert!(matches!(
        other.next(),
        Event::Hello {
            version: VERSION,
            ..
        }
    ));
    assert!(other.is_closed());
    // A crowd that says nothing.
    let crowd: Vec<_> = (0..50).map(|_| media.connect()).collect();
    call.frame();
    assert_eq!(control.streams(), [StreamId(1), StreamId(2)]);
    drop(crowd);

    // A control that talks rubbish is let go too; the streams stay.
    control
        .stream
        .write_all(&[1, 0, 0, 0, 0xee])
        .expect("it takes it");
    assert!(control.is_closed());
    call.frame();
    assert_eq!(media.control().streams(), [StreamId(1), StreamId(2)]);
}

#[test]
fn a_control_that_does_not_read_is_let_go() {
    let media = Media::start("deaf");
    let mut control = media.control();
    let mut call = Call::new(&mut control);
    let mut pings = Vec::new();
    for _ in 0..100_000 {
        encode(&Command::Statistics(StreamId(1)), &mut pings).expect("it fits");
    }
    control
        .stream
        .set_write_timeout(Some(Duration::from_millis(200)))
        .expect("a socket has timeouts");
    let started = Instant::now();
    while control
        .stream
        .write_all(&pings)
        .is_ok_and(|()| started.elapsed() < Duration::from_secs(20))
    {}
    // Whatever became of it, audio and the next control are well.
    call.frame();
    let mut next = media.control();
    assert_eq!(next.streams(), [StreamId(1), StreamId(2)]);
    call.frame();
}

#[test]
fn answers_come_in_the_order_of_their_commands_however_many() {
    let media = Media::start("order");
    let mut control = media.control();
    let mut frames = Vec::new();
    for id in 0..20_000 {
        encode(&Command::Statistics(StreamId(id)), &mut frames).expect("it fits");
    }
    let mut writing = control.stream.try_clone().expect("it can be shared");
    let writer = std::thread::spawn(move || writing.write_all(&frames));
    for expected in 0..20_000 {
        assert_eq!(
            control.next(),
            Event::Refused {
                id: StreamId(expected),
                reason: Refusal::UnknownStream
            }
        );
    }
    writer.join().expect("no panic").expect("all was taken");
}
