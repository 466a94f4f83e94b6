//! `postern media`: the process that carries the audio.
//!
//! A *worker*, or several on a large box, owns ports and a pipeline and does nothing but turns ([`worker`]); the *server*, which is
//! the main thread, speaks with control over a Unix socket ([`server`]) and knows which worker has which stream ([`shards`]);
//! one more thread shakes hands with parties where that keys their streams ([`dtls`]). Between any two of them lie rings that one
//! writes and one reads. Streams outlive control: when its connection ends, nothing else does.
//!
//! The counts of the process lie in the file `media.counters` of the run directory, for whoever wants to look
//! ([`media_api::shared`]).
//!
//! Not here: packets (`pipeline`), system calls (`board`), starting again after a fault (`supervise`).

mod connection;
mod dtls;
mod packets;
mod server;
mod shards;
mod worker;

use std::io;
use std::path::PathBuf;

use board::{host, linux};
use hal::Handover;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::cli;
use crate::run_dir::RunDir;
use packets::{Frames, Sockets, Wanted};
use worker::Berth;

/// Streams held at most, files permitting.
const MOST_STREAMS: u32 = 32_768;

/// Files beside those of streams: sockets of controls, epoll, the log, what the libraries hold.
const OTHER_FILES: u64 = 64;

/// Where the counts of the process lie.
#[must_use]
pub fn counters_file(run: &RunDir) -> PathBuf {
    run.path().join("media.counters")
}

/// Runs the process until it is killed.
///
/// # Errors
/// What keeps it from starting: the socket, the counters' file, epoll. Later faults end the process: whoever supervises it
/// starts it again.
pub fn run(arguments: &cli::Media) -> io::Result<()> {
    let run = RunDir::at(&arguments.run)?;
    let files = raise_file_limit();
    let wanted = Wanted::of(arguments.config.as_deref());
    match packets::frames(&wanted) {
        Some(Frames { ports, sockets }) => {
            let capacity = match sockets {
                Sockets::None => MOST_STREAMS,
                Sockets::Kept => files,
            };
            let berth = |ports: linux::Ports| Berth {
                waker: ports.waker(),
                ports,
            };
            serve(&run, ports.into_iter().map(berth).collect(), capacity)
        }
        None => {
            let berth = |_| {
                let ports = host::Ports::new()?;
                Ok(Berth {
                    waker: ports.waker(),
                    ports,
                })
            };
            let berths: io::Result<Vec<_>> = (0..wanted.workers().get()).map(berth).collect();
            serve(&run, berths?, files)
        }
    }
}

fn serve<B>(run: &RunDir, berths: Vec<Berth<B>>, capacity: u32) -> io::Result<()>
where
    B: Handover + Send + 'static,
    B::Port: 'static,
{
    let count = berths.len();
    let workers = worker::start(berths, &counters_file(run), capacity as usize)?;
    // Who can connect finds all of it ready.
    let socket = run.media_socket();
    let listener = run.listen(&socket)?;
    run.announce("media")?;
    tracing::info!(socket = %socket.display(), capacity, workers = count, "media is ready");
    server::serve(listener, workers, capacity)
}

/// Takes all the files the system gives and says how many streams they serve: a stream has two sockets.
fn raise_file_limit() -> u32 {
    let limits = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limits.maximum,
        maximum: limits.maximum,
    };
    let files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limits.maximum,
        Err(_) => limits.current,
    };
    let streams = files.map_or(u64::MAX, |files| files.saturating_sub(OTHER_FILES) / 2);
    u32::try_from(streams).map_or(MOST_STREAMS, |streams| streams.min(MOST_STREAMS))
}
