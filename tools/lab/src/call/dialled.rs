//! Dialling: the INVITE, its provisional answers and forks, its end, and the ACK.
//!
//! Not here: what happens once the call is up (`change.rs`, `hear.rs`).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::dialog::Dialog;
use super::negotiation::Keys;
use super::{Call, Cancel, Ending, Persona, Phase, SdpRole, Side, What, number_in};
use crate::complaint::Rule;
use crate::sdp::{Direction, Sdp};
use crate::sip::{Message, Transaction};

/// How long repeated 2xx are acknowledged again.
const LATE_ANSWERS: Duration = Duration::from_secs(5);

/// Whom to call, and how.
#[derive(Debug, Clone)]
pub struct Dial {
    /// The Request-URI.
    pub uri: String,
    /// From, without a tag.
    pub from: String,
    /// To.
    pub to: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// The offer.
    pub offer: OfferWhen,
}

/// Where our offer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferWhen {
    /// In the INVITE.
    Early,
    /// Nowhere: the box offers in its 2xx, we answer in the ACK (RFC 3261 §13.2.1).
    Delayed,
    /// In the INVITE, on hold from the first.
    EarlyOnHold,
}

impl Call {
    /// Sends the INVITE; the rest happens behind the handle.
    ///
    /// # Errors
    /// Where no media ports are free.
    pub async fn dial(persona: &Arc<Persona>, dial: Dial) -> io::Result<Self> {
        let dialog = Dialog::calling(&dial.uri, &dial.from, &dial.to);
        let numbers = (number_in(&dial.from), number_in(&dial.uri));
        let call = Self::new(persona, Side::Caller, dialog, numbers).await?;
        call.tell(What::Dialled);
        tokio::spawn(run(call.clone(), dial));
        Ok(call)
    }

    /// Gives up a call that is not up yet.
    pub fn cancel(&self, reason: Option<&str>) {
        self.state().cancel = Some(Cancel {
            reason: reason.map(str::to_owned),
        });
        self.0.nudge.notify_one();
    }
}

async fn run(call: Call, dial: Dial) {
    let persona = call.0.persona.clone();
    let flow = match persona.dialler.open(&dial.uri).await {
        Ok(flow) => flow,
        Err(error) => return call.enter(Phase::Over(Ending::NoAnswer(error.to_string()))),
    };
    let mut invite = call.compose("INVITE").with_all(&dial.headers);
    if let Some(route) = &persona.record_route {
        invite = invite.with("Record-Route", route);
    }
    let direction = match dial.offer {
        OfferWhen::Early => Some(Direction::SendRecv),
        OfferWhen::EarlyOnHold => Some(Direction::Inactive),
        OfferWhen::Delayed => None,
    };
    if let Some(direction) = direction {
        let offer = call.state().negotiation.offer(direction, Keys::Same);
        invite = invite.with_body("application/sdp", offer.print());
    }
    let mut transaction = persona.endpoint.send(&flow, invite);
    let answered = follow_answers(&call, &mut transaction).await;
    if let Some(number) = answered {
        acknowledge_again(&call, transaction, number).await;
    }
}

/// Until the final answer. The number of the INVITE where it was a 2xx.
async fn follow_answers(call: &Call, transaction: &mut Transaction) -> Option<u32> {
    let mut cancelled = false;
    loop {
        let cancel = call.state().cancel.clone();
        if let (Some(cancel), false, true) = (cancel, cancelled, call.phase() != Phase::Calling) {
            // RFC 3261 §9.1: only after a provisional response.
            cancelled = true;
            transaction.cancel(cancel.reason.as_deref());
        }
        let response = tokio::select! {
            response = transaction.next() => response,
            () = call.0.nudge.notified() => continue,
        };
        let Some(response) = response else {
            let ending = if cancelled {
                Ending::Cancelled(None)
            } else {
                Ending::NoAnswer("no response".to_owned())
            };
            call.enter(Phase::Over(ending));
            return None;
        };
        call.note(&response);
        call.0
            .persona
            .judge
            .response(transaction.request(), &response);
        match response.code().unwrap_or_default() {
            100 => call.enter(Phase::Ringing(100)),
            code @ 101..200 => provisional(call, code, &response).await,
            200..300 => {
                let number = transaction.request().cseq().map_or(1, |(number, _)| number);
                learn(call, &response);
                accept_answer(call, &response, number).await;
                if cancelled {
                    // The answer crossed our CANCEL: the call is there, and is ended as one.
                    call.hang_up().await;
                    call.enter(Phase::Over(Ending::Cancelled(None)));
                } else {
                    call.enter(Phase::Up);
                }
                return Some(number);
            }
            code => {
                let ending = if cancelled && code == 487 {
                    Ending::Cancelled(None)
                } else {
                    Ending::Refused {
                        code,
                        phrase: response.reason().to_owned(),
                        reason: response.header("Reason").map(str::to_owned),
                    }
                };
                call.enter(Phase::Over(ending));
                return None;
            }
        }
    }
}

/// Takes over the far end; a proxy of ours must find its route in the answer (RFC 3261 §12.1.1).
fn learn(call: &Call, response: &Message) {
    let persona = &call.0.persona;
    let own = persona.record_route.as_deref();
    if own.is_some_and(|own| !response.values("Record-Route").contains(&own)) {
        let code = response.code().unwrap_or_default();
        persona.complaints.add(
            Rule::RouteIgnored,
            format!("{code} without our Record-Route"),
        );
    }
    call.state().dialog.learn(response, own);
}

async fn provisional(call: &Call, code: u16, response: &Message) {
    if response.to_tag().is_some() {
        learn(call, response);
    }
    if let Some(text) = response.sdp() {
        take_answer(call, text);
        // Early media is listened to; we speak when the call is up.
        call.0.media.hush();
    }
    if let Some(number) = response.header("RSeq") {
        let invite = response.cseq().map_or(1, |(number, _)| number);
        let prack = call
            .compose("PRACK")
            .with("RAck", format!("{number} {invite} INVITE"));
        send_and_forget(call, prack).await;
    }
    call.enter(Phase::Ringing(code));
}

/// Applies the description of a 2xx and sends the ACK, with our answer where theirs was the offer.
async fn accept_answer(call: &Call, response: &Message, number: u32) {
    let mut ack = call.state().dialog.ack(number);
    let offered = call.state().negotiation.ours().is_some();
    match (response.sdp(), offered) {
        (Some(text), true) => take_answer(call, text),
        (Some(text), false) => match call.answer_offer(text) {
            Ok(answer) => ack = ack.with_body("application/sdp", answer.print()),
            Err(refusal) => call
                .0
                .persona
                .complaints
                .add(Rule::BadSdp, format!("offer in 2xx: {}", refusal.phrase)),
        },
        (None, _) => call.follow(),
    }
    send_ack(call, ack).await;
    if !offered {
        call.follow();
    }
}

pub(super) fn take_answer(call: &Call, text: &str) {
    let persona = &call.0.persona;
    let outcome = Sdp::parse(text)
        .map_err(|fault| fault.to_string())
        .and_then(|sdp| {
            let before = call.state().negotiation.theirs().cloned();
            // A complaint is all that there can be about an answer.
            let _ = persona.judge.sdp(SdpRole::Answer, &sdp, before.as_ref());
            call.state()
                .negotiation
                .accept(&sdp)
                .map_err(|disagreement| disagreement.to_string())
        });
    match outcome {
        Ok(()) => call.follow(),
        Err(fault) => persona
            .complaints
            .add(Rule::BadSdp, format!("answer: {fault}")),
    }
}

pub(super) async fn send_ack(call: &Call, ack: Message) {
    let next_hop = call.state().dialog.next_hop().to_owned();
    match call.0.persona.dialler.open(&next_hop).await {
        Ok(flow) => call.0.persona.endpoint.send_ack(&flow, ack),
        Err(error) => call.0.persona.complaints.add(
            Rule::RouteIgnored,
            format!("no way for an ACK to {next_hop}: {error}"),
        ),
    }
}

async fn send_and_forget(call: &Call, request: Message) {
    let next_hop = call.state().dialog.next_hop().to_owned();
    if let Ok(flow) = call.0.persona.dialler.open(&next_hop).await {
        let mut transaction = call.0.persona.endpoint.send(&flow, request);
        tokio::spawn(async move { transaction.finish().await });
    }
}

/// A repeated 2xx wants its ACK again; one with another tag is a second answer, acknowledged and ended.
async fn acknowledge_again(call: &Call, mut transaction: Transaction, number: u32) {
    let until = sleep(LATE_ANSWERS);
    tokio::pin!(until);
    loop {
        let response = tokio::select! {
            response = transaction.next() => response,
            () = &mut until => return,
        };
        let Some(response) =
            response.filter(|response| response.code().is_some_and(|code| code / 100 == 2))
        else {
            return;
        };
        let dialog = call.dialog();
        if response.to_tag() == dialog.remote_tag.as_deref() {
            send_ack(call, dialog.ack(number)).await;
            continue;
        }
        let mut other = dialog;
        other.learn(&response, call.0.persona.record_route.as_deref());
        send_ack(call, other.ack(number)).await;
        send_and_forget(call, other.request("BYE")).await;
    }
}
