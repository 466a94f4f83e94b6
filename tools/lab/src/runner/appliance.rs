//! The box as a process: started on a configuration, asked how it is, and ended with all that it started.
//!
//! Not here: what is in the configuration (`configuration.rs`), which calls it gets.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// From SIGTERM to SIGKILL.
const ENDING_TIME: Duration = Duration::from_secs(8);
const ANSWER_TIME: Duration = Duration::from_secs(3);
/// What control says of a configuration that it has taken.
const IN_FORCE: &str = "a new configuration is in force";

/// A running box.
#[derive(Debug)]
pub struct Appliance {
    child: Child,
    run: PathBuf,
    log: PathBuf,
}

/// The numbers of its processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pids {
    /// Control.
    pub control: u32,
    /// Media.
    pub media: u32,
}

/// What its console says to who stands at the box.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct ConsoleNotice {
    /// Where it listens.
    pub address: SocketAddr,
    /// The code by which its first user enters.
    pub setup_code: Option<String>,
}

impl Appliance {
    /// Starts `postern run`.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn start(program: &Path, configuration: &Path, folder: &Path) -> io::Result<Self> {
        let run = folder.join("run");
        std::fs::create_dir_all(&run)?;
        let log = folder.join("postern.log");
        let child = Command::new(program)
            .arg("run")
            .arg("--config")
            .arg(configuration)
            .arg("--run")
            .arg(&run)
            .args(["--listen", "127.0.0.1:0"])
            // Told that it has a supervisor, it ends with us even if we are killed.
            .env("POSTERN_SUPERVISED", std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            // A Ctrl-C at the terminal is for us to pass on, once.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { child, run, log })
    }

    /// Waits until it takes calls.
    ///
    /// # Errors
    /// Where it ends, or is not ready in time; with the end of its log.
    pub async fn ready(&mut self, within: Duration) -> io::Result<Pids> {
        let until = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(self.failed(&format!("postern ended: {status}")));
            }
            let census = self.ask(r#"{"query":"census"}"#).await;
            let takes_calls = census.is_ok_and(|census| holds_true(&census, "media"));
            if let (true, Ok(pids)) = (takes_calls, self.pids()) {
                return Ok(pids);
            }
            if Instant::now() > until {
                return Err(self.failed("postern is not ready"));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Where its console is, and the code by which its first user enters; waits until it says so.
    ///
    /// # Errors
    /// Where it does not; with the end of its log.
    pub async fn console(&self, within: Duration) -> io::Result<ConsoleNotice> {
        let until = Instant::now() + within;
        loop {
            let notice = std::fs::read_to_string(self.run.join("console.json"));
            if let Some(notice) = notice
                .ok()
                .and_then(|notice| serde_json::from_str(&notice).ok())
            {
                return Ok(notice);
            }
            if Instant::now() > until {
                return Err(self.failed("the console is not ready"));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks control: one line of JSON, one back.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn ask(&self, question: &str) -> io::Result<Value> {
        let exchange = async {
            let mut socket = UnixStream::connect(self.run.join("control.sock")).await?;
            socket.write_all(format!("{question}\n").as_bytes()).await?;
            let mut answer = String::new();
            BufReader::new(socket).read_line(&mut answer).await?;
            serde_json::from_str(&answer).map_err(io::Error::other)
        };
        timeout(ANSWER_TIME, exchange).await?
    }

    /// The processes as they are now; a restarted one has a new number.
    ///
    /// # Errors
    /// Where they have not announced themselves.
    pub fn pids(&self) -> io::Result<Pids> {
        let read = |name: &str| {
            let text = std::fs::read_to_string(self.run.join(format!("{name}.pid")))?;
            text.trim().parse().map_err(io::Error::other)
        };
        Ok(Pids {
            control: read("control")?,
            media: read("media")?,
        })
    }

    /// Lets it read its configuration again, and waits until it has.
    ///
    /// # Errors
    /// Where it does not take it; with the end of its log.
    pub async fn reload(&self) -> io::Result<()> {
        let words = || std::fs::read_to_string(&self.log).unwrap_or_default();
        let times = |words: &str| words.matches(IN_FORCE).count();
        let before = times(&words());
        signal(Some(self.pids()?.control), Signal::HUP);
        let until = Instant::now() + ANSWER_TIME;
        while times(&words()) == before {
            if Instant::now() > until {
                return Err(self.failed("the configuration is not in force"));
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// The folder where its processes meet.
    #[must_use]
    pub fn run_folder(&self) -> &Path {
        &self.run
    }

    /// The last lines of its log.
    #[must_use]
    pub fn last_words(&self) -> String {
        let mut text = String::new();
        let _ = File::open(&self.log).and_then(|mut log| log.read_to_string(&mut text));
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Ends it in order, and at last without.
    pub async fn stop(mut self) {
        signal(self.child.id(), Signal::TERM);
        if timeout(ENDING_TIME, self.child.wait()).await.is_err() {
            let pids = self.pids();
            let _ = self.child.kill().await;
            if let Ok(pids) = pids {
                signal(Some(pids.control), Signal::KILL);
                signal(Some(pids.media), Signal::KILL);
            }
        }
    }

    fn failed(&self, what: &str) -> io::Error {
        io::Error::other(format!("{what}\n{}", self.last_words()))
    }
}

/// Kills a process of the box by its number, as a fault would.
pub fn kill(pid: u32) {
    signal(Some(pid), Signal::KILL);
}

fn signal(pid: Option<u32>, signal: Signal) {
    let pid = pid
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended by itself meanwhile.
        let _ = kill_process(pid, signal);
    }
}

/// Looks for `key: true` wherever the answer holds it.
fn holds_true(value: &Value, key: &str) -> bool {
    match value {
        Value::Object(fields) => {
            fields.get(key) == Some(&Value::Bool(true))
                || fields.values().any(|field| holds_true(field, key))
        }
        _ => false,
    }
}
