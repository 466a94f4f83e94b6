//! An idle media process rests: its worker uses no processor time worth naming.
//!
//! One test in a process of its own, so that the only worker in it is the idle one.
//!
//! Not here: what it does when it is busy (`media.rs`).

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use postern::run_dir::RunDir;
use postern::{cli, media};

#[test]
fn an_idle_worker_uses_no_processor() {
    let folder = std::env::temp_dir().join(format!("postern-media-{}-idle", std::process::id()));
    let arguments = cli::Media {
        run: folder.clone(),
        config: None,
    };
    std::thread::spawn(move || media::run(&arguments).expect("it starts and does not end"));
    let started = Instant::now();
    let socket = RunDir::at(&folder).expect("it can be made").media_socket();
    while UnixStream::connect(&socket).is_err() {
        assert!(started.elapsed() < Duration::from_secs(30), "it listens");
        std::thread::sleep(Duration::from_millis(5));
    }
    // The guest that said nothing has been shown out by then.
    std::thread::sleep(Duration::from_millis(2_500));
    let before = worker_time().expect("there is a worker");
    std::thread::sleep(Duration::from_secs(3));
    let used = worker_time().expect("there is a worker") - before;
    let _ = std::fs::remove_dir_all(&folder);
    assert!(used <= 3, "{used} ticks of 10 ms in three seconds");
}

/// Ticks of processor time that the worker's thread has used.
fn worker_time() -> Option<u64> {
    std::fs::read_dir("/proc/self/task")
        .ok()?
        .flatten()
        .find_map(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
            let (head, tail) = stat.rsplit_once(')')?;
            let fields: Vec<&str> = tail.split_whitespace().collect();
            // utime and stime are fields 14 and 15 of proc(5); the first behind the name is the third.
            let ticks = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
            head.ends_with("media-worker-0")
                .then(|| Some(ticks(14)? + ticks(15)?))?
        })
}
