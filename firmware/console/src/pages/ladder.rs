//! The ladder of a call: all legs beside each other, each message an arrow to the box or from it, and between them what call control
//! decided and how it sounded.
//!
//! ```text
//!  leg 0 │ box │ leg 1 │ leg 2      a message of leg 0 spans the first gap, of leg 1 the second, of leg 2 the second and third
//! ```
//!
//! Not here: what happened, which the API tells.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};
use serde_json::Value;

use super::calls::or_dash;
use super::shell::Place;
use super::{Page, Reader, shell, time};
use crate::api::Path;
use crate::api::calls::{Ladder, Rung, climb};
use crate::app::App;
use crate::text::Words;

pub(crate) async fn page(
    State(app): State<Arc<App>>,
    reader: Reader,
    Path(call): Path<u64>,
) -> Page {
    let words = reader.language.words();
    let ladder = climb(&app, &reader.who, call)
        .await
        .map_err(reader.fails())?;
    let title = format!("{} {call}", words.call);
    let way = format!("/parts/history/{call}");
    let body = html! {
        h1 { (title) }
        p {
            a href={ "/api/v1/history/" (call) "/pcapng" } { (words.download_capture) } " · "
            a href={ "/api/v1/history/" (call) "/text" } { (words.download_text) }
        }
        div data-live=[ladder.summary.ended.is_none().then_some(way)] { (content(words, &ladder)) }
    };
    let page = shell::page(
        &title,
        Some(Place::History),
        &reader.who,
        reader.language,
        &body,
    );
    Ok(Html(page.into_string()))
}

/// The part of the page that is fetched again and again while the call runs.
pub(crate) async fn part(
    State(app): State<Arc<App>>,
    reader: Reader,
    Path(call): Path<u64>,
) -> Page {
    let ladder = climb(&app, &reader.who, call)
        .await
        .map_err(reader.fails())?;
    let content = content(reader.language.words(), &ladder);
    Ok(Html(content.into_string()))
}

fn content(words: &Words, ladder: &Ladder) -> Markup {
    html! {
        (summary(words, ladder))
        @if ladder.missing > 0 { p.note.warn { (words.missing) } }
        div data-done[ladder.summary.ended.is_some()] { (rungs(words, ladder)) }
    }
}

fn summary(words: &Words, ladder: &Ladder) -> Markup {
    let call = &ladder.summary;
    html! {
        dl.figures {
            div { dt { (words.caller) } dd { (or_dash(call.caller.as_deref())) } }
            div { dt { (words.called) } dd { (or_dash(call.called.as_deref())) } }
            div { dt { (words.trunk) } dd {
                (or_dash(call.from_trunk.as_deref())) " → " (or_dash(call.to_trunk.as_deref()))
            } }
            div { dt { (words.ended_so) } dd {
                (or_dash(call.ending.as_deref())) @if let Some(status) = call.status { " " (status) }
            } }
            @if let Some(mos) = call.mos { div { dt { (words.mos) } dd { (format!("{mos:.2}")) } } }
        }
        p.soft { (words.when) ": " (time::written(call.began / 1_000_000)) }
    }
}

fn rungs(words: &Words, ladder: &Ladder) -> Markup {
    let legs = ladder.items.iter().filter_map(|rung| rung.leg).max();
    // One gap at least, so that what is told has a place.
    let gaps = usize::from(legs.unwrap_or(0)).max(1) + 1;
    let party = |leg: usize| {
        let of_leg = |rung: &&Rung| rung.leg.map(usize::from) == Some(leg);
        let first = ladder.items.iter().find(of_leg);
        first.and_then(|rung| rung.remote.as_deref()).unwrap_or("–")
    };
    let began = ladder.summary.began;
    html! {
        div.wide role="region" aria-label=(words.ladder) tabindex="0" {
            table.ladder {
                caption { (words.ladder) }
                thead { tr {
                    th scope="col" { (words.time) }
                    @for leg in 0..gaps {
                        th scope="col" { (words.leg) " " (leg) ": " (party(leg)) @if leg == 0 { " ⇄ Postern" } @else { " ⇄" } }
                    }
                    th scope="col" { (words.message) }
                } }
                tbody {
                    @for rung in &ladder.items { (step(words, rung, began, gaps)) }
                }
            }
        }
    }
}

fn step(words: &Words, rung: &Rung, began: u64, gaps: usize) -> Markup {
    let since = format!("{:.3}", rung.at.saturating_sub(began) as f64 / 1e6);
    let Some(message) = &rung.text else {
        let said = match (&rung.told, rung.left_out) {
            (Some(told), _) => told_in_words(told),
            (None, left_out) => format!("{} {}", words.gap, left_out.unwrap_or_default()),
        };
        return html! {
            tr { td.number { (since) } td.told colspan=(gaps) { span { (said) } } td {} }
        };
    };
    let leg = usize::from(rung.leg.unwrap_or(0)).min(gaps - 1);
    let is_received = rung.way.as_deref() == Some("received");
    // Leg 0 is left of the box, all others are right of it.
    let is_right = is_received == (leg == 0);
    let (before, span) = if leg == 0 { (0, 1) } else { (1, leg) };
    let after = gaps - before - span;
    let first = message.lines().next().unwrap_or_default();
    html! {
        tr {
            td.number { (since) }
            @if before > 0 { td {} }
            td.arrow.right[is_right].left[!is_right] colspan=(span) { b { (shortened(first)) } }
            @if after > 0 { td colspan=(after) {} }
            td {
                details {
                    summary { (words.show_message) }
                    p.soft {
                        (rung.transport.as_deref().unwrap_or_default()) " "
                        (or_dash(rung.local.as_deref())) " ⇄ " (or_dash(rung.remote.as_deref()))
                    }
                    pre tabindex="0" { (message) }
                }
            }
        }
    }
}

/// A request by its method and whom it is for, a response by its status.
fn shortened(line: &str) -> String {
    let line = line
        .strip_prefix("SIP/2.0 ")
        .or_else(|| line.strip_suffix(" SIP/2.0"))
        .unwrap_or(line);
    let short: String = line.chars().take(60).collect();
    if short.len() < line.len() {
        format!("{short}…")
    } else {
        short
    }
}

/// What call control told, on one line: the event, then what it says of it.
fn told_in_words(told: &Value) -> String {
    let Some(fields) = told.as_object() else {
        return told.to_string();
    };
    let event = fields.get("event").and_then(Value::as_str).unwrap_or("?");
    let rest = fields
        .iter()
        .filter(|(name, value)| !matches!(name.as_str(), "event" | "call") && !value.is_null())
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name} {text}"),
            value => format!("{name} {value}"),
        });
    std::iter::once(event.replace('_', " "))
        .chain(rest)
        .collect::<Vec<_>>()
        .join(" · ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::text::Language;

    fn rung(value: Value) -> Rung {
        let mut whole = json!({"at": 1_000_000, "leg": null, "way": null, "transport": "udp", "local": null, "remote": "192.0.2.1:5060",
            "text": null, "told": null, "left_out": null});
        for (name, value) in value.as_object().expect("an object") {
            whole[name] = value.clone();
        }
        serde_json::from_value(whole).expect("a rung")
    }

    #[test]
    fn a_message_is_an_arrow_the_right_way_and_its_text_is_only_text() {
        let words = Language::English.words();
        let shown = |leg: u8, way: &str| {
            let hostile = rung(
                json!({"leg": leg, "way": way, "text": "INVITE sip:<script>@x SIP/2.0\r\nSubject: <b>\r\n"}),
            );
            step(words, &hostile, 0, 3).into_string()
        };
        assert!(shown(0, "received").contains("arrow right\" colspan=\"1\""));
        assert!(shown(0, "sent").contains("arrow left\" colspan=\"1\""));
        assert!(shown(1, "sent").contains("arrow right\" colspan=\"1\""));
        assert!(shown(2, "received").contains("arrow left\" colspan=\"2\""));
        let text = shown(0, "received");
        assert!(
            !text.contains("<script>") && text.contains("&lt;script&gt;"),
            "{text}"
        );
        assert!(!text.contains("<b>\r"), "{text}");
    }

    #[test]
    fn what_was_told_is_one_line() {
        let told =
            json!({"event": "turned_away", "call": 3, "why": "busy", "status": 486, "by": null});
        assert_eq!(told_in_words(&told), "turned away · status 486 · why busy");
        assert_eq!(shortened("SIP/2.0 486 Busy Here"), "486 Busy Here");
        assert_eq!(shortened("BYE sip:a@b SIP/2.0"), "BYE sip:a@b");
    }
}
