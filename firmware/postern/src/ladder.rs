//! `postern history` and `postern ladder`: calls as a person reads them.
//!
//! A ladder has a line for each message and each thing that call control told, with the time since the call began, the leg, the way
//! it went, and the first line of a message; `--messages` shows all of it.
//!
//! Not here: the figures themselves (control answers them, `control::history`).

use std::fmt::Write;

use serde_json::Value;

/// Lines of a list of calls.
#[must_use]
pub fn history(answer: &Value) -> String {
    let mut text = String::new();
    let calls = answer["calls"].as_array().map(Vec::as_slice);
    for call in calls.unwrap_or_default() {
        let word = |name: &str| call[name].as_str().unwrap_or("-").to_owned();
        let _ = writeln!(
            text,
            "{}  {}  {} {} -> {} {}  {} {}  {} s  MOS {}",
            call["call"],
            clock(call["began"].as_u64().unwrap_or(0)),
            word("from_trunk"),
            word("caller"),
            word("to_trunk"),
            word("called"),
            word("ending"),
            call["status"]
                .as_u64()
                .map_or_else(|| "-".into(), |status| status.to_string()),
            call["duration"],
            call["mos"]
                .as_f64()
                .map_or_else(|| "-".into(), |mos| format!("{mos:.2}")),
        );
    }
    text
}

/// How much of each message is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Its first line.
    FirstLine,
    /// All of it.
    Whole,
}

/// The ladder of a call.
#[must_use]
pub fn ladder(answer: &Value, depth: Depth) -> String {
    let mut text = history(&serde_json::json!({ "calls": [answer["summary"]] }));
    let began = answer["summary"]["began"].as_u64().unwrap_or(0);
    let items = answer["items"].as_array().map(Vec::as_slice);
    for item in items.unwrap_or_default() {
        let since = item["at"].as_u64().unwrap_or(began).saturating_sub(began);
        let _ = write!(text, "{:>10.3}  ", since as f64 / 1e6);
        if let Some(message) = item["text"].as_str() {
            let arrow = if item["way"] == "received" {
                "-->"
            } else {
                "<--"
            };
            let _ = writeln!(
                text,
                "leg {}  {} {arrow} box  {}  {}",
                item["leg"],
                item["remote"].as_str().unwrap_or_default(),
                item["transport"].as_str().unwrap_or_default(),
                printable(message.lines().next().unwrap_or_default()),
            );
            if depth == Depth::Whole {
                for line in message.lines() {
                    let _ = writeln!(text, "            | {}", printable(line));
                }
            }
        } else if let Some(told) = item["told"].as_object() {
            let word = told.get("event").and_then(Value::as_str).unwrap_or("?");
            let rest: Vec<String> = told
                .iter()
                .filter(|(name, value)| {
                    !matches!(name.as_str(), "event" | "call") && !value.is_null()
                })
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let _ = writeln!(text, "* {word}  {}", rest.join("  "));
        } else {
            let _ = writeln!(text, "* {} more that were left out", item["left_out"]);
        }
    }
    if answer["missing"]
        .as_u64()
        .is_some_and(|missing| missing > 0)
    {
        let _ = writeln!(text, "{} pieces of it are gone", answer["missing"]);
    }
    text
}

/// What comes from the network must not play with a terminal.
fn printable(line: &str) -> String {
    line.chars()
        .map(|char| if char.is_control() { '\u{fffd}' } else { char })
        .collect()
}

/// Hours, minutes and seconds of the day, UTC.
fn clock(micros: u64) -> String {
    let seconds = micros / 1_000_000 % 86_400;
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_ladder_reads_from_above() {
        let answer = json!({
            "summary": {"call": 7, "began": 3_600_000_000_u64, "from_trunk": "probe", "caller": "+1", "to_trunk": "teams", "called": "+2",
                "ending": "busy", "status": 486, "duration": 0, "mos": null},
            "missing": 1,
            "items": [
                {"at": 3_600_000_000_u64, "leg": 0, "way": "received", "transport": "udp", "remote": "127.0.0.9:5070",
                    "text": "INVITE sip:\u{1b}[2J@b SIP/2.0\r\nVia: x\r\n\r\n"},
                {"at": 3_600_250_000_u64, "told": {"event": "trying", "call": 7, "trunk": "teams"}},
                {"at": 3_601_000_000_u64, "left_out": 3},
            ],
        });
        let expected = "7  01:00:00  probe +1 -> teams +2  busy 486  0 s  MOS -\n     \
            0.000  leg 0  127.0.0.9:5070 --> box  udp  INVITE sip:\u{fffd}[2J@b SIP/2.0\n     \
            0.250  * trying  trunk=\"teams\"\n     \
            1.000  * 3 more that were left out\n\
            1 pieces of it are gone\n";
        assert_eq!(ladder(&answer, Depth::FirstLine), expected);
        assert!(ladder(&answer, Depth::Whole).contains("| Via: x\n"));
    }
}
