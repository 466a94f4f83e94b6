//! The media process as control and two parties meet it: over its socket and over UDP on loopback.
//!
//! The keyed party is a peer of its own make (webrtc-srtp), so that a mistake made twice would be seen.
//!
//! Not here: the ways of packets one by one (`pipeline`'s tests, in simulated time).

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use board::shm::SharedWords;
use measure::{DropReason, MediaCounter, Refusal};
use media_api::shared::{Counters, WORDS};
use media_api::{
    Command, Decoder, Direction, Event, KeyMaterial, MkiRule, Remote, Rtcp, Sdes, SourceGate,
    StreamId, StreamSpec, Suite, VERSION, Version, encode,
};
use postern::media;
use postern::run_dir::RunDir;
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

/// Long enough for a machine that does much else.
const SOON: Duration = Duration::from_secs(30);
const FRAME: Duration = Duration::from_millis(20);

/// A media process, as a thread of this one: nothing tells it to end, as nothing does in life.
struct Media {
    folder: PathBuf,
}

impl Media {
    fn start(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("postern-media-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let run = folder.clone();
        std::thread::spawn(move || media::run(&run).expect("it starts and does not end"));
        let media = Self { folder };
        let started = Instant::now();
        while UnixStream::connect(media.socket()).is_err() {
            assert!(started.elapsed() < SOON, "it listens");
            std::thread::sleep(Duration::from_millis(5));
        }
        media
    }

    fn run_dir(&self) -> RunDir {
        RunDir::at(&self.folder).expect("it is there")
    }

    fn socket(&self) -> PathBuf {
        self.run_dir().media_socket()
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.socket()).expect("it listens");
        stream
            .set_read_timeout(Some(SOON))
            .expect("a socket has timeouts");
        stream
    }

    fn control(&self) -> Control {
        let mut control = Control {
            stream: self.connect(),
            decoder: Decoder::new(),
            events: VecDeque::new(),
        };
        control.say(&Command::Hello { version: VERSION });
        match control.next() {
            Event::Hello {
                version: VERSION,
                pid,
                capacity,
            } => {
                assert_eq!(pid, std::process::id());
                assert!(capacity >= 64, "{capacity}");
            }
            other => panic!("{other:?}"),
        }
        control
    }

    fn counters<T>(&self, read: impl FnOnce(&Counters<'_>) -> T) -> T {
        let words = SharedWords::open(&media::counters_file(&self.run_dir()), WORDS)
            .expect("the page is there");
        read(&Counters::open(&words).expect("of our version"))
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Control's end of the conversation.
struct Control {
    stream: UnixStream,
    decoder: Decoder<Event>,
    events: VecDeque<Event>,
}

impl Control {
    fn say(&mut self, command: &Command) {
        let mut frame = Vec::new();
        encode(command, &mut frame).expect("a command fits");
        self.stream.write_all(&frame).expect("it takes it");
    }

    /// The next event, which must come soon.
    fn next(&mut self) -> Event {
        let mut chunk = [0; 4_096];
        while self.events.is_empty() {
            let count = self.stream.read(&mut chunk).expect("it speaks soon");
            assert_ne!(count, 0, "it has closed");
            self.decoder.push(&chunk[..count]);
            while let Some(event) = self.decoder.poll().expect("it sends frames") {
                self.events.push_back(event);
            }
        }
        self.events.pop_front().expect("there is one")
    }

    /// The first event that is wanted; others on the way are put aside.
    fn wait_for<T>(&mut self, wanted: impl Fn(&Event) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(&self.next()) {
                return found;
            }
        }
    }

    fn put(&mut self, spec: &StreamSpec) {
        self.say(&Command::Put(spec.clone()));
        let answer = self.wait_for(|event| match event {
            Event::Installed { id } if *id == spec.id => Some(Ok(())),
            Event::Refused { id, reason } if *id == spec.id => Some(Err(*reason)),
            _ => None,
        });
        assert_eq!(answer, Ok(()));
    }

    fn streams(&mut self) -> Vec<StreamId> {
        self.say(&Command::List);
        self.wait_for(|event| match event {
            Event::Streams(streams) => Some(streams.clone()),
            _ => None,
        })
    }

    fn is_closed(&mut self) -> bool {
        let mut chunk = [0; 4_096];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
                    ) =>
                {
                    return true;
                }
                Err(_) => return false,
            }
        }
    }
}

/// An even port pair of the box that nobody uses, and no two tests the same.
fn vacant() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let port = 30_000
            + (std::process::id() as u16 % 1_000) * 20 / 2 * 2
            + 2 * NEXT.fetch_add(1, Ordering::Relaxed);
        let pair = [port, port + 1].map(|port| UdpSocket::bind(("127.0.0.1", port)));
        if pair.iter().all(Result::is_ok) {
            return SocketAddr::from(([127, 0, 0, 1], port));
        }
    }
}

fn party() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback is there");
    socket
        .set_read_timeout(Some(SOON))
        .expect("a socket has timeouts");
    socket
}

fn spec(id: u64, party: &UdpSocket) -> StreamSpec {
    let remote = party.local_addr().expect("it is bound");
    StreamSpec {
        id: StreamId(id),
        local: vacant(),
        rtcp: Rtcp::Separate,
        remote: Some(Remote {
            rtp: remote,
            rtcp: remote,
        }),
        direction: Direction::SendRecv,
        source: SourceGate::Signalled,
        receive: None,
        transmit: None,
        payloads: [(8, 8)].into_iter().collect(),
        clock_rate: 8_000,
        tones: None,
        dscp: 46,
        silence_after: None,
    }
}

fn sdes(byte: u8) -> Sdes {
    Sdes {
        suite: Suite::AesCm128HmacSha1_80,
        key: KeyMaterial::new(&[byte; 30]),
        mki: MkiRule::Absent,
        lifetime: None,
    }
}

fn context(byte: u8) -> Context {
    Context::new(
        &[byte; 16],
        &[byte; 14],
        ProtectionProfile::Aes128CmHmacSha1_80,
        None,
        None,
    )
    .expect("good key lengths")
}

/// A plain RTP packet of 20 ms.
fn rtp(ssrc: u32, number: u16) -> Vec<u8> {
    let mut bytes = vec![0x80, 8];
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(&(u32::from(number) * 160).to_be_bytes());
    bytes.extend_from_slice(&ssrc.to_be_bytes());
    bytes.extend_from_slice(&[number as u8; 160]);
    bytes
}

/// A call between a plain party and a keyed one.
struct Call {
    carrier: UdpSocket,
    teams: UdpSocket,
    carrier_stream: StreamSpec,
    teams_stream: StreamSpec,
    teams_sends: Context,
    teams_expects: Context,
    number: u16,
}

impl Call {
    fn new(control: &mut Control) -> Self {
        let (carrier, teams) = (party(), party());
        let carrier_stream = spec(1, &carrier);
        let teams_stream = StreamSpec {
            rtcp: Rtcp::Muxed,
            source: SourceGate::LatchAuthenticated,
            receive: Some(sdes(1)),
            transmit: Some(sdes(2)),
            ..spec(2, &teams)
        };
        control.put(&carrier_stream);
        control.put(&teams_stream);
        control.say(&Command::Link {
            a: StreamId(1),
            b: StreamId(2),
        });
        // Links are not answered, but what comes after them is.
        control.streams();
        Self {
            carrier,
            teams,
            carrier_stream,
            teams_stream,
            teams_sends: context(1),
            teams_expects: context(2),
            number: 0,
        }
    }

    /// One frame each way, heard on the other side.
    fn frame(&mut self) {
        let number = self.number;
        self.number += 1;
        self.carrier
            .send_to(&rtp(7, number), self.carrier_stream.local)
            .expect("loopback takes it");
        let protected = self
            .teams_sends
            .encrypt_rtp(&rtp(9, number))
            .expect("it can be protected");
        self.teams
            .send_to(&protected, self.teams_stream.local)
            .expect("loopback takes it");

        let heard = hear(&self.teams, self.teams_stream.local);
        let heard = self
            .teams_expects
            .decrypt_rtp(&heard)
            .expect("it authenticates for another make of SRTP");
        assert_eq!(heard[12..], [number as u8; 160]);
        let heard = hear(&self.carrier, self.carrier_stream.local);
        assert_eq!(heard[12..], [number as u8; 160]);
    }
}

/// The next RTP packet, from where it should come; reports between are passed over.
fn hear(socket: &UdpSocket, from: SocketAddr) -> Vec<u8> {
    let mut buffer = [0; 2_048];
    loop {
        let (length, source) = socket.recv_from(&mut buffer).expect("it is heard");
        if !(192..=223).contains(&buffer[1]) {
            assert_eq!(source, from);
            return buffer[..length].to_vec();
        }
    }
}

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
        };
        guest.stream.write_all(said).expect("it takes it");
        assert!(guest.is_closed(), "{said:?}");
    }
    // Another version is told ours before it goes.
    let mut other = Control {
        stream: media.connect(),
        decoder: Decoder::new(),
        events: VecDeque::new(),
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
