//! Which worker has which stream.
//!
//! A stream begins on the worker that its port belongs to ([`hal::home`]). Two streams can relay to each other only where they are
//! together: when control links two that are apart, one is fetched. Control notices nothing of all this: while a stream is on its
//! way, what control says waits, and what every worker answers is told once.
//!
//! ```text
//!  Link{a, b}   a on 0, b on 1:   1 ◄ Give(b)   ...   Given(b) ◄ 1   0 ◄ Take(b), Link{a, b}   and what has waited
//! ```
//!
//! Sans IO: commands and tidings go in, orders and events come out. One worker alone costs nothing of it.
//!
//! Not here: threads and rings (`worker.rs`), the connection to control (`server.rs`).

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU8;

use hal::{Clock, Handover, home};
use measure::Refusal;
use media_api::{Command, Event, StreamId};
use pipeline::dtls::Reply;
use pipeline::{Parcel, Worker};

use super::MOST_STREAMS;

/// What a worker is told.
#[expect(
    clippy::large_enum_variant,
    reason = "commands are nearly all there is, and each is moved once"
)]
#[derive(Debug)]
pub(super) enum Order<P> {
    /// A control is there; it is answered by [`Tiding::Greeted`] with the same number.
    Came(u64),
    /// There is none any more.
    Left,
    /// It says this.
    Do(Command),
    /// A stream goes to another worker. Answered by [`Tiding::Given`].
    Give(StreamId),
    /// A stream comes from another worker.
    Take(Box<Parcel<P>>),
    /// This has come of a handshake.
    Reply(Reply),
}

/// What a worker tells.
#[derive(Debug)]
pub(super) enum Tiding<P> {
    /// From here on events are for the control of this number.
    Greeted(u64),
    /// An event.
    Event(Event),
    /// A stream that was to be put is not here.
    Absent(StreamId),
    /// The stream that was asked for, if it was here.
    Given(Option<Box<Parcel<P>>>),
    /// What has come of a handshake is for a stream that is not here.
    Astray(Reply),
}

impl<P> Order<P> {
    /// Does it. What the worker has to tell of it besides is told behind what is given back.
    pub(super) fn carry_out<B: Handover<Port = P>>(
        self,
        worker: &mut Worker<B, impl Clock>,
    ) -> Option<Tiding<P>> {
        match self {
            Self::Came(number) => {
                worker.control_came();
                return Some(Tiding::Greeted(number));
            }
            Self::Left => worker.control_left(),
            Self::Do(Command::Put(spec)) => {
                let id = spec.id;
                worker.command(Command::Put(spec));
                return (!worker.holds(id)).then_some(Tiding::Absent(id));
            }
            Self::Do(command) => worker.command(command),
            Self::Give(id) => return Some(Tiding::Given(worker.give(id).map(Box::new))),
            Self::Take(parcel) => worker.take(*parcel),
            Self::Reply(reply) if worker.holds(reply.stream) => worker.reply(reply),
            Self::Reply(reply) => return Some(Tiding::Astray(reply)),
        }
        None
    }
}

/// All workers, seen from control.
pub(super) struct Shards<P> {
    workers: NonZeroU8,
    /// Orders that the workers have not taken yet.
    orders: Vec<VecDeque<Order<P>>>,
    places: HashMap<StreamId, u8>,
    /// Who relays to whom, both ways, whether they are here yet or not.
    links: HashMap<StreamId, StreamId>,
    /// Removals that are yet to be answered.
    leaving: HashMap<StreamId, u32>,
    moving: Option<Move>,
    /// What control has said since the move began.
    held: VecDeque<Command>,
    /// Of the control that is there, or was last.
    number: u64,
    /// Of the control that each worker's events are for.
    greeted: Vec<u64>,
    pongs: Chorus,
    lists: Chorus,
    events: VecDeque<Event>,
}

/// A stream that is on its way.
struct Move {
    id: StreamId,
    to: u8,
    /// What is to be done when it is there.
    then: Command,
    /// What has come of its handshake meanwhile.
    replies: Vec<Reply>,
}

impl<P> Shards<P> {
    pub(super) fn new(workers: NonZeroU8) -> Self {
        let count = usize::from(workers.get());
        Self {
            workers,
            orders: (0..count).map(|_| VecDeque::new()).collect(),
            places: HashMap::new(),
            links: HashMap::new(),
            leaving: HashMap::new(),
            moving: None,
            held: VecDeque::new(),
            number: 0,
            greeted: vec![0; count],
            pongs: Chorus::of(count),
            lists: Chorus::of(count),
            events: VecDeque::new(),
        }
    }

    pub(super) fn workers(&self) -> NonZeroU8 {
        self.workers
    }

    /// Another control than before.
    pub(super) fn came(&mut self) {
        self.number += 1;
        let number = self.number;
        // What was to be told to another control is nobody's.
        self.events.clear();
        self.pongs.begin_anew();
        self.lists.begin_anew();
        self.tell_all(|| Order::Came(number));
    }

    /// Control is gone.
    pub(super) fn left(&mut self) {
        self.tell_all(|| Order::Left);
    }

    /// Control says this.
    pub(super) fn command(&mut self, command: Command) {
        if self.moving.is_some() {
            self.held.push_back(command);
        } else {
            self.pass(command);
        }
    }

    /// A worker tells this.
    pub(super) fn hear(&mut self, worker: u8, tiding: Tiding<P>) {
        match tiding {
            Tiding::Greeted(number) => self.greeted[usize::from(worker)] = number,
            Tiding::Event(event) => self.hear_event(worker, event),
            Tiding::Absent(id) => self.forget(id),
            Tiding::Given(parcel) => self.arrive(parcel),
            Tiding::Astray(reply) => self.redirect(worker, reply),
        }
    }

    /// The next thing to tell control.
    pub(super) fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What a worker is to be told, in this order.
    pub(super) fn orders(&mut self, worker: usize) -> &mut VecDeque<Order<P>> {
        &mut self.orders[worker]
    }

    /// Whether something has not been taken yet: no more should be said meanwhile.
    pub(super) fn is_behind(&self) -> bool {
        self.moving.is_some() || self.orders.iter().any(|orders| !orders.is_empty())
    }

    fn tell(&mut self, worker: u8, order: Order<P>) {
        self.orders[usize::from(worker)].push_back(order);
    }

    fn tell_all(&mut self, order: impl Fn() -> Order<P>) {
        for orders in &mut self.orders {
            orders.push_back(order());
        }
    }

    /// Where a stream is; what is of none that is known is any worker's to refuse.
    fn place(&self, id: StreamId) -> u8 {
        self.places.get(&id).copied().unwrap_or_default()
    }

    fn pass(&mut self, command: Command) {
        match command {
            Command::Ping => self.tell_all(|| Order::Do(Command::Ping)),
            Command::List => self.tell_all(|| Order::Do(Command::List)),
            _ if self.workers == NonZeroU8::MIN => self.tell(0, Order::Do(command)),
            Command::Put(spec) => {
                let id = spec.id;
                let begins = home(spec.local.port(), self.workers);
                let place = *self.places.entry(id).or_insert(begins);
                self.tell(place, Order::Do(Command::Put(spec)));
                if let Some(peer) = self.links.get(&id).copied() {
                    self.join(peer, id);
                }
            }
            Command::Link { a, b } => self.link(a, b),
            Command::Unlink { a, b } => {
                if self.links.get(&a) == Some(&b) {
                    self.part(a);
                }
            }
            Command::Remove(id) => {
                let place = self.place(id);
                self.forget(id);
                *self.leaving.entry(id).or_default() += 1;
                self.tell(place, Order::Do(command));
            }
            Command::Tone { stream: id, .. } | Command::Statistics(id) => {
                let place = self.place(id);
                self.tell(place, Order::Do(command));
            }
            // It is answered where it is heard.
            Command::Hello { .. } => {}
        }
    }

    fn link(&mut self, a: StreamId, b: StreamId) {
        if a == b {
            let place = self.place(a);
            self.tell(place, Order::Do(Command::Link { a, b }));
            return;
        }
        if self.links.len() >= 2 * MOST_STREAMS as usize {
            let reason = Refusal::Full;
            self.events.push_back(Event::Refused { id: a, reason });
            return;
        }
        self.part(a);
        self.part(b);
        self.links.insert(a, b);
        self.links.insert(b, a);
        self.join(a, b);
    }

    /// Brings two streams together that are linked, as far as they are here.
    fn join(&mut self, a: StreamId, b: StreamId) {
        let then = Command::Link { a, b };
        match (self.places.get(&a), self.places.get(&b)) {
            (Some(to), Some(from)) if to != from => {
                let (to, from) = (*to, *from);
                self.tell(from, Order::Give(b));
                self.moving = Some(Move {
                    id: b,
                    to,
                    then,
                    replies: Vec::new(),
                });
            }
            // The worker remembers it for one that is yet to come.
            (Some(place), _) | (None, Some(place)) => self.tell(*place, Order::Do(then)),
            (None, None) => {}
        }
    }

    /// Ends the link of a stream, also where it is remembered for one that has not come.
    fn part(&mut self, a: StreamId) {
        let Some(b) = self.links.remove(&a) else {
            return;
        };
        self.links.remove(&b);
        let places = [self.places.get(&a), self.places.get(&b)].map(Option::<&u8>::copied);
        let [one, other] = places;
        for place in [one, other.filter(|_| one != other)].into_iter().flatten() {
            self.tell(place, Order::Do(Command::Unlink { a, b }));
        }
    }

    fn forget(&mut self, id: StreamId) {
        self.part(id);
        self.places.remove(&id);
    }

    /// A stream is gone, because control has said so or of itself. In the first case that is known, and there may be another by now.
    fn removed(&mut self, id: StreamId) {
        match self.leaving.entry(id) {
            Entry::Occupied(mut removals) if *removals.get() > 1 => *removals.get_mut() -= 1,
            Entry::Occupied(removals) => {
                removals.remove();
            }
            Entry::Vacant(_) => self.forget(id),
        }
    }

    fn arrive(&mut self, parcel: Option<Box<Parcel<P>>>) {
        let Some(Move {
            id,
            to,
            then,
            replies,
        }) = self.moving.take()
        else {
            return;
        };
        if let Some(parcel) = parcel {
            self.places.insert(id, to);
            self.tell(to, Order::Take(parcel));
            for reply in replies {
                self.tell(to, Order::Reply(reply));
            }
        } else {
            self.places.remove(&id);
        }
        self.tell(to, Order::Do(then));
        while self.moving.is_none()
            && let Some(command) = self.held.pop_front()
        {
            self.pass(command);
        }
    }

    fn redirect(&mut self, worker: u8, reply: Reply) {
        match &mut self.moving {
            Some(moving) if moving.id == reply.stream => moving.replies.push(reply),
            _ => {
                let place = self.places.get(&reply.stream).copied();
                // Where it is not, it has been removed meanwhile.
                if let Some(place) = place.filter(|place| *place != worker) {
                    self.tell(place, Order::Reply(reply));
                }
            }
        }
    }

    fn hear_event(&mut self, worker: u8, event: Event) {
        if let Event::Removed { id, .. } = &event {
            self.removed(*id);
        }
        if self.greeted[usize::from(worker)] != self.number {
            return;
        }
        let event = match event {
            Event::Pong => self.pongs.join(worker, Vec::new()).map(|_| Event::Pong),
            Event::Streams(ids) => self.lists.join(worker, ids).map(Event::Streams),
            event => Some(event),
        };
        self.events.extend(event);
    }
}

/// What every worker answers, and control hears once: when the last has answered.
struct Chorus {
    /// How often each has answered.
    said: Vec<u64>,
    /// How often all have.
    told: u64,
    /// What has been said so far, from the first that not all have answered.
    verses: VecDeque<Vec<StreamId>>,
}

impl Chorus {
    fn of(workers: usize) -> Self {
        Self {
            said: vec![0; workers],
            told: 0,
            verses: VecDeque::new(),
        }
    }

    fn begin_anew(&mut self) {
        *self = Self::of(self.said.len());
    }

    /// A worker answers; all that they have said, if it is the last.
    fn join(&mut self, worker: u8, ids: Vec<StreamId>) -> Option<Vec<StreamId>> {
        let said = &mut self.said[usize::from(worker)];
        let verse = (*said - self.told) as usize;
        *said += 1;
        if self.verses.len() <= verse {
            self.verses.push_back(Vec::new());
        }
        self.verses[verse].extend(ids);
        // Nobody answers the second before the first, so no more than one ends here.
        let all = self.said.iter().all(|said| *said > self.told);
        self.told += u64::from(all);
        if all { self.verses.pop_front() } else { None }
    }
}

#[cfg(test)]
mod tests;
