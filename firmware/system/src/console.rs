//! The serial console: what a person who stands before the box can do. No shell: a few words.
//!
//! Whoever reaches the port holds the box in his hands, so nothing is asked of him but, before what cannot be undone, the
//! same word twice.
//!
//! Not here: doing it (`init`).

use std::fmt::Write as _;

/// What can be said.
pub const HELP: &str = "\
status          the release, its addresses, the planes
code            the code that sets up the web console for the first time
update URL      take the bundle at this http address, and restart into it when it is stored
restart         restart the box in order
off             switch it off in order
reset           forget all settings and restart; asks once more
help            this
";

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Tell how things are.
    Status,
    /// Tell the set-up code.
    Code,
    /// Take a release.
    Update(String),
    /// Restart.
    Restart,
    /// Switch off.
    Off,
    /// Forget all settings: said twice.
    Reset,
    /// Say so again to have it done.
    SureToReset,
    /// Tell what can be said.
    Help,
    /// Nothing.
    Nothing,
}

/// A conversation at the console.
#[derive(Debug, Default)]
pub struct Console {
    asked_to_reset: bool,
}

impl Console {
    /// Hears a line.
    pub fn hear(&mut self, line: &str) -> Word {
        let asked = std::mem::take(&mut self.asked_to_reset);
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [] => Word::Nothing,
            ["status"] => Word::Status,
            ["code"] => Word::Code,
            ["update", url] => Word::Update(url.to_owned()),
            ["restart"] => Word::Restart,
            ["off"] => Word::Off,
            ["reset"] if asked => Word::Reset,
            ["reset"] => {
                self.asked_to_reset = true;
                Word::SureToReset
            }
            _ => Word::Help,
        }
    }
}

/// What is told of the box.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// The board and the release.
    pub release: String,
    /// Whether the release is on trial.
    pub on_trial: bool,
    /// Link and address.
    pub addresses: Vec<(String, String)>,
    /// Plane, whether it runs, how often it was started again.
    pub planes: Vec<(String, bool, u32)>,
    /// Whether control and media answer.
    pub well: bool,
    /// Whether what is written survives a restart.
    pub keeps_data: bool,
    /// Kibibytes of memory in use, of all.
    pub memory: Option<(u64, u64)>,
    /// What became of the last update.
    pub last_update: Option<String>,
    /// The code by which the web console is entered for the first time, while nobody has.
    pub code: Option<String>,
}

impl Status {
    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let trial = if self.on_trial { ", on trial" } else { "" };
        let _ = writeln!(text, "release    {}{trial}", self.release);
        for (link, address) in &self.addresses {
            let _ = writeln!(text, "address    {address} on {link}");
        }
        if self.addresses.is_empty() {
            text.push_str("address    none yet\n");
        }
        for (_, address) in &self.addresses {
            let host = match address.contains(':') {
                true => format!("[{address}]"),
                false => address.clone(),
            };
            let _ = writeln!(text, "open       https://{host}/");
        }
        if let Some(code) = &self.code {
            let _ = writeln!(text, "code       {code}");
        }
        for (plane, runs, restarts) in &self.planes {
            let state = if *runs { "runs" } else { "does not run" };
            let _ = writeln!(text, "{plane:<10} {state}, started again {restarts} times");
        }
        let health = if self.well { "well" } else { "not well" };
        let _ = writeln!(text, "health     {health}");
        if let Some((used, all)) = self.memory {
            let _ = writeln!(text, "memory     {} of {} MiB", used / 1024, all / 1024);
        }
        if !self.keeps_data {
            text.push_str("data       NOT MOUNTED: settings are lost with the next restart\n");
        }
        if let Some(last) = &self.last_update {
            let _ = writeln!(text, "update     {last}");
        }
        text
    }
}

/// Memory in use and all of it, in kibibytes, by `/proc/meminfo`.
#[must_use]
pub fn memory(meminfo: &str) -> Option<(u64, u64)> {
    let fact = |key: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let all = fact("MemTotal:")?;
    Some((all.saturating_sub(fact("MemAvailable:")?), all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_undone_is_said_twice_in_a_row() {
        let mut console = Console::default();
        assert_eq!(console.hear("reset"), Word::SureToReset);
        assert_eq!(console.hear("status"), Word::Status);
        assert_eq!(console.hear("reset"), Word::SureToReset);
        assert_eq!(console.hear(" reset \r"), Word::Reset);
        assert_eq!(console.hear("reset"), Word::SureToReset);
    }

    #[test]
    fn words_are_understood_and_others_answered_with_help() {
        let mut console = Console::default();
        let update = Word::Update("http://192.0.2.1/b".to_owned());
        assert_eq!(console.hear("update http://192.0.2.1/b"), update);
        assert_eq!(console.hear(""), Word::Nothing);
        assert_eq!(console.hear("update"), Word::Help);
        assert_eq!(console.hear("sh"), Word::Help);
    }

    #[test]
    fn memory_in_use_is_what_nobody_can_have() {
        let meminfo = "MemTotal:  500000 kB\nMemFree:  100 kB\nMemAvailable:  400000 kB\n";
        assert_eq!(memory(meminfo), Some((100_000, 500_000)));
        assert_eq!(memory("MemTotal: x"), None);
    }

    #[test]
    fn what_is_wrong_stands_in_the_status() {
        let text = Status::default().text();
        assert!(
            text.contains("none yet") && text.contains("NOT MOUNTED") && text.contains("not well")
        );
    }
}
