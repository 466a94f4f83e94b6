//! `postern run`: control, media and the console as processes of this program, each started again when it dies.
//!
//! A process that dies at once is started again later and later, up to [`LONGEST_WAIT`]; one that has held is started at
//! once. SIGTERM and SIGINT end them all, control before media, so that media loses its calls only after control let them go. They
//! end with this process even if it is killed.
//!
//! Not here: the appliance's first process (it will do more, and not on a developer's machine).

use std::ffi::OsString;
use std::future::pending;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, timeout};

use crate::cli;

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A process that lived so long has started well.
const HELD: Duration = Duration::from_secs(10);
/// From SIGTERM to SIGKILL.
const ENDING_TIME: Duration = Duration::from_secs(5);

/// Tells a process that it has a supervisor, and which: the number of that process.
pub const SUPERVISED: &str = "POSTERN_SUPERVISED";

/// For a supervised process: ends it with its supervisor, however that ends.
///
/// # Errors
/// Where the kernel refuses, or the supervisor has ended already.
pub fn end_with_supervisor() -> io::Result<()> {
    let Ok(supervisor) = std::env::var(SUPERVISED) else {
        return Ok(());
    };
    set_parent_process_death_signal(Some(Signal::TERM))?;
    // One that ended before this was asked for will not be told of.
    let parent = getppid().map(|parent| parent.as_raw_nonzero().to_string());
    if parent.is_some_and(|parent| parent == supervisor) {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "the supervisor, process {supervisor}, has ended"
        )))
    }
}

/// Runs them until told to end.
///
/// # Errors
/// Where a process cannot even be started.
pub fn run(arguments: &cli::Run) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(supervise(arguments))
}

async fn supervise(arguments: &cli::Run) -> io::Result<()> {
    let cli::Run {
        control: arguments,
        listen,
        data,
    } = arguments;
    let run = arguments.run.clone().into_os_string();
    let line_of = |name: &str| -> Vec<OsString> {
        vec![
            name.into(),
            "--config".into(),
            arguments.config.clone().into(),
            "--run".into(),
            run.clone(),
        ]
    };
    let mut media = Kept::start("media", line_of("media"))?;
    let mut line = line_of("control");
    if let Some(journal) = &arguments.journal {
        line.extend(["--journal".into(), journal.clone().into()]);
    }
    let mut control = Kept::start("control", line)?;
    let mut console = match listen {
        None => None,
        Some(address) => {
            let mut line = line_of("console");
            line.extend(["--listen".into(), address.to_string().into()]);
            if let Some(data) = data {
                line.extend(["--data".into(), data.clone().into()]);
            }
            Some(Kept::start("console", line)?)
        }
    };

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut reload = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            outcome = media.keep() => outcome?,
            outcome = control.keep() => outcome?,
            outcome = kept(console.as_mut()) => outcome?,
            _ = reload.recv() => control.signal(Signal::HUP),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    if let Some(console) = &mut console {
        console.end().await;
    }
    control.end().await;
    media.end().await;
    Ok(())
}

/// As [`Kept::keep`], for ever where there is nothing to keep.
async fn kept(process: Option<&mut Kept>) -> io::Result<()> {
    match process {
        Some(process) => process.keep().await,
        None => pending().await,
    }
}

/// A process that is to be there.
struct Kept {
    name: &'static str,
    line: Vec<OsString>,
    started: Instant,
    wait: Duration,
    state: State,
}

enum State {
    Running(Child),
    /// Died; to be started again then.
    Waiting(Instant),
}

impl Kept {
    fn start(name: &'static str, line: Vec<OsString>) -> io::Result<Self> {
        let child = spawn(&line)?;
        Ok(Self {
            name,
            line,
            started: Instant::now(),
            wait: FIRST_WAIT,
            state: State::Running(child),
        })
    }

    /// Waits for the next thing to do and does it. May be dropped while it waits.
    async fn keep(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Running(child) => {
                let status = child.wait().await?;
                self.died(status);
            }
            State::Waiting(until) => {
                tokio::time::sleep_until(*until).await;
                self.state = State::Running(spawn(&self.line)?);
                self.started = Instant::now();
            }
        }
        Ok(())
    }

    fn died(&mut self, status: ExitStatus) {
        let lived = self.started.elapsed();
        self.wait = if lived >= HELD {
            FIRST_WAIT
        } else {
            (self.wait * 2).min(LONGEST_WAIT)
        };
        tracing::warn!(process = self.name, %status, ?lived, again_in = ?self.wait, "process ended");
        self.state = State::Waiting(Instant::now() + self.wait);
    }

    fn signal(&self, signal: Signal) {
        let State::Running(child) = &self.state else {
            return;
        };
        let pid = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        // Gone already: then there is nobody to tell.
        let _ = pid.map(|pid| kill_process(pid, signal));
    }

    async fn end(&mut self) {
        self.signal(Signal::TERM);
        let State::Running(child) = &mut self.state else {
            return;
        };
        if timeout(ENDING_TIME, child.wait()).await.is_err() {
            tracing::warn!(process = self.name, "did not end in time");
            let _ = child.kill().await;
        }
        // Whatever it wrote last should be read before what comes next.
        sleep(Duration::ZERO).await;
    }
}

fn spawn(line: &[OsString]) -> io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(line)
        .env(SUPERVISED, std::process::id().to_string())
        .kill_on_drop(true)
        .spawn()
}
