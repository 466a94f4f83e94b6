//! DHCP as a client asks it (RFC 2131), as a machine: packets and time in, packets and leases out.
//!
//! ```text
//! Selecting ── offer ──► Requesting ── ack ──► Bound ── T1 ──► Renewing ── T2 ──► Rebinding ── end ──► Selecting
//! ```
//!
//! After each input drain [`Client::poll`] to `None`. What is not for this client, or makes no sense, is passed over.
//!
//! Not here: sockets, and giving the address to the interface.

use std::net::Ipv4Addr;

use embassy_time::{Duration, Instant};
use smoltcp::wire::{DhcpMessageType, DhcpPacket, DhcpRepr, EthernetAddress};

/// RFC 2131 §4.1: 4 s, then doubled up to 64 s.
const FIRST_WAIT: Duration = Duration::from_secs(4);
const LONGEST_WAIT: Duration = Duration::from_secs(64);
/// Requests before the offer is given up.
const REQUESTS: u32 = 4;
/// RFC 2131 §4.4.5: not more often when renewing.
const LEAST_RENEWAL: Duration = Duration::from_secs(60);
/// What a server may ask us to renew, at the least: one that says a second must not make us flood it.
const SHORTEST_LEASE: u32 = 60;
/// Subnet mask, router, DNS, domain, broadcast, NTP, lease, T1, T2.
const ASKED: [u8; 9] = [1, 3, 6, 15, 28, 42, 51, 58, 59];

/// What a server gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Our address.
    pub address: Ipv4Addr,
    /// Bits of the network in it.
    pub prefix: u8,
    /// The way out.
    pub router: Option<Ipv4Addr>,
    /// Who answers names.
    pub dns: Vec<Ipv4Addr>,
    /// Who gave it.
    pub server: Ipv4Addr,
}

/// What the client wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this from port 68 to port 67 of this address.
    Send {
        /// The server, or everybody.
        to: Ipv4Addr,
        /// The packet, above UDP.
        packet: Vec<u8>,
    },
    /// The interface has this address now.
    Bound(Lease),
    /// It has not any more.
    Lost,
}

#[derive(Debug, Clone)]
enum State {
    Selecting,
    Requesting { offer: Lease, requests: u32 },
    Bound { lease: Lease, times: Times },
    Renewing { lease: Lease, times: Times },
    Rebinding { lease: Lease, times: Times },
}

#[derive(Debug, Clone, Copy)]
struct Times {
    renew: Instant,
    rebind: Instant,
    end: Instant,
}

/// A client on one interface.
#[derive(Debug)]
pub struct Client {
    mac: [u8; 6],
    transaction: u32,
    state: State,
    /// When to act next.
    next: Instant,
    wait: Duration,
    began: Instant,
    outputs: Vec<Output>,
}

impl Client {
    /// A client that asks at once; `seed` is chance, and another on each start.
    #[must_use]
    pub const fn new(now: Instant, mac: [u8; 6], seed: u32) -> Self {
        Self {
            mac,
            transaction: seed,
            state: State::Selecting,
            next: now,
            wait: FIRST_WAIT,
            began: now,
            outputs: Vec::new(),
        }
    }

    /// What is to be done, oldest first.
    pub fn poll(&mut self) -> Option<Output> {
        (!self.outputs.is_empty()).then(|| self.outputs.remove(0))
    }

    /// When [`Self::tick`] is to be called.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.next
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        if now < self.next {
            return;
        }
        match self.state.clone() {
            State::Selecting => {
                self.send(now, DhcpMessageType::Discover, None);
                self.wait_longer(now);
            }
            State::Requesting { requests, .. } if requests >= REQUESTS => self.begin(now),
            State::Requesting { offer, requests } => {
                self.send(now, DhcpMessageType::Request, Some(&offer));
                self.state = State::Requesting {
                    offer,
                    requests: requests + 1,
                };
                self.wait_longer(now);
            }
            State::Bound { lease, times } => {
                self.fresh_transaction(now);
                self.state = State::Renewing { lease, times };
                self.tick(now);
            }
            State::Renewing { lease, times } if now >= times.rebind => {
                self.state = State::Rebinding { lease, times };
                self.tick(now);
            }
            State::Renewing { lease, times } => {
                self.send(now, DhcpMessageType::Request, Some(&lease));
                self.next = half_way(now, times.rebind);
            }
            State::Rebinding { times, .. } if now >= times.end => {
                self.outputs.push(Output::Lost);
                self.begin(now);
            }
            State::Rebinding { lease, times } => {
                self.send(now, DhcpMessageType::Request, Some(&lease));
                self.next = half_way(now, times.end);
            }
        }
    }

    /// Hears a packet that came to port 68.
    pub fn handle(&mut self, now: Instant, packet: &[u8]) {
        let Ok(packet) = DhcpPacket::new_checked(packet) else {
            return;
        };
        let Ok(said) = DhcpRepr::parse(&packet) else {
            return;
        };
        let is_ours = said.transaction_id == self.transaction
            && said.client_hardware_address == EthernetAddress(self.mac);
        if !is_ours {
            return;
        }
        match (&self.state, said.message_type) {
            (State::Selecting, DhcpMessageType::Offer) => {
                let Some(offer) = lease_of(&said) else {
                    return;
                };
                self.state = State::Requesting { offer, requests: 0 };
                self.wait = FIRST_WAIT;
                self.next = now;
                self.tick(now);
            }
            (State::Selecting | State::Bound { .. }, _) => {}
            (_, DhcpMessageType::Ack) => self.bind(now, &said),
            (_, DhcpMessageType::Nak) => {
                if !matches!(self.state, State::Requesting { .. }) {
                    self.outputs.push(Output::Lost);
                }
                self.begin(now);
                // At once, but for a server that refuses whatever it has offered.
                self.wait_longer(now);
            }
            _ => {}
        }
    }

    fn bind(&mut self, now: Instant, said: &DhcpRepr<'_>) {
        let Some(lease) = lease_of(said) else {
            return;
        };
        let length = said.lease_duration.unwrap_or(3_600).max(SHORTEST_LEASE);
        // RFC 2131 §4.4.5: a half and seven eighths, unless the server says otherwise and sensibly.
        let renew = said.renew_duration.unwrap_or(length / 2);
        let rebind = said
            .rebind_duration
            .unwrap_or_else(|| (u64::from(length) * 7 / 8) as u32);
        let rebind = rebind.clamp(SHORTEST_LEASE / 2, length);
        let renew = renew.clamp(SHORTEST_LEASE / 2, rebind);
        let after = |seconds: u32| now + Duration::from_secs(u64::from(seconds));
        let times = Times {
            renew: after(renew),
            rebind: after(rebind),
            end: after(length),
        };
        let known = match &self.state {
            State::Renewing { lease, .. } | State::Rebinding { lease, .. } => Some(lease),
            _ => None,
        };
        if known != Some(&lease) {
            if known.is_some() {
                self.outputs.push(Output::Lost);
            }
            self.outputs.push(Output::Bound(lease.clone()));
        }
        self.next = times.renew;
        self.state = State::Bound { lease, times };
    }

    fn begin(&mut self, now: Instant) {
        self.fresh_transaction(now);
        self.state = State::Selecting;
        self.wait = FIRST_WAIT;
        self.next = now;
    }

    fn fresh_transaction(&mut self, now: Instant) {
        self.transaction = self.transaction.wrapping_mul(0x9E37_79B1).wrapping_add(1);
        self.began = now;
    }

    fn wait_longer(&mut self, now: Instant) {
        // RFC 2131 §4.1: a second more or less, so that a branch's boxes do not ask together after a power cut.
        let jitter = Duration::from_millis(u64::from(self.transaction.rotate_left(7) % 1_000));
        self.next = now + self.wait + jitter;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
    }

    fn send(&mut self, now: Instant, kind: DhcpMessageType, lease: Option<&Lease>) {
        let (to, client, requested, server) = match (&self.state, lease) {
            // RFC 2131 §4.3.2: by what is said, the server knows in which state we ask.
            (State::Renewing { .. }, Some(lease)) => (lease.server, lease.address, None, None),
            (State::Rebinding { .. }, Some(lease)) => {
                (Ipv4Addr::BROADCAST, lease.address, None, None)
            }
            (_, Some(lease)) => (
                Ipv4Addr::BROADCAST,
                Ipv4Addr::UNSPECIFIED,
                Some(lease.address),
                Some(lease.server),
            ),
            (_, None) => (Ipv4Addr::BROADCAST, Ipv4Addr::UNSPECIFIED, None, None),
        };
        let seconds = (now - self.began).as_secs();
        let message = DhcpRepr {
            message_type: kind,
            transaction_id: self.transaction,
            secs: u16::try_from(seconds).unwrap_or(u16::MAX),
            client_hardware_address: EthernetAddress(self.mac),
            client_ip: client,
            your_ip: Ipv4Addr::UNSPECIFIED,
            server_ip: Ipv4Addr::UNSPECIFIED,
            router: None,
            subnet_mask: None,
            relay_agent_ip: Ipv4Addr::UNSPECIFIED,
            // Without an address the kernel hears only what is sent to all.
            broadcast: client.is_unspecified(),
            requested_ip: requested,
            client_identifier: Some(EthernetAddress(self.mac)),
            server_identifier: server,
            parameter_request_list: Some(&ASKED),
            dns_servers: None,
            max_size: Some(1_432),
            lease_duration: None,
            renew_duration: None,
            rebind_duration: None,
            additional_options: &[],
        };
        let mut packet = vec![0; message.buffer_len()];
        let mut view = DhcpPacket::new_unchecked(&mut packet[..]);
        if message.emit(&mut view).is_ok() {
            self.outputs.push(Output::Send { to, packet });
        }
    }
}

fn half_way(now: Instant, then: Instant) -> Instant {
    let left = then - now;
    if left <= LEAST_RENEWAL {
        then
    } else {
        now + (left / 2).max(LEAST_RENEWAL)
    }
}

fn lease_of(said: &DhcpRepr<'_>) -> Option<Lease> {
    let address = said.your_ip;
    let is_host = !address.is_unspecified()
        && !address.is_broadcast()
        && !address.is_multicast()
        && !address.is_loopback();
    let mask = said.subnet_mask.map_or(u32::MAX << 8, Ipv4Addr::to_bits);
    let is_mask = mask.leading_ones() + mask.trailing_zeros() == 32 && mask != 0;
    (is_host && is_mask).then(|| Lease {
        address,
        prefix: mask.leading_ones() as u8,
        router: said.router.filter(|router| !router.is_unspecified()),
        dns: said.dns_servers.iter().flatten().copied().collect(),
        server: said.server_identifier.unwrap_or(said.server_ip),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];
    const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const OURS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 77);

    fn at(seconds: u64) -> Instant {
        Instant::from_secs(seconds)
    }

    /// What the client sent, read as a server does.
    fn sent(client: &mut Client) -> (Ipv4Addr, DhcpMessageType, u32, Option<Ipv4Addr>) {
        let Some(Output::Send { to, packet }) = client.poll() else {
            panic!("it sends nothing");
        };
        let view = DhcpPacket::new_checked(&packet[..]).expect("whole");
        let message = DhcpRepr::parse(&view).expect("DHCP");
        (
            to,
            message.message_type,
            message.transaction_id,
            message.requested_ip,
        )
    }

    fn answer(kind: DhcpMessageType, transaction: u32, mac: [u8; 6]) -> Vec<u8> {
        let message = DhcpRepr {
            message_type: kind,
            transaction_id: transaction,
            secs: 0,
            client_hardware_address: EthernetAddress(mac),
            client_ip: Ipv4Addr::UNSPECIFIED,
            your_ip: OURS,
            server_ip: SERVER,
            router: Some(SERVER),
            subnet_mask: Some(Ipv4Addr::new(255, 255, 255, 0)),
            relay_agent_ip: Ipv4Addr::UNSPECIFIED,
            broadcast: false,
            requested_ip: None,
            client_identifier: None,
            server_identifier: Some(SERVER),
            parameter_request_list: None,
            dns_servers: None,
            max_size: None,
            lease_duration: Some(1_000),
            renew_duration: None,
            rebind_duration: None,
            additional_options: &[],
        };
        let mut packet = vec![0; message.buffer_len()];
        message
            .emit(&mut DhcpPacket::new_unchecked(&mut packet[..]))
            .expect("room");
        packet
    }

    fn bound(client: &mut Client, now: Instant) {
        client.tick(now);
        let (_, kind, transaction, _) = sent(client);
        assert_eq!(kind, DhcpMessageType::Discover);
        client.handle(now, &answer(DhcpMessageType::Offer, transaction, MAC));
        let (to, kind, transaction, requested) = sent(client);
        assert_eq!(
            (to, kind, requested),
            (Ipv4Addr::BROADCAST, DhcpMessageType::Request, Some(OURS))
        );
        client.handle(now, &answer(DhcpMessageType::Ack, transaction, MAC));
        let Some(Output::Bound(lease)) = client.poll() else {
            panic!("no lease");
        };
        assert_eq!(
            (lease.address, lease.prefix, lease.router),
            (OURS, 24, Some(SERVER))
        );
    }

    #[test]
    fn an_address_is_asked_for_and_renewed_at_its_half_by_its_server() {
        let mut client = Client::new(at(0), MAC, 1);
        bound(&mut client, at(0));
        assert_eq!(client.deadline(), at(500));
        client.tick(at(500));
        let (to, kind, transaction, requested) = sent(&mut client);
        assert_eq!(
            (to, kind, requested),
            (SERVER, DhcpMessageType::Request, None)
        );
        client.handle(at(501), &answer(DhcpMessageType::Ack, transaction, MAC));
        assert_eq!(client.poll(), None, "the same again is no news");
        assert_eq!(client.deadline(), at(1_001));
    }

    #[test]
    fn with_no_server_left_the_address_goes_at_the_end_of_its_time_and_another_is_asked_for() {
        let mut client = Client::new(at(0), MAC, 1);
        bound(&mut client, at(0));
        let mut to_all = 0;
        loop {
            let now = client.deadline();
            client.tick(now);
            match client.poll() {
                Some(Output::Lost) => {
                    assert_eq!(now, at(1_000));
                    break;
                }
                Some(Output::Send { to, .. }) => to_all += u32::from(to.is_broadcast()),
                other => panic!("{other:?}"),
            }
        }
        assert!(to_all >= 1, "rebinding asks everybody");
        client.tick(client.deadline());
        assert_eq!(sent(&mut client).1, DhcpMessageType::Discover);
    }

    #[test]
    fn nobody_answers_and_it_asks_ever_more_seldom() {
        let mut client = Client::new(at(0), MAC, 5);
        let mut last = at(0);
        for least in [4, 8, 16, 32, 64, 64] {
            client.tick(client.deadline());
            assert_eq!(sent(&mut client).1, DhcpMessageType::Discover);
            let wait = client.deadline() - last;
            assert!(wait >= Duration::from_secs(least) && wait < Duration::from_secs(least + 1));
            last = client.deadline();
        }
    }

    #[test]
    fn a_refusal_begins_anew_and_not_at_once() {
        let mut client = Client::new(at(0), MAC, 1);
        bound(&mut client, at(0));
        client.tick(at(500));
        let (_, _, transaction, _) = sent(&mut client);
        client.handle(at(500), &answer(DhcpMessageType::Nak, transaction, MAC));
        assert_eq!(client.poll(), Some(Output::Lost));
        assert!(client.deadline() > at(503));
    }

    #[test]
    fn what_is_for_others_or_is_no_dhcp_is_passed_over() {
        let mut client = Client::new(at(0), MAC, 1);
        client.tick(at(0));
        let (_, _, transaction, _) = sent(&mut client);
        client.handle(at(0), &answer(DhcpMessageType::Offer, transaction ^ 1, MAC));
        client.handle(at(0), &answer(DhcpMessageType::Offer, transaction, [1; 6]));
        client.handle(at(0), &answer(DhcpMessageType::Ack, transaction, MAC));
        let offer = answer(DhcpMessageType::Offer, transaction, MAC);
        for length in 0..200 {
            client.handle(at(0), &offer[..length]);
        }
        assert_eq!(client.poll(), None);
        for octet in 0..offer.len() {
            let mut changed = offer.clone();
            changed[octet] ^= 0xff;
            Client::new(at(0), MAC, transaction).handle(at(0), &changed);
        }
    }
}
