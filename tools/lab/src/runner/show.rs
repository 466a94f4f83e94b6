//! Calls as they go, a line an event, on standard error.
//!
//! Not here: the summary.

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::call::{Event, Phase, What};

/// Shows events until their peer is gone.
pub async fn show(mut events: Receiver<Event>) {
    loop {
        match events.recv().await {
            Ok(event) => {
                if let Some(line) = line(&event) {
                    eprintln!("{line}");
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

fn line(event: &Event) -> Option<String> {
    let what = match &event.what {
        What::Dialled => "dials".to_owned(),
        What::Came => "is called".to_owned(),
        What::Phase(Phase::Ringing(100)) => return None,
        What::Phase(Phase::Ringing(code)) => format!("rings ({code})"),
        What::Phase(Phase::Up) => "answered".to_owned(),
        What::Phase(Phase::Over(ending)) => format!("over: {ending:?}"),
        What::Phase(Phase::Calling) => return None,
        What::Media(agreed) => format!("audio: {agreed}"),
        What::Transfer(target) => format!("transfers to {target}"),
        What::Notified(code) => format!("transfer: {code}"),
    };
    Some(format!(
        "{:<12} {} -> {}  {what}",
        event.peer, event.caller, event.callee
    ))
}
