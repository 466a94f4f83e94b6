//! What every call works with: transactions, ports, limits, tokens, and the way out.
//!
//! The desk knows whose each transaction, tag and stream is, so that what arrives finds its leg; it knows nothing of what calls
//! do. Everything that goes out is queued here in order.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use config::document::trunk::{EarlyMedia, TrunkKind};
use embassy_time::{Duration, Instant};
use media_api::{Statistics, StreamId};
use sip::auth::{self, Exchange};
use sip::dialog::refer::Replaces;
use sip::message::{Request, Response};
use sip::resolve::{Answer, Question};
use sip::token::Tokens;
use sip::transaction::{ClientId, Layer, ServerId, Timers};

use crate::api::{CallId, Census, Event};
use crate::cause::Cause;
use crate::core::{Now, Output};
use crate::courier::{Courier, Destination, Dispatched, Last, Retried};
use crate::leg::stream::Stream;
use crate::leg::wire::Wire;
use crate::leg::{Leg, LegInput, LegNo};
use crate::media::negotiate::{LegPolicy, LocalMedia, Negotiation};
use crate::media::ports::{Port, Ports};
use crate::media::sound;
use crate::route::limit::Limits;
use crate::trunk::Duty;

/// Whose a client transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A leg of a call.
    Leg(CallId, LegNo),
    /// A duty of a trunk: its probe, its registration.
    Trunk(Duty),
}

/// A leg somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LegRef {
    pub(crate) call: CallId,
    pub(crate) leg: LegNo,
}

/// Something that concerns two calls, to be done when the present one is put down.
#[derive(Debug)]
pub(crate) enum Errand {
    /// Bring the party that `other` talks to into `call`, where it takes the place of `transferor`.
    Merge {
        call: CallId,
        kept: LegNo,
        transferor: LegNo,
        other: LegRef,
    },
}

/// Whether the media plane is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MediaPlane {
    Up,
    Down,
}

/// What every call works with.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) layer: Layer,
    pub(crate) tokens: Tokens,
    pub(crate) snapshot: Arc<config::Snapshot>,
    pub(crate) ports: Ports,
    pub(crate) limits: Limits,
    pub(crate) courier: Courier,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) draining: bool,
    /// When the peers of each trunk last asked us by OPTIONS.
    pub(crate) asked_us: HashMap<String, Instant>,
    media_plane: MediaPlane,
    /// What the media plane is known by in handshakes.
    pub(crate) certificate: Option<media_api::Fingerprint>,
    clients: HashMap<ClientId, Owner>,
    invites: HashMap<ServerId, LegRef>,
    dialogs: HashMap<String, LegRef>,
    streams: HashMap<StreamId, LegRef>,
    /// Streams that the pipeline was told to remove: whose they were, for their last figures.
    parting: HashMap<StreamId, (CallId, String)>,
    notices: VecDeque<(Owner, LegInput)>,
    /// By name of the trunk: nonces that were taken once go on being used.
    credentials: HashMap<String, auth::Client>,
    errands: VecDeque<Errand>,
    next_call: u64,
    next_stream: u64,
}

impl Desk {
    pub(crate) fn new(snapshot: Arc<config::Snapshot>, seed: [u8; 32], now: Now) -> Self {
        let mut tokens = Tokens::new(seed);
        let layer = Layer::new(tokens.seed(), Timers::default());
        let ports = Ports::new(snapshot.media.ports);
        let courier = Courier::new(&snapshot, tokens.seed());
        Self {
            layer,
            ports,
            limits: Limits::default(),
            courier,
            snapshot,
            outputs: VecDeque::new(),
            draining: false,
            asked_us: HashMap::new(),
            media_plane: MediaPlane::Down,
            certificate: None,
            clients: HashMap::new(),
            invites: HashMap::new(),
            dialogs: HashMap::new(),
            streams: HashMap::new(),
            parting: HashMap::new(),
            notices: VecDeque::new(),
            credentials: HashMap::new(),
            errands: VecDeque::new(),
            // Numbers go on over a restart, because they begin with the clock.
            next_call: now.wall << 20,
            next_stream: now.wall << 24,
            tokens,
        }
    }

    // ── calls and legs ──────────────────────────────────────────────────────────────────────────────────────────────

    pub(crate) fn new_call(&mut self) -> CallId {
        self.next_call += 1;
        CallId(self.next_call)
    }

    /// From now on, requests whose To-tag is `tag` are this leg's.
    pub(crate) fn enlist(&mut self, tag: &str, call: CallId, leg: LegNo) {
        self.dialogs.insert(tag.to_owned(), LegRef { call, leg });
    }

    /// From now on, what becomes of this server INVITE is this leg's.
    pub(crate) fn enlist_invite(&mut self, invite: ServerId, call: CallId, leg: LegNo) {
        self.invites.insert(invite, LegRef { call, leg });
    }

    pub(crate) fn enlist_stream(&mut self, stream: StreamId, call: CallId, leg: LegNo) {
        self.streams.insert(stream, LegRef { call, leg });
    }

    pub(crate) fn leg_of_tag(&self, tag: &str) -> Option<LegRef> {
        self.dialogs.get(tag).copied()
    }

    pub(crate) fn leg_of_invite(&self, invite: ServerId) -> Option<LegRef> {
        self.invites.get(&invite).copied()
    }

    pub(crate) fn leg_of_stream(&self, stream: StreamId) -> Option<LegRef> {
        self.streams.get(&stream).copied()
    }

    /// The leg whose dialog a Replaces names (RFC 3891 §3): its To-tag is our tag.
    pub(crate) fn find_replaced(&self, replaces: &Replaces) -> Option<LegRef> {
        self.leg_of_tag(replaces.to_tag.as_str())
            .or_else(|| self.leg_of_tag(replaces.from_tag.as_str()))
    }

    pub(crate) fn forget_tag(&mut self, tag: &str) {
        self.dialogs.remove(tag);
    }

    pub(crate) fn forget_invite(&mut self, invite: ServerId) {
        self.invites.remove(&invite);
    }

    pub(crate) fn forget_stream(&mut self, stream: StreamId) {
        self.streams.remove(&stream);
    }

    // ── requests and responses ──────────────────────────────────────────────────────────────────────────────────────

    /// Send a request; what becomes of it is told to `owner`. `patience` is the time allowed for a first response where it is shorter
    /// than the transaction's own.
    pub(crate) fn send(
        &mut self,
        now: Now,
        owner: Owner,
        request: Request,
        destination: &Destination,
        patience: Option<Duration>,
    ) -> ClientId {
        let id = self.layer.next_client_id();
        self.clients.insert(id, owner);
        let sent = self
            .courier
            .dispatch(now, &mut self.layer, id, request, destination, patience);
        self.follow(id, sent);
        id
    }

    fn follow(&mut self, id: ClientId, sent: Dispatched) {
        match sent {
            Dispatched::Sent(questions) | Dispatched::Waiting(questions) => {
                self.outputs
                    .extend(questions.into_iter().map(Output::Resolve));
            }
            Dispatched::NoWay => {
                if let Some(owner) = self.clients.get(&id) {
                    self.notices
                        .push_back((*owner, LegInput::Unreachable { client: id }));
                }
            }
        }
    }

    pub(crate) fn acknowledge(
        &mut self,
        now: Now,
        client: ClientId,
        tag: &str,
        ack: Request,
        destination: &Destination,
    ) {
        let sent = self
            .courier
            .acknowledge(now, &mut self.layer, client, tag, ack, destination);
        self.follow(client, sent);
    }

    pub(crate) fn cancel(&mut self, now: Now, id: ClientId, reason: Option<Bytes>) {
        self.layer
            .handle(now.instant, sip::transaction::Input::Cancel { id, reason });
    }

    pub(crate) fn owner_of(&self, id: ClientId) -> Option<Owner> {
        self.clients.get(&id).copied()
    }

    /// A transaction has ended: nothing more will be heard of it, unless its request is on its way elsewhere.
    pub(crate) fn client_ended(&mut self, id: ClientId) {
        if self.courier.ended(id) == Last::Yes {
            self.clients.remove(&id);
        }
    }

    /// Whether a request that failed is on its way to another address of the same name.
    pub(crate) fn retry_elsewhere(
        &mut self,
        now: Now,
        id: ClientId,
        cause: sip::resolve::Cause,
    ) -> Retried {
        self.courier.retry(now, &mut self.layer, id, cause)
    }

    /// The request with the credentials that its trunk has asked for before.
    pub(crate) fn authorized(&mut self, wire: &Wire, request: Request) -> Request {
        match self.credentials.get_mut(&wire.trunk().name) {
            Some(client) => client.authorize(&request, &mut self.tokens),
            None => request,
        }
    }

    /// The request once more, with what a challenge asks for; `None` if we have nothing to give.
    pub(crate) fn with_credentials(
        &mut self,
        wire: &Wire,
        exchange: &mut Exchange,
        request: &Request,
        challenge: &Response,
    ) -> Option<Request> {
        let TrunkKind::Carrier(carrier) = &wire.trunk().kind else {
            return None;
        };
        let credentials = crate::registration::credentials_of(carrier)?;
        let client = self
            .credentials
            .entry(wire.trunk().name.clone())
            .or_insert_with(|| auth::Client::new(credentials));
        client
            .answer(exchange, request, challenge, &mut self.tokens)
            .ok()
    }

    pub(crate) fn transport_failed(&mut self, now: Now, client: ClientId) {
        self.layer.handle(
            now.instant,
            sip::transaction::Input::TransportFailed { client },
        );
    }

    pub(crate) fn resolved(&mut self, now: Now, question: &Question, answer: Answer) {
        let (dispatched, questions) = self
            .courier
            .resolved(now, &mut self.layer, question, answer);
        self.outputs
            .extend(questions.into_iter().map(Output::Resolve));
        for (id, sent) in dispatched {
            self.follow(id, sent);
        }
    }

    pub(crate) fn next_notice(&mut self) -> Option<(Owner, LegInput)> {
        self.notices.pop_front()
    }

    pub(crate) fn errand(&mut self, errand: Errand) {
        self.errands.push_back(errand);
    }

    pub(crate) fn next_errand(&mut self) -> Option<Errand> {
        self.errands.pop_front()
    }

    /// Whether a target's early media counts only when it is heard (INV-17).
    pub(crate) fn waits_for_media(leg: &Leg) -> bool {
        leg.wire.trunk().early_media == EarlyMedia::WhenHeard
    }

    // ── media ───────────────────────────────────────────────────────────────────────────────────────────────────────

    /// A port and a stream for a leg, with nothing negotiated yet.
    ///
    /// # Errors
    /// Every port is taken, or the media plane is gone.
    pub(crate) fn open_stream(
        &mut self,
        now: Now,
        call: CallId,
        leg: LegNo,
        wire: &Wire,
    ) -> Result<Stream, Cause> {
        if self.media_plane == MediaPlane::Down {
            return Err(Cause::Unreachable);
        }
        let port = self
            .ports
            .reserve(now.instant, call.0)
            .map_err(|_| Cause::Unreachable)?;
        self.next_stream += 1;
        let id = StreamId(self.next_stream);
        self.enlist_stream(id, call, leg);
        let (face, other) = wire.faces();
        let local = LocalMedia {
            address: face.advertised,
            port: port.rtp(),
        };
        let policy = LegPolicy::of(wire.trunk(), self.certificate);
        let negotiation = Negotiation::new(policy, local, self.tokens.number())
            .or_at(other.map(|face| face.advertised));
        Ok(Stream::new(id, port, negotiation))
    }

    /// The address that the pipeline binds for a port, where `advertised` stands in SDP.
    pub(crate) fn bind_address(&self, port: &Port, advertised: IpAddr) -> SocketAddr {
        let face = self.snapshot.media.faces.best_for(advertised);
        SocketAddr::new(face.bound, port.rtp())
    }

    pub(crate) fn media(&mut self, command: media_api::Command) {
        self.outputs.push_back(Output::Media(command));
    }

    pub(crate) fn link(&mut self, a: StreamId, b: StreamId) {
        self.media(media_api::Command::Link { a, b });
    }

    pub(crate) const fn media_up(&mut self) {
        self.media_plane = MediaPlane::Up;
    }

    pub(crate) fn media_down(&mut self) {
        self.media_plane = MediaPlane::Down;
        // Nobody is left who would tell.
        self.parting.clear();
    }

    /// The pipeline is told to remove a stream of this call, which went by this trunk.
    pub(crate) fn part_with(&mut self, stream: StreamId, call: CallId, trunk: &str) {
        if self.media_is_up() {
            self.parting.insert(stream, (call, trunk.to_owned()));
        }
        self.media(media_api::Command::Remove(stream));
    }

    /// The pipeline has removed a stream: its figures are told if there were any packets.
    pub(crate) fn parted(&mut self, stream: StreamId, statistics: &Statistics) {
        let Some((call, trunk)) = self.parting.remove(&stream) else {
            return;
        };
        if statistics.received.packets > 0 || statistics.sent.packets > 0 {
            let sound = sound::of(statistics);
            self.tell(Event::Sounded { call, trunk, sound });
        }
    }

    pub(crate) fn media_is_up(&self) -> bool {
        self.media_plane == MediaPlane::Up
    }

    /// Streams that the pipeline holds and no leg owns are removed.
    pub(crate) fn adopt(&mut self, streams: &[media_api::StreamId]) {
        for stream in streams {
            if !self.streams.contains_key(stream) {
                self.media(media_api::Command::Remove(*stream));
            }
        }
    }

    // ── the rest ────────────────────────────────────────────────────────────────────────────────────────────────────

    pub(crate) fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// What is said on a leg bears this Call-ID.
    pub(crate) fn tell_leg(&mut self, call: CallId, leg: LegNo, wire: &Wire, call_id: &str) {
        self.tell(Event::Leg {
            call,
            leg: leg.0,
            trunk: wire.trunk().name.clone(),
            call_id: call_id.to_owned(),
        });
    }

    pub(crate) fn configure(&mut self, snapshot: Arc<config::Snapshot>) {
        self.ports.configure(snapshot.media.ports);
        self.courier.configure(&snapshot);
        self.limits.configure(&snapshot);
        self.credentials.clear();
        self.asked_us
            .retain(|trunk, _| snapshot.trunk_named(trunk).is_some());
        self.snapshot = snapshot;
    }

    pub(crate) fn wake(&mut self, now: Now) {
        self.layer
            .handle(now.instant, sip::transaction::Input::Wake);
        self.ports.wake(now.instant);
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.layer.deadline()
    }

    pub(crate) fn census(&self) -> Census {
        let layer = self.layer.census();
        Census {
            calls: 0,
            legs: 0,
            dialogs: self.dialogs.len(),
            clients: layer.clients,
            servers: layer.servers,
            ports: self.ports.in_use(),
            ports_resting: self.ports.resting(),
            resolving: self.courier.waiting(),
        }
    }
}
