//! The first page: how the box is, and the calls of the last hour.
//!
//! Not here: single calls.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};
use serde_json::Value;

use super::shell::Place;
use super::{Page, Reader, calls, configuration, shell};
use crate::accounts::Right;
use crate::api::status::{self, Status};
use crate::api::trunks::{self, Trunk};
use crate::api::{Problem, calls as api};
use crate::app::App;
use crate::text::Words;

pub(crate) async fn page(State(app): State<Arc<App>>, reader: Reader) -> Page {
    let words = reader.language.words();
    let content = content(&app, &reader).await.map_err(reader.fails())?;
    let body = html! {
        h1 { (words.home) }
        div data-live="/parts/home" { (content) }
    };
    let page = shell::page(
        words.home,
        Some(Place::Home),
        &reader.who,
        reader.language,
        &body,
    );
    Ok(Html(page.into_string()))
}

/// The part of the page that is fetched again and again.
pub(crate) async fn part(State(app): State<Arc<App>>, reader: Reader) -> Page {
    let content = content(&app, &reader).await.map_err(reader.fails())?;
    Ok(Html(content.into_string()))
}

async fn content(app: &App, reader: &Reader) -> Result<Markup, Problem> {
    let words = reader.language.words();
    let live = api::now(app, &reader.who).await;
    let trunks = trunks::seen(app, &reader.who).await.unwrap_or_default();
    let shown = match (live, reader.who.role.may(Right::SeeBox)) {
        (Err(problem), _) if problem.kind != "control_away" => return Err(problem),
        (Err(_), _) => html! { p.note.bad role="alert" { (words.control_away) } },
        (Ok(live), true) => {
            let status = status::of(app).await?;
            html! {
                @if let Some(until) = status.confirm_until {
                    (configuration::pending(words, &reader.who, until))
                }
                (figures(words, &status))
                h2 { (words.trunks) }
                (trunk_table(words, &trunks))
                h2 { (words.calls_last_hour) }
                (plot(words, &status.pulse))
                h2 { (words.live) }
                (calls::live_table(words, &reader.who, &live))
            }
        }
        (Ok(live), false) => html! {
            h2 { (words.trunks) }
            (trunk_table(words, &trunks))
            h2 { (words.live) }
            (calls::live_table(words, &reader.who, &live))
        },
    };
    Ok(shown)
}

fn figures(words: &Words, status: &Status) -> Markup {
    let figure = |name: &str| {
        let census = status.census.as_ref()?;
        census.get(name).and_then(Value::as_u64)
    };
    let media = status
        .census
        .as_ref()
        .and_then(|census| census["media"].as_bool());
    html! {
        dl.figures {
            @for (name, word) in [
                (words.calls, "calls"), (words.legs, "legs"), (words.ports, "ports"), (words.connections, "connections"),
            ] {
                @if let Some(figure) = figure(word) { div { dt { (name) } dd { (figure) } } }
            }
            @if let Some(is_up) = media {
                div {
                    dt { (words.media) }
                    dd.good[is_up].bad[!is_up] { (if is_up { words.media_up } else { words.media_down }) }
                }
            }
            @if let Some(version) = status.configuration {
                div { dt { (words.configuration) } dd { (version) } }
            }
        }
    }
}

/// Each target of each trunk, with what it last said.
fn trunk_table(words: &Words, trunks: &[Trunk]) -> Markup {
    if trunks.is_empty() {
        return html! { p.empty { (words.no_trunks) } };
    }
    html! {
        div.wide role="region" aria-label=(words.trunks) tabindex="0" { table {
            thead { tr {
                th scope="col" { (words.trunk) } th scope="col" { (words.target) } th scope="col" { (words.stage) }
                th scope="col" { (words.last_options) }
            } }
            tbody {
                @for trunk in trunks {
                    @if let Some(state) = &trunk.registration {
                        tr { td { (trunk.trunk) } td { (words.registration) } (state_cell(state)) td {} }
                    }
                    @for target in &trunk.targets {
                        tr {
                            td { (trunk.trunk) } td { (target.target) } (state_cell(&target.state))
                            td {
                                (target.reason.as_deref().unwrap_or("–"))
                                @if let Some(ago) = target.ago { span.soft { " · −" (ago) " " (words.seconds) } }
                            }
                        }
                    }
                    @if trunk.targets.is_empty() && trunk.registration.is_none() {
                        tr { td { (trunk.trunk) } td { "–" } td { "–" } td { (words.not_asked) } }
                    }
                }
            }
        } }
    }
}

fn state_cell(state: &str) -> Markup {
    let colour = match state {
        "up" | "registered" => "good",
        "unknown" | "trying" => "warn",
        _ => "bad",
    };
    html! { td { b class=(colour) { (state) } } }
}

/// A line of samples; gaps where there are none.
fn plot(words: &Words, samples: &[Option<u32>]) -> Markup {
    const WIDTH: usize = 720;
    const HEIGHT: u32 = 100;
    let most = samples.iter().flatten().copied().max().unwrap_or(0).max(1);
    let first = WIDTH.saturating_sub(samples.len());
    let mut lines = vec![String::new()];
    for (place, sample) in samples.iter().enumerate() {
        match sample {
            Some(calls) => {
                let height = f64::from(HEIGHT - 4) * f64::from(*calls) / f64::from(most);
                let line = lines.last_mut().expect("there is always one");
                let _ = write!(
                    line,
                    "{},{:.1} ",
                    first + place,
                    f64::from(HEIGHT - 2) - height
                );
            }
            None => lines.push(String::new()),
        }
    }
    let now = samples.last().copied().flatten().unwrap_or(0);
    let said = format!("{}: {now} ({most} max)", words.calls_last_hour);
    html! {
        svg.plot viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(said) {
            @for line in lines.iter().filter(|line| !line.is_empty()) { polyline points=(line.trim()) {} }
        }
    }
}
