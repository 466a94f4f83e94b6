//! TCP: accepting for a listener and connecting to a target, each with or without TLS, up to where a connection lives.
//!
//! Everything before a connection's first byte of SIP has a time limit and a place: a handshake that does not come along is
//! given up, and accepting never waits for one.
//!
//! Not here: the connection's life (`stream`), choosing a connection for a message (`super`).

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::ClientConfig;
use rustls::pki_types::ServerName;
use sip::transport::{FlowId, ListenerId, Source, TlsPeer, Transport};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use super::outbox::Outbox;
use super::stream::{End, Opener, Stream};
use super::tls::{self, Io, Secured};
use super::{Made, Opened, Report, Shared};
use crate::tls::ServerSide;

/// Sent and not acknowledged for so long: the peer is gone (RFC 5482).
const UNACKNOWLEDGED_TIME: Duration = Duration::from_secs(20);
/// After accepting failed for want of descriptors or memory.
const BREATH: Duration = Duration::from_millis(100);
const BACKLOG: i32 = 1024;

/// A listening socket, in words that do not change while it listens.
pub(super) struct Door {
    /// Its place in the configuration in force, which a reload may change.
    pub(super) listener: Cell<ListenerId>,
    pub(super) transport: Transport,
    pub(super) tls: RefCell<Option<ServerSide>>,
}

/// Opens a listening socket.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restarted control must not wait for the connections of the one before to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts for ever.
pub(super) async fn accept(socket: TcpListener, door: Rc<Door>, shared: Rc<Shared>) {
    loop {
        let (stream, remote) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                shared.counts.accept_failed.add();
                crate::strangers!(warn, %error, "accepting failed");
                sleep(BREATH).await;
                continue;
            }
        };
        let Ok(ticket) = shared.admission.admit(remote.ip()) else {
            shared.counts.refused.add();
            crate::strangers!(info, %remote, "no place for another connection");
            continue;
        };
        shared.counts.accepted.add();
        let door = Rc::clone(&door);
        let shared = Rc::clone(&shared);
        tokio::task::spawn_local(async move {
            let _place = ticket;
            if let Err(error) = welcome(stream, remote, &door, &shared).await {
                shared.counts.handshake_failed.add();
                crate::strangers!(info, %remote, %error, "connection refused");
            }
        });
    }
}

/// From an accepted socket to the end of the connection's life.
async fn welcome(
    stream: TcpStream,
    remote: SocketAddr,
    door: &Door,
    shared: &Rc<Shared>,
) -> io::Result<()> {
    tune(&stream)?;
    let local = stream.local_addr()?;
    let side = door.tls.borrow().clone();
    let (io, peer, made) = match side {
        None => (Io::Plain(stream), None, Made::Plain),
        Some(side) => {
            let handshake = tls::accept(stream.into_std()?, Arc::clone(side.config()));
            let secured = aside(shared, shared.limits.handshake, handshake).await?;
            let (io, peer) = home(secured)?;
            (io, Some(peer), Made::Server(Arc::clone(side.config())))
        }
    };
    let flow = shared.next_flow();
    let outbox = Rc::new(Outbox::new());
    let source = Source {
        flow,
        listener: door.listener.get(),
        transport: door.transport,
        local,
        remote,
        tls: peer,
    };
    let opened = Opened {
        outbox: Rc::clone(&outbox),
        source: source.clone(),
        made,
        target: None,
    };
    if shared
        .reports
        .send(Report::Opened { flow, opened })
        .await
        .is_err()
    {
        return Ok(());
    }
    live(io, source, Opener::Peer, outbox, shared).await;
    Ok(())
}

/// Where an outgoing connection goes, and with what.
pub(super) struct Way {
    pub(super) flow: FlowId,
    pub(super) listener: ListenerId,
    pub(super) transport: Transport,
    /// The listener's address is the one the peer knows us by.
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    pub(super) outbox: Rc<Outbox>,
}

/// Connects and lives; messages may wait in the outbox from the first moment on.
pub(super) async fn connect(way: Way, shared: Rc<Shared>) {
    let flow = way.flow;
    match reach(&way, &shared).await {
        Ok((io, source)) => {
            shared.counts.connected.add();
            live(io, source, Opener::We, way.outbox, &shared).await;
        }
        Err(error) => {
            shared.counts.connect_failed.add();
            crate::strangers!(info, remote = %way.to, transport = way.transport.via_token(), %error, "cannot connect");
            // Nobody is left to hear it only when all of control is ending.
            let _ = shared
                .reports
                .send(Report::Closed {
                    flow,
                    end: End::Broken,
                    clients: way.outbox.clients(),
                })
                .await;
        }
    }
}

async fn reach(way: &Way, shared: &Rc<Shared>) -> io::Result<(Io, Source)> {
    let begun = tokio::time::Instant::now();
    let socket = if way.to.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if !way.from.ip().is_unspecified() && way.from.is_ipv4() == way.to.is_ipv4() {
        // Any port: the listener's own belongs to those who connect to us.
        socket.bind(SocketAddr::new(way.from.ip(), 0))?;
    }
    let stream = timeout(shared.limits.connect, socket.connect(way.to))
        .await
        .map_err(|_| late())??;
    tune(&stream)?;
    let local = stream.local_addr()?;
    let (io, peer) = match &way.tls {
        None => (Io::Plain(stream), None),
        Some((config, name)) => {
            let left = shared.limits.connect.saturating_sub(begun.elapsed());
            let handshake = tls::connect(stream.into_std()?, Arc::clone(config), name.clone());
            let (io, peer) = home(aside(shared, left, handshake).await?)?;
            (io, Some(peer))
        }
    };
    let source = Source {
        flow: way.flow,
        listener: way.listener,
        transport: way.transport,
        local,
        remote: way.to,
        tls: peer,
    };
    Ok((io, source))
}

async fn live(io: Io, source: Source, opener: Opener, outbox: Rc<Outbox>, shared: &Rc<Shared>) {
    let flow = source.flow;
    let remote = source.remote;
    let stream = Stream {
        io,
        source,
        opener,
        outbox: Rc::clone(&outbox),
        shared: Rc::clone(shared),
    };
    let end = stream.run().await;
    shared.counts.ended(end);
    tracing::debug!(%remote, ?end, "connection ended");
    // Nobody is left to hear it only when all of control is ending.
    let _ = shared
        .reports
        .send(Report::Closed {
            flow,
            end,
            clients: outbox.clients(),
        })
        .await;
}

/// Runs a handshake on the threads for handshakes, and gives it up when late.
async fn aside(
    shared: &Shared,
    time: Duration,
    handshake: impl Future<Output = io::Result<Secured>> + Send + 'static,
) -> io::Result<Secured> {
    let task = shared.aside.spawn(async move {
        timeout(time, handshake)
            .await
            .unwrap_or_else(|_| Err(late()))
    });
    task.await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Brings a connection back to this thread.
fn home(secured: Secured) -> io::Result<(Io, Arc<TlsPeer>)> {
    let socket = TcpStream::from_std(secured.socket)?;
    Ok((
        Io::Secure(socket, Box::new(secured.connection)),
        Arc::new(secured.peer),
    ))
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(Duration::from_secs(60)))?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIME))
}

fn late() -> io::Error {
    io::Error::from(io::ErrorKind::TimedOut)
}
