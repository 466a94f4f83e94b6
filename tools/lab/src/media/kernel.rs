//! What the kernel threw away because nobody read a UDP socket in time: so that it is known who lost a packet.
//!
//! Not here: what was lost otherwise (`hearing.rs`).

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

/// Datagrams thrown away on all IPv4 sockets of this machine whose local address fits; none where the kernel does not say.
#[must_use]
pub fn drops(fits: impl Fn(SocketAddr) -> bool) -> u64 {
    let table = std::fs::read_to_string("/proc/net/udp").unwrap_or_default();
    let rows = table.lines().skip(1).filter_map(row);
    rows.filter(|(local, _)| fits(*local))
        .map(|(_, drops)| drops)
        .sum()
}

/// `sl local_address rem_address … drops`: the address in the machine's order of octets, the count at the end.
fn row(line: &str) -> Option<(SocketAddr, u64)> {
    let mut fields = line.split_whitespace();
    let (address, port) = fields.nth(1)?.split_once(':')?;
    let address = u32::from_str_radix(address, 16).ok()?.to_ne_bytes();
    let port = u16::from_str_radix(port, 16).ok()?;
    let drops = fields.next_back()?.parse().ok()?;
    Some((
        SocketAddrV4::new(Ipv4Addr::from(address), port).into(),
        drops,
    ))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_socket_that_nobody_reads_loses() {
        let deaf = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let here = deaf.local_addr().expect("bound");
        let there = UdpSocket::bind("127.0.0.1:0").expect("a port");
        assert_eq!(drops(|local| local == here), 0);
        for _ in 0..5_000 {
            there.send_to(&[0; 500], here).expect("loopback takes it");
        }
        assert!(drops(|local| local == here) > 0);
    }
}
