//! The watchdog: whoever stops feeding it finds the box started anew.
//!
//! It is opened early and never put to sleep, not even for an orderly restart: that may hang, too. A box without one is told of
//! in the log and goes on.
//!
//! Not here: when to feed (`health`).

use std::fs::{File, OpenOptions};
use std::io::Write;

/// A watchdog, if there is one.
#[derive(Debug)]
pub struct Watchdog(Option<File>);

impl Watchdog {
    /// Wakes it.
    #[must_use]
    pub fn wake() -> Self {
        match OpenOptions::new().write(true).open("/dev/watchdog") {
            Ok(file) => Self(Some(file)),
            Err(error) => {
                tracing::warn!(%error, "no watchdog: nobody restarts this box if it hangs");
                Self(None)
            }
        }
    }

    /// Feeds it.
    pub fn feed(&mut self) {
        // Any octet but the 'V' that would put it to sleep.
        if let Some(file) = &mut self.0
            && let Err(error) = file.write_all(b".")
        {
            tracing::warn!(%error, "the watchdog takes no food");
        }
    }

    /// Whether there is one.
    #[must_use]
    pub const fn is_there(&self) -> bool {
        self.0.is_some()
    }
}
