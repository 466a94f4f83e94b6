//! Processes that a bench starts: ended with their value, with what they and their children cost, from `/proc`.
//!
//! They end with the thread that started them, even if that is killed: a contender left behind would cost the next bench what it
//! costs.
//!
//! The cost of a tree of processes is that of those alive; the benches start none that come and go while they are measured.
//!
//! Not here: what they are told.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Between two looks.
pub(crate) const GLANCE: Duration = Duration::from_millis(20);
/// From SIGTERM to SIGKILL.
const END: Duration = Duration::from_secs(10);

/// A running program, its output in a file.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Starts `command` in `folder`; `name` tells its log from others there.
    pub(crate) fn start(name: &str, folder: &Path, command: &mut Command) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).expect("a log");
        let child = mortal(command)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self {
            child,
            name: name.to_owned(),
            log,
        }
    }

    /// Waits until `ready` says so.
    pub(crate) fn await_ready(&mut self, patience: Duration, mut ready: impl FnMut() -> bool) {
        let until = Instant::now() + patience;
        while !ready() {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                panic!("{} ended, {status}:\n{}", self.name, self.log_end());
            }
            assert!(
                Instant::now() < until,
                "{} is not ready:\n{}",
                self.name,
                self.log_end()
            );
            thread::sleep(GLANCE);
        }
    }

    /// Waits until it ends by itself.
    pub(crate) fn await_end(&mut self, patience: Duration) -> ExitStatus {
        let until = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            assert!(Instant::now() < until, "{} does not end", self.name);
            thread::sleep(GLANCE);
        }
    }

    /// The last lines of what it said.
    pub(crate) fn log_end(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&log).into_owned();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// CPU spent so far, user and system, by it and all below it.
    pub(crate) fn cpu(&self) -> Duration {
        family(self.id()).into_iter().map(cpu).sum()
    }

    /// Memory it and all below it hold, what is shared counted once, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        family(self.id()).into_iter().map(memory).sum()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // Gone already: then there is nothing to end.
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
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
}

/// The same command, ended by the kernel with the thread that starts it (util-linux).
fn mortal(command: &Command) -> Command {
    let mut mortal = Command::new("setpriv");
    mortal
        .args(["--pdeathsig", "TERM", "--"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => mortal.env(name, value),
            None => mortal.env_remove(name),
        };
    }
    mortal
}

/// A process and all that descend from it.
fn family(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|process: u32| Some((process, fields(process)?.get(1)?.parse().ok()?)))
        .collect();
    let mut family = vec![root];
    let mut next = 0;
    while next < family.len() {
        let parent = family[next];
        family.extend(
            parents
                .iter()
                .filter(|(_, of)| *of == parent)
                .map(|(child, _)| *child),
        );
        next += 1;
    }
    family
}

/// The fields of `/proc/N/stat` from the third, the state, on: the second, a name, may hold anything.
fn fields(process: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// The kernel tells programs the time of processes in hundredths of a second, whatever its own clock.
fn cpu(process: u32) -> Duration {
    let ticks: u64 = fields(process).map_or(0, |fields| {
        // utime and stime, fields 14 and 15 of proc(5).
        fields[11..13]
            .iter()
            .filter_map(|ticks| ticks.parse::<u64>().ok())
            .sum()
    });
    Duration::from_millis(ticks * 10)
}

fn memory(process: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    rollup
        .lines()
        .find_map(|line| line.strip_prefix("Pss:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok())
        .map_or(0, |kibibytes| kibibytes * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_ends_with_who_started_it() {
        let start = || {
            let mut sleeper = Process::start(
                "sleeper",
                &std::env::temp_dir(),
                Command::new("sleep").arg("1000"),
            );
            let id = sleeper.id();
            let name = PathBuf::from(format!("/proc/{id}/comm"));
            sleeper.await_ready(Duration::from_secs(60), || {
                fs::read_to_string(&name).is_ok_and(|name| name.trim() == "sleep")
            });
            // As if it had been killed: nothing is dropped.
            std::mem::forget(sleeper);
            id
        };
        let id = thread::spawn(start).join().expect("it starts");
        let until = Instant::now() + Duration::from_secs(60);
        while fields(id).is_some_and(|fields| fields[0] != "Z") {
            assert!(Instant::now() < until, "it is still there");
            thread::sleep(GLANCE);
        }
    }

    #[test]
    fn a_process_costs_what_it_burns_and_holds_what_it_has() {
        let mut burner = Process::start(
            "burner",
            &std::env::temp_dir(),
            Command::new("sh").args(["-c", "while :; do :; done"]),
        );
        let id = burner.id();
        burner.await_ready(Duration::from_secs(60), || {
            cpu(id) > Duration::from_millis(100)
        });
        assert!(burner.cpu() > Duration::from_millis(100));
        assert!(burner.memory() > 100_000);
        assert!(
            family(std::process::id()).contains(&id),
            "it descends from this"
        );
    }
}
