//! A box that runs: `postern run` on a configuration of the test, asked and killed as a user would.
//!
//! It ends with the value. Where a test fails, the end of the box's log is shown with it.
//!
//! Not here: calls.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{io, thread};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::place::{Place, program};

/// A box takes less to start, on a machine that does other things too.
const START: Duration = Duration::from_secs(20);
/// From SIGTERM to SIGKILL.
const END: Duration = Duration::from_secs(10);
/// Between two looks.
const GLANCE: Duration = Duration::from_millis(20);
/// Lines of the log shown with a failure.
const SHOWN: usize = 60;

/// One of the box's two processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plane {
    /// Signalling.
    Control,
    /// Audio.
    Media,
}

impl Plane {
    const fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Media => "media",
        }
    }
}

/// A running box.
#[derive(Debug)]
pub struct Running {
    child: Child,
    place: Place,
}

impl Running {
    /// Starts a box on `configuration`, whose other files have been written to `place`, and waits until it takes calls.
    ///
    /// # Panics
    /// Where it does not come up.
    #[must_use]
    pub fn start(place: Place, configuration: &str) -> Self {
        let file = place.write("postern.toml", configuration);
        let log = File::create(place.path().join("log")).expect("a log");
        let child = Command::new(program("postern"))
            .arg("run")
            .arg("--config")
            .arg(file)
            .arg("--run")
            .arg(place.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let mut running = Self { child, place };
        running.await_ready();
        running
    }

    fn await_ready(&mut self) {
        let until = Instant::now() + START;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                panic!("the box ended at once, {status}");
            }
            if self
                .ask(r#"{"query":"census"}"#)
                .is_ok_and(|census| census["media"] == true)
            {
                return;
            }
            assert!(Instant::now() < until, "the box does not come up");
            thread::sleep(GLANCE);
        }
    }

    /// Where its files lie.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Asks control a question in JSON.
    ///
    /// # Errors
    /// Where no control answers, as while it is being started again.
    pub fn ask(&self, question: &str) -> io::Result<Value> {
        let mut control = UnixStream::connect(self.place.path().join("control.sock"))?;
        control.set_read_timeout(Some(Duration::from_secs(5)))?;
        writeln!(control, "{question}")?;
        let mut line = String::new();
        BufReader::new(control).read_line(&mut line)?;
        serde_json::from_str(&line).map_err(io::Error::other)
    }

    /// What stands in its tables.
    ///
    /// # Panics
    /// Where control does not answer.
    #[must_use]
    pub fn census(&self) -> Value {
        self.ask(r#"{"query":"census"}"#).expect("control answers")
    }

    /// Waits until nothing of any call is left.
    ///
    /// # Panics
    /// Where something still is after `patience`, and says what.
    pub fn await_nothing_left(&self, patience: Duration) {
        let until = Instant::now() + patience;
        loop {
            let census = self.census();
            let left = ["calls", "legs", "dialogs", "ports"]
                .iter()
                .any(|name| census[name] != 0);
            if !left {
                return;
            }
            assert!(Instant::now() < until, "something is left behind: {census}");
            thread::sleep(GLANCE);
        }
    }

    /// Writes another configuration and has it read.
    ///
    /// # Panics
    /// Where control cannot be told.
    pub fn reload(&self, configuration: &str) {
        self.place.write("postern.toml", configuration);
        self.ask(r#"{"command":"reload"}"#)
            .expect("control answers");
    }

    /// The number of the process that watches over the two.
    #[must_use]
    pub fn supervisor(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The number of a process.
    ///
    /// # Panics
    /// Where it has not said.
    #[must_use]
    pub fn pid(&self, plane: Plane) -> Pid {
        let file = self.place.path().join(format!("{}.pid", plane.name()));
        let text = fs::read_to_string(file).expect("a process that runs has told its number");
        text.trim()
            .parse()
            .ok()
            .and_then(Pid::from_raw)
            .expect("a number")
    }

    /// Kills a process as a fault would, and waits until another has taken its place.
    ///
    /// # Panics
    /// Where none does.
    pub fn kill(&mut self, plane: Plane) {
        let before = self.pid(plane);
        kill_process(before, Signal::KILL).expect("it runs");
        let until = Instant::now() + START;
        while self.pid(plane) == before {
            assert!(
                Instant::now() < until,
                "{} is not started again",
                plane.name()
            );
            thread::sleep(GLANCE);
        }
        self.await_ready();
    }

    /// Its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.place.path().join("log")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            eprintln!(
                "the end of the box's log:\n{}",
                lines[lines.len().saturating_sub(SHOWN)..].join("\n")
            );
        }
        // Gone already: then there is nothing to end.
        let _ = kill_process(self.supervisor(), Signal::TERM);
        let until = Instant::now() + END;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > until {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            thread::sleep(GLANCE);
        }
    }
}
