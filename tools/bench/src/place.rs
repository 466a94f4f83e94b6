//! Where a bench works: a folder that goes when it is done, programs beside this one, ports that are free.
//!
//! Not here: what is written there.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// A folder that nobody else uses.
#[derive(Debug)]
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("postern-bench-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder can be made");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file in a folder of ours can be written");
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // A leftover in the temporary folder hurts nobody.
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A program of this workspace, built like this one.
pub(crate) fn program(name: &str) -> PathBuf {
    let program = env::current_exe()
        .expect("a program runs from a file")
        .with_file_name(name);
    assert!(program.exists(), "{} is not built", program.display());
    program
}

/// A port that is free for both transports just now.
pub(crate) fn free_port(address: Ipv4Addr) -> u16 {
    loop {
        let socket = UdpSocket::bind((address, 0)).expect("a port");
        let port = socket.local_addr().expect("bound").port();
        if TcpListener::bind((address, port)).is_ok() {
            return port;
        }
    }
}
