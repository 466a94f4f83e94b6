//! Taking a call that the box dialled: provisional answers on any fork, the answer, or a refusal.
//!
//! Not here: whether to take it (`Judge`, and the peer's look-up), what happens afterwards (`hear.rs`).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::dialog::Dialog;
use super::negotiation::Keys;
use super::{Call, Ending, Persona, Phase, Refusal, SdpRole, Side, What, number_in};
use crate::complaint::Rule;
use crate::sdp::{Direction, Sdp};
use crate::sip::{Incoming, Message};

/// INV-20: Teams drops a call whose ACK is not there after about 4 s (1106).
const ACK_WITHIN: Duration = Duration::from_secs(4);

/// Which of several clients speaks: each has a To-tag of its own (INV-16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fork(pub u8);

/// What goes with a 183.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlyMedia {
    /// No description.
    None,
    /// A description, and nothing sent (INV-17).
    Promised,
    /// A description and speech.
    Speech,
}

/// A provisional answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provisional {
    /// 180 or 183 …
    pub code: u16,
    /// Whose.
    pub fork: Fork,
    /// With what.
    pub media: EarlyMedia,
    /// Whether it wants a PRACK (RFC 3262).
    pub reliable: Reliable,
}

/// Whether a provisional answer is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reliable {
    /// By PRACK.
    Yes,
    /// Not at all.
    No,
}

impl Call {
    /// Takes an INVITE; 100 is sent at once.
    ///
    /// # Errors
    /// Where no media ports are free.
    pub async fn take(persona: &Arc<Persona>, incoming: Incoming) -> io::Result<Self> {
        let invite = &incoming.message;
        let dialog = Dialog::called(invite);
        let numbers = (
            number_in(invite.header("From").unwrap_or_default()),
            number_in(invite.uri()),
        );
        let call = Self::new(persona, Side::Callee, dialog, numbers).await?;
        call.note(invite);
        let trying = Message::response(invite, 100, "Trying");
        persona.endpoint.respond(&incoming, trying);
        call.state().invite = Some(incoming);
        call.tell(What::Came);
        Ok(call)
    }

    /// Sends a provisional answer.
    pub async fn progress(&self, provisional: Provisional) {
        let Some(invite) = self.state().invite.clone() else {
            return;
        };
        let phrase = match provisional.code {
            180 => "Ringing",
            181 => "Call Is Being Forwarded",
            _ => "Session Progress",
        };
        let mut reply = self.fork_reply(&invite, provisional.fork, provisional.code, phrase);
        if provisional.media != EarlyMedia::None {
            match self.early_answer(&invite) {
                Ok(answer) => reply = reply.with_body("application/sdp", answer.print()),
                Err(refusal) => return self.refuse(&refusal),
            }
        }
        if provisional.reliable == Reliable::Yes {
            let number = {
                let mut state = self.state();
                state.reliable += 1;
                state.reliable
            };
            reply = reply
                .with("Require", "100rel")
                .with("RSeq", number.to_string());
        }
        self.0.persona.endpoint.respond(&invite, reply);
        if provisional.media != EarlyMedia::None {
            self.follow();
            if provisional.media == EarlyMedia::Promised {
                self.0.media.hush();
            }
        }
        self.enter(Phase::Ringing(provisional.code));
        if provisional.reliable == Reliable::Yes
            && timeout(ACK_WITHIN, self.0.nudge.notified()).await.is_err()
        {
            self.0.persona.complaints.add(Rule::AckMissing, "no PRACK");
        }
    }

    /// Answers as this fork.
    ///
    /// # Errors
    /// The refusal that was sent instead, where its offer cannot be answered.
    pub async fn answer(&self, fork: Fork) -> Result<(), Refusal> {
        let Some(invite) = self.state().invite.take() else {
            return Ok(());
        };
        {
            let mut state = self.state();
            state.negotiation.become_fork(fork.0);
            state.dialog.local_tag = fork_tag(&state.dialog.local_tag, fork);
        }
        let answer = match invite.message.sdp() {
            Some(text) => self.answer_offer(text),
            None => Ok(self
                .state()
                .negotiation
                .offer(Direction::SendRecv, Keys::Same)),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(refusal) => {
                self.refuse_request(&invite, &refusal);
                self.enter(Phase::Over(Ending::RefusedHere(refusal.code)));
                return Err(refusal);
            }
        };
        let mut reply = self.reply(&invite, 200, "OK");
        if let Some(route) = &self.0.persona.record_route {
            reply = reply.with("Record-Route", route);
        }
        if let Some(interval) = invite.message.header("Session-Expires") {
            reply = reply.with("Session-Expires", refreshed_by_caller(interval));
        }
        reply = reply.with_body("application/sdp", answer.print());
        self.await_ack(&invite, reply);
        self.follow();
        self.enter(Phase::Up);
        Ok(())
    }

    /// Does not take it.
    pub fn refuse(&self, refusal: &Refusal) {
        let invite = self.state().invite.take();
        if let Some(invite) = invite {
            self.refuse_request(&invite, refusal);
            self.enter(Phase::Over(Ending::RefusedHere(refusal.code)));
        }
    }

    /// Sends a 2xx and watches for its ACK.
    pub(super) fn await_ack(&self, invite: &Incoming, reply: Message) {
        self.state().awaiting_ack = Some(invite.clone());
        self.0.persona.endpoint.respond(invite, reply);
        let call = self.clone();
        tokio::spawn(async move {
            sleep(ACK_WITHIN).await;
            let missing = call.state().awaiting_ack.is_some();
            if missing && call.phase() == Phase::Up {
                call.0.persona.complaints.add(Rule::AckMissing, call.id());
                call.hang_up().await;
            }
        });
    }

    /// Our answer to an offer of the box, past the judge.
    pub(super) fn answer_offer(&self, text: &str) -> Result<Sdp, Refusal> {
        let persona = &self.0.persona;
        let sdp = Sdp::parse(text).map_err(|fault| {
            persona.complaints.add(Rule::BadSdp, fault.to_string());
            Refusal::new(488, "Not Acceptable Here")
        })?;
        let before = self.state().negotiation.theirs().cloned();
        persona.judge.sdp(SdpRole::Offer, &sdp, before.as_ref())?;
        let mut state = self.state();
        let wish = if state.holding {
            Direction::Inactive
        } else {
            Direction::SendRecv
        };
        state
            .negotiation
            .answer(&sdp, wish)
            .map_err(|disagreement| {
                persona
                    .complaints
                    .add(Rule::BadSdp, disagreement.to_string());
                Refusal::new(488, "Not Acceptable Here")
            })
    }

    fn early_answer(&self, invite: &Incoming) -> Result<Sdp, Refusal> {
        match invite.message.sdp() {
            Some(text) => self.answer_offer(text),
            None => Ok(self
                .state()
                .negotiation
                .offer(Direction::SendRecv, Keys::Same)),
        }
    }

    fn fork_reply(&self, invite: &Incoming, fork: Fork, code: u16, phrase: &str) -> Message {
        let (tag, route) = {
            let mut state = self.state();
            state.negotiation.become_fork(fork.0);
            (
                fork_tag(&state.dialog.local_tag, fork),
                self.0.persona.record_route.clone(),
            )
        };
        let mut reply = Message::response(&invite.message, code, phrase)
            .with_to_tag(&tag)
            .with("Contact", &self.0.contact)
            .with_all(&self.0.persona.headers);
        if let Some(route) = route {
            reply = reply.with("Record-Route", route);
        }
        reply
    }
}

fn fork_tag(tag: &str, fork: Fork) -> String {
    match fork.0 {
        0 => tag.to_owned(),
        other => format!("{tag}-{other}"),
    }
}

/// RFC 4028 §9: whoever is called may leave the refreshing to the caller.
fn refreshed_by_caller(interval: &str) -> String {
    if interval.contains("refresher") {
        interval.to_owned()
    } else {
        format!("{interval};refresher=uac")
    }
}
