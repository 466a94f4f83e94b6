//! The parties of all calls: they send every call's packets every 20 ms, and hear, decrypt and time what comes back.
//!
//! One socket serves a side of all calls, so that the generator costs little beside what it measures. Packets leave as they are
//! due, spread evenly over the 20 ms, never in step; whoever has slept sends what he owes at once.
//!
//! What is measured is the delay from one party's hand to the other's, through two sockets of ours and the relay.
//!
//! Not here: setting calls up; the relay's cost (`cost.rs`).

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use board::host::sys::{self, Arrival, BATCH};
use media_dsp::srtp::{Keying, Lifetime, Limits, MasterKey, MkiRule, Receiver, Sender, Suite};
use rustix::net::sockopt;

use super::plan::{Call, KEY_OCTETS, Profile};

/// An RTP packet of G.711: header and 20 ms.
pub(super) const PACKET: usize = 172;
const FRAME: Duration = Duration::from_millis(20);
/// Between two looks at the sockets: a part of the delay measured, the same for every relay.
const NAP: Duration = Duration::from_micros(50);
/// What is under way when sending ends.
const LAST: Duration = Duration::from_millis(200);
const BUFFER: usize = 2_048;
const QUEUE: usize = 8 << 20;

/// What one run saw.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outcome {
    pub(super) sent: u64,
    /// Came back whole, and authentic where keyed.
    pub(super) received: u64,
    /// Microseconds.
    pub(super) p50: f64,
    pub(super) p99: f64,
}

/// The parties' sockets, and what they say.
pub(super) struct Traffic {
    sockets: [UdpSocket; 2],
    calls: Vec<[Leg; 2]>,
    /// Which call a relay's address belongs to.
    by_relay: [HashMap<SocketAddr, usize>; 2],
    begun: Instant,
    delays: Vec<u32>,
}

struct Leg {
    relay: SocketAddr,
    sender: Option<Sender>,
    receiver: Option<Receiver>,
    number: u16,
}

/// Sockets of the two sides at one address.
pub(super) fn sockets(here: std::net::IpAddr) -> [UdpSocket; 2] {
    [0, 1].map(|_| {
        let socket = UdpSocket::bind((here, 0)).expect("a port");
        // Root may; others get what the system gives, and lose packets where it is too little.
        let _ = sockopt::set_socket_recv_buffer_size_force(&socket, QUEUE);
        socket
    })
}

impl Traffic {
    pub(super) fn new(sockets: [UdpSocket; 2], calls: &[Call], profile: [Profile; 2]) -> Self {
        let mut by_relay = [HashMap::new(), HashMap::new()];
        for (number, call) in calls.iter().enumerate() {
            for (side, by_relay) in call.sides.iter().zip(&mut by_relay) {
                by_relay.insert(side.relay, number);
            }
        }
        let legs = |call: &Call| {
            [0, 1].map(|side| {
                let keyed = profile[side] == Profile::Keyed;
                let plan = &call.sides[side];
                Leg {
                    relay: plan.relay,
                    sender: keyed.then(|| Sender::new(keying(&plan.sends_with), Limits::default())),
                    receiver: keyed
                        .then(|| Receiver::new(keying(&plan.hears_with), Limits::default())),
                    number: 0,
                }
            })
        };
        Self {
            sockets,
            calls: calls.iter().map(legs).collect(),
            by_relay,
            begun: Instant::now(),
            delays: Vec::new(),
        }
    }

    /// Sends for so long, and says what came of it.
    pub(super) fn run(&mut self, time: Duration) -> Outcome {
        self.delays.clear();
        let start = Instant::now();
        let mut outcome = Outcome::default();
        let gap = FRAME.as_nanos() as f64 / (2 * self.calls.len()) as f64;
        while start.elapsed() < time {
            let due = (start.elapsed().as_nanos() as f64 / gap) as u64;
            while outcome.sent < due {
                outcome.sent += self.send(outcome.sent, due);
            }
            outcome.received += self.hear();
            std::thread::sleep(NAP);
        }
        let until = Instant::now() + LAST;
        while outcome.received < outcome.sent && Instant::now() < until {
            outcome.received += self.hear();
            std::thread::sleep(NAP);
        }
        self.delays.sort_unstable();
        let at = |part: f64| {
            let place = (self.delays.len() as f64 * part) as usize;
            self.delays
                .get(place)
                .map_or(f64::NAN, |delay| f64::from(*delay) / 1e3)
        };
        (outcome.p50, outcome.p99) = (at(0.5), at(0.99));
        outcome
    }

    /// Sends packets from this number on, of one side, as many as are due and a call of the system takes.
    fn send(&mut self, from: u64, due: u64) -> u64 {
        let mut packets = [[0_u8; 256]; BATCH];
        let mut targets = [(0, self.sockets[0].local_addr().expect("bound")); BATCH];
        let count = (due - from).min(BATCH as u64) as usize;
        let side = (from / self.calls.len() as u64 % 2) as usize;
        let mut used = 0;
        for number in from..from + count as u64 {
            // Side A of all calls, then side B of all.
            if (number / self.calls.len() as u64 % 2) as usize != side {
                break;
            }
            let call = (number % self.calls.len() as u64) as usize;
            let stamp = self.begun.elapsed().as_nanos() as u64;
            let leg = &mut self.calls[call][side];
            targets[used] = (leg.write(call, stamp, &mut packets[used]), leg.relay);
            used += 1;
        }
        let mut sent = 0;
        while sent < used {
            let rest = packets[sent..used].iter().zip(&targets[sent..used]);
            let batch = rest.map(|(packet, (length, to))| (&packet[..*length], *to));
            sent += sys::send(self.sockets[side].as_fd(), batch).expect("the way is there");
        }
        used as u64
    }

    /// Takes what has arrived.
    fn hear(&mut self) -> u64 {
        let mut heard = 0;
        let mut buffers = [[0_u8; BUFFER]; BATCH];
        let mut arrivals = [Arrival::NONE; BATCH];
        for side in [0, 1] {
            loop {
                let views = buffers.iter_mut().map(|buffer| &mut buffer[..]);
                let count = sys::receive(self.sockets[side].as_fd(), views, &mut arrivals)
                    .expect("it is readable");
                let now = self.begun.elapsed().as_nanos() as u64;
                for (buffer, arrival) in buffers.iter_mut().zip(&arrivals[..count]) {
                    let Some(call) = self.by_relay[side].get(&arrival.from) else {
                        continue;
                    };
                    let packet = &mut buffer[..arrival.length.min(BUFFER)];
                    if let Some(sent) = self.calls[*call][side].read(packet) {
                        heard += 1;
                        self.delays
                            .push(now.saturating_sub(sent).min(u64::from(u32::MAX)) as u32);
                    }
                }
                if count < BATCH {
                    break;
                }
            }
        }
        heard
    }
}

impl Leg {
    /// The next packet, with the time in its payload; gives its length.
    fn write(&mut self, call: usize, stamp: u64, packet: &mut [u8; 256]) -> usize {
        self.number = self.number.wrapping_add(1);
        packet[..2].copy_from_slice(&[0x80, 8]);
        packet[2..4].copy_from_slice(&self.number.to_be_bytes());
        packet[4..8].copy_from_slice(&(u32::from(self.number) * 160).to_be_bytes());
        packet[8..12].copy_from_slice(&(call as u32 + 1).to_be_bytes());
        packet[12..20].copy_from_slice(&stamp.to_be_bytes());
        match &mut self.sender {
            Some(sender) => sender
                .protect_rtp(packet, PACKET)
                .expect("a packet of ours can be protected"),
            None => PACKET,
        }
    }

    /// The time in a packet that is whole and RTP.
    fn read(&mut self, packet: &mut [u8]) -> Option<u64> {
        let is_rtp = packet.len() >= PACKET && !(192..=223).contains(&packet[1]);
        let packet = is_rtp.then_some(packet)?;
        if let Some(receiver) = &mut self.receiver {
            receiver.unprotect_rtp(packet).ok()?;
        }
        packet[12..20]
            .first_chunk()
            .map(|stamp| u64::from_be_bytes(*stamp))
    }
}

pub(super) fn keying(key: &[u8; KEY_OCTETS]) -> Keying {
    Keying {
        master: MasterKey::new(Suite::AesCm128HmacSha1_80, key).expect("of the right length"),
        mki: MkiRule::Absent,
        lifetime: Lifetime::MAXIMUM,
    }
}
