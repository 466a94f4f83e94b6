//! Transfers by REFER: what was asked of the box, and whether the INVITE that it sends back is that and nothing else.
//!
//! REF-03: the Request-URI is the URI of Refer-To and Referred-By is ours, byte for byte. A target on the telephone network
//! is called back through the box while its INVITE still rings (REF-04).
//!
//! Not here: sending the REFER and reading its NOTIFYs (`call/change.rs`).

use std::time::Duration;

use tokio::sync::oneshot;

use super::{Outgoing, Teams};
use crate::call::{Call, ChangeFailed, Ending, Fork, Phase, Refusal, Script, Transfer};
use crate::complaint::Rule;
use crate::random;
use crate::sip::values::NameAddr;
use crate::sip::{Incoming, Message};

/// How long the box may take to send its INVITE, or a target to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A REFER whose INVITE is awaited.
#[derive(Debug)]
pub(super) struct Referral {
    refer_to: String,
    referred_by: String,
    target: Target,
    arrived: oneshot::Sender<Call>,
}

/// Whom a call is transferred to.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A Teams user, who does this.
    User(Script),
    /// A number on the telephone network; called through the box, as this number of the tenant.
    Number {
        /// The number.
        number: String,
        /// Who is shown to be calling it.
        caller: String,
    },
}

/// How a transfer went.
#[derive(Debug)]
pub struct Transferred {
    /// The last status that a NOTIFY brought.
    pub status: u16,
    /// The leg that the box opened for it.
    pub leg: Option<Call>,
}

impl Teams {
    /// Transfers the box's side of a call, as Teams does: REFER, its INVITE, NOTIFYs, and BYE once it is through.
    ///
    /// # Errors
    /// Where the box refuses the REFER.
    pub async fn transfer(&self, call: &Call, target: Target) -> Result<Transferred, ChangeFailed> {
        self.transfer_with(call, target, None).await
    }

    /// A consultative transfer: `consulted` is the call that the new one takes the place of; it ends once that is up.
    ///
    /// # Errors
    /// Where the box refuses the REFER.
    pub async fn transfer_to_consulted(
        &self,
        call: &Call,
        consulted: &Call,
    ) -> Result<Transferred, ChangeFailed> {
        let done = self
            .transfer_with(call, Target::User(Script::pick_up()), Some(consulted))
            .await?;
        if done.status == 200 {
            consulted.hang_up().await;
        }
        Ok(done)
    }

    async fn transfer_with(
        &self,
        call: &Call,
        target: Target,
        consulted: Option<&Call>,
    ) -> Result<Transferred, ChangeFailed> {
        let port = self.proxies()[0].port();
        let user = match &target {
            Target::User(_) => String::new(),
            Target::Number { number, .. } => format!("{number}@"),
        };
        let identity = match &target {
            Target::User(_) => format!(";x-m=8:orgid:{}", random::guid()),
            Target::Number { .. } => ";user=phone".to_owned(),
        };
        let refer_to =
            format!("sip:{user}sip.pstnhub.microsoft.com:{port};transport=tls{identity}");
        // `x-tt` names the call to be replaced; opaque to everyone but Teams.
        let replaced = consulted.map_or_else(random::token, |call| call.id().to_owned());
        let referred_by = format!(
            "<sip:sip.pstnhub.microsoft.com:{port};x-m=8:orgid:{};x-t={};x-ti={};x-tt=aHR0cHM6Ly9sYWIvcg{replaced}%3D>",
            random::guid(),
            random::guid(),
            call.correlation(),
        );
        let (arrived, arrival) = oneshot::channel();
        self.referrals().push(Referral {
            refer_to: refer_to.clone(),
            referred_by: referred_by.clone(),
            target,
            arrived,
        });
        let asked = Transfer {
            refer_to: format!("<{refer_to}>"),
            referred_by: Some(referred_by),
            headers: Vec::new(),
        };
        call.transfer(&asked).await?;
        let leg = tokio::time::timeout(PATIENCE, arrival)
            .await
            .ok()
            .and_then(Result::ok);
        if leg.is_none() {
            self.complaints()
                .add(Rule::ReferredCall, format!("no INVITE for {refer_to}"));
        }
        self.referrals()
            .retain(|waiting| waiting.refer_to != refer_to);
        let status = call.transferred(PATIENCE).await.unwrap_or_default();
        let codes = call.notified();
        if codes.first() != Some(&100) || status == 0 {
            self.complaints()
                .add(Rule::TransferReport, format!("NOTIFYs told {codes:?}"));
        }
        if status == 200 {
            // Spec 1.9 step 7: Microsoft ends the old leg, and nobody before.
            if call.phase() != Phase::Up {
                self.complaints().add(
                    Rule::TransferReport,
                    "the old leg was ended before Teams did",
                );
            }
            call.hang_up().await;
        }
        Ok(Transferred { status, leg })
    }

    /// The referral that this INVITE answers, if any.
    pub(super) fn referral_for(&self, invite: &Message) -> Option<Referral> {
        let mut referrals = self.referrals();
        let at = referrals
            .iter()
            .position(|waiting| waiting.refer_to == invite.uri());
        if at.is_none() && invite.header("Referred-By").is_some() {
            let detail = format!(
                "an INVITE by referral to {}, which nobody asked for",
                invite.uri()
            );
            self.complaints().add(Rule::ReferredCall, detail);
        }
        at.map(|at| referrals.remove(at))
    }

    /// Takes the INVITE that a REFER asked for.
    pub(super) async fn take_referred(&self, incoming: Incoming, referral: Referral) {
        let invite = &incoming.message;
        if invite.header("Referred-By") != Some(&referral.referred_by) {
            let detail = format!("Referred-By {:?}", invite.header("Referred-By"));
            self.complaints().add(Rule::ReferredCall, detail);
        }
        let to = NameAddr::parse(invite.header("To").unwrap_or_default()).map(|to| to.uri);
        if to != Some(&referral.refer_to) {
            self.complaints()
                .add(Rule::ReferredCall, format!("To {to:?}"));
        }
        let tenant = self.tenant_of(invite).map(|tenant| tenant.name.clone());
        let Some(call) = self.take(incoming).await else {
            return;
        };
        let _ = referral.arrived.send(call.clone());
        match referral.target {
            Target::User(script) => script.play(call).await,
            Target::Number { number, caller } => {
                self.call_back(call, tenant.unwrap_or_default(), number, caller)
                    .await;
            }
        }
    }

    /// REF-04: the telephone network is reached by another call through the box; its fate is this one's.
    async fn call_back(&self, leg: Call, tenant: String, number: String, caller: String) {
        let outgoing = Outgoing::new(&tenant, &caller, &number);
        let Ok(out) = self.call(outgoing).await else {
            return leg.refuse(&Refusal::new(503, "Service Unavailable"));
        };
        let _ = out.ringing(PATIENCE).await;
        Script(vec![Script::ring(Fork(0))]).play(leg.clone()).await;
        match out.up(PATIENCE).await {
            Ok(()) => {
                let _ = leg.answer(Fork(0)).await;
            }
            Err(Ending::Refused { code, phrase, .. }) => {
                return leg.refuse(&Refusal::new(code, &phrase));
            }
            Err(_) => return leg.refuse(&Refusal::new(480, "Temporarily Unavailable")),
        }
        tokio::select! {
            _ = leg.over(Duration::MAX) => out.hang_up().await,
            _ = out.over(Duration::MAX) => leg.hang_up().await,
        }
    }
}
