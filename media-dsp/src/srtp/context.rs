//! What both directions share: session keys, sources with their windows, counters.
//!
//! Sources have places made with the context; a search looks at those in use, which are one or two. A source
//! takes its place only with an authentic packet (receiver) or one of ours (sender), and keeps it until the key changes:
//! to forget a window would let its packets be replayed.
//!
//! Not here: when an index is acceptable (`sender.rs`, `receiver.rs`).

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::cipher::{Transform, transform};
use super::session::Session;
use crate::simd::prefetch_front;

use super::{
    ContextState, Keying, Limits, MkiRule, Rekey, ReplayWindow, RestoreError, SourceState, Suite,
};

/// SRTCP indices have 31 bits, and so many packets a key protects at most (RFC 3711 §9.2).
pub(super) const RTCP_INDICES: u64 = 1 << 31;

/// SRTP indices have 48 bits.
pub(super) const RTP_INDICES: u64 = 1 << 48;

/// Longest packet: a UDP payload. Counter mode must not count beyond 2^16 blocks (RFC 3711 §4.1.1).
pub(super) const MAX_PACKET: usize = 65_535;

/// One SSRC.
#[derive(Debug, Clone)]
#[repr(C)]
pub(super) struct Source {
    pub(super) ssrc: u32,
    pub(super) rtp: ReplayWindow,
    pub(super) rtcp: ReplayWindow,
}

/// One direction with its keys. What a packet touches is one line of memory in front, which ends with the first source's window,
/// and the session keys, which have lines of their own. The first source is mostly the only one.
#[repr(C, align(64))]
pub(super) struct Context<M> {
    /// What the direction keeps beside.
    pub(super) mark: M,
    used: u16,
    /// Suite, lifetime and whether there is an MKI at all, of `keying`, which lies farther away.
    pub(super) suite: Suite,
    pub(super) has_mki: bool,
    pub(super) rtp_packets: u64,
    pub(super) lifetime: u64,
    first: Source,
    others: Box<[Source]>,
    pub(super) transform: Box<dyn Transform>,
    pub(super) session: Session,
    pub(super) keying: Keying,
    pub(super) rtcp_packets: u64,
}

// A packet touches the first line, and of a counter mode's session the next whole ones.
const _: () = {
    assert!(core::mem::offset_of!(Context<[u8; 2]>, first.rtcp) == LINE);
    assert!(core::mem::offset_of!(Context<[u8; 2]>, session) == 2 * LINE);
};

/// Octets of a line of memory.
const LINE: usize = 64;

/// Lines of the keys of the suites with 128 bits and a counter mode, which are the most used.
const KEY_LINES: usize = 4;

impl<M> Context<M> {
    pub(super) fn new(keying: Keying, limits: Limits, mark: M) -> Self {
        let vacant = Source {
            ssrc: 0,
            rtp: ReplayWindow::new(limits.window),
            rtcp: ReplayWindow::new(64),
        };
        let others: Vec<Source> = (1..limits.sources).map(|_| vacant.clone()).collect();
        Self {
            mark,
            first: vacant,
            transform: transform(&keying.master),
            session: Session::new(&keying.master),
            suite: keying.master.suite(),
            has_mki: keying.mki != MkiRule::Absent,
            lifetime: keying.lifetime.get(),
            keying,
            rtp_packets: 0,
            rtcp_packets: 0,
            others: others.into(),
            used: 0,
        }
    }

    /// The slot of a source, if it has one.
    #[inline]
    pub(super) fn find(&self, ssrc: u32) -> Option<usize> {
        if self.used > 0 && self.first.ssrc == ssrc {
            return Some(0);
        }
        self.sources()
            .skip(1)
            .position(|source| source.ssrc == ssrc)
            .map(|place| place + 1)
    }

    /// The sources in use.
    fn sources(&self) -> impl Iterator<Item = &Source> {
        core::iter::once(&self.first)
            .chain(&self.others)
            .take(usize::from(self.used))
    }

    /// All places for sources.
    fn places(&mut self) -> impl Iterator<Item = &mut Source> {
        core::iter::once(&mut self.first).chain(&mut self.others)
    }

    #[inline]
    fn place(&mut self, slot: usize) -> &mut Source {
        match slot.checked_sub(1) {
            None => &mut self.first,
            Some(other) => &mut self.others[other],
        }
    }

    /// Whether one more source has a place.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        usize::from(self.used) <= self.others.len()
    }

    #[inline]
    pub(super) fn source(&self, slot: usize) -> &Source {
        match slot.checked_sub(1) {
            None => &self.first,
            Some(other) => &self.others[other],
        }
    }

    /// The source in its slot, or in a new one where `has_room` said so.
    #[inline]
    pub(super) fn admit(&mut self, slot: Option<usize>, ssrc: u32) -> &mut Source {
        let slot = slot.unwrap_or_else(|| {
            let slot = usize::from(self.used);
            self.place(slot).ssrc = ssrc;
            self.used += 1;
            slot
        });
        self.place(slot)
    }

    /// Asks for what a packet touches to be brought near. Nothing is looked at for it: longer keys are asked for by
    /// [`Session::prefetch`].
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch_front(self, 1);
        prefetch_front(&self.session, KEY_LINES);
    }

    /// MED-04: the same key goes on where it was, another begins at roll-over counter 0.
    pub(super) fn rekey(&mut self, keying: Keying) -> Rekey {
        self.suite = keying.master.suite();
        self.has_mki = keying.mki != MkiRule::Absent;
        self.lifetime = keying.lifetime.get();
        let before = core::mem::replace(&mut self.keying, keying);
        if self.keying.master == before.master {
            return Rekey::Kept;
        }
        self.transform = transform(&self.keying.master);
        self.session = Session::new(&self.keying.master);
        self.forget();
        Rekey::Replaced
    }

    fn forget(&mut self) {
        for source in self.places() {
            source.rtp.clear();
            source.rtcp.clear();
        }
        self.used = 0;
        (self.rtp_packets, self.rtcp_packets) = (0, 0);
    }

    /// Packets left of the lifetime, of the stream that is nearer its end.
    pub(super) fn remaining(&self) -> u64 {
        let lifetime = self.lifetime;
        let rtp = lifetime.saturating_sub(self.rtp_packets);
        rtp.min(lifetime.min(RTCP_INDICES).saturating_sub(self.rtcp_packets))
    }

    pub(super) fn snapshot(&self) -> ContextState {
        let sources = self.sources().map(|source| SourceState {
            ssrc: source.ssrc,
            rtp: source.rtp.snapshot(),
            rtcp: source.rtcp.snapshot(),
        });
        ContextState {
            rtp_packets: self.rtp_packets,
            rtcp_packets: self.rtcp_packets,
            sources: sources.collect(),
        }
    }

    /// `rtcp_lead` moves each SRTCP index on.
    pub(super) fn restore(
        &mut self,
        state: &ContextState,
        rtcp_lead: u32,
    ) -> Result<(), RestoreError> {
        self.check(state)?;
        self.forget();
        for (slot, source) in self.places().zip(&state.sources) {
            slot.ssrc = source.ssrc;
            slot.rtp.restore(&source.rtp);
            slot.rtcp.restore(&source.rtcp);
            if let Some(highest) = source.rtcp.highest.filter(|_| rtcp_lead > 0) {
                slot.rtcp
                    .commit((highest + u64::from(rtcp_lead)).min(RTCP_INDICES - 1));
            }
        }
        // As many as there are places: no more than Limits::sources.
        self.used = state.sources.len() as u16;
        (self.rtp_packets, self.rtcp_packets) = (state.rtp_packets, state.rtcp_packets);
        Ok(())
    }

    fn check(&self, state: &ContextState) -> Result<(), RestoreError> {
        if state.sources.len() > 1 + self.others.len() {
            return Err(RestoreError::TooManySources);
        }
        for (at, source) in state.sources.iter().enumerate() {
            if state.sources[..at]
                .iter()
                .any(|earlier| earlier.ssrc == source.ssrc)
            {
                return Err(RestoreError::DuplicateSource);
            }
            let in_range =
                |highest: Option<u64>, bound| highest.is_none_or(|highest| highest < bound);
            if !in_range(source.rtp.highest, RTP_INDICES)
                || !in_range(source.rtcp.highest, RTCP_INDICES)
            {
                return Err(RestoreError::IndexOutOfRange);
            }
        }
        Ok(())
    }
}
