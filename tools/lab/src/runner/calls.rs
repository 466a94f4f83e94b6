//! The calls of `make run`: both ways, held, re-keyed, transferred, busy, given up, for both tenants.
//!
//! Every call is judged by what its two ends heard: the other's speech, in sequence, and nothing else.
//!
//! Not here: setting the lab up (`mod.rs`), adding up (`summary.rs`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::summary::{Outcome, Way};
use super::{BOX_MEDIA, Lab};
use crate::call::{Call, ChangeFailed, Ending, Phase, Script};
use crate::carrier::{self, Carrier};
use crate::media::{delays, kernel};
use crate::sdp::Direction;
use crate::teams::{self, Target};

/// How long a call may take to come up, or an end to be noticed.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long people talk.
const TALK: Duration = Duration::from_millis(1800);
/// For what is under way between the ends.
const SETTLE: Duration = Duration::from_millis(150);
/// Between two calls that are placed.
const STAGGER: Duration = Duration::from_millis(120);

/// What is done in a call once it is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Talk,
    HoldByTeams,
    HoldByCarrier,
    Rekey,
    Transfer(Goal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    User,
    Number,
    Consulted,
}

#[derive(Debug, Clone, Copy)]
struct Planned {
    name: &'static str,
    way: Way,
    tenant: Customer,
    act: Act,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Customer {
    Contoso,
    Fabrikam,
}

const fn planned(name: &'static str, way: Way, tenant: Customer, act: Act) -> Planned {
    Planned {
        name,
        way,
        tenant,
        act,
    }
}

const PLAN: [Planned; 13] = {
    use Customer::{Contoso, Fabrikam};
    use Way::{PstnToTeams, TeamsToPstn};
    [
        planned("in 1", PstnToTeams, Contoso, Act::Talk),
        planned("out 1", TeamsToPstn, Contoso, Act::Talk),
        planned("in 2", PstnToTeams, Contoso, Act::Talk),
        planned("out 2", TeamsToPstn, Contoso, Act::Talk),
        planned("held by Teams", PstnToTeams, Contoso, Act::HoldByTeams),
        planned(
            "held by the carrier",
            TeamsToPstn,
            Contoso,
            Act::HoldByCarrier,
        ),
        planned("new keys", TeamsToPstn, Contoso, Act::Rekey),
        planned("new keys, called", PstnToTeams, Contoso, Act::Rekey),
        planned(
            "transfer to a user",
            PstnToTeams,
            Contoso,
            Act::Transfer(Goal::User),
        ),
        planned(
            "transfer to a number",
            PstnToTeams,
            Contoso,
            Act::Transfer(Goal::Number),
        ),
        planned(
            "transfer after consulting",
            PstnToTeams,
            Contoso,
            Act::Transfer(Goal::Consulted),
        ),
        planned("fabrikam in", PstnToTeams, Fabrikam, Act::Talk),
        planned("fabrikam out", TeamsToPstn, Fabrikam, Act::Talk),
    ]
};

/// Places every call of the plan, and two that are not to be answered.
pub async fn once(lab: &Arc<Lab>) -> Vec<Outcome> {
    let mut running = JoinSet::new();
    for (number, plan) in PLAN.into_iter().enumerate() {
        let lab = lab.clone();
        running.spawn(async move { place(&lab, plan, number).await });
        sleep(STAGGER).await;
    }
    let busy = lab.clone();
    running.spawn(async move { busy_in_teams(&busy).await });
    let given_up = lab.clone();
    running.spawn(async move { given_up_by_the_caller(&given_up).await });
    let mut outcomes = running.join_all().await;
    outcomes.sort_by(|one, other| one.name.cmp(&other.name));
    outcomes
}

/// One call each way.
pub async fn both_ways(lab: &Arc<Lab>) -> Vec<Outcome> {
    let (one, two) = tokio::join!(place(lab, PLAN[0], 20), place(lab, PLAN[1], 21));
    vec![one, two]
}

async fn place(lab: &Lab, plan: Planned, number: usize) -> Outcome {
    let mut outcome = Outcome {
        name: plan.name.to_owned(),
        way: plan.way,
        ..Outcome::default()
    };
    match connect(lab, plan, number).await {
        Err(fault) => outcome.faults.push(fault),
        Ok(pair) => {
            outcome.answered = true;
            outcome.set_up = Some(pair.set_up);
            let parties = act(lab, plan, number, &pair, &mut outcome).await;
            end(lab, &parties, &mut outcome).await;
        }
    }
    if outcome.faults.is_empty() {
        let set_up = outcome.set_up.unwrap_or_default();
        eprintln!("GOOD  {}: up in {set_up:.0?}", outcome.name);
    } else {
        eprintln!("FAULT {}: {}", outcome.name, outcome.faults.join("; "));
    }
    outcome
}

/// The two ends of a call.
#[derive(Debug, Clone)]
struct Pair {
    pstn: Call,
    teams: Call,
    set_up: Duration,
}

async fn connect(lab: &Lab, plan: Planned, number: usize) -> Result<Pair, String> {
    let carrier = carrier_of(lab, plan.tenant)?;
    let (tenant, user, outside) = match plan.tenant {
        Customer::Contoso => (
            "contoso",
            format!("+120255501{number:02}"),
            format!("+131255501{number:02}"),
        ),
        Customer::Fabrikam => (
            "fabrikam",
            format!("+142555501{number:02}"),
            format!("+494055501{number:02}"),
        ),
    };
    let begun = Instant::now();
    let (dialled, taken) = match plan.way {
        Way::PstnToTeams => {
            let dialled = carrier.call(carrier::Outgoing::new(&outside, &user)).await;
            let dialled = dialled.map_err(|error| error.to_string())?;
            let taken = lab
                .teams
                .wait_for(PATIENCE, |call| {
                    call.callee() == user && is_young(call, begun)
                })
                .await;
            (dialled, taken)
        }
        Way::TeamsToPstn => {
            let dialled = lab
                .teams
                .call(teams::Outgoing::new(tenant, &user, &outside))
                .await;
            let dialled = dialled.map_err(|error| error.to_string())?;
            let taken = carrier
                .wait_for(PATIENCE, |call| {
                    call.callee() == outside && is_young(call, begun)
                })
                .await;
            (dialled, taken)
        }
    };
    let up = dialled.up(PATIENCE).await;
    let set_up = begun.elapsed();
    up.map_err(|ending| format!("not answered: {ending:?}"))?;
    let taken = taken.ok_or("answered, but by nobody that we know")?;
    taken
        .up(PATIENCE)
        .await
        .map_err(|ending| format!("{ending:?}"))?;
    let (pstn, teams) = match plan.way {
        Way::PstnToTeams => (dialled, taken),
        Way::TeamsToPstn => (taken, dialled),
    };
    Ok(Pair {
        pstn,
        teams,
        set_up,
    })
}

fn carrier_of(lab: &Lab, tenant: Customer) -> Result<&Carrier, String> {
    match tenant {
        Customer::Contoso => lab
            .probe
            .as_ref()
            .ok_or_else(|| "nobody plays the carrier".to_owned()),
        Customer::Fabrikam => Ok(&lab.registering),
    }
}

/// A number is called again and again in a long run.
fn is_young(call: &Call, begun: Instant) -> bool {
    call.since() >= begun
}

/// Who speaks with whom at the end of a call, and every leg that took part.
struct Parties {
    pstn: Call,
    teams: Call,
    all: Vec<Call>,
    tones: Tones,
}

/// Whether the telephone network may hear something of the box's own: ringback in a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tones {
    None,
    Allowed,
}

async fn act(
    lab: &Lab,
    plan: Planned,
    number: usize,
    pair: &Pair,
    outcome: &mut Outcome,
) -> Parties {
    let mut parties = Parties {
        pstn: pair.pstn.clone(),
        teams: pair.teams.clone(),
        all: vec![pair.pstn.clone(), pair.teams.clone()],
        tones: Tones::None,
    };
    talk(&parties, outcome).await;
    match plan.act {
        Act::Talk => {}
        Act::HoldByTeams => {
            fault_of("hold", pair.teams.hold().await, outcome);
            silence(pair, outcome).await;
            fault_of("resume", pair.teams.resume().await, outcome);
            talk(&parties, outcome).await;
        }
        Act::HoldByCarrier => {
            fault_of(
                "hold",
                pair.pstn.hold_as(Direction::SendOnly).await,
                outcome,
            );
            sleep(SETTLE * 3).await;
            fault_of("resume", pair.pstn.resume().await, outcome);
            talk(&parties, outcome).await;
        }
        Act::Rekey => {
            fault_of("new keys", pair.teams.rekey().await, outcome);
            talk(&parties, outcome).await;
            fault_of("refresh", pair.teams.refresh().await, outcome);
            talk(&parties, outcome).await;
        }
        Act::Transfer(goal) => transfer(lab, goal, number, &mut parties, outcome).await,
    }
    parties
}

async fn transfer(
    lab: &Lab,
    goal: Goal,
    number: usize,
    parties: &mut Parties,
    outcome: &mut Outcome,
) {
    let old = parties.teams.clone();
    let user = old.callee().to_owned();
    let done = match goal {
        Goal::User => {
            lab.teams
                .transfer(&old, Target::User(Script::answer()))
                .await
        }
        Goal::Number => {
            let number = format!("+131255501{:02}", number + 50);
            lab.teams
                .transfer(
                    &old,
                    Target::Number {
                        number,
                        caller: user,
                    },
                )
                .await
        }
        Goal::Consulted => {
            let other = format!("+131255501{:02}", number + 50);
            let consulted = lab
                .teams
                .call(teams::Outgoing::new("contoso", &user, &other))
                .await;
            match consulted {
                Ok(consulted) if consulted.up(PATIENCE).await.is_ok() => {
                    lab.teams.transfer_to_consulted(&old, &consulted).await
                }
                _ => {
                    return outcome
                        .faults
                        .push("the consulted party did not answer".to_owned());
                }
            }
        }
    };
    match done {
        Ok(teams::Transferred {
            status: 200,
            leg: Some(leg),
        }) => {
            outcome.transfers += 1;
            parties.teams = leg.clone();
            parties.all.push(leg);
            parties.tones = Tones::Allowed;
            talk(parties, outcome).await;
        }
        Ok(other) => outcome.faults.push(format!("transfer: {}", other.status)),
        Err(error) => outcome.faults.push(format!("transfer: {error}")),
    }
}

/// Both speak; both must hear.
async fn talk(parties: &Parties, outcome: &mut Outcome) {
    let ends = [&parties.pstn, &parties.teams];
    let before = ends.map(|end| end.report().heard.speech);
    sleep(TALK).await;
    let frames = u64::try_from(TALK.as_millis() / 20).unwrap_or(u64::MAX);
    for (end, before) in ends.into_iter().zip(before) {
        let heard = end.report().heard.speech - before;
        if heard < frames * 6 / 10 {
            outcome.faults.push(format!(
                "{} heard {heard} of {frames} frames",
                end.persona().endpoint.name()
            ));
        }
    }
    outcome
        .delays
        .extend(delays(parties.pstn.media(), parties.teams.media()));
    outcome
        .delays
        .extend(delays(parties.teams.media(), parties.pstn.media()));
}

/// On hold nobody of the telephone network hears the person at Teams.
async fn silence(pair: &Pair, outcome: &mut Outcome) {
    sleep(SETTLE).await;
    let before = pair.pstn.report().heard.speech;
    sleep(SETTLE * 2).await;
    let heard = pair.pstn.report().heard.speech - before;
    if heard > 0 {
        outcome.faults.push(format!("{heard} frames on hold"));
    }
}

async fn end(lab: &Lab, parties: &Parties, outcome: &mut Outcome) {
    parties.pstn.media().hush();
    parties.teams.media().hush();
    sleep(SETTLE).await;
    for leg in &parties.all {
        let report = leg.report();
        outcome.rtp[0] += report.sent;
        outcome.rtp[1] += report.heard.packets - report.heard.foreign;
        outcome.rtp[2] += report.heard.lost;
        if report.heard.lost > 0 {
            eprintln!("LOST  {}: {}", outcome.name, who_lost(lab, leg));
        }
        let is_pstn = leg.id() == parties.pstn.id();
        if report.heard.foreign > 0 && !(is_pstn && parties.tones == Tones::Allowed) {
            outcome.faults.push(format!(
                "{} packets that are no speech",
                report.heard.foreign
            ));
        }
    }
    outcome.srtp = parties
        .all
        .iter()
        .filter(|leg| leg.id() != parties.pstn.id())
        .all(|leg| leg.report().protected);
    // One side ends it, the other must learn of it.
    let (ends, learns) = match outcome.way {
        Way::PstnToTeams => (&parties.pstn, &parties.teams),
        Way::TeamsToPstn => (&parties.teams, &parties.pstn),
    };
    if ends.phase() != Phase::Up {
        outcome
            .faults
            .push(format!("ended early: {:?}", ends.phase()));
    }
    ends.hang_up().await;
    match learns.over(PATIENCE).await {
        Some(Ending::HungUpThere(_)) => {}
        other => outcome.faults.push(format!("the other side saw {other:?}")),
    }
}

/// Whether the kernel threw packets away, here or in the box; what is lost beyond that was lost by the box's own doing.
fn who_lost(lab: &Lab, leg: &Call) -> String {
    let report = leg.report();
    let here = leg.media().local();
    let media = lab.place.at(BOX_MEDIA);
    format!(
        "{} of {} packets to {}; the kernel dropped {} there, {} on the ports of the box",
        report.heard.lost,
        report.heard.lost + report.heard.packets,
        leg.persona().endpoint.name(),
        kernel::drops(|local| local == here),
        kernel::drops(|local| local.ip() == media),
    )
}

fn fault_of(what: &str, done: Result<(), ChangeFailed>, outcome: &mut Outcome) {
    if let Err(error) = done {
        outcome.faults.push(format!("{what}: {error}"));
    }
}

/// INV-14: Teams' busy with cause 34 is busy with cause 17 (or none) to the carrier, after one attempt.
async fn busy_in_teams(lab: &Lab) -> Outcome {
    let user = "+12025550198";
    lab.teams.on(user, Script::busy(Some(34)));
    refused(lab, "busy", user, |ending| match ending {
        Ending::Refused {
            code: 486, reason, ..
        } => {
            let cause = reason.as_deref().unwrap_or_default();
            if cause.contains("cause=34") {
                Err(format!("Teams' cause came through: {cause}"))
            } else {
                Ok(())
            }
        }
        other => Err(format!("{other:?}")),
    })
    .await
}

/// A caller who gives up is given up in Teams too.
async fn given_up_by_the_caller(lab: &Lab) -> Outcome {
    let user = "+12025550199";
    lab.teams.on(user, Script::ring_only());
    let mut outcome = Outcome {
        name: "given up".to_owned(),
        to_be_refused: true,
        ..Outcome::default()
    };
    let caller = "+13125550199";
    let begun = Instant::now();
    let placed = match &lab.probe {
        Some(carrier) => carrier.call(carrier::Outgoing::new(caller, user)).await,
        None => return outcome,
    };
    let Ok(call) = placed else {
        outcome.faults.push("no ports".to_owned());
        return outcome;
    };
    let taken = lab
        .teams
        .wait_for(PATIENCE, |call| {
            call.callee() == user && is_young(call, begun)
        })
        .await;
    sleep(SETTLE).await;
    call.cancel(None);
    if !matches!(call.over(PATIENCE).await, Some(Ending::Cancelled(_))) {
        outcome
            .faults
            .push(format!("the caller saw {:?}", call.phase()));
    }
    let seen = match taken {
        Some(taken) => taken.over(PATIENCE).await,
        None => None,
    };
    if !matches!(seen, Some(Ending::Cancelled(_))) {
        outcome.faults.push(format!("Teams saw {seen:?}"));
    }
    outcome
}

async fn refused(
    lab: &Lab,
    name: &str,
    user: &str,
    judge: impl Fn(&Ending) -> Result<(), String>,
) -> Outcome {
    let mut outcome = Outcome {
        name: name.to_owned(),
        to_be_refused: true,
        ..Outcome::default()
    };
    let Some(carrier) = &lab.probe else {
        return outcome;
    };
    match carrier
        .call(carrier::Outgoing::new("+13125550198", user))
        .await
    {
        Ok(call) => {
            let verdict = match call.over(PATIENCE).await {
                Some(ending) => judge(&ending),
                None => Err(format!("still {:?}", call.phase())),
            };
            outcome.faults.extend(verdict.err());
        }
        Err(error) => outcome.faults.push(error.to_string()),
    }
    let attempts = lab
        .teams
        .calls()
        .iter()
        .filter(|call| call.callee() == user)
        .count();
    if attempts != 1 {
        outcome.faults.push(format!("{attempts} attempts"));
    }
    if !outcome.faults.is_empty() {
        eprintln!("FAULT {}: {}", outcome.name, outcome.faults.join("; "));
    }
    outcome
}
