//! Our SRTP beside libsrtp2, packet by packet: with loss, disorder, repetition, damage, and the roll-over counter turning over.
//!
//! Both protect the same packets, which must give the same octets; both unprotect the same traffic, and what one takes the other
//! takes, and what one refuses the other refuses for the same reason. Ours goes through its burst door. libsrtp2 is behind a
//! program in C that the test compiles (`libsrtp.c`), so no foreign code is in this process.
//!
//! Not here: MKI, re-keying and the rest of our own promises (`media-dsp/tests`).

use std::io::{BufReader, BufWriter, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use media_dsp::rtcp::{Builder, Ntp, SenderInfo};
use media_dsp::rtp::Header;
use media_dsp::srtp::burst::{self, Job};
use media_dsp::srtp::{Keying, Limits, MasterKey, Receiver, Sender, Suite, UnprotectError};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tests::place::Place;

/// libsrtp2 at the other end of two pipes.
struct Libsrtp {
    child: Child,
    ask: BufWriter<ChildStdin>,
    hear: BufReader<ChildStdout>,
}

/// What libsrtp2 says of a packet it does not take (`srtp_err_status_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Parameter,
    Forged,
    Replayed,
    TooOld,
    Other(u8),
}

impl Libsrtp {
    fn start(place: &Place) -> Self {
        let program = place.path().join("libsrtp");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/srtp/libsrtp.c");
        let status = Command::new("cc")
            .args(["-O1", "-Wall", "-o"])
            .arg(&program)
            .args([source, "-lsrtp2"])
            .status()
            .expect("a C compiler is installed (Debian: gcc)");
        assert!(
            status.success(),
            "libsrtp2's headers are installed (Debian: libsrtp2-dev)"
        );
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it was just built");
        let ask = BufWriter::new(child.stdin.take().expect("a pipe"));
        let hear = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, ask, hear }
    }

    fn ask(&mut self, what: u8, bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
        let length = u16::try_from(bytes.len()).expect("a packet");
        self.ask.write_all(&[what]).expect("it runs");
        self.ask.write_all(&length.to_be_bytes()).expect("it runs");
        self.ask.write_all(bytes).expect("it runs");
        self.ask.flush().expect("it runs");
        let mut head = [0; 3];
        self.hear.read_exact(&mut head).expect("it answers");
        let [status, length @ ..] = head;
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        self.hear.read_exact(&mut answer).expect("it answers");
        match status {
            0 => Ok(answer),
            2 | 21 => Err(Refusal::Parameter),
            7 => Err(Refusal::Forged),
            9 => Err(Refusal::Replayed),
            10 => Err(Refusal::TooOld),
            other => Err(Refusal::Other(other)),
        }
    }

    fn begin(&mut self, suite: usize, window: u16, material: &[u8]) {
        let mut request = vec![suite as u8];
        request.extend(window.to_be_bytes());
        request.extend(material);
        assert_eq!(self.ask(b'K', &request), Ok(Vec::new()));
    }
}

impl Drop for Libsrtp {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Both with one key.
struct Peers {
    theirs: Libsrtp,
    sender: [Sender; 1],
    receiver: [Receiver; 1],
    chance: ChaCha12Rng,
}

impl Peers {
    fn below(&mut self, bound: usize) -> usize {
        self.chance.next_u32() as usize % bound
    }

    fn begin(&mut self, number: usize, window: u16) {
        let suite = Suite::ALL[number];
        let mut material = vec![0; suite.key_len() + suite.salt_len()];
        self.chance.fill_bytes(&mut material);
        self.theirs.begin(number, window, &material);
        let keying = Keying::new(MasterKey::new(suite, &material).expect("the suite's length"));
        let limits = Limits { sources: 4, window };
        self.sender = [Sender::new(keying.clone(), limits)];
        self.receiver = [Receiver::new(keying, limits)];
    }

    /// A plain RTP packet of any form.
    fn packet(&mut self, sequence: u16) -> Vec<u8> {
        let size = [160, 160, 20, 33, 80, 1_000][self.below(6)];
        let mut payload = vec![0; size];
        self.chance.fill_bytes(&mut payload);
        let header = Header {
            marker: self.below(2) == 0,
            payload_type: 8,
            sequence,
            timestamp: self.chance.next_u32(),
            ssrc: 0x5e55_1011,
        };
        let mut packet = vec![0; 12 + size];
        header
            .emit(&payload, &mut packet)
            .expect("it was made for it");
        let csrcs = self.below(20).saturating_sub(16);
        packet[0] |= csrcs as u8;
        packet.splice(12..12, vec![0xc5; 4 * csrcs]);
        packet
    }

    /// Protects by both, which must agree to the octet.
    fn protect(&mut self, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut buffers: Vec<Vec<u8>> = packets.to_vec();
        let mut jobs: Vec<_> = buffers
            .iter_mut()
            .map(|buffer| {
                let length = buffer.len();
                buffer.resize(length + 16, 0);
                Job::new(0, &mut buffer[..], length)
            })
            .collect();
        burst::protect(&mut self.sender[..], &mut jobs);
        let lengths: Vec<usize> = jobs
            .iter()
            .map(|job| job.outcome.expect("a new index"))
            .collect();
        for ((buffer, length), packet) in buffers.iter_mut().zip(lengths).zip(packets) {
            buffer.truncate(length);
            assert_eq!(self.theirs.ask(b'P', packet).as_ref(), Ok(&*buffer));
        }
        buffers
    }

    /// Unprotects by both, which must agree about every packet; gives how many were taken.
    fn unprotect(&mut self, packets: &[Vec<u8>]) -> usize {
        let mut buffers: Vec<Vec<u8>> = packets.to_vec();
        let mut jobs: Vec<_> = buffers
            .iter_mut()
            .map(|buffer| {
                let length = buffer.len();
                Job::new(0, &mut buffer[..], length)
            })
            .collect();
        burst::unprotect(&mut self.receiver[..], &mut jobs);
        let outcomes: Vec<_> = jobs.iter().map(|job| job.outcome).collect();
        let mut taken = 0;
        for ((outcome, buffer), packet) in outcomes.into_iter().zip(&buffers).zip(packets) {
            let theirs = self.theirs.ask(b'U', packet);
            let ours = outcome
                .map(|length| buffer[..length].to_vec())
                .map_err(reason);
            assert_eq!(ours, theirs);
            taken += usize::from(ours.is_ok());
        }
        taken
    }
}

fn reason(error: UnprotectError) -> Refusal {
    match error {
        UnprotectError::Forged => Refusal::Forged,
        UnprotectError::Replayed => Refusal::Replayed,
        UnprotectError::TooOld => Refusal::TooOld,
        UnprotectError::Malformed | UnprotectError::ForeignMki | UnprotectError::TooManySources => {
            Refusal::Parameter
        }
    }
}

fn peers(place: &Place) -> Peers {
    let keying = Keying::new(
        MasterKey::new(Suite::AesCm128HmacSha1_80, &[0; 30]).expect("the suite's length"),
    );
    Peers {
        theirs: Libsrtp::start(place),
        sender: [Sender::new(keying.clone(), Limits::default())],
        receiver: [Receiver::new(keying, Limits::default())],
        chance: ChaCha12Rng::seed_from_u64(3_711),
    }
}

#[test]
fn both_take_and_refuse_the_same_packets() {
    let place = Place::new("srtp");
    let mut peers = peers(&place);
    for (number, window) in (0..Suite::ALL.len()).zip([64, 128, 1_024, 64, 128, 16_384]) {
        peers.begin(number, window);
        // Below half, so that both begin at roll-over counter 0; later it turns over several times.
        let mut sequence = peers.below(30_000) as u16;
        let (mut taken, mut turned) = (0, 0);
        let mut late: Vec<Vec<u8>> = Vec::new();
        let mut first = true;
        for _ in 0..60 {
            let mut sent = Vec::new();
            for _ in 0..1 + peers.below(40) {
                sent.push(peers.packet(sequence));
                let gap = [1, 1, 1, 1, 1, 1, 2, 5, 300, 9_000][peers.below(10)];
                turned += usize::from(sequence.checked_add(gap).is_none());
                sequence = sequence.wrapping_add(gap);
            }
            let protected = peers.protect(&sent);
            let mut arriving: Vec<Vec<u8>> = Vec::new();
            for packet in protected {
                let fate = if first { 9 } else { peers.below(10) };
                first = false;
                match fate {
                    0 => {}
                    1 => late.push(packet),
                    2 => arriving.extend([packet.clone(), packet]),
                    3 => {
                        let mut damaged = packet.clone();
                        // Behind the SSRC: a header that says another index or source is another packet.
                        let at = 12 + peers.below(packet.len() - 12);
                        damaged[at] ^= 1 << peers.below(8);
                        arriving.extend([damaged, packet]);
                    }
                    _ => arriving.push(packet),
                }
                if !late.is_empty() && peers.below(4) == 0 {
                    let at = peers.below(late.len());
                    arriving.push(late.swap_remove(at));
                }
            }
            taken += peers.unprotect(&arriving);
        }
        assert!(
            taken > 500,
            "{}: only {taken} packets were taken",
            Suite::ALL[number]
        );
        assert!(turned >= 2, "the roll-over counter turned {turned} times");
    }
}

#[test]
fn both_take_and_refuse_the_same_reports() {
    let place = Place::new("srtcp-loss");
    let mut peers = peers(&place);
    for (number, suite) in Suite::ALL.into_iter().enumerate() {
        peers.begin(number, 128);
        let (mut late, mut taken, mut refused) = (Vec::new(), 0, 0);
        for turn in 0..400 {
            let mut plain = vec![0; 512];
            let mut builder = Builder::new(&mut plain);
            builder
                .receiver_report(7, &[])
                .and_then(|b| b.cname(7, &vec![b'a'; 1 + turn % 50]))
                .expect("it fits");
            let length = builder.finish();
            let packet = peers
                .theirs
                .ask(b'p', &plain[..length])
                .expect("a new index");
            let mut arriving = Vec::new();
            match peers.below(10) {
                0 => {}
                1 => late.push((turn, packet)),
                2 => arriving.extend([packet.clone(), packet]),
                3 => {
                    let mut damaged = packet.clone();
                    // Behind the SSRC and before the index.
                    let at = 8 + peers.below(length - 8);
                    damaged[at] ^= 1 << peers.below(8);
                    arriving.extend([damaged, packet]);
                }
                _ => arriving.push(packet),
            }
            // Theirs has a wider window for RTCP than the least one, which is ours.
            late.retain(|(at, _)| turn - at < 60);
            if !late.is_empty() && peers.below(4) == 0 {
                let at = peers.below(late.len());
                arriving.push(late.swap_remove(at).1);
            }
            for packet in arriving {
                let mut ours = packet.clone();
                let outcome = peers.receiver[0].unprotect_rtcp(&mut ours);
                let ours = outcome
                    .map(|length| ours[..length].to_vec())
                    .map_err(reason);
                let theirs = peers.theirs.ask(b'u', &packet);
                assert_eq!(ours, theirs, "{suite}");
                taken += usize::from(ours.is_ok());
                refused += usize::from(ours.is_err());
            }
        }
        assert!(taken > 300 && refused > 30, "{taken} and {refused}");
    }
}

#[test]
fn reports_go_both_ways() {
    let place = Place::new("srtcp");
    let mut peers = peers(&place);
    for number in 0..Suite::ALL.len() {
        peers.begin(number, 128);
        for turn in 0..40 {
            let mut plain = vec![0; 512];
            let info = SenderInfo {
                ntp: Ntp(turn),
                rtp_timestamp: 2,
                packets: 3,
                octets: 4,
            };
            let mut builder = Builder::new(&mut plain);
            builder
                .sender_report(7, &info, &[])
                .and_then(|b| b.cname(7, &vec![b'a'; 1 + turn as usize]))
                .expect("it fits");
            let length = builder.finish();

            let mut ours = plain.clone();
            let protected = peers.sender[0]
                .protect_rtcp(&mut ours, length)
                .expect("a new index");
            assert_eq!(
                peers.theirs.ask(b'u', &ours[..protected]).as_deref(),
                Ok(&plain[..length])
            );
            let mut theirs = peers
                .theirs
                .ask(b'p', &plain[..length])
                .expect("a new index");
            let read = peers.receiver[0]
                .unprotect_rtcp(&mut theirs)
                .expect("authentic");
            assert_eq!(theirs[..read], plain[..length]);
        }
    }
}
