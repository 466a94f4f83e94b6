//! Processes that a bench starts and always ends, and the processor time that they have used.
//!
//! Time is user and system together, of the process and all its threads, from `/proc`.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A process that ends with the value.
pub(crate) struct Started(Child);

impl Started {
    pub(crate) fn new(command: &mut Command) -> Result<Self, Box<dyn Error>> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Ok(Self(
            child.map_err(|error| format!("{command:?}: {error}"))?,
        ))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Wait for its end; whether it was content.
    pub(crate) fn wait(&mut self) -> Result<bool, Box<dyn Error>> {
        Ok(self.0.wait()?.success())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // The whole group of a supervisor ends by its own signal handling; a kill of the supervisor ends its children, too.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        for _ in 0..100 {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Microseconds of processor time that a process has used.
pub(crate) fn used(pid: u32) -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold anything, but for a closing bracket at its end.
    let rest = stat.rsplit(')').next().ok_or("an odd stat")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let (user, system): (f64, f64) = (fields[11].parse()?, fields[12].parse()?);
    // A clock tick of Linux is 10 ms wherever this runs.
    Ok((user + system) * 10_000.0)
}

/// A process and all that it has started.
pub(crate) fn family(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut at = 0;
    while at < all.len() {
        let children = format!("/proc/{0}/task/{0}/children", all[at]);
        if let Ok(text) = fs::read_to_string(Path::new(&children)) {
            all.extend(
                text.split_whitespace()
                    .filter_map(|child| child.parse::<u32>().ok()),
            );
        }
        at += 1;
    }
    all
}
