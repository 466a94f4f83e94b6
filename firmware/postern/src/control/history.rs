//! Questions about calls that are over, or on their way, as JSON through the door, and their answers.
//!
//! ```text
//! {"history":{"text":"+1202","most":20}}     the newest first; also tenant, trunk, ending, since, until (microseconds), after
//! {"ladder":{"call":7}}                      all that happened in a call; "form":"pcapng" for a capture, in base64
//! ```
//!
//! Secrets are taken out of messages; who must see them reads the file, with the rights of its owner.
//!
//! Not here: the keeping (`recorder`, `store::trace`); who may ask (`door`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use store::trace::{
    CallNumber, Found, Item, Message, Micros, Page, Query, Summary, Transport, Way, What, pcapng,
    redact,
};
use tokio::sync::oneshot;

use super::recorder::{Asked, Tap};

/// Calls on a page, unless asked for fewer.
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 1_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Question {
    History(Sought),
    Ladder(One),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Sought {
    text: Option<String>,
    tenant: Option<String>,
    trunk: Option<String>,
    ending: Option<String>,
    since: Option<u64>,
    until: Option<u64>,
    after: Option<u64>,
    most: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    call: u64,
    #[serde(default)]
    form: Form,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    #[default]
    Items,
    Pcapng,
}

/// Has a question answered by the recorder. Gives the answer's way back where it is no such question.
pub(super) fn answer(
    tap: &Tap,
    line: &str,
    answer: oneshot::Sender<String>,
) -> Option<oneshot::Sender<String>> {
    let Ok(question) = serde_json::from_str(line) else {
        return Some(answer);
    };
    // A caller that did not wait does not want it.
    let say = move |value: Value| drop(answer.send(value.to_string()));
    tap.ask(match question {
        Question::History(sought) => {
            Asked::Search(sought.query(), Box::new(move |page| say(page_of(&page))))
        }
        Question::Ladder(One { call, form }) => Asked::Read(
            CallNumber(call),
            Box::new(move |found| {
                say(found.map_or_else(
                    || json!({ "error": "no such call is kept" }),
                    |found| ladder(found, form),
                ));
            }),
        ),
    });
    None
}

impl Sought {
    fn query(self) -> Query {
        Query {
            text: self.text,
            tenant: self.tenant,
            trunk: self.trunk,
            ending: self.ending,
            since: self.since.map(Micros),
            until: self.until.map(Micros),
            after: self.after,
            most: self.most.unwrap_or(PAGE).min(LARGEST_PAGE),
        }
    }
}

fn page_of(page: &Page) -> Value {
    let calls: Vec<Value> = page.calls.iter().map(glance).collect();
    json!({ "calls": calls, "next": page.next })
}

fn glance(summary: &Summary) -> Value {
    json!({
        "call": summary.call.0,
        "began": summary.began.0,
        "ended": (summary.ended != Micros(0)).then_some(summary.ended.0),
        "from_trunk": summary.from_trunk,
        "to_trunk": summary.to_trunk,
        "tenant": summary.tenant,
        "caller": summary.caller,
        "called": summary.called,
        "ending": (!summary.ending.is_empty()).then_some(&summary.ending),
        "status": summary.status,
        "duration": summary.duration,
        "mos": summary.opinion.map(|opinion| f64::from(opinion) / 100.0),
        "correlation": summary.correlation,
        "call_ids": summary.call_ids,
    })
}

fn ladder(found: Found, form: Form) -> Value {
    let Found {
        summary,
        mut items,
        missing,
    } = found;
    for item in &mut items {
        if let What::Message { message, .. } = &mut item.what {
            message.bytes = Bytes::from(redact(&message.bytes));
        }
    }
    let mut told = json!({ "summary": glance(&summary), "missing": missing });
    told[match form {
        Form::Items => "items",
        Form::Pcapng => "pcapng",
    }] = match form {
        Form::Items => items.iter().map(rung).collect(),
        Form::Pcapng => STANDARD.encode(pcapng(&items)).into(),
    };
    told
}

fn rung(item: &Item) -> Value {
    let mut rung = match &item.what {
        What::Message { leg, message } => {
            let mut rung = wire(message);
            rung["leg"] = leg.0.into();
            rung
        }
        // What call control tells is JSON as it is.
        What::Told(told) => json!({ "told": serde_json::from_str::<Value>(told).ok() }),
        What::LeftOut(count) => json!({ "left_out": count }),
    };
    rung["at"] = item.at.0.into();
    rung
}

fn wire(message: &Message) -> Value {
    json!({
        "way": match message.way {
            Way::Received => "received",
            Way::Sent => "sent",
        },
        "transport": match message.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
        },
        "local": message.local,
        "remote": message.remote,
        "text": String::from_utf8_lossy(&message.bytes),
    })
}
