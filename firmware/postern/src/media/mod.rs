//! `postern media`: the process that carries the audio.
//!
//! Three threads. The *worker* owns the ports and the pipeline and does nothing but turns ([`worker`]); the *server*, which is the
//! main thread, speaks with control over a Unix socket ([`server`]); a third shakes hands with parties where that keys their streams
//! ([`dtls`]). Between them lie queues with an end. Streams outlive
//! control: when its connection ends, nothing else does.
//!
//! The counts of the process lie in the file `media.counters` of the run directory, for whoever wants to look
//! ([`media_api::shared`]).
//!
//! Not here: packets (`pipeline`), system calls (`board`), starting again after a fault (`supervise`).

mod connection;
mod dtls;
mod packets;
mod server;
mod worker;

use std::io;
use std::path::PathBuf;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::cli;
use crate::run_dir::RunDir;
use packets::{Frames, Sockets};

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
    let frames = arguments.config.as_deref().and_then(packets::frames);
    let (frames, capacity) = match frames {
        Some(Frames {
            ports,
            sockets: Sockets::None,
        }) => (Some(ports), MOST_STREAMS),
        Some(Frames { ports, .. }) => (Some(ports), files),
        None => (None, files),
    };
    let worker = worker::start(frames, &counters_file(&run), capacity as usize)?;
    // Who can connect finds all of it ready.
    let socket = run.media_socket();
    let listener = run.listen(&socket)?;
    run.announce("media")?;
    tracing::info!(socket = %socket.display(), capacity, "media is ready");
    server::serve(listener, worker, capacity)
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
