//! The doctor: looks at all that a call depends on and says what to do about each red line, before calls fail by it.
//!
//! ```text
//!  configuration, files ─┐
//!  DNS, TLS to each peer ─┼──► observe.rs: what was seen ──► judge.rs: green, amber, red ──► console::doctor::Report
//!  control's door ────────┘
//! ```
//!
//! What was seen is plain data and what follows from it is a function of it, so that every red line has a test without a network.
//!
//! Not here: the words of a report (`console::doctor`).

mod judge;
mod observe;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use console::doctor::{Check, Finding, Light, Report};

use crate::configuration::Configuration;

/// Looks at a box by its configuration, and asks its control where that runs.
pub async fn examine(config: &Path, door: Option<&Path>) -> Report {
    let configuration = match Configuration::load(config, None) {
        Ok(configuration) => configuration,
        Err(error) => {
            let faults = error.faults().into_iter();
            let findings = faults.map(|(place, problem)| Finding {
                about: "box".to_owned(),
                check: Check::Configuration,
                light: Light::Red,
                seen: match place {
                    Some(finding) => format!("line {}: {problem}", finding.place.line),
                    None => problem,
                },
                cure: Some("Correct it, and examine again.".to_owned()),
            });
            return Report {
                findings: findings.collect(),
            };
        }
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    let seen = observe::observe(config, &configuration, door, now).await;
    judge::judge(configuration.snapshot(), &seen)
}
