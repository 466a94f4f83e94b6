//! The box's media process as a relay, told its calls as control tells it.
//!
//! Not here: what goes over the calls (`traffic.rs`).

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command as Program;
use std::time::Duration;

use media_api::{
    Command, Decoder, Direction, Event, KeyMaterial, MkiRule, Remote, Rtcp, Sdes, SourceGate,
    StreamId, StreamSpec, Suite, VERSION, encode,
};

use super::plan::{Call, KEY_OCTETS, Profile, Side};
use crate::place::{Place, program};
use crate::process::Process;

/// A running media process.
pub(super) struct Media {
    process: Process,
    control: UnixStream,
    decoder: Decoder<Event>,
}

impl Media {
    /// In the network of this thread; with a configuration where packets are to come another way than by sockets.
    pub(super) fn start(place: &Place, config: Option<&str>) -> Self {
        let run = place.path().join("run");
        let mut command = Program::new(program("postern"));
        command.arg("media").arg("--run").arg(&run);
        if let Some(config) = config {
            command
                .arg("--config")
                .arg(place.write("postern.toml", config));
        }
        let mut process = Process::start("media", place.path(), &mut command);
        let mut control = None;
        process.await_ready(Duration::from_secs(30), || {
            control = connect(&run);
            control.is_some()
        });
        let mut media = Self {
            process,
            control: control.expect("it is ready"),
            decoder: Decoder::new(),
        };
        media.say(&Command::Hello { version: VERSION });
        media
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it has said so far; for a case that depends on how it started.
    pub(super) fn log(&self) -> String {
        self.process.log_end()
    }

    /// Sets a call up.
    pub(super) fn connect(&mut self, number: usize, profile: [Profile; 2], call: &Call) {
        let ids = [0, 1].map(|side| StreamId(2 * number as u64 + side));
        for ((side, id), profile) in call.sides.iter().zip(ids).zip(profile) {
            self.say(&Command::Put(stream(id, side, profile)));
        }
        self.say(&Command::Link {
            a: ids[0],
            b: ids[1],
        });
        // Answers come in the order of the commands, and a Put has one only where it is refused.
        self.say(&Command::Ping);
        loop {
            match self.next() {
                Event::Pong => return,
                Event::Refused { id, reason } => panic!("{id:?} is refused: {reason:?}"),
                _ => {}
            }
        }
    }

    fn say(&mut self, command: &Command) {
        let mut frame = Vec::new();
        encode(command, &mut frame).expect("a command fits");
        self.control.write_all(&frame).expect("it takes it");
    }

    fn next(&mut self) -> Event {
        let mut chunk = [0; 4_096];
        loop {
            if let Some(event) = self.decoder.poll().expect("it sends frames") {
                return event;
            }
            let count = self.control.read(&mut chunk).expect("it speaks");
            assert_ne!(count, 0, "media has gone:\n{}", self.process.log_end());
            self.decoder.push(&chunk[..count]);
        }
    }
}

fn connect(run: &Path) -> Option<UnixStream> {
    let stream = UnixStream::connect(run.join("media.sock")).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .ok()?;
    Some(stream)
}

/// A stream of the box for one side of a call.
pub(super) fn stream(id: StreamId, side: &Side, profile: Profile) -> StreamSpec {
    let key = |octets: &[u8; KEY_OCTETS]| {
        (profile == Profile::Keyed).then(|| Sdes {
            suite: Suite::AesCm128HmacSha1_80,
            key: KeyMaterial::new(octets),
            mki: MkiRule::Absent,
            lifetime: None,
        })
    };
    StreamSpec {
        id,
        local: side.relay,
        rtcp: Rtcp::Muxed,
        remote: Some(Remote {
            rtp: side.here,
            rtcp: side.here,
        }),
        direction: Direction::SendRecv,
        source: SourceGate::Signalled,
        receive: key(&side.sends_with),
        transmit: key(&side.hears_with),
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
