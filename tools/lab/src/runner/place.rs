//! Where a lab lives: loopback addresses of its own and free ports, so that several labs run beside each other.
//!
//! Addresses come from the number of the process and of the lab in it: `127.A.B.0/24`, A from 64 up. Only the carrier
//! trunk has addresses that are written down for others (127.0.0.9, and 127.0.0.10 for a stranger).
//!
//! Not here: what is bound there.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

static LABS: AtomicU32 = AtomicU32::new(0);

/// The carrier trunk `probe`: any port of this address.
pub const PROBE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
/// Where calls to `probe` go.
pub const PROBE_PORT: u16 = 5070;

/// The addresses of one lab.
#[derive(Debug, Clone)]
pub struct Place {
    /// The three octets of its network.
    pub network: [u8; 3],
    /// Its folder; gone with it.
    pub folder: PathBuf,
    keep: bool,
}

impl Place {
    /// A place of its own, and a fresh folder.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub fn new() -> io::Result<Self> {
        let number = LABS.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let place = process.wrapping_mul(7).wrapping_add(number) % (128 * 256);
        let [_, _, high, low] = place.to_be_bytes();
        let folder = std::env::temp_dir().join(format!("postern-lab-{process}-{number}"));
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            network: [127, 64 + high, low],
            folder,
            keep: false,
        })
    }

    /// An address of its network.
    #[must_use]
    pub fn at(&self, last: u8) -> IpAddr {
        IpAddr::from([self.network[0], self.network[1], self.network[2], last])
    }

    /// Leaves the folder for people to look at.
    pub fn keep(&mut self) {
        self.keep = true;
    }

    /// A file in its folder.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.keep {
            // A folder that stays behind in the temporary one harms nobody.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// A port that is free for UDP and TCP alike.
///
/// # Errors
/// Where there is none.
pub fn free_port(address: IpAddr) -> io::Result<SocketAddr> {
    let mut last = io::Error::other("no free port");
    for _ in 0..50 {
        let tcp = TcpListener::bind((address, 0))?;
        let found = tcp.local_addr()?;
        match UdpSocket::bind(found) {
            Ok(_) => return Ok(found),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The program `postern`: named by `POSTERN`, else beside our own or, for tests, one folder up.
///
/// # Errors
/// Where it is in none of these places.
pub fn postern() -> io::Result<PathBuf> {
    if let Some(named) = std::env::var_os("POSTERN") {
        return Ok(named.into());
    }
    let own = std::env::current_exe()?;
    own.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("postern"))
        .find(|path| Path::is_file(path))
        .ok_or_else(|| {
            io::Error::other(
                "no program `postern` beside this one: build it, or name it in POSTERN",
            )
        })
}
