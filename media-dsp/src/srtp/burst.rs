//! A burst of packets at once: what one packet waits for, the others use.
//!
//! ```text
//!  protect     of each: header, index, window, AES (with GCM GHASH, tag, done)  →  HMAC of all  →  of each: tag
//!  unprotect   of each: header, index, window (with GCM GHASH, AES, tag, done)  →  HMAC of all  →  of each: tag, AES, window
//! ```
//!
//! Packets are told by [`Job`]s, their contexts found through [`Contexts`]; nothing is allocated, nothing copied. The outcome of
//! each packet is what [`Sender::protect_rtp`] and [`Receiver::unprotect_rtp`] would have given, one packet after the other
//! (`tests/srtp_burst.rs`). Where the outcome of a packet hangs on the one before, they are done one after the other: of each
//! receiver one packet is in a round, the next in the next.
//!
//! Not here: SRTCP, of which there is one packet in hundreds; the arithmetic (`session.rs`, `simd`).

use super::cipher::Place;
use super::receiver::Attempt;
use super::session::Session;
use super::simd::{Mac, Message, SHA_BLOCK};
use super::{ProtectError, Receiver, Sender, UnprotectError, tag};

/// Packets that are worked on at once. More in one call are taken in turns of so many.
pub const MOST: usize = 32;

/// A packet to be protected or unprotected where it lies.
#[derive(Debug)]
pub struct Job<'a, K, E> {
    /// Whose packet it is, in the words of [`Contexts`].
    pub context: K,
    /// The packet and what room there is behind it.
    pub buffer: &'a mut [u8],
    /// Octets of the packet.
    pub length: usize,
    /// Octets of the packet afterwards, or why it is to be dropped; its octets are as they were then.
    pub outcome: Result<usize, E>,
}

impl<'a, K, E> Job<'a, K, E> {
    /// Nothing done yet.
    #[inline]
    pub fn new(context: K, buffer: &'a mut [u8], length: usize) -> Self {
        Self {
            context,
            buffer,
            length,
            outcome: Ok(length),
        }
    }
}

/// Where a burst finds its senders or receivers, `C`.
pub trait Contexts<C> {
    /// What names one of them.
    type Key: Copy;

    /// The context of this name. Where there is none a packet passes as it is.
    fn context(&self, key: Self::Key) -> Option<&C>;

    /// The same, to be changed.
    fn context_mut(&mut self, key: Self::Key) -> Option<&mut C>;
}

impl<C> Contexts<C> for [C] {
    type Key = usize;

    fn context(&self, key: usize) -> Option<&C> {
        self.get(key)
    }

    fn context_mut(&mut self, key: usize) -> Option<&mut C> {
        self.get_mut(key)
    }
}

/// A packet in the round: which job it is and what is known of it.
#[derive(Clone, Copy)]
struct Planned {
    job: usize,
    place: Place,
    /// Octets that are authenticated.
    plain: usize,
    /// Octets of the MKI behind them.
    mki: usize,
    slot: usize,
}

/// The packets of a round.
struct Round {
    planned: [Planned; MOST],
    count: usize,
    macs: [Mac; MOST],
}

impl Round {
    const fn new() -> Self {
        const VACANT: Planned = Planned {
            job: 0,
            place: Place {
                header: 0,
                ssrc: 0,
                index: 0,
            },
            plain: 0,
            mki: 0,
            slot: 0,
        };
        Self {
            planned: [VACANT; MOST],
            count: 0,
            macs: [[0; 16]; MOST],
        }
    }

    #[inline]
    fn push(&mut self, planned: Planned) {
        self.planned[self.count] = planned;
        self.count += 1;
    }

    #[inline]
    fn planned(&self) -> &[Planned] {
        &self.planned[..self.count]
    }
}

/// What holds a session.
trait Keyed {
    fn session(&self) -> &Session;
    fn prefetch(&self);
}

impl Keyed for Sender {
    #[inline]
    fn session(&self) -> &Session {
        Self::session(self)
    }

    #[inline]
    fn prefetch(&self) {
        Self::prefetch(self);
    }
}

impl Keyed for Receiver {
    #[inline]
    fn session(&self) -> &Session {
        Self::session(self)
    }

    #[inline]
    fn prefetch(&self) {
        Self::prefetch(self);
    }
}

/// Protects the RTP packets of a burst; outcomes as of [`Sender::protect_rtp`], in the order of the jobs.
pub fn protect<C: Contexts<Sender> + ?Sized>(
    contexts: &mut C,
    jobs: &mut [Job<'_, C::Key, ProtectError>],
) {
    for jobs in jobs.chunks_mut(MOST) {
        prefetch(contexts, jobs);
        let mut round = Round::new();
        for (at, job) in jobs.iter_mut().enumerate() {
            if let Some(sender) = contexts.context_mut(job.context) {
                protect_one(sender, job, at, &mut round);
            }
        }
        authenticate(contexts, jobs, &mut round);
        for (planned, mac) in round.planned().iter().zip(&round.macs) {
            let job = &mut jobs[planned.job];
            if let Some(sender) = contexts.context(job.context) {
                job.outcome = Ok(sender.append(job.buffer, planned.plain, mac));
            }
        }
    }
}

/// Does to a packet what it needs no other for.
#[inline]
fn protect_one<K>(
    sender: &mut Sender,
    job: &mut Job<'_, K, ProtectError>,
    at: usize,
    round: &mut Round,
) {
    if !sender.session().is_ready() {
        job.outcome = sender.protect_rtp(job.buffer, job.length);
        return;
    }
    // Nothing can fail once the index is used.
    let place = match sender.claim(job.buffer, job.length) {
        Ok(place) => place,
        Err(error) => {
            job.outcome = Err(error);
            return;
        }
    };
    let (header, body) = job.buffer[..job.length].split_at_mut(place.header);
    if let Some(mac) = sender.session().seal(&place, header, body) {
        job.outcome = Ok(sender.append(job.buffer, job.length, &mac));
        return;
    }
    sender.session().apply(&place, body);
    round.push(Planned {
        job: at,
        place,
        plain: job.length,
        mki: 0,
        slot: 0,
    });
}

/// Unprotects the RTP packets of a burst; outcomes as of [`Receiver::unprotect_rtp`], in the order of the jobs.
pub fn unprotect<C: Contexts<Receiver> + ?Sized>(
    contexts: &mut C,
    jobs: &mut [Job<'_, C::Key, UnprotectError>],
) {
    for jobs in jobs.chunks_mut(MOST) {
        prefetch(contexts, jobs);
        let mut waiting = u32::MAX >> (MOST - jobs.len());
        while waiting != 0 {
            waiting = unprotect_round(contexts, jobs, waiting);
        }
    }
}

/// One packet of each receiver; gives the jobs that still wait.
fn unprotect_round<C: Contexts<Receiver> + ?Sized>(
    contexts: &mut C,
    jobs: &mut [Job<'_, C::Key, UnprotectError>],
    waiting: u32,
) -> u32 {
    let mut round = Round::new();
    let mut still_waiting = 0;
    for (at, job) in jobs.iter_mut().enumerate() {
        if waiting >> at & 1 == 0 {
            continue;
        }
        let Some(receiver) = contexts.context_mut(job.context) else {
            continue;
        };
        let packet = &mut job.buffer[..job.length];
        match receiver.attempt(packet) {
            Attempt::Busy => still_waiting |= 1 << at,
            Attempt::Alone => job.outcome = receiver.unprotect_rtp(packet),
            Attempt::Refused(error) => job.outcome = Err(error),
            Attempt::Expect(expected) => {
                let planned = Planned {
                    job: at,
                    place: expected.place,
                    plain: expected.plain,
                    mki: expected.mki,
                    slot: expected.slot,
                };
                match open(receiver, packet, &planned) {
                    Some(outcome) => job.outcome = outcome,
                    None => {
                        receiver.wait();
                        round.push(planned);
                    }
                }
            }
        }
    }
    authenticate(contexts, jobs, &mut round);
    for (planned, mac) in round.planned().iter().zip(&round.macs) {
        let job = &mut jobs[planned.job];
        let Some(receiver) = contexts.context_mut(job.context) else {
            continue;
        };
        let packet = &mut job.buffer[..job.length];
        let carried = receiver.tag_of(packet, planned.plain, planned.mki);
        job.outcome = if tag::is_of(mac, carried) {
            let body = &mut packet[planned.place.header..planned.plain];
            receiver.session().apply(&planned.place, body);
            receiver.accept(planned.slot, &planned.place);
            Ok(planned.plain)
        } else {
            receiver.reject(packet)
        };
    }
    still_waiting
}

/// GCM does not wait for other packets.
#[inline]
fn open(
    receiver: &mut Receiver,
    packet: &mut [u8],
    planned: &Planned,
) -> Option<Result<usize, UnprotectError>> {
    let (header, body) = packet[..planned.plain].split_at_mut(planned.place.header);
    let mac = receiver.session().open(&planned.place, header, body)?;
    let carried = receiver.tag_of(packet, planned.plain, planned.mki);
    if tag::is_of(&mac, carried) {
        receiver.accept(planned.slot, &planned.place);
        return Some(Ok(planned.plain));
    }
    // What is not authentic has been decrypted too: the same again makes it what it was.
    let body = &mut packet[planned.place.header..planned.plain];
    receiver.session().apply(&planned.place, body);
    Some(receiver.reject(packet))
}

#[inline]
fn prefetch<C, E, X>(contexts: &X, jobs: &[Job<'_, X::Key, E>])
where
    C: Keyed,
    X: Contexts<C> + ?Sized,
{
    for job in jobs {
        if let Some(context) = contexts.context(job.context) {
            context.prefetch();
            context.session().prefetch();
        }
    }
}

/// Computes the HMAC of all packets of the round, side by side.
fn authenticate<C, E, X>(contexts: &X, jobs: &[Job<'_, X::Key, E>], round: &mut Round)
where
    C: Keyed,
    X: Contexts<C> + ?Sized,
{
    if round.count == 0 {
        return;
    }
    let mut tails = [[[0; SHA_BLOCK]; 2]; MOST];
    let mut order = [Ordered::default(); MOST];
    for (at, planned) in round.planned().iter().enumerate() {
        let tail = finish(jobs[planned.job].buffer, planned, &mut tails[at]);
        order[at] = Ordered {
            head: (planned.plain / SHA_BLOCK) as u16,
            tail,
            planned: at as u8,
        };
    }
    let count = round.count;
    // Who has equally many blocks goes side by side.
    let order = &mut order[..count];
    if !order.is_sorted() {
        order.sort_unstable();
    }
    let mut messages = [Message::VACANT; MOST];
    let mut engine = None;
    for (message, ordered) in messages.iter_mut().zip(order.iter()) {
        let at = usize::from(ordered.planned);
        let planned = &round.planned[at];
        let job = &jobs[planned.job];
        let pads = contexts
            .context(job.context)
            .and_then(|context| context.session().pads());
        if let Some((its, pads)) = pads {
            let (head, _) = job.buffer[..planned.plain].as_chunks();
            *message = pads.message(head, &tails[at][..usize::from(ordered.tail)]);
            engine = Some(its);
        }
    }
    if let Some(engine) = engine {
        let mut macs = [[0; 16]; MOST];
        engine.authenticate(&messages[..count], &mut macs[..count]);
        for (ordered, mac) in order.iter().zip(macs) {
            round.macs[usize::from(ordered.planned)] = mac;
        }
    }
}

/// A packet of the round that is hashed, by the blocks it has.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Ordered {
    head: u16,
    tail: u8,
    planned: u8,
}

/// Makes the last block or two of what SHA-1 is over: the rest of the packet, the roll-over counter (RFC 3711 §4.2), padding
/// and length. `tail` holds zeros.
#[inline]
fn finish(buffer: &[u8], planned: &Planned, tail: &mut [[u8; SHA_BLOCK]; 2]) -> u8 {
    let whole = planned.plain / SHA_BLOCK * SHA_BLOCK;
    let rest = planned.plain - whole;
    match buffer[whole..].first_chunk::<SHA_BLOCK>() {
        Some(block) => {
            let keep = KEEP[SHA_BLOCK - rest..]
                .first_chunk::<SHA_BLOCK>()
                .expect("two blocks less one");
            for ((to, from), keep) in tail[0].iter_mut().zip(block).zip(keep) {
                *to = from & keep;
            }
        }
        None => tail[0][..rest].copy_from_slice(&buffer[whole..planned.plain]),
    }
    let flat = tail.as_flattened_mut();
    let rollover = (planned.place.index >> 16) as u32;
    flat[rest..rest + 4].copy_from_slice(&rollover.to_be_bytes());
    flat[rest + 4] = 0x80;
    // 64 octets of the inner pad went before.
    let bits = 8 * (SHA_BLOCK + planned.plain + 4) as u64;
    let blocks = if rest + 4 + 1 + 8 <= SHA_BLOCK { 1 } else { 2 };
    let end = usize::from(blocks) * SHA_BLOCK;
    flat[end - 8..end].copy_from_slice(&bits.to_be_bytes());
    blocks
}

/// From any place on 64 octets, a mask of the first few.
static KEEP: [u8; 2 * SHA_BLOCK] = {
    let mut keep = [0; 2 * SHA_BLOCK];
    let mut at = 0;
    while at < SHA_BLOCK {
        keep[at] = 0xff;
        at += 1;
    }
    keep
};
