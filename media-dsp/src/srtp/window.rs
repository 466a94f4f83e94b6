//! Packet index and replay window (RFC 3711 §3.3.1, §3.3.2).
//!
//! One window for each SSRC and direction, 64 to 32,768 packets wide, over the 48-bit index of SRTP or the 31-bit index
//! of SRTCP. [`ReplayWindow::check`] only looks; [`ReplayWindow::commit`] moves the window and is called after the tag
//! has verified, so that a forged packet cannot advance it. The bits are a ring, in which `index` has its place modulo the size.
//!
//! Not here: which window belongs to which SSRC (`context.rs`).

use alloc::boxed::Box;
use core::num::NonZero;

use super::WindowState;

/// Bounds of one context, fixed when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many SSRCs it follows; at least one.
    pub sources: u8,
    /// How many packets the SRTP window spans: rounded up to a multiple of 64, at most 32,768. SRTCP's spans 64.
    pub window: u16,
}

impl Default for Limits {
    /// Sixteen sources, a window of 64 (the least RFC 3711 §3.3.2 allows).
    fn default() -> Self {
        Self {
            sources: 16,
            window: 64,
        }
    }
}

/// What a window says of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Not seen yet.
    Fresh,
    /// Seen before.
    Replayed,
    /// Left of the window.
    TooOld,
}

/// The index of a packet with this sequence number, given the highest index so far (RFC 3711 §3.3.1).
#[inline]
pub fn guess_index(highest: u64, sequence: u16) -> u64 {
    let rollover = highest >> 16;
    let last = highest as u16;
    let rollover = if last < 0x8000 {
        // Before the first wrap nothing older than roll-over 0 exists: a long jump ahead is just that.
        if sequence.saturating_sub(last) > 0x8000 {
            rollover.saturating_sub(1)
        } else {
            rollover
        }
    } else if last - 0x8000 > sequence {
        rollover + 1
    } else {
        rollover
    };
    rollover << 16 | u64::from(sequence)
}

/// A sliding window over packet indices.
#[derive(Debug, Clone)]
pub struct ReplayWindow {
    /// One more than the highest index: eight octets with the none before the first packet.
    next: Option<NonZero<u64>>,
    words: Words,
}

/// The ring of seen bits, of a power of two so that a place in it is a mask away; a narrow one lies in place. The width is that
/// of the window, and stands here because there is room.
#[derive(Debug, Clone)]
enum Words {
    Few { width: u32, words: [u64; 2] },
    Many { width: u32, words: Box<[u64]> },
}

impl Words {
    #[inline]
    fn as_slice(&self) -> &[u64] {
        match self {
            Self::Few { words, .. } => words,
            Self::Many { words, .. } => words,
        }
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [u64] {
        match self {
            Self::Few { words, .. } => words,
            Self::Many { words, .. } => words,
        }
    }
}

impl ReplayWindow {
    /// An empty window of `width` packets, rounded up to a multiple of 64 and at most 32,768.
    pub fn new(width: u16) -> Self {
        let words = usize::from(width.clamp(1, 32_768)).div_ceil(64);
        let width = 64 * words as u32;
        Self {
            next: None,
            words: if words <= 2 {
                Words::Few {
                    width,
                    words: [0; 2],
                }
            } else {
                Words::Many {
                    width,
                    words: alloc::vec![0; words.next_power_of_two()].into(),
                }
            },
        }
    }

    /// How many packets the window spans.
    #[inline]
    pub fn width(&self) -> u64 {
        match &self.words {
            Words::Few { width, .. } | Words::Many { width, .. } => u64::from(*width),
        }
    }

    /// The highest index committed.
    #[inline]
    pub fn highest(&self) -> Option<u64> {
        self.next.map(|next| next.get() - 1)
    }

    /// Looks whether `index` may be accepted; changes nothing.
    #[inline]
    pub fn check(&self, index: u64) -> Freshness {
        match self.highest() {
            Some(highest) if index <= highest => {
                if highest - index >= self.width() {
                    Freshness::TooOld
                } else if self.is_set(index) {
                    Freshness::Replayed
                } else {
                    Freshness::Fresh
                }
            }
            _ => Freshness::Fresh,
        }
    }

    /// Marks `index` as seen and moves the window up to it. An index left of the window changes nothing.
    #[inline]
    pub fn commit(&mut self, index: u64) {
        let width = self.width();
        match self.highest() {
            None => {
                self.next = NonZero::new(index + 1);
            }
            Some(highest) if index > highest => {
                // Its own bit is set below; the next in order has nothing else to clear.
                if index > highest + 1 {
                    self.forget(highest + 1, index - 1);
                }
                self.next = NonZero::new(index + 1);
            }
            Some(highest) if highest - index >= width => return,
            Some(_) => {}
        }
        self.set(index);
    }

    /// Clears the bits of `first..=last`, whose places in the ring held indices that left the window.
    #[inline]
    fn forget(&mut self, first: u64, last: u64) {
        let words = self.words.as_mut_slice();
        if last - first >= 64 * words.len() as u64 {
            words.fill(0);
            return;
        }
        let mut index = first;
        while index <= last {
            let bit = index % 64;
            let span = (64 - bit).min(last - index + 1);
            let word = (index / 64) as usize & (words.len() - 1);
            words[word] &= !(u64::MAX >> (64 - span) << bit);
            index += span;
        }
    }

    #[inline]
    fn set(&mut self, index: u64) {
        let words = self.words.as_mut_slice();
        let word = (index / 64) as usize & (words.len() - 1);
        words[word] |= 1 << (index % 64);
    }

    #[inline]
    fn is_set(&self, index: u64) -> bool {
        let words = self.words.as_slice();
        let word = (index / 64) as usize & (words.len() - 1);
        words[word] >> (index % 64) & 1 == 1
    }

    /// The window as plain data.
    pub fn snapshot(&self) -> WindowState {
        let Some(highest) = self.highest() else {
            return WindowState::default();
        };
        let mut seen = alloc::vec![0; (self.width() / 64) as usize];
        for back in (0..self.width()).take_while(|back| *back <= highest) {
            if self.is_set(highest - back) {
                seen[(back / 64) as usize] |= 1 << (back % 64);
            }
        }
        WindowState {
            highest: Some(highest),
            seen,
        }
    }

    /// Becomes what `state` says, as far back as this window reaches. What a narrower window did not remember counts as
    /// seen, for it was not acceptable there either.
    pub fn restore(&mut self, state: &WindowState) {
        self.clear();
        let Some(highest) = state.highest else {
            return;
        };
        self.next = NonZero::new(highest.saturating_add(1));
        for back in (0..self.width()).take_while(|back| *back <= highest) {
            let word = state
                .seen
                .get((back / 64) as usize)
                .copied()
                .unwrap_or(u64::MAX);
            // The highest index has been seen, whatever the bits say.
            if back == 0 || word >> (back % 64) & 1 == 1 {
                self.set(highest - back);
            }
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.next = None;
        self.words.as_mut_slice().fill(0);
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// The window as a definition: a set of indices and the highest of them.
    #[derive(Default)]
    struct Definition {
        seen: BTreeSet<u64>,
    }

    impl Definition {
        fn check(&self, index: u64, width: u64) -> Freshness {
            match self.seen.last() {
                Some(highest) if index + width <= *highest => Freshness::TooOld,
                _ if self.seen.contains(&index) => Freshness::Replayed,
                _ => Freshness::Fresh,
            }
        }
    }

    /// Walks that stay near the highest index, jump within the window and jump far beyond it.
    fn walk() -> impl Strategy<Value = Vec<i64>> {
        let step = prop_oneof![8 => -70_i64..70, 2 => -600_i64..600, 1 => 0_i64..100_000];
        prop::collection::vec(step, 1..300)
    }

    proptest! {
        #[test]
        fn the_ring_is_the_set(start in 0_u64..1 << 40, width in 1_u16..=700, steps in walk()) {
            let mut window = ReplayWindow::new(width);
            let mut definition = Definition::default();
            let mut at = start;
            for step in steps {
                at = at.saturating_add_signed(step);
                let verdict = definition.check(at, window.width());
                prop_assert_eq!(window.check(at), verdict);
                if verdict == Freshness::Fresh {
                    window.commit(at);
                    definition.seen.insert(at);
                }
                prop_assert_eq!(window.highest(), definition.seen.last().copied());
                at = definition.seen.last().copied().unwrap_or(at);
            }
        }

        #[test]
        fn a_snapshot_answers_as_the_window_did(width in 1_u16..=700, other in 1_u16..=700, steps in walk()) {
            let mut window = ReplayWindow::new(width);
            let mut at = 70_000_u64;
            for step in steps {
                at = at.saturating_add_signed(step);
                window.commit(at);
                at = window.highest().unwrap_or(at);
            }
            let mut restored = ReplayWindow::new(other);
            restored.restore(&window.snapshot());
            let reach = window.width().min(restored.width());
            for index in at.saturating_sub(1_500)..at + 3 {
                let acceptable = window.check(index) == Freshness::Fresh && index + reach > at;
                prop_assert_eq!(restored.check(index) == Freshness::Fresh, acceptable, "index {}", index);
            }
        }

        /// RFC 3711 §3.3.1: the guess is the index nearest to the highest one, of those with this sequence number.
        #[test]
        fn the_guess_is_the_nearest_index(highest in 0_u64..1 << 47, distance in -0x7fff_i64..=0x7fff) {
            let index = highest.saturating_add_signed(distance);
            prop_assert_eq!(guess_index(highest, index as u16), index);
        }
    }

    #[test]
    fn nothing_is_older_than_the_first_roll_over() {
        assert_eq!(guess_index(5, 0xffff), 0xffff);
        assert_eq!(guess_index(0x1_0005, 0xffff), 0xffff);
        assert_eq!(guess_index(0xfff0, 3), 0x1_0003);
    }

    #[test]
    fn widths_are_whole_words_up_to_the_bound() {
        assert_eq!(ReplayWindow::new(0).width(), 64);
        assert_eq!(ReplayWindow::new(65).width(), 128);
        assert_eq!(ReplayWindow::new(u16::MAX).width(), 32_768);
    }
}
