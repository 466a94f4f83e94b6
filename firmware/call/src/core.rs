//! The machine that owns every call: inputs in, outputs out.
//!
//! It hands what arrives to the one it belongs to (a call's leg, a trunk's probe or registration, the courier that waits for a
//! name), keeps the earliest deadline of all, and turns strangers away. Calls never see each other; where two must be merged the
//! core carries the leg across.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use embassy_time::Instant;
use sip::message::Message;
use sip::resolve::{Answer, Cause, Question};
use sip::transaction::{self, ClientId};
use sip::transport::{FlowId, Source, Target};

use crate::api::{self, CallId, CallView, Census, Command, TrunkView};
use crate::call::{Call, MAX_LEGS};
use crate::courier::Retried;
use crate::desk::{Desk, Errand, LegRef, Owner};
use crate::journal;
use crate::leg::{LegInput, LegNo};
use crate::trunk::Trunks;

/// The two clocks, both given by the rim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The monotonic clock, for every timer.
    pub instant: Instant,
    /// Seconds since 1970-01-01 UTC, for time-of-day routes and records.
    pub wall: u64,
}

/// What can happen to call control.
#[derive(Debug)]
pub enum Input {
    /// A message was received.
    Sip {
        /// The message.
        message: Message,
        /// Where it came from.
        source: Source,
    },
    /// A `Transmit` could not be carried out: refused, timed out, failed its TLS checks.
    TransportFailed {
        /// The client transaction that it belonged to.
        client: ClientId,
    },
    /// A connection has closed.
    FlowClosed(FlowId),
    /// The answer to an [`Output::Resolve`].
    Dns {
        /// The question.
        question: Question,
        /// Its answer; an empty one if the name does not resolve.
        answer: Answer,
    },
    /// An event of the media plane.
    Media(media_api::Event),
    /// The media plane is connected (again): what it should hold is sent anew.
    MediaUp,
    /// The media plane is gone: new calls are answered 503 until it is back.
    MediaDown,
    /// A new configuration is in force for new calls; calls in progress keep theirs.
    Config(Arc<config::Snapshot>),
    /// A command through the door.
    Command(Command),
    /// What the journal of an earlier run holds, once, before anything else.
    Restore(Vec<journal::CallImage>),
    /// The deadline has been reached.
    Wake,
}

/// What call control wants done.
#[derive(Debug)]
pub enum Output {
    /// Send a message.
    Transmit {
        /// Where to.
        target: Target,
        /// The bytes of one message.
        bytes: Bytes,
        /// To be named in [`Input::TransportFailed`].
        client: Option<ClientId>,
    },
    /// Ask the resolver.
    Resolve(Question),
    /// Command the media plane.
    Media(media_api::Command),
    /// Tell the services.
    Event(api::Event),
    /// Keep this for a restart.
    Journal(journal::Record),
}

/// Every call of the box. See the crate's documentation for the contract.
#[derive(Debug)]
pub struct Core {
    desk: Desk,
    calls: HashMap<CallId, Call>,
    /// The deadline of each call, for the earliest of all.
    alarms: BTreeSet<(Instant, CallId)>,
    set: HashMap<CallId, Instant>,
    trunks: Trunks,
}

impl Core {
    /// A core with this configuration. `seed` must come from the system's generator: tags, branches and keys grow from it.
    #[must_use]
    pub fn new(snapshot: Arc<config::Snapshot>, seed: [u8; 32], now: Now) -> Self {
        let mut desk = Desk::new(snapshot, seed, now);
        let trunks = Trunks::new(&mut desk, now);
        Self {
            desk,
            calls: HashMap::new(),
            alarms: BTreeSet::new(),
            set: HashMap::new(),
            trunks,
        }
    }

    /// Take an input. Drain [`Core::poll`] afterwards.
    pub fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Sip { message, source } => {
                if self.is_stranger(&message, &source) {
                    self.desk.tell(api::Event::TurnedAway {
                        reason: api::TurnedAway::Stranger,
                        from: source.remote,
                    });
                    return;
                }
                self.desk.layer.handle(
                    now.instant,
                    transaction::Input::Received { message, source },
                );
            }
            Input::TransportFailed { client } => {
                self.desk.transport_failed(now, client);
            }
            Input::FlowClosed(flow) => {
                self.desk
                    .layer
                    .handle(now.instant, transaction::Input::FlowClosed(flow));
            }
            Input::Dns { question, answer } => self.desk.resolved(now, &question, answer),
            Input::Media(event) => self.media(now, event),
            Input::MediaUp => {
                self.desk.media_up();
                for call in self.calls.values_mut() {
                    call.reinstall(&mut self.desk);
                }
            }
            Input::MediaDown => self.desk.media_down(),
            Input::Config(snapshot) => {
                self.desk.configure(snapshot);
                self.trunks.configure(&mut self.desk, now);
            }
            Input::Command(command) => self.command(now, &command),
            Input::Restore(images) => self.restore(now, images),
            Input::Wake => self.wake(now),
        }
        self.settle(now);
    }

    /// The next thing to be done.
    pub fn poll(&mut self) -> Option<Output> {
        self.desk.outputs.pop_front()
    }

    /// When [`Input::Wake`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let calls = self.alarms.first().map(|(at, _)| *at);
        [calls, self.desk.deadline(), self.trunks.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// What stands in the tables.
    #[must_use]
    pub fn census(&self) -> Census {
        Census {
            calls: self.calls.len(),
            legs: self.calls.values().map(Call::leg_count).sum(),
            ..self.desk.census()
        }
    }

    /// The calls in progress.
    pub fn calls(&self) -> impl Iterator<Item = CallView> + '_ {
        self.calls.values().map(Call::view)
    }

    /// Every trunk, as it is at this moment.
    #[must_use]
    pub fn trunks(&self, now: Instant) -> Vec<TrunkView> {
        self.trunks.views(&self.desk, now)
    }

    /// Images of every call that a restarted control could take over, for a fresh journal.
    #[must_use]
    pub fn images(&self) -> Vec<journal::CallImage> {
        self.calls.values().filter_map(Call::image).collect()
    }

    fn wake(&mut self, now: Now) {
        self.desk.wake(now);
        self.trunks.wake(&mut self.desk, now);
        while let Some(&(at, id)) = self.alarms.first() {
            if at > now.instant {
                break;
            }
            self.alarms.remove(&(at, id));
            self.set.remove(&id);
            if let Some(call) = self.calls.get_mut(&id) {
                call.wake(&mut self.desk, now);
            }
            self.rearm(now, id);
        }
    }

    /// Work off what the layers below have to say until they are silent.
    fn settle(&mut self, now: Now) {
        loop {
            if let Some(output) = self.desk.layer.poll() {
                match output {
                    transaction::Output::Transmit {
                        target,
                        bytes,
                        client,
                    } => {
                        self.desk.outputs.push_back(Output::Transmit {
                            target,
                            bytes,
                            client,
                        });
                    }
                    transaction::Output::Event(event) => self.dispatch(now, event),
                }
            } else if let Some((owner, event)) = self.desk.next_notice() {
                self.deliver(now, owner, event);
            } else if let Some(errand) = self.desk.next_errand() {
                self.run(now, errand);
            } else {
                return;
            }
        }
    }

    fn dispatch(&mut self, now: Now, event: transaction::Event) {
        use transaction::Event as E;
        match event {
            E::Request {
                id,
                request,
                source,
            } => self.receive(now, id, request, source),
            E::Cancelled { invite, request } => {
                self.tell_invite(
                    now,
                    invite,
                    LegInput::Cancelled {
                        reason: crate::leg::reason_of(request.headers()),
                    },
                );
            }
            E::Acked { invite, ack, .. } => self.tell_invite(now, invite, LegInput::Acked(ack)),
            E::AckMissing { invite } => self.tell_invite(now, invite, LegInput::AckMissing),
            E::Response { id, response, .. } => {
                self.desk.courier.heard(id, response.status());
                if let Some(owner) = self.desk.owner_of(id) {
                    self.deliver(
                        now,
                        owner,
                        LegInput::Response {
                            client: id,
                            response,
                        },
                    );
                }
            }
            // Another address of the same name may do; the courier tries it before anybody is told.
            E::TimedOut { id } => {
                if self.desk.retry_elsewhere(now, id, Cause::Silence) == Retried::No {
                    self.failed(now, id, LegInput::TimedOut { client: id });
                }
            }
            E::Unreachable { id } => {
                if self.desk.retry_elsewhere(now, id, Cause::Unreachable) == Retried::No {
                    self.failed(now, id, LegInput::Unreachable { client: id });
                }
            }
            E::Ended { id } => self.desk.client_ended(id),
        }
    }

    fn failed(&mut self, now: Now, id: ClientId, input: LegInput) {
        if let Some(owner) = self.desk.owner_of(id) {
            self.deliver(now, owner, input);
        }
    }

    fn tell_invite(&mut self, now: Now, invite: transaction::ServerId, input: LegInput) {
        if let Some(LegRef { call, leg }) = self.desk.leg_of_invite(invite) {
            self.deliver(now, Owner::Leg(call, leg), input);
        }
    }

    pub(crate) fn deliver(&mut self, now: Now, owner: Owner, input: LegInput) {
        match owner {
            Owner::Leg(id, leg) => {
                self.with_call(now, id, |call, desk| call.hear(desk, now, leg, input))
            }
            Owner::Trunk(duty) => self.trunks.hear(&mut self.desk, now, duty, input),
        }
    }

    /// Do something with a call, then see whether it is over and when it wants to be woken.
    pub(crate) fn with_call(
        &mut self,
        now: Now,
        id: CallId,
        act: impl FnOnce(&mut Call, &mut Desk),
    ) {
        if let Some(call) = self.calls.get_mut(&id) {
            act(call, &mut self.desk);
        }
        self.rearm(now, id);
    }

    fn rearm(&mut self, now: Now, id: CallId) {
        if self
            .calls
            .get(&id)
            .is_some_and(|call| call.is_over(now.instant))
        {
            if let Some(at) = self.set.remove(&id) {
                self.alarms.remove(&(at, id));
            }
            if let Some(call) = self.calls.remove(&id) {
                call.close(&mut self.desk, now);
            }
            return;
        }
        let wanted = self.calls.get(&id).and_then(Call::deadline);
        let had = self.set.get(&id).copied();
        if wanted == had {
            return;
        }
        if let Some(at) = had {
            self.alarms.remove(&(at, id));
            self.set.remove(&id);
        }
        if let Some(at) = wanted {
            self.alarms.insert((at, id));
            self.set.insert(id, at);
        }
    }

    fn media(&mut self, now: Now, event: media_api::Event) {
        use media_api::Event as E;
        match event {
            E::RtpStarted { id } => {
                if let Some(LegRef { call, leg }) = self.desk.leg_of_stream(id) {
                    self.with_call(now, call, |call, desk| call.heard(desk, now, leg));
                }
            }
            E::Silent { id, since } => {
                if let Some(LegRef { call, leg }) = self.desk.leg_of_stream(id) {
                    self.with_call(now, call, |call, desk| call.silent(desk, now, leg, since));
                }
            }
            E::Certificate(certificate) => {
                self.desk.certificate = Some(certificate);
                for call in self.calls.values_mut() {
                    call.certified(&mut self.desk, now, certificate);
                }
            }
            E::Workers(workers) => self.desk.ports.share(workers),
            E::Insecure { id, reason } => {
                if let Some(LegRef { call, leg }) = self.desk.leg_of_stream(id) {
                    self.with_call(now, call, |call, desk| {
                        call.insecure(desk, now, leg, reason);
                    });
                }
            }
            E::Refused { id, .. } => {
                if let Some(LegRef { call, .. }) = self.desk.leg_of_stream(id) {
                    self.with_call(now, call, |call, desk| call.without_media(desk, now));
                }
            }
            E::Streams(streams) => self.desk.adopt(&streams),
            E::Removed { id, statistics } => self.desk.parted(id, &statistics),
            _ => {}
        }
    }

    fn command(&mut self, now: Now, command: &Command) {
        match command {
            Command::HangUp(id) => self.with_call(now, *id, |call, desk| call.hang_up(desk, now)),
            Command::Drain => self.desk.draining = true,
            Command::Resume => self.desk.draining = false,
        }
    }

    fn restore(&mut self, now: Now, images: Vec<journal::CallImage>) {
        for image in images {
            if let Some(call) = Call::restore(&mut self.desk, now, image) {
                self.admit(now, call);
            }
        }
    }

    /// Put a call into the table.
    pub(crate) fn admit(&mut self, now: Now, call: Call) {
        let id = call.id;
        self.calls.insert(id, call);
        self.rearm(now, id);
    }

    /// The configuration in force.
    pub(crate) fn snapshot(&self) -> &config::Snapshot {
        &self.desk.snapshot
    }

    /// The desk, for those who receive requests.
    pub(crate) const fn desk(&mut self) -> &mut Desk {
        &mut self.desk
    }

    /// The number that a further leg of a call would have; `None` if there is no such call, or it has legs enough.
    pub(crate) fn next_leg(&self, call: CallId) -> Option<LegNo> {
        let legs = self.calls.get(&call)?.legs.len();
        (legs < MAX_LEGS).then(|| LegNo::of(legs))
    }

    fn run(&mut self, now: Now, errand: Errand) {
        match errand {
            Errand::Merge {
                call,
                kept,
                transferor,
                other,
            } => {
                let given = self
                    .calls
                    .get_mut(&other.call)
                    .and_then(|other_call| other_call.give_away(&mut self.desk, now, other.leg));
                self.rearm(now, other.call);
                let Some(leg) = given else { return };
                self.with_call(now, call, |call, desk| {
                    let joined: LegNo = call.take_in(desk, leg);
                    call.merged(desk, now, kept, transferor, joined);
                });
            }
        }
    }
}
