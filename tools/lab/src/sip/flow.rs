//! Transports: UDP sockets, TCP and TLS connections and their listeners, each handing frames to an [`Endpoint`].
//!
//! A [`Flow`] is the way a message came and the way its answer goes. Connections live as long as either side keeps them.
//!
//! Not here: certificates (`crate::tls`), what a message means.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use openssl::ssl::SslAcceptor;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::endpoint::Endpoint;
use super::framing::{Frame, Framer};
use crate::tls::{self, TlsFacts};

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
}

impl Protocol {
    /// As it stands in a Via.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }
}

/// One way to a peer.
#[derive(Debug, Clone)]
pub struct Flow(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    protocol: Protocol,
    local: SocketAddr,
    peer: SocketAddr,
    tls: Option<TlsFacts>,
    out: Out,
    open: AtomicBool,
}

#[derive(Debug)]
enum Out {
    Datagram(Arc<UdpSocket>),
    Stream(mpsc::UnboundedSender<Piece>),
}

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    End,
}

impl Flow {
    /// The protocol.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.0.protocol
    }

    /// Our address.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.0.local
    }

    /// Theirs.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.0.peer
    }

    /// What the handshake showed, on TLS.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.0.tls.as_ref()
    }

    /// Whether the connection still stands.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Sends, or drops where the connection is gone: a lost message is the peer's to notice.
    pub fn send(&self, bytes: Bytes) {
        match &self.0.out {
            Out::Datagram(socket) => {
                // A full socket buffer loses the datagram, as a network may.
                let _ = socket.try_send_to(&bytes, self.0.peer);
            }
            Out::Stream(out) => {
                let _ = out.send(Piece::Bytes(bytes));
            }
        }
    }

    /// Ends a connection; does nothing on UDP.
    pub fn close(&self) {
        if let Out::Stream(out) = &self.0.out {
            let _ = out.send(Piece::End);
        }
    }

    fn datagram(socket: &Arc<UdpSocket>, local: SocketAddr, peer: SocketAddr) -> Self {
        Self(Arc::new(Inner {
            protocol: Protocol::Udp,
            local,
            peer,
            tls: None,
            out: Out::Datagram(socket.clone()),
            open: AtomicBool::new(true),
        }))
    }

    fn stream<S>(stream: S, ends: Ends, endpoint: Endpoint) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let (out, mut pieces) = mpsc::unbounded_channel();
        let flow = Self(Arc::new(Inner {
            protocol: ends.protocol,
            local: ends.local,
            peer: ends.peer,
            tls: ends.tls,
            out: Out::Stream(out),
            open: AtomicBool::new(true),
        }));
        tokio::spawn(async move {
            while let Some(Piece::Bytes(bytes)) = pieces.recv().await {
                if writer.write_all(&bytes).await.is_err() {
                    break;
                }
            }
            let _ = writer.shutdown().await;
        });
        let theirs = flow.clone();
        tokio::spawn(async move {
            read_stream(&mut reader, &theirs, &endpoint).await;
            theirs.0.open.store(false, Ordering::Relaxed);
            theirs.close();
        });
        flow
    }
}

struct Ends {
    protocol: Protocol,
    local: SocketAddr,
    peer: SocketAddr,
    tls: Option<TlsFacts>,
}

async fn read_stream<R: AsyncRead + Unpin>(reader: &mut R, flow: &Flow, endpoint: &Endpoint) {
    let mut framer = Framer::default();
    let mut piece = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = reader.read(&mut piece).await {
        framer.push(&piece[..read]);
        loop {
            match framer.take() {
                Ok(Some(Frame::Message(bytes))) => endpoint.deliver(flow, &bytes),
                Ok(Some(Frame::Ping)) => flow.send(Bytes::from_static(b"\r\n")),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

/// A socket that listens; dropping it stops the listening, not the connections it took.
#[derive(Debug)]
pub struct Listening {
    address: SocketAddr,
    task: AbortHandle,
}

impl Listening {
    /// Where.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A UDP socket: listens and sends.
#[derive(Debug)]
pub struct UdpPort {
    socket: Arc<UdpSocket>,
    listening: Listening,
}

impl UdpPort {
    /// Binds and serves.
    ///
    /// # Errors
    /// Where the address is taken.
    pub async fn bind(address: SocketAddr, endpoint: Endpoint) -> io::Result<Self> {
        let socket = Arc::new(UdpSocket::bind(address).await?);
        let address = socket.local_addr()?;
        let ours = socket.clone();
        let task = tokio::spawn(async move {
            let mut datagram = vec![0; 64 * 1024];
            loop {
                let Ok((read, peer)) = ours.recv_from(&mut datagram).await else {
                    // An ICMP error of an earlier send; the socket is well.
                    continue;
                };
                if datagram[..read].iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                endpoint.deliver(&Flow::datagram(&ours, address, peer), &datagram[..read]);
            }
        });
        Ok(Self {
            socket,
            listening: Listening {
                address,
                task: task.abort_handle(),
            },
        })
    }

    /// The way to `peer`.
    #[must_use]
    pub fn to(&self, peer: SocketAddr) -> Flow {
        Flow::datagram(&self.socket, self.listening.address, peer)
    }

    /// Where it is bound.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listening.address
    }
}

/// Listens for TCP connections.
///
/// # Errors
/// Where the address is taken.
pub async fn listen_tcp(address: SocketAddr, endpoint: Endpoint) -> io::Result<Listening> {
    let listener = bind(address)?;
    let address = listener.local_addr()?;
    let task = tokio::spawn(async move {
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                continue;
            };
            let ends = Ends {
                protocol: Protocol::Tcp,
                local: address,
                peer,
                tls: None,
            };
            Flow::stream(stream, ends, endpoint.clone());
        }
    });
    Ok(Listening {
        address,
        task: task.abort_handle(),
    })
}

/// Listens for TLS connections. A handshake that fails is told to the endpoint's owner.
///
/// # Errors
/// Where the address is taken.
pub async fn listen_tls(
    address: SocketAddr,
    acceptor: SslAcceptor,
    endpoint: Endpoint,
) -> io::Result<Listening> {
    let listener = bind(address)?;
    let address = listener.local_addr()?;
    let task = tokio::spawn(async move {
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                continue;
            };
            let (acceptor, endpoint) = (acceptor.clone(), endpoint.clone());
            tokio::spawn(async move {
                match tls::accept(&acceptor, stream).await {
                    Ok((stream, facts)) => {
                        let ends = Ends {
                            protocol: Protocol::Tls,
                            local: address,
                            peer,
                            tls: Some(facts),
                        };
                        Flow::stream(stream, ends, endpoint);
                    }
                    Err(error) => endpoint.handshake_failed(peer, error),
                }
            });
        }
    });
    Ok(Listening {
        address,
        task: task.abort_handle(),
    })
}

/// Opens a TCP connection from `from` (port 0: any).
///
/// # Errors
/// Where it is refused.
pub async fn connect_tcp(
    from: SocketAddr,
    peer: SocketAddr,
    endpoint: Endpoint,
) -> io::Result<Flow> {
    let stream = dial(from, peer).await?;
    let ends = Ends {
        protocol: Protocol::Tcp,
        local: stream.local_addr()?,
        peer,
        tls: None,
    };
    Ok(Flow::stream(stream, ends, endpoint))
}

/// Opens a TLS connection from `from` to the host `name` at `peer`.
///
/// # Errors
/// Where it is refused, or the handshake fails on either side.
pub async fn connect_tls(
    from: SocketAddr,
    peer: SocketAddr,
    name: &str,
    client: &tls::Client,
    endpoint: Endpoint,
) -> io::Result<Flow> {
    let stream = dial(from, peer).await?;
    let local = stream.local_addr()?;
    let (stream, facts) = client.connect(name, stream).await?;
    let ends = Ends {
        protocol: Protocol::Tls,
        local,
        peer,
        tls: Some(facts),
    };
    Ok(Flow::stream(stream, ends, endpoint))
}

async fn dial(from: SocketAddr, peer: SocketAddr) -> io::Result<tokio::net::TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(from)?;
    let stream = socket.connect(peer).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(256)
}
