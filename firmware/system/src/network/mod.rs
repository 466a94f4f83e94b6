//! The box on the network: its links up, addresses by DHCP, the way out, the names' servers.
//!
//! Every wired link asks for an address by itself, so a box that comes out of its carton is found; IPv6 comes by the kernel
//! from the routers. The servers of names stand in a file that the planes read.
//!
//! Not here: deciding anything about a lease (`dhcp`); talking to the kernel (`netlink`).

pub mod dhcp;
pub mod netlink;

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::path::Path;

use embassy_time::Instant;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use dhcp::{Client, Lease, Output};
use netlink::Netlink;

/// Where the servers of names stand.
pub const RESOLVERS: &str = "/run/resolv.conf";

const CLIENT_PORT: u16 = 68;
const SERVER_PORT: u16 = 67;
/// `ARPHRD_ETHER`
const ETHERNET: &str = "1";

/// A link of this box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Its number.
    pub index: u32,
    /// Its address on the wire.
    pub mac: [u8; 6],
}

/// What is new of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It has an address.
    Bound(Link, Lease),
    /// It has none any more.
    Lost(Link),
}

/// The wired links that are made of something.
#[must_use]
pub fn links(sys: &Path) -> Vec<Link> {
    let Ok(entries) = fs::read_dir(sys.join("class/net")) else {
        return Vec::new();
    };
    let mut links: Vec<Link> = entries
        .flatten()
        .filter_map(|entry| {
            let fact = |file: &str| {
                let text = fs::read_to_string(entry.path().join(file)).ok()?;
                Some(text.trim().to_owned())
            };
            let is_wired = fact("type")? == ETHERNET && entry.path().join("device").exists();
            let mac: Vec<u8> = fact("address")?
                .split(':')
                .filter_map(|octet| u8::from_str_radix(octet, 16).ok())
                .collect();
            is_wired.then_some(())?;
            Some(Link {
                name: entry.file_name().into_string().ok()?,
                index: fact("ifindex")?.parse().ok()?,
                mac: mac.try_into().ok()?,
            })
        })
        .collect();
    links.sort_by_key(|link| link.index);
    links
}

/// Has the loopback and these links carry packets.
///
/// # Errors
/// Where the kernel cannot even be asked.
pub fn bring_up(links: &[Link]) -> io::Result<()> {
    let mut netlink = Netlink::open()?;
    // The loopback is always the first.
    netlink.up(1)?;
    for link in links {
        if let Err(error) = netlink.up(link.index) {
            tracing::warn!(link = link.name, %error, "not up");
        }
    }
    Ok(())
}

/// Keeps an address on a link, for ever.
///
/// # Errors
/// Where no socket can be had.
pub async fn keep_address(
    link: Link,
    seed: u32,
    began: std::time::Instant,
    news: mpsc::Sender<News>,
) -> io::Result<()> {
    let socket = socket(&link.name)?;
    let now = || Instant::from_micros(began.elapsed().as_micros() as u64);
    let mut client = Client::new(now(), link.mac, seed);
    let mut given: Option<Lease> = None;
    let mut packet = [0; 2_048];
    loop {
        let wait = client.deadline().saturating_duration_since(now());
        let wait = std::time::Duration::from_micros(wait.as_micros());
        match tokio::time::timeout(wait, socket.recv_from(&mut packet)).await {
            Err(_) => client.tick(now()),
            Ok(Ok((count, _))) => client.handle(now(), &packet[..count]),
            Ok(Err(error)) => {
                tracing::warn!(link = link.name, %error, "DHCP hears nothing");
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        }
        while let Some(output) = client.poll() {
            match output {
                Output::Send { to, packet } => {
                    let to = SocketAddrV4::new(to, SERVER_PORT);
                    if let Err(error) = socket.send_to(&packet, to).await {
                        tracing::debug!(link = link.name, %error, "DHCP is not heard");
                    }
                }
                Output::Bound(lease) => {
                    take(&link, &lease)?;
                    given = Some(lease.clone());
                    let _ = news.send(News::Bound(link.clone(), lease)).await;
                }
                Output::Lost => {
                    if let Some(lease) = given.take() {
                        let address = IpAddr::V4(lease.address);
                        Netlink::open()?.remove_address(link.index, address, lease.prefix)?;
                    }
                    let _ = news.send(News::Lost(link.clone())).await;
                }
            }
        }
    }
}

fn take(link: &Link, lease: &Lease) -> io::Result<()> {
    let mut netlink = Netlink::open()?;
    netlink.add_address(link.index, IpAddr::V4(lease.address), lease.prefix)?;
    if let Some(router) = lease.router
        && let Err(error) = netlink.add_default_route(link.index, IpAddr::V4(router))
    {
        tracing::warn!(link = link.name, %router, %error, "no way out by it");
    }
    Ok(())
}

/// A socket that hears what comes to one link, before that has an address.
fn socket(link: &str) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_broadcast(true)?;
    socket.bind_device(Some(link.as_bytes()))?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, CLIENT_PORT).into())?;
    UdpSocket::from_std(socket.into())
}

/// Writes who answers names.
///
/// # Errors
/// Where it cannot be written.
pub fn write_resolvers(servers: &[Ipv4Addr]) -> io::Result<()> {
    let fresh = format!("{RESOLVERS}.new");
    fs::write(&fresh, resolvers(servers))?;
    fs::rename(fresh, RESOLVERS)
}

fn resolvers(servers: &[Ipv4Addr]) -> String {
    let mut text = String::new();
    for server in servers {
        let _ = writeln!(text, "nameserver {server}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wired_links_with_something_behind_them_count() {
        let sys = std::env::temp_dir().join(format!("postern-links-{}", std::process::id()));
        for (name, kind, index, device) in [
            ("lo", "772", "1", false),
            ("wan", "1", "3", true),
            ("lan", "1", "2", true),
            ("veth0", "1", "4", false),
            ("tun0", "65534", "5", true),
        ] {
            let folder = sys.join("class/net").join(name);
            fs::create_dir_all(&folder).expect("a folder");
            if device {
                fs::create_dir(folder.join("device")).expect("a folder");
            }
            for (file, text) in [
                ("type", kind),
                ("ifindex", index),
                ("address", "02:00:00:00:00:0a"),
            ] {
                fs::write(folder.join(file), format!("{text}\n")).expect("a file");
            }
        }
        let found = links(&sys);
        fs::remove_dir_all(&sys).expect("it is ours");
        let names: Vec<_> = found.iter().map(|link| link.name.as_str()).collect();
        assert_eq!(names, ["lan", "wan"]);
        assert_eq!(found[0].mac, [2, 0, 0, 0, 0, 10]);
        assert!(links(&sys).is_empty());
    }

    #[test]
    fn servers_of_names_stand_a_line_each() {
        let servers = [
            Ipv4Addr::new(192, 0, 2, 53),
            Ipv4Addr::new(198, 51, 100, 53),
        ];
        assert_eq!(
            resolvers(&servers),
            "nameserver 192.0.2.53\nnameserver 198.51.100.53\n"
        );
    }
}
