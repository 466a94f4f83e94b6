//! What the box sends within a call, and our answers: BYE, CANCEL, ACK, re-INVITE, NOTIFY and the rest.
//!
//! Not here: what the judge of a peer refuses before any of this; requests of ours (`change.rs`).

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::dialled::take_answer;
use super::negotiation::Keys;
use super::{Call, Ending, Phase, Refusal, What};
use crate::complaint::Rule;
use crate::sdp::Direction;
use crate::sip::values::NameAddr;
use crate::sip::{Incoming, Message};

/// A call that is over still answers what crosses its end.
const LINGER: Duration = Duration::from_secs(4);

/// Until the call has been over for a while.
pub(super) async fn hear(call: Call, mut requests: mpsc::UnboundedReceiver<Incoming>) {
    let end = async {
        let _ = call.over(Duration::MAX).await;
        sleep(LINGER).await;
    };
    tokio::pin!(end);
    loop {
        tokio::select! {
            request = requests.recv() => match request {
                Some(incoming) => take(&call, incoming),
                None => return,
            },
            () = &mut end => return,
        }
    }
}

fn take(call: &Call, incoming: Incoming) {
    call.note(&incoming.message);
    let method = incoming.message.method().unwrap_or_default().to_owned();
    if method != "CANCEL"
        && let Err(refusal) = call.0.persona.judge.request(&incoming)
    {
        if method != "ACK" {
            call.refuse_request(&incoming, &refusal);
        }
        return;
    }
    judge_route(call, &incoming.message);
    match method.as_str() {
        "ACK" => acknowledged(call, &incoming.message),
        "BYE" => {
            answer(call, &incoming, 200, "OK");
            let reason = incoming.message.header("Reason").map(str::to_owned);
            call.enter(Phase::Over(Ending::HungUpThere(reason)));
        }
        "CANCEL" => cancelled(call, &incoming.message),
        "INVITE" => changed(call, &incoming),
        "UPDATE" if incoming.message.sdp().is_some() => changed(call, &incoming),
        "NOTIFY" => notified(call, &incoming),
        "PRACK" => {
            answer(call, &incoming, 200, "OK");
            call.0.nudge.notify_one();
        }
        "OPTIONS" | "INFO" | "UPDATE" | "MESSAGE" => answer(call, &incoming, 200, "OK"),
        "REFER" => answer(call, &incoming, 603, "Decline"),
        _ => answer(call, &incoming, 501, "Not Implemented"),
    }
}

/// INV-09: what belongs to a dialog comes by its route set, to our Contact as we wrote it.
fn judge_route(call: &Call, request: &Message) {
    let persona = &call.0.persona;
    let Some(route) = &persona.record_route else {
        return;
    };
    if request.method() == Some("CANCEL") {
        return;
    }
    let ours = NameAddr::parse(&call.0.contact).map(|contact| contact.uri);
    let fits =
        request.values("Route").first() == Some(&route.as_str()) && Some(request.uri()) == ours;
    if !fits {
        let detail = format!(
            "{} to {} by {:?}",
            request.method().unwrap_or_default(),
            request.uri(),
            request.header("Route")
        );
        persona.complaints.add(Rule::RouteIgnored, detail);
    }
}

fn answer(call: &Call, incoming: &Incoming, code: u16, phrase: &str) {
    let reply = call.reply(incoming, code, phrase);
    call.0.persona.endpoint.respond(incoming, reply);
}

fn acknowledged(call: &Call, ack: &Message) {
    let Some(invite) = call.state().awaiting_ack.take() else {
        return;
    };
    call.0.persona.endpoint.acknowledged(&invite.message);
    // An INVITE without an offer: ours went with the 2xx, the answer comes now.
    if invite.message.sdp().is_none() {
        match ack.sdp() {
            Some(text) => take_answer(call, text),
            None => call
                .0
                .persona
                .complaints
                .add(Rule::BadSdp, "an ACK without the answer that it owes"),
        }
    }
}

fn cancelled(call: &Call, cancel: &Message) {
    let Some(invite) = call.state().invite.take() else {
        return;
    };
    call.refuse_request(&invite, &Refusal::new(487, "Request Terminated"));
    let reason = cancel.header("Reason").map(str::to_owned);
    call.enter(Phase::Over(Ending::Cancelled(reason)));
}

/// A re-INVITE, or an UPDATE with an offer.
fn changed(call: &Call, incoming: &Incoming) {
    if call.state().offering {
        return answer(call, incoming, 491, "Request Pending");
    }
    if matches!(call.phase(), Phase::Over(_)) {
        return answer(call, incoming, 481, "Call/Transaction Does Not Exist");
    }
    call.state().dialog.refresh(&incoming.message);
    let described = match incoming.message.sdp() {
        Some(text) => call.answer_offer(text),
        None => {
            let mut state = call.state();
            let direction = if state.holding {
                Direction::Inactive
            } else {
                Direction::SendRecv
            };
            Ok(state.negotiation.offer(direction, Keys::Same))
        }
    };
    let ours = match described {
        Ok(ours) => ours,
        Err(refusal) => return call.refuse_request(incoming, &refusal),
    };
    let mut reply = call.reply(incoming, 200, "OK");
    if let Some(interval) = incoming.message.header("Session-Expires") {
        reply = reply.with("Session-Expires", interval);
    }
    reply = reply.with_body("application/sdp", ours.print());
    if incoming.message.method() == Some("INVITE") {
        call.await_ack(incoming, reply);
    } else {
        call.0.persona.endpoint.respond(incoming, reply);
    }
    if incoming.message.sdp().is_some() {
        call.follow();
    }
}

/// RFC 3515 §2.4.5: the fate of a transfer, as a status line.
fn notified(call: &Call, incoming: &Incoming) {
    answer(call, incoming, 200, "OK");
    let line = String::from_utf8_lossy(incoming.message.body()).into_owned();
    let code = line
        .strip_prefix("SIP/2.0 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|code| code.parse::<u16>().ok());
    let Some(code) = code else {
        return call
            .0
            .persona
            .complaints
            .add(Rule::TransferReport, format!("a NOTIFY with {line:?}"));
    };
    call.0.notified.send_modify(|codes| codes.push(code));
    call.tell(What::Notified(code));
}
