//! What we ask of the box within a call: hold, resume, new keys, a refresh, a transfer, digits, the end.
//!
//! One change at a time; a 491 is tried again after the pause of RFC 3261 §14.1.
//!
//! Not here: what the box asks of us (`hear.rs`).

use std::time::Duration;

use tokio::time::sleep;

use super::dialled::{send_ack, take_answer};
use super::negotiation::Keys;
use super::{Call, Ending, Phase, Side, What};
use crate::complaint::Rule;
use crate::random;
use crate::sdp::Direction;
use crate::sip::Message;

/// Tries of a re-INVITE that meets one of the box.
const TRIES: usize = 4;

/// A change was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeFailed {
    /// The box refused it.
    #[error("refused with {code} {phrase}")]
    Refused {
        /// The status.
        code: u16,
        /// Its phrase.
        phrase: String,
    },
    /// The box did not answer, or cannot be reached.
    #[error("no answer: {0}")]
    NoAnswer(String),
}

/// A REFER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Refer-To, whole.
    pub refer_to: String,
    /// Referred-By, whole.
    pub referred_by: Option<String>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
}

impl Call {
    /// Puts the box on hold with `inactive`, as Teams does.
    ///
    /// # Errors
    /// Where the box does not take it.
    pub async fn hold(&self) -> Result<(), ChangeFailed> {
        self.offer(Direction::Inactive, Keys::Same).await
    }

    /// Puts the box on hold in another way: `sendonly`, as many a telephone does.
    ///
    /// # Errors
    /// Where the box does not take it.
    pub async fn hold_as(&self, direction: Direction) -> Result<(), ChangeFailed> {
        self.offer(direction, Keys::Same).await
    }

    /// Takes it back.
    ///
    /// # Errors
    /// Where the box does not take it.
    pub async fn resume(&self) -> Result<(), ChangeFailed> {
        self.offer(Direction::SendRecv, Keys::Same).await
    }

    /// New keys, both ways from roll-over counter 0 (MED-04).
    ///
    /// # Errors
    /// Where the box does not take it.
    pub async fn rekey(&self) -> Result<(), ChangeFailed> {
        self.offer(Direction::SendRecv, Keys::Fresh).await
    }

    /// The same description again: a session refresh (INV-18).
    ///
    /// # Errors
    /// Where the box does not take it.
    pub async fn refresh(&self) -> Result<(), ChangeFailed> {
        let direction = self.direction();
        self.offer(direction, Keys::Same).await
    }

    /// A re-INVITE without an offer: the box offers in its 2xx.
    ///
    /// # Errors
    /// Where the box does not take it.
    pub async fn reinvite_without_offer(&self) -> Result<(), ChangeFailed> {
        let _one_at_a_time = self.0.changing.lock().await;
        let invite = self.compose("INVITE");
        let response = self.ask(invite).await?;
        let number = response.cseq().map_or(1, |(number, _)| number);
        let answer = response
            .sdp()
            .ok_or_else(|| ChangeFailed::NoAnswer("a 2xx without an offer".to_owned()))
            .map(|text| self.answer_offer(text))?;
        let mut ack = self.state().dialog.ack(number);
        if let Ok(answer) = &answer {
            ack = ack.with_body("application/sdp", answer.print());
        }
        send_ack(self, ack).await;
        self.follow();
        Ok(())
    }

    /// Sends a REFER; its fate comes by NOTIFY ([`Call::transferred`]).
    ///
    /// # Errors
    /// Where the box does not take it with 202 (REF-02).
    pub async fn transfer(&self, transfer: &Transfer) -> Result<(), ChangeFailed> {
        let mut refer = self
            .compose("REFER")
            .with("Refer-To", &transfer.refer_to)
            .with_all(&transfer.headers);
        if let Some(referred_by) = &transfer.referred_by {
            refer = refer.with("Referred-By", referred_by);
        }
        self.0.notified.send_modify(Vec::clear);
        self.tell(What::Transfer(transfer.refer_to.clone()));
        let response = self.ask(refer).await?;
        if response.code() != Some(202) {
            let detail = format!("a REFER got {}", response.code().unwrap_or_default());
            self.0.persona.complaints.add(Rule::TransferReport, detail);
        }
        Ok(())
    }

    /// Sends digits by RFC 4733.
    pub fn dial_digits(&self, digits: &str) {
        self.0.media.dial(digits);
    }

    /// Sends any other request in the dialog.
    ///
    /// # Errors
    /// Where the box does not answer it with a 2xx.
    pub async fn request(
        &self,
        method: &str,
        headers: &[(String, String)],
        body: Option<(&str, &str)>,
    ) -> Result<Message, ChangeFailed> {
        let mut request = self.compose(method).with_all(headers);
        if let Some((kind, text)) = body {
            request = request.with_body(kind, text.to_owned());
        }
        self.ask(request).await
    }

    /// Ends it, whatever its state: BYE, CANCEL or a refusal.
    pub async fn hang_up(&self) {
        match (self.phase(), self.0.side) {
            (Phase::Up, _) => {
                let bye = self.compose("BYE");
                self.enter(Phase::Over(Ending::HungUp));
                if let Err(error) = self.ask(bye).await {
                    // A BYE that meets the box's own gets 481, and the call is over all the same.
                    let crossed = matches!(error, ChangeFailed::Refused { code: 481, .. });
                    if !crossed {
                        self.0
                            .persona
                            .complaints
                            .add(Rule::OutOfPlace, format!("BYE of {}: {error}", self.id()));
                    }
                }
            }
            (Phase::Over(_), _) => {}
            (_, Side::Caller) => self.cancel(None),
            (_, Side::Callee) => self.refuse(&super::Refusal::new(603, "Decline")),
        }
    }

    fn direction(&self) -> Direction {
        let held = self.state().holding;
        if held {
            Direction::Inactive
        } else {
            Direction::SendRecv
        }
    }

    async fn offer(&self, direction: Direction, keys: Keys) -> Result<(), ChangeFailed> {
        let _one_at_a_time = self.0.changing.lock().await;
        self.state().offering = true;
        let outcome = self.offer_until_taken(direction, keys).await;
        self.state().offering = false;
        outcome
    }

    async fn offer_until_taken(
        &self,
        direction: Direction,
        keys: Keys,
    ) -> Result<(), ChangeFailed> {
        let offer = self.state().negotiation.offer(direction, keys);
        let mut tries = 0;
        loop {
            tries += 1;
            let mut invite = self
                .compose("INVITE")
                .with_body("application/sdp", offer.print());
            if let Some(route) = &self.0.persona.record_route {
                invite = invite.with("Record-Route", route);
            }
            let response = match self.ask(invite).await {
                Err(ChangeFailed::Refused { code: 491, .. }) if tries < TRIES => {
                    sleep(glare_pause(self.0.side)).await;
                    continue;
                }
                outcome => outcome?,
            };
            let number = response.cseq().map_or(1, |(number, _)| number);
            self.state().dialog.refresh(&response);
            self.state().holding = !direction.sends();
            let ack = self.state().dialog.ack(number);
            send_ack(self, ack).await;
            if let Some(text) = response.sdp() {
                take_answer(self, text);
            }
            return Ok(());
        }
    }

    /// Sends a request and waits for its 2xx.
    async fn ask(&self, request: Message) -> Result<Message, ChangeFailed> {
        let persona = &self.0.persona;
        let next_hop = self.state().dialog.next_hop().to_owned();
        let flow = persona
            .dialler
            .open(&next_hop)
            .await
            .map_err(|error| ChangeFailed::NoAnswer(format!("{next_hop}: {error}")))?;
        let mut transaction = persona.endpoint.send(&flow, request);
        let response = transaction
            .finish()
            .await
            .map_err(|error| ChangeFailed::NoAnswer(error.to_string()))?;
        self.note(&response);
        persona.judge.response(transaction.request(), &response);
        match response.code() {
            Some(200..300) => Ok(response),
            code => Err(ChangeFailed::Refused {
                code: code.unwrap_or_default(),
                phrase: response.reason().to_owned(),
            }),
        }
    }
}

/// RFC 3261 §14.1: whoever owns the Call-ID waits 2.1 to 4 s, the other 0 to 2 s.
fn glare_pause(side: Side) -> Duration {
    let random = u64::from(u16::from_be_bytes(random::bytes())) % 1900;
    Duration::from_millis(match side {
        Side::Caller => 2100 + random,
        Side::Callee => random,
    })
}
