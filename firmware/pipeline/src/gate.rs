//! Whose packets are taken, and where to send: the source gate and the latch.
//!
//! The signalled address is asked first. Another one is a candidate at most: it must prove itself, by authentication on a keyed
//! stream, by being first or by going on with the held source's SSRC and numbers on a plain one. So a stranger who sprays a
//! port neither is heard nor draws the audio to himself (RTP bleed).
//!
//! Not here: authentication itself (`relay.rs` reports its success with [`Gate::prove`]).

use alloc::boxed::Box;
use core::net::SocketAddr;

use embassy_time::{Duration, Instant};
use measure::DropReason;
use media_api::{Rtcp, SourceGate, StreamSpec};
use media_dsp::rtp::Header;

use crate::flow::Purpose;
use crate::verdict::Step;

/// A held plain source may be followed to another address only after so long a silence.
const MOVE_AFTER: Duration = Duration::from_secs(1);

/// It must then go on within so many numbers (RFC 3550 A.1, MAX_DROPOUT).
const MOVE_WITHIN: u16 = 3_000;

/// The gate of one stream, for RTP and RTCP.
#[derive(Debug, Clone)]
#[repr(C)]
pub(crate) struct Gate {
    /// Where RTP for the party goes, and comes from if the source is known: the held address, or else the signalled one.
    rtp: Option<SocketAddr>,
    rule: Rule,
    hold: Hold,
    newest: Option<Newest>,
    others: Box<Others>,
}

/// What packets of a source that is known do not ask.
#[derive(Debug, Clone)]
struct Others {
    rtcp: Rtcp,
    signalled_rtp: Option<SocketAddr>,
    signalled_rtcp: Option<SocketAddr>,
    held_rtcp: Option<SocketAddr>,
}

/// Whether a source of RTP has been heard and is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    None,
    Held,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// The signalled address and no other.
    Signalled,
    /// Whoever authenticates.
    Authenticated,
    /// The first who speaks.
    First,
    /// Whoever authenticates; but where the party is, ICE says.
    Checked,
}

/// The newest packet taken.
#[derive(Debug, Clone, Copy)]
struct Newest {
    ssrc: u32,
    sequence: u16,
    at: Instant,
}

/// What a source may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Speak.
    Known,
    /// Speak once it has proven itself.
    Candidate,
}

impl Gate {
    pub(crate) fn new(spec: &StreamSpec) -> Self {
        let rule = match (spec.source, spec.is_keyed()) {
            (_, true) if spec.ice.is_some() => Rule::Checked,
            // From where ICE says the party is.
            (_, false) if spec.ice.is_some() => Rule::Signalled,
            (SourceGate::Signalled, _) | (SourceGate::LatchAuthenticated, false) => Rule::Signalled,
            (SourceGate::LatchAuthenticated | SourceGate::LatchFirst, true) => Rule::Authenticated,
            (SourceGate::LatchFirst, false) => Rule::First,
        };
        let signalled_rtp = spec.remote.map(|remote| remote.rtp).filter(is_somewhere);
        let signalled_rtcp = spec.remote.map(|remote| remote.rtcp).filter(is_somewhere);
        Self {
            rtp: signalled_rtp,
            rule,
            hold: Hold::None,
            newest: None,
            others: Box::new(Others {
                rtcp: spec.rtcp,
                signalled_rtp,
                signalled_rtcp,
                held_rtcp: None,
            }),
        }
    }

    /// The gate of a replaced spec. What was learnt stays while it is about the same party under the same rule.
    pub(crate) fn replaced(&self, spec: &StreamSpec) -> Self {
        let mut gate = Self::new(spec);
        let (others, before) = (&mut gate.others, &self.others);
        let is_checked = spec.ice.is_some() && self.hold == Hold::Held;
        let is_same_party = is_checked || others.signalled_rtp == before.signalled_rtp;
        if gate.rule == self.rule && is_same_party {
            (gate.rtp, gate.hold, gate.newest) = (self.rtp, self.hold, self.newest);
            if others.signalled_rtcp == before.signalled_rtcp && others.rtcp == before.rtcp {
                others.held_rtcp = before.held_rtcp;
            }
        }
        gate
    }

    /// Where RTP for the party goes.
    #[inline]
    pub(crate) fn rtp_target(&self) -> Option<SocketAddr> {
        self.rtp
    }

    /// The same, but with ICE only once a check has told it.
    pub(crate) fn proven_target(&self) -> Option<SocketAddr> {
        match (self.rule, self.hold) {
            (Rule::Checked, Hold::None) => None,
            _ => self.rtp,
        }
    }

    /// Where RTCP for the party goes.
    pub(crate) fn rtcp_target(&self) -> Option<SocketAddr> {
        match self.others.rtcp {
            Rtcp::Muxed => self.rtp_target(),
            Rtcp::Separate => self.others.held_rtcp.or(self.others.signalled_rtcp),
        }
    }

    /// The address that was learnt, where it is not the signalled one.
    pub(crate) fn latched(&self) -> Option<SocketAddr> {
        self.rtp
            .filter(|_| self.hold == Hold::Held && self.rtp != self.others.signalled_rtp)
    }

    /// May this source send RTP?
    #[inline]
    pub(crate) fn ask_rtp(&self, from: SocketAddr) -> Step<Admission> {
        if self.rtp == Some(from) {
            return Ok(Admission::Known);
        }
        match self.rule {
            // Nothing else is ever held.
            Rule::Signalled => Err(DropReason::ForeignSource),
            Rule::Authenticated | Rule::First | Rule::Checked => Ok(Admission::Candidate),
        }
    }

    /// A packet of this source is good: authentic where keyed, well-formed and of a known payload type where not.
    /// Gives whether what is sent to the party goes elsewhere from now on.
    ///
    /// # Errors
    /// [`DropReason::ForeignSource`] when being good is not enough.
    #[inline]
    pub(crate) fn prove(
        &mut self,
        admission: Admission,
        from: SocketAddr,
        header: &Header,
        now: Instant,
    ) -> Step<Moved> {
        let step = self
            .newest
            .map(|newest| header.sequence.wrapping_sub(newest.sequence));
        let is_same_source = self.newest.is_some_and(|newest| newest.ssrc == header.ssrc);
        let is_newer = !is_same_source || step.is_none_or(|step| (1..0x8000).contains(&step));
        let mut moved = Moved::No;
        match (self.rule, admission) {
            // A late packet from where the party was before is taken, but nobody follows it back.
            (Rule::Authenticated, Admission::Candidate) if !is_newer => {}
            (Rule::Authenticated, Admission::Candidate) => moved = self.hold(from),
            (Rule::First, Admission::Candidate) => {
                let is_signalled = Some(from) == self.others.signalled_rtp;
                let goes_on =
                    is_same_source && step.is_some_and(|step| (1..=MOVE_WITHIN).contains(&step));
                let fell_silent = self
                    .newest
                    .is_some_and(|newest| now.saturating_duration_since(newest.at) >= MOVE_AFTER);
                if self.hold == Hold::None || is_signalled || (goes_on && fell_silent) {
                    moved = self.hold(from);
                } else {
                    return Err(DropReason::ForeignSource);
                }
            }
            (Rule::First | Rule::Authenticated, Admission::Known) => self.hold = Hold::Held,
            (Rule::Signalled | Rule::Checked, _) => {}
        }
        if is_newer {
            self.newest = Some(Newest {
                ssrc: header.ssrc,
                sequence: header.sequence,
                at: now,
            });
        }
        Ok(moved)
    }

    fn hold(&mut self, from: SocketAddr) -> Moved {
        let before = self.rtp.replace(from);
        self.hold = Hold::Held;
        if self.others.rtcp == Rtcp::Separate {
            // RTCP is elsewhere too; where, its next packet tells.
            self.others.held_rtcp = None;
        }
        if before == Some(from) {
            Moved::No
        } else {
            Moved::To(from)
        }
    }

    /// ICE says where the party is.
    pub(crate) fn choose(&mut self, purpose: Purpose, address: SocketAddr) -> Moved {
        match purpose {
            Purpose::Rtp => {
                self.hold = Hold::Held;
                match self.rtp.replace(address) {
                    Some(before) if before == address => Moved::No,
                    _ => Moved::To(address),
                }
            }
            Purpose::Rtcp => {
                self.others.held_rtcp = Some(address);
                Moved::No
            }
        }
    }

    /// Another fork of the party has answered: what the last one chose is not its choice, and until it checks it is where it says.
    pub(crate) fn forget_choice(&mut self) {
        (self.rtp, self.hold) = (self.others.signalled_rtp, Hold::None);
        self.others.held_rtcp = None;
    }

    /// May this source send RTCP, and must it prove itself?
    pub(crate) fn ask_rtcp(&self, from: SocketAddr) -> Step<Admission> {
        if self.rtcp_target() == Some(from) {
            return Ok(Admission::Known);
        }
        let is_known = match self.rule {
            Rule::Authenticated | Rule::Checked => return Ok(Admission::Candidate),
            Rule::Signalled => Some(from) == self.others.signalled_rtp,
            // From beside the source of RTP, or from where it was signalled.
            Rule::First => {
                let source = self.rtp_target();
                Some(from) == self.others.signalled_rtcp
                    || source.is_some_and(|source| source.ip() == from.ip())
            }
        };
        if is_known {
            Ok(Admission::Candidate)
        } else {
            Err(DropReason::ForeignSource)
        }
    }

    /// RTCP of this source is good.
    pub(crate) fn prove_rtcp(&mut self, from: SocketAddr) {
        // Over one port with RTP it is RTP that tells the address.
        let follows = matches!(self.rule, Rule::Authenticated | Rule::First);
        if self.others.rtcp == Rtcp::Separate && follows {
            self.others.held_rtcp = Some(from);
        }
    }
}

/// Whether the party has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    /// It is where it was.
    No,
    /// It is here now.
    To(SocketAddr),
}

/// RFC 3264 §8.4: an unspecified address or port zero is hold of old, and nowhere to send.
fn is_somewhere(address: &SocketAddr) -> bool {
    address.port() != 0 && !address.ip().is_unspecified()
}

#[cfg(test)]
mod tests;
