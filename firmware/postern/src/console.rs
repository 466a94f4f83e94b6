//! `postern console`: the process of the web console, which gives the console what it lacks: the time, chance, and the last word on
//! a document.
//!
//! A process of its own, so that nothing that is done to it over the network can touch a call.
//!
//! Not here: the console itself (`console`).

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::{SystemTime, UNIX_EPOCH};

use console::doctor::{Physician, Report};
use console::{Console, Fault, Judge, Settings, World};
use ring::rand::{SecureRandom, SystemRandom};
use store::Wall;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli;
use crate::configuration::Configuration;
use crate::doctor;
use crate::notary::Office;
use crate::run_dir::RunDir;
use crate::supervise;

/// Threads that serve: pages wait for the disk now and then.
const THREADS: usize = 2;

/// Runs the process until it is told to end.
///
/// # Errors
/// What keeps it from starting: its folder, its address, the configuration.
pub fn run(arguments: &cli::Console) -> Result<(), Box<dyn Error>> {
    supervise::end_with_supervisor()?;
    let run = RunDir::at(&arguments.run)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("console")
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let settings = Settings {
            listen: arguments.listen,
            data: arguments.data.clone().unwrap_or_else(|| run.data()),
            config: arguments.config.clone(),
            door: run.control_socket(),
            notice: run.console_notice(),
        };
        let court = Court {
            file: arguments.config.clone(),
        };
        // Before its notice is there, by which others know that it is ready.
        run.announce("console")?;
        let physician = HouseCall {
            file: arguments.config.clone(),
            door: run.control_socket(),
        };
        let console = Console::open(settings, court, physician, Office, world()).await?;
        let address = console.address()?;
        if let Some(code) = console.setup_code() {
            tracing::info!("nobody has entered yet: open https://{address}/ and enter with the set-up code {code}");
        }
        tracing::info!(%address, "the console is ready");
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            served = console.serve() => Ok(served?),
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
        }
    })
}

fn world() -> World {
    let random = SystemRandom::new();
    World::new(
        || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            Wall(since.map_or(0, |since| since.as_secs()))
        },
        move |octets| {
            random
                .fill(octets)
                .map_err(|_| io::Error::other("no randomness"))
        },
    )
}

/// Judges documents as control would when it reads them.
struct Court {
    file: PathBuf,
}

impl Judge for Court {
    fn judge(&self, text: &str) -> Result<Vec<String>, Vec<Fault>> {
        match Configuration::of(text, &self.file, None) {
            Ok(configuration) => Ok(configuration
                .warnings()
                .iter()
                .map(ToString::to_string)
                .collect()),
            Err(error) => Err(error
                .faults()
                .into_iter()
                .map(|(finding, problem)| Fault {
                    line: finding.map(|finding| finding.place.line),
                    column: finding.map(|finding| finding.place.column),
                    path: finding.map_or_else(String::new, |finding| finding.path.clone()),
                    problem,
                })
                .collect()),
        }
    }
}

/// Examines this box.
struct HouseCall {
    file: PathBuf,
    door: PathBuf,
}

impl Physician for HouseCall {
    fn examine(&self) -> Pin<Box<dyn Future<Output = Report> + Send + '_>> {
        Box::pin(doctor::examine(&self.file, Some(&self.door)))
    }
}
