//! A media process with a control and parties to it, for the tests of this folder.
//!
//! The keyed party is a peer of its own make (webrtc-srtp), so that a mistake made twice would be seen.
//!
//! Not here: what is tested.
#![allow(dead_code, reason = "each test file uses the part it needs")]

pub(crate) mod sniffer;

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use board::shm::SharedWords;
use media_api::shared::{PAGES, Pages, WORDS};
use media_api::{
    Command, Decoder, Direction, Event, Fingerprint, KeyMaterial, MkiRule, Remote, Rtcp, Sdes,
    SourceGate, StreamId, StreamSpec, Suite, VERSION, encode,
};
use postern::run_dir::RunDir;
use postern::{cli, media};
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

pub(crate) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Long enough for a machine that does much else.
pub(crate) const SOON: Duration = Duration::from_secs(30);
pub(crate) const FRAME: Duration = Duration::from_millis(20);

/// A media process, as a thread of this one: nothing tells it to end, as nothing does in life.
pub(crate) struct Media {
    pub(crate) folder: PathBuf,
}

impl Media {
    /// With two workers, as a larger box has them. With one it is in the tests of whole boxes.
    pub(crate) fn start(name: &str) -> Self {
        Self::start_with(
            name,
            "version = 1\n[media]\naddress = \"127.0.0.1\"\nworkers = 2\n",
        )
    }

    /// With a configuration of this text.
    pub(crate) fn start_with(name: &str, config: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("postern-media-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let file = folder.join("postern.toml");
        std::fs::write(&file, config).expect("a file can be written");
        let arguments = cli::Media {
            run: folder.clone(),
            config: Some(file),
        };
        std::thread::spawn(move || media::run(&arguments).expect("it starts and does not end"));
        let media = Self { folder };
        let started = Instant::now();
        while UnixStream::connect(media.socket()).is_err() {
            assert!(started.elapsed() < SOON, "it listens");
            std::thread::sleep(Duration::from_millis(5));
        }
        media
    }

    pub(crate) fn run_dir(&self) -> RunDir {
        RunDir::at(&self.folder).expect("it is there")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.run_dir().media_socket()
    }

    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.socket()).expect("it listens");
        stream
            .set_read_timeout(Some(SOON))
            .expect("a socket has timeouts");
        stream
    }

    pub(crate) fn control(&self) -> Control {
        let mut control = Control {
            stream: self.connect(),
            decoder: Decoder::new(),
            events: VecDeque::new(),
            certificate: None,
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
        match control.next() {
            Event::Certificate(certificate) => control.certificate = Some(certificate),
            other => panic!("{other:?}"),
        }
        assert!(matches!(control.next(), Event::Workers(_)));
        control
    }

    pub(crate) fn counters<T>(&self, read: impl FnOnce(&Pages<'_>) -> T) -> T {
        let words = SharedWords::open(&media::counters_file(&self.run_dir()), PAGES * WORDS)
            .expect("the page is there");
        read(&Pages::open(&words).expect("of our version"))
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Control's end of the conversation.
pub(crate) struct Control {
    pub(crate) stream: UnixStream,
    pub(crate) decoder: Decoder<Event>,
    pub(crate) events: VecDeque<Event>,
    /// What media is known by in handshakes.
    pub(crate) certificate: Option<Fingerprint>,
}

impl Control {
    pub(crate) fn say(&mut self, command: &Command) {
        let mut frame = Vec::new();
        encode(command, &mut frame).expect("a command fits");
        self.stream.write_all(&frame).expect("it takes it");
    }

    /// The next event, which must come soon.
    pub(crate) fn next(&mut self) -> Event {
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
    pub(crate) fn wait_for<T>(&mut self, wanted: impl Fn(&Event) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(&self.next()) {
                return found;
            }
        }
    }

    pub(crate) fn put(&mut self, spec: &StreamSpec) {
        self.say(&Command::Put(spec.clone()));
        // No word is consent: what comes to a later question says that there was none.
        self.say(&Command::Statistics(spec.id));
        let answer = self.wait_for(|event| match event {
            Event::Statistics { id, .. } if *id == spec.id => Some(Ok(())),
            Event::Refused { id, reason } if *id == spec.id => Some(Err(*reason)),
            _ => None,
        });
        assert_eq!(answer, Ok(()));
    }

    pub(crate) fn streams(&mut self) -> Vec<StreamId> {
        self.say(&Command::List);
        self.wait_for(|event| match event {
            Event::Streams(streams) => Some(streams.clone()),
            _ => None,
        })
    }

    pub(crate) fn is_closed(&mut self) -> bool {
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
pub(crate) fn vacant(here: IpAddr) -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let port = 30_000
            + (std::process::id() as u16 % 1_000) * 20 / 2 * 2
            + 2 * NEXT.fetch_add(1, Ordering::Relaxed);
        let pair = [port, port + 1].map(|port| UdpSocket::bind((here, port)));
        // An address that the kernel does not have is nobody else's either.
        let is_free = |bound: &std::io::Result<UdpSocket>| match bound {
            Ok(_) => true,
            Err(error) => error.kind() == ErrorKind::AddrNotAvailable,
        };
        if pair.iter().all(is_free) {
            return SocketAddr::new(here, port);
        }
    }
}

pub(crate) fn party() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback is there");
    socket
        .set_read_timeout(Some(SOON))
        .expect("a socket has timeouts");
    socket
}

pub(crate) fn spec(id: u64, here: IpAddr, party: &UdpSocket) -> StreamSpec {
    let remote = party.local_addr().expect("it is bound");
    StreamSpec {
        id: StreamId(id),
        local: vacant(here),
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
        ice: None,
        dtls: None,
        codec: media_api::Codec::G711,
        clock_rate: 8_000,
        tones: None,
        dscp: 46,
        silence_after: None,
    }
}

pub(crate) fn sdes(byte: u8) -> Sdes {
    Sdes {
        suite: Suite::AesCm128HmacSha1_80,
        key: KeyMaterial::new(&[byte; 30]),
        mki: MkiRule::Absent,
        lifetime: None,
    }
}

pub(crate) fn context(byte: u8) -> Context {
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
pub(crate) fn rtp(ssrc: u32, number: u16) -> Vec<u8> {
    let mut bytes = vec![0x80, 8];
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(&(u32::from(number) * 160).to_be_bytes());
    bytes.extend_from_slice(&ssrc.to_be_bytes());
    bytes.extend_from_slice(&[number as u8; 160]);
    bytes
}

/// A call between a plain party and a keyed one.
pub(crate) struct Call {
    pub(crate) carrier: UdpSocket,
    pub(crate) teams: UdpSocket,
    pub(crate) carrier_stream: StreamSpec,
    pub(crate) teams_stream: StreamSpec,
    pub(crate) teams_sends: Context,
    pub(crate) teams_expects: Context,
    pub(crate) number: u16,
}

impl Call {
    pub(crate) fn new(control: &mut Control) -> Self {
        Self::between(control, LOOPBACK, party(), party())
    }

    /// Over an address of the box, between parties that have their sockets already.
    pub(crate) fn between(
        control: &mut Control,
        here: IpAddr,
        carrier: UdpSocket,
        teams: UdpSocket,
    ) -> Self {
        Self::numbered(control, 0, [here; 2], carrier, teams)
    }

    /// The same over an address for each party; with this number there may be others.
    pub(crate) fn numbered(
        control: &mut Control,
        number: u64,
        [to_carrier, to_teams]: [IpAddr; 2],
        carrier: UdpSocket,
        teams: UdpSocket,
    ) -> Self {
        let (a, b) = (StreamId(2 * number + 1), StreamId(2 * number + 2));
        let carrier_stream = spec(a.0, to_carrier, &carrier);
        let teams_stream = StreamSpec {
            rtcp: Rtcp::Muxed,
            source: SourceGate::LatchAuthenticated,
            receive: Some(sdes(1)),
            transmit: Some(sdes(2)),
            ..spec(b.0, to_teams, &teams)
        };
        control.put(&carrier_stream);
        control.put(&teams_stream);
        control.say(&Command::Link { a, b });
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
    pub(crate) fn frame(&mut self) {
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
pub(crate) fn hear(socket: &UdpSocket, from: SocketAddr) -> Vec<u8> {
    let mut buffer = [0; 2_048];
    loop {
        let (length, source) = socket.recv_from(&mut buffer).expect("it is heard");
        if !(192..=223).contains(&buffer[1]) {
            assert_eq!(source, from);
            return buffer[..length].to_vec();
        }
    }
}
