//! TLS on a socket: handshakes on threads of their own, what follows on the thread that owns the connection.
//!
//! A handshake costs a millisecond of signing and may be begun by anybody, so it never runs beside the calls. What follows
//! costs microseconds, and handing every message to another thread would cost more; so the connection moves back.
//!
//! Not here: who is trusted (`crate::tls`), how long a handshake may take (`tcp`).

use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::client::ClientConfig;
use rustls::pki_types::ServerName;
use rustls::server::ServerConfig;
use rustls::{ClientConnection, Connection, ServerConnection};
use sip::transport::TlsPeer;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::tls;

/// A connection after its handshake, belonging to no runtime.
pub(super) struct Secured {
    pub(super) socket: std::net::TcpStream,
    pub(super) connection: Connection,
    pub(super) peer: TlsPeer,
}

/// The server's side of a handshake. Runs on the runtime it is spawned on.
pub(super) async fn accept(
    socket: std::net::TcpStream,
    config: Arc<ServerConfig>,
) -> io::Result<Secured> {
    let socket = TcpStream::from_std(socket)?;
    let (socket, connection): (TcpStream, ServerConnection) =
        TlsAcceptor::from(config).accept(socket).await?.into_inner();
    let peer = tls::peer(
        connection.server_name().map(str::to_owned),
        connection.peer_certificates(),
    );
    Ok(Secured {
        socket: socket.into_std()?,
        connection: connection.into(),
        peer,
    })
}

/// The client's side. In TLS 1.3 the server may still refuse our certificate after this returns; then the first read fails.
pub(super) async fn connect(
    socket: std::net::TcpStream,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
) -> io::Result<Secured> {
    let socket = TcpStream::from_std(socket)?;
    let asked = name.to_str().into_owned();
    let (socket, connection): (TcpStream, ClientConnection) = TlsConnector::from(config)
        .connect(name, socket)
        .await?
        .into_inner();
    let peer = tls::peer(Some(asked), connection.peer_certificates());
    Ok(Secured {
        socket: socket.into_std()?,
        connection: connection.into(),
        peer,
    })
}

/// Bytes in and out of a connection, plain or secured, never waiting.
pub(super) enum Io {
    Plain(TcpStream),
    Secure(TcpStream, Box<Connection>),
}

impl Io {
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) | Self::Secure(socket, _) => socket,
        }
    }

    /// Reads what is there; `Ok(0)` is the peer's end, `WouldBlock` nothing yet.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (socket, connection) = match self {
            Self::Plain(socket) => return socket.try_read(buffer),
            Self::Secure(socket, connection) => (socket, connection),
        };
        loop {
            match connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
            if connection.read_tls(&mut Socket(socket))? == 0 {
                return Ok(0);
            }
            if let Err(error) = connection.process_new_packets() {
                // The alert that says why; whether it still arrives does not matter to us.
                let _ = connection.write_tls(&mut Socket(socket));
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    }

    /// Takes bytes to be written and says how many; `WouldBlock` while those before are still here.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.try_write(bytes),
            Self::Secure(..) => {
                self.flush()?;
                let Self::Secure(_, connection) = self else {
                    return Ok(0);
                };
                connection.writer().write(bytes)
            }
        }
    }

    /// Hands what was taken to the socket; `WouldBlock` while something is left.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if let Self::Secure(socket, connection) = self {
            while connection.wants_write() {
                connection.write_tls(&mut Socket(socket))?;
            }
        }
        Ok(())
    }

    /// Says that nothing more will come (TLS close_notify), without waiting.
    pub(super) fn farewell(&mut self) {
        if let Self::Secure(_, connection) = self {
            connection.send_close_notify();
        }
        // A peer whose buffer is full does not hear it; its end of the connection ends all the same.
        let _ = self.flush();
    }
}

/// A tokio socket as rustls wants one.
struct Socket<'a>(&'a TcpStream);

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
