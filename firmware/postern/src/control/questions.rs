//! What can be asked through the door, as JSON, and the answers.
//!
//! ```text
//! {"query":"census"}  {"query":"calls"}  {"query":"network"}  {"query":"sounds"}  {"query":"trunks"}
//! {"command":"hang_up","call":7}  {"command":"drain"}  {"command":"resume"}  {"command":"reload"}
//! ```
//!
//! Commands are answered `{"done":true}` when the core has taken them, which is not when the call has ended; what is not
//! understood is answered with `error`.
//!
//! Not here: lines and callers (`door`).

use call::Input;
use call::api::{self, CallId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Control;

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Asked {
    Query { query: Query },
    Command(Command),
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Query {
    Census,
    Calls,
    Network,
    Sounds,
    Trunks,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
enum Command {
    HangUp { call: CallId },
    Drain,
    Resume,
    Reload,
}

#[derive(Serialize)]
struct Census {
    #[serde(flatten)]
    core: api::Census,
    /// Connections open or being opened, TCP and TLS.
    connections: usize,
    /// Whether media is there, so that calls are taken.
    media: bool,
    /// Messages and events of calls that could not be recorded, because too many came at once.
    unrecorded: u64,
}

/// Answers one line with one line.
pub(super) fn answer(control: &mut Control, line: &str) -> String {
    let answer = match serde_json::from_str(line) {
        Ok(Asked::Query { query }) => look(control, &query),
        Ok(Asked::Command(command)) => {
            obey(control, &command);
            Ok(json!({ "done": true }))
        }
        Err(error) => Err(error),
    };
    answer
        .unwrap_or_else(|error| json!({ "error": error.to_string() }))
        .to_string()
}

fn look(control: &Control, query: &Query) -> serde_json::Result<Value> {
    match query {
        Query::Census => serde_json::to_value(Census {
            core: control.core.census(),
            connections: control.network.connections(),
            media: control.media.is_up(),
            unrecorded: control.tap.lost(),
        }),
        Query::Calls => serde_json::to_value(control.core.calls().collect::<Vec<_>>()),
        Query::Sounds => serde_json::to_value(&control.sounds),
        Query::Trunks => serde_json::to_value(control.core.trunks(super::now().instant)),
        Query::Network => serde_json::to_value(control.network.counts()),
    }
}

fn obey(control: &mut Control, command: &Command) {
    let command = match command {
        Command::HangUp { call } => api::Command::HangUp(*call),
        Command::Drain => api::Command::Drain,
        Command::Resume => api::Command::Resume,
        Command::Reload => return control.reload(),
    };
    control.input(Input::Command(command));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_understood_as_written_down() {
        let asked = |line| serde_json::from_str::<Asked>(line).expect(line);
        assert_eq!(
            asked(r#"{"query":"census"}"#),
            Asked::Query {
                query: Query::Census
            }
        );
        assert_eq!(
            asked(r#"{"query":"calls"}"#),
            Asked::Query {
                query: Query::Calls
            }
        );
        assert_eq!(
            asked(r#"{"command":"hang_up","call":7}"#),
            Asked::Command(Command::HangUp { call: CallId(7) })
        );
        assert_eq!(
            asked(r#"{"command":"reload"}"#),
            Asked::Command(Command::Reload)
        );
        assert!(serde_json::from_str::<Asked>(r#"{"query":"secrets"}"#).is_err());
    }
}
