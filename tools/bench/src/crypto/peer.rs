//! A library that others hold for quick, behind a small program in C that this builds.
//!
//! The program has its passes done on its own, so nothing of the pipe is in the figures.
//!
//! Not here: what the programs do; see their sources.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::{Operation, STREAMS};
use crate::place::Place;

/// Compiles a program.
pub(super) fn build(place: &Place, name: &str, source: &str, library: &str) -> PathBuf {
    let source = place.write(&format!("{name}.c"), source);
    let program = place.path().join(name);
    let status = Command::new("cc")
        .args(["-O2", "-Wall", "-o"])
        .arg(&program)
        .arg(&source)
        .arg(library)
        .status()
        .expect("a C compiler is installed (Debian: gcc)");
    assert!(status.success(), "{name} does not compile");
    program
}

/// The program at work.
pub(super) struct Peer {
    child: Child,
    ask: ChildStdin,
    hear: BufReader<ChildStdout>,
}

impl Peer {
    pub(super) fn start(program: &Path, suite: &str, operation: Operation) -> Self {
        let mut child = Command::new(program)
            .args([suite, operation.name(), &STREAMS.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it was just built");
        let ask = child.stdin.take().expect("a pipe");
        let hear = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, ask, hear }
    }

    /// Has it pass over all streams so many times; gives for each the nanoseconds a packet took.
    pub(super) fn passes(&mut self, count: usize) -> Vec<f64> {
        writeln!(self.ask, "{count}").expect("the program runs");
        (0..count)
            .map(|_| {
                let mut line = String::new();
                self.hear.read_line(&mut line).expect("text");
                line.trim()
                    .parse()
                    .unwrap_or_else(|_| panic!("the program said {line:?}"))
            })
            .collect()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to be done about it here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
