//! The two tasks of a session: one speaks, one listens; what they share is locked for the length of a packet.
//!
//! Not here: judging one stream (`hearing.rs`), keys (`keys.rs`).

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::hearing::{Heard, Hearing, Hold};
use super::keys::Way;
use super::packet::{self, DIGITS, Ended, Rtp, Sender};
use super::speech::{Codec, FRAME, Speech, Voice};
use crate::complaint::{Complaints, Rule};
use crate::random;
use crate::sdp::Crypto;

const TICK: Duration = Duration::from_millis(20);
/// Ticks between sender reports, the first after one second (RFC 3550 §6.2 halves the first).
const REPORT_TICKS: u64 = 250;
const FIRST_REPORT: u64 = 50;
/// Ticks that a digit lasts, and how often its end is told (RFC 4733 §2.5.1.4).
const DIGIT_TICKS: u16 = 5;
const DIGIT_ENDS: u16 = 3;
/// Whoever may speak again draws breath first.
const BREATH: u16 = 10;
/// Departure times kept, in frames: as long as a delay may be measured.
const DEPARTURES: usize = 300;

/// What does not change during a call.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to bind.
    pub address: IpAddr,
    /// What to say.
    pub says: Voice,
    /// What to expect.
    pub hears: Voice,
    /// The first sequence number; near 65,535 it makes the roll-over counter move soon.
    pub first_sequence: Option<u16>,
    /// Where faults go.
    pub complaints: Complaints,
}

/// What was agreed.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where RTP goes.
    pub rtp: SocketAddr,
    /// Where RTCP goes.
    pub rtcp: SocketAddr,
    /// What to speak in.
    pub codec: Codec,
    /// The payload type of digits.
    pub event: Option<u8>,
    /// Whether we speak.
    pub speak: bool,
    /// Whether the other side may speak.
    pub listen: bool,
    /// Our key.
    pub transmit: Option<Crypto>,
    /// Theirs.
    pub receive: Option<Crypto>,
    /// How often we asked for new keys. Each time their way begins anew too, whether or not they changed their key:
    /// that is what Microsoft's processors do (MED-04).
    pub restarts: u64,
}

/// How it went so far.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// RTP packets sent.
    pub sent: u64,
    /// What came in.
    pub heard: Heard,
    /// RTCP packets that came in and held together.
    pub rtcp_received: u64,
    /// SRTP or SRTCP packets that did not open.
    pub refused: u64,
    /// Packets before a plan said how to take them.
    pub early: u64,
    /// Whether what was sent and received was under SRTP.
    pub protected: bool,
}

/// The audio of one call; clones share it, the last one ends it.
#[derive(Debug, Clone)]
pub struct Session(Arc<Tasks>);

#[derive(Debug)]
struct Tasks {
    shared: Arc<Shared>,
    local: SocketAddr,
    running: Vec<AbortHandle>,
}

impl Tasks {
    fn end(&self) {
        for task in &self.running {
            task.abort();
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.end();
    }
}

struct Shared {
    settings: Settings,
    state: Mutex<State>,
}

/// Held by the tasks alone: the ports are free once those end.
struct Sockets {
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.settings)
    }
}

struct State {
    plan: Option<Plan>,
    transmit: Way,
    receive: Way,
    hearing: Hearing,
    report: Report,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    place: usize,
    marked: bool,
    /// Ticks until the next word.
    breath: u16,
    ticks: u64,
    digits: VecDeque<u8>,
    digit: Option<Digit>,
    departures: VecDeque<(usize, Instant)>,
}

#[derive(Clone, Copy)]
struct Digit {
    event: u8,
    timestamp: u32,
    ticks: u16,
}

impl Session {
    /// Binds two ports and begins to listen.
    ///
    /// # Errors
    /// Where no pair of ports is free.
    pub async fn open(settings: Settings) -> io::Result<Self> {
        let (rtp, rtcp) = bind_pair(settings.address).await?;
        let local = rtp.local_addr()?;
        let state = State {
            plan: None,
            transmit: Way::default(),
            receive: Way::default(),
            hearing: Hearing::new(settings.hears),
            report: Report::default(),
            ssrc: u32::from_be_bytes(random::bytes()),
            sequence: settings
                .first_sequence
                .unwrap_or_else(|| u16::from_be_bytes(random::bytes()) / 2),
            timestamp: u32::from_be_bytes(random::bytes()),
            place: 0,
            marked: true,
            breath: 0,
            ticks: 0,
            digits: VecDeque::new(),
            digit: None,
            departures: VecDeque::with_capacity(DEPARTURES),
        };
        let shared = Arc::new(Shared {
            settings,
            state: Mutex::new(state),
        });
        let sockets = Arc::new(Sockets { rtp, rtcp });
        let running = vec![
            tokio::spawn(speak(shared.clone(), sockets.clone())).abort_handle(),
            tokio::spawn(listen(shared.clone(), sockets.clone(), Port::Rtp)).abort_handle(),
            tokio::spawn(listen(shared.clone(), sockets, Port::Rtcp)).abort_handle(),
        ];
        Ok(Self(Arc::new(Tasks {
            shared,
            local,
            running,
        })))
    }

    /// Where RTP is taken; RTCP one port above.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.0.local
    }

    /// Does as was agreed from now on.
    pub fn follow(&self, plan: Plan) {
        let mut state = self.0.shared.state();
        let was_speaking = state.plan.as_ref().is_some_and(|plan| plan.speak);
        if state
            .plan
            .as_ref()
            .is_some_and(|old| old.restarts != plan.restarts)
        {
            state.receive.restart();
        }
        let outcome = state
            .transmit
            .set(plan.transmit.as_ref())
            .and_then(|()| state.receive.set(plan.receive.as_ref()));
        if let Err(refused) = outcome {
            self.0
                .shared
                .settings
                .complaints
                .add(Rule::Srtp, refused.to_string());
        }
        state.report.protected = plan.transmit.is_some() && plan.receive.is_some();
        state.hearing.expect_events(plan.event);
        state.hearing.pause();
        state
            .hearing
            .hold(if plan.listen { Hold::Over } else { Hold::On });
        if plan.speak && !was_speaking {
            state.marked = true;
            state.breath = BREATH;
        }
        state.plan = Some(plan);
    }

    /// Says nothing from now on, whatever the plan.
    pub fn hush(&self) {
        if let Some(plan) = &mut self.0.shared.state().plan {
            plan.speak = false;
        }
    }

    /// Frees the ports; the report stays.
    pub fn end(&self) {
        self.0.end();
    }

    /// Sends digits by RFC 4733.
    pub fn dial(&self, digits: &str) {
        let events = digits.bytes().filter_map(|digit| {
            let at = DIGITS
                .bytes()
                .position(|known| known == digit.to_ascii_uppercase())?;
            u8::try_from(at).ok()
        });
        self.0.shared.state().digits.extend(events);
    }

    /// How it went so far.
    #[must_use]
    pub fn report(&self) -> Report {
        let state = self.0.shared.state();
        Report {
            heard: state.hearing.heard().clone(),
            ..state.report.clone()
        }
    }
}

/// How long frames took from one session to the other, for the last second.
#[must_use]
pub fn delays(from: &Session, to: &Session) -> Vec<Duration> {
    let sent: Vec<_> = from.0.shared.state().departures.iter().copied().collect();
    let came = to.0.shared.state().hearing.arrivals();
    came.into_iter()
        .filter_map(|(place, at)| {
            let &(_, left) = sent
                .iter()
                .rev()
                .find(|(said, left)| *said == place && *left <= at)?;
            Some(at.duration_since(left))
        })
        .collect()
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy)]
enum Port {
    Rtp,
    Rtcp,
}

async fn speak(shared: Arc<Shared>, sockets: Arc<Sockets>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        ticks.tick().await;
        let (rtp, rtcp) = {
            let mut state = shared.state();
            (state.next_packet(&shared.settings), state.next_report())
        };
        for (socket, packet) in [(&sockets.rtp, rtp), (&sockets.rtcp, rtcp)] {
            if let Some((bytes, to)) = packet {
                // A port that is not open yet refuses; the next packet will not mind.
                let _ = socket.send_to(&bytes, to).await;
            }
        }
    }
}

impl State {
    fn next_packet(&mut self, settings: &Settings) -> Option<(bytes::Bytes, SocketAddr)> {
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
        self.breath = self.breath.saturating_sub(1);
        let plan = self
            .plan
            .as_ref()
            .filter(|plan| plan.speak && self.breath == 0)?;
        let (to, codec, event) = (plan.rtp, plan.codec, plan.event);
        let packet = match event.and_then(|event| Some((event, self.digit_payload()?))) {
            Some((payload_type, (timestamp, payload))) => Rtp {
                marker: false,
                payload_type,
                sequence: self.sequence,
                timestamp,
                ssrc: self.ssrc,
                payload: &payload,
            }
            .print(),
            None => {
                let speech = Speech::of(settings.says, codec);
                let place = self.place % speech.len();
                self.place += 1;
                if self.departures.len() == DEPARTURES {
                    self.departures.pop_front();
                }
                self.departures.push_back((place, Instant::now()));
                Rtp {
                    marker: std::mem::take(&mut self.marked),
                    payload_type: codec.payload(),
                    sequence: self.sequence,
                    timestamp: self.timestamp,
                    ssrc: self.ssrc,
                    payload: speech.frame(place),
                }
                .print()
            }
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.report.sent += 1;
        let sealed = self.transmit.protect_rtp(&packet);
        sealed.ok().map(|bytes| (bytes, to))
    }

    fn digit_payload(&mut self) -> Option<(u32, [u8; 4])> {
        if self.digit.is_none() {
            let event = self.digits.pop_front()?;
            self.digit = Some(Digit {
                event,
                timestamp: self.timestamp,
                ticks: 0,
            });
        }
        let digit = self.digit.as_mut()?;
        digit.ticks += 1;
        let ended = if digit.ticks > DIGIT_TICKS {
            Ended::Yes
        } else {
            Ended::No
        };
        let lasted = digit.ticks.min(DIGIT_TICKS) * FRAME as u16;
        let payload = packet::event(digit.event, ended, lasted);
        let timestamp = digit.timestamp;
        if digit.ticks == DIGIT_TICKS + DIGIT_ENDS {
            self.digit = None;
        }
        Some((timestamp, payload))
    }

    fn next_report(&mut self) -> Option<(bytes::Bytes, SocketAddr)> {
        let plan = self.plan.as_ref().filter(|plan| plan.speak)?;
        let to = plan.rtcp;
        self.ticks += 1;
        if self.ticks % REPORT_TICKS != FIRST_REPORT {
            return None;
        }
        let report = packet::sender_report(Sender {
            ssrc: self.ssrc,
            timestamp: self.timestamp,
            packets: u32::try_from(self.report.sent).unwrap_or(u32::MAX),
        });
        let sealed = self.transmit.protect_rtcp(&report);
        sealed.ok().map(|bytes| (bytes, to))
    }

    fn take(&mut self, settings: &Settings, packet: &[u8]) {
        let Some(plan) = &self.plan else {
            self.report.early += 1;
            return;
        };
        if packet::is_stun(packet) {
            settings
                .complaints
                .add(Rule::Ice, "a STUN packet that nobody asked for");
            return;
        }
        let from = plan.rtp;
        let is_rtcp = packet::is_rtcp(packet);
        let opened = if is_rtcp {
            self.receive.unprotect_rtcp(packet)
        } else {
            self.receive.unprotect_rtp(packet)
        };
        let plain = match opened {
            Ok(plain) => plain,
            Err(refused) => {
                self.report.refused += 1;
                settings
                    .complaints
                    .add(Rule::Srtp, format!("from {from}: {refused}"));
                return;
            }
        };
        if is_rtcp {
            match packet::compound_types(&plain) {
                // RFC 3550 §6.1: a compound packet begins with a report.
                Some(types) if matches!(types.first(), Some(200 | 201)) => {
                    self.report.rtcp_received += 1;
                }
                _ => settings.complaints.add(
                    Rule::Srtp,
                    format!("RTCP from {from} does not hold together"),
                ),
            }
        } else if let Some(rtp) = Rtp::parse(&plain) {
            self.hearing.take(Instant::now(), &rtp);
        }
    }
}

async fn listen(shared: Arc<Shared>, sockets: Arc<Sockets>, port: Port) {
    let socket = match port {
        Port::Rtp => &sockets.rtp,
        Port::Rtcp => &sockets.rtcp,
    };
    let mut packet = [0; 2048];
    loop {
        // An error here is an ICMP message about something we sent.
        if let Ok((read, _)) = socket.recv_from(&mut packet).await {
            shared.state().take(&shared.settings, &packet[..read]);
        }
    }
}

async fn bind_pair(address: IpAddr) -> io::Result<(UdpSocket, UdpSocket)> {
    let mut last = io::Error::other("no pair of ports");
    for _ in 0..50 {
        let first = UdpSocket::bind((address, 0)).await?;
        let port = first.local_addr()?.port();
        if !port.is_multiple_of(2) || port == u16::MAX {
            continue;
        }
        match UdpSocket::bind((address, port + 1)).await {
            Ok(second) => return Ok((first, second)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::Suite;

    async fn pair(suite: Option<Suite>) -> (Session, Session, Complaints) {
        let complaints = Complaints::default();
        let open = |says, hears, first_sequence| {
            Session::open(Settings {
                address: IpAddr::from([127, 0, 0, 1]),
                says,
                hears,
                first_sequence,
                complaints: complaints.clone(),
            })
        };
        let one = open(Voice::Teams, Voice::Carrier, Some(65_530))
            .await
            .expect("ports");
        let two = open(Voice::Carrier, Voice::Teams, None)
            .await
            .expect("ports");
        agree(&one, &two, suite);
        (one, two, complaints)
    }

    fn agree(one: &Session, two: &Session, suite: Option<Suite>) {
        let keys = suite.map(|suite| (Crypto::fresh(1, suite), Crypto::fresh(1, suite)));
        let (first, second) = keys.unzip();
        let plan = |to: &Session, transmit: &Option<Crypto>, receive: &Option<Crypto>| Plan {
            rtp: to.local(),
            rtcp: SocketAddr::new(to.local().ip(), to.local().port() + 1),
            codec: Codec::Pcmu,
            event: Some(101),
            speak: true,
            listen: true,
            transmit: transmit.clone(),
            receive: receive.clone(),
            restarts: 0,
        };
        one.follow(plan(two, &first, &second));
        two.follow(plan(one, &second, &first));
    }

    #[tokio::test]
    async fn two_voices_over_srtp_and_over_a_new_key() {
        let (one, two, complaints) = pair(Some(Suite::Sha1_80)).await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        agree(&one, &two, Some(Suite::Sha1_80));
        one.dial("42#");
        tokio::time::sleep(Duration::from_millis(900)).await;
        for report in [one.report(), two.report()] {
            assert!(report.protected && report.heard.speech > 30, "{report:?}");
            assert_eq!(
                (report.heard.foreign, report.heard.lost, report.refused),
                (0, 0, 0)
            );
            assert!(report.rtcp_received >= 1, "{report:?}");
        }
        assert_eq!(two.report().heard.digits, "42#");
        assert!(!delays(&one, &two).is_empty());
        complaints.assert_none();
    }

    #[tokio::test]
    async fn speech_in_the_clear_to_an_srtp_port_is_complained_of() {
        let (one, two, complaints) = pair(Some(Suite::Sha1_80)).await;
        let bare = Plan {
            rtp: two.local(),
            rtcp: two.local(),
            codec: Codec::Pcmu,
            event: None,
            speak: true,
            listen: true,
            transmit: None,
            receive: None,
            restarts: 0,
        };
        one.follow(bare);
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(complaints.count(Rule::Srtp) > 5);
    }
}
