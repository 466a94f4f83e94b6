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

use config::document::interface::{Device, Interface};
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

/// The links that have their addresses by hand, each with its setting, and those that ask for one. A setting for a link that is not
/// there is told of and passed over: the others must still work.
#[must_use]
pub fn plan<'s>(
    links: &[Link],
    settings: &'s [Interface],
) -> (Vec<(Link, &'s Interface)>, Vec<Link>) {
    let mut by_hand = Vec::new();
    for setting in settings {
        let found = links.iter().find(|link| match &setting.device {
            Device::Name(name) => link.name == *name,
            Device::Mac(mac) => link.mac == *mac,
        });
        match found {
            Some(link) => by_hand.push((link.clone(), setting)),
            None => tracing::warn!(interface = setting.name, "there is no such link"),
        }
    }
    let asking = links
        .iter()
        .filter(|link| by_hand.iter().all(|(taken, _)| taken != *link));
    let asking = asking.cloned().collect();
    (by_hand, asking)
}

/// Gives a link what is set for it by hand; says which link has it, which for a virtual network is one of its own.
///
/// # Errors
/// Where the kernel refuses.
pub fn give(link: &Link, setting: &Interface) -> io::Result<Link> {
    let mut netlink = Netlink::open()?;
    let mut link = link.clone();
    if let Some(tag) = setting.vlan {
        // As long as the kernel allows, whatever the link below is called.
        let name = format!("v{}.{tag}", link.index);
        netlink.add_vlan(link.index, &name, tag)?;
        let index = fs::read_to_string(format!("/sys/class/net/{name}/ifindex"))?;
        link.index = index.trim().parse().map_err(io::Error::other)?;
        link.name = name;
        netlink.up(link.index)?;
    }
    for placed in &setting.addresses {
        netlink.add_address(link.index, placed.address, placed.prefix)?;
    }
    for gateway in &setting.gateways {
        netlink.add_default_route(link.index, *gateway)?;
    }
    Ok(link)
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
    fn a_port_that_is_not_named_asks_and_a_setting_without_a_port_is_passed_over() {
        let link = |name: &str, index| Link {
            name: name.to_owned(),
            index,
            mac: [2, 0, 0, 0, 0, index as u8],
        };
        let links = [link("eth0", 2), link("eth1", 3), link("eth2", 4)];
        let text = "version = 1\n[media]\naddress = \"192.0.2.1\"\n\
            [[interface]]\nname = \"wan\"\ndevice = \"02:00:00:00:00:03\"\naddresses = [\"192.0.2.1/24\"]\n\
            [[interface]]\nname = \"lan\"\ndevice = \"eth0\"\nvlan = \"7\"\naddresses = [\"192.0.3.1/24\"]\n\
            [[interface]]\nname = \"gone\"\ndevice = \"eth9\"\naddresses = [\"192.0.4.1/24\"]\n";
        let document = config::parse(text).expect("in order");
        let (by_hand, asking) = plan(&links, &document.interfaces);
        let names: Vec<_> = by_hand
            .iter()
            .map(|(link, setting)| (link.name.as_str(), setting.name.as_str()))
            .collect();
        assert_eq!(names, [("eth1", "wan"), ("eth0", "lan")]);
        assert_eq!(asking, [links[2].clone()]);
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
