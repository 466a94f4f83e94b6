//! Why a packet went no further.
//!
//! In the order in which the pipeline asks. One counter for each reason, on the stream and on the box; a packet is dropped for
//! one reason only, the first.
//!
//! Not here: loss on the network, which nobody here has seen (`media_api::Reception`).

use crate::metric::words;
use crate::{Kind, Metric, Unit};

words! {
    /// Why the pipeline did not pass a packet on.
    DropReason {
        Oversize "oversize" "Longer than a buffer of the pipeline.",
        UnknownPort "unknown_port" "Arrived on a port that no stream owns.",
        Unclassified "unclassified" "None of RTP, RTCP, STUN and DTLS by its first byte (RFC 7983).",
        UnexpectedStun "unexpected_stun" "STUN on a stream that uses no ICE, or that is no check.",
        UnprovenStun "unproven_stun" "STUN that is malformed, or does not prove that it knows the stream's password.",
        UnexpectedDtls "unexpected_dtls" "DTLS on a stream keyed by SDES or not at all.",
        TooMuchDtls "too_much_dtls" "DTLS faster than handshakes are worked on.",
        NoKeyYet "no_key_yet" "For a party whose handshake is not done.",
        MisplacedRtp "misplaced_rtp" "RTP on the port for RTCP.",
        MalformedRtp "malformed_rtp" "RTP whose lengths do not add up.",
        MalformedRtcp "malformed_rtcp" "RTCP whose lengths do not add up.",
        ForeignSource "foreign_source" "Arrived from an address that was neither signalled nor latched.",
        Unauthenticated "unauthenticated" "The tag does not verify: forged, damaged, wrong key or lost roll-over.",
        Replayed "replayed" "An index that was seen before.",
        TooOld "too_old" "An index older than the replay window reaches.",
        ForeignKey "foreign_key" "The master key identifier names a key we do not have.",
        TooManySources "too_many_sources" "One more SSRC than a stream may have.",
        Looped "looped" "A packet of our own that came back on the peer stream (RFC 3550, 8.2).",
        NotReceiving "not_receiving" "The stream is on hold in this direction.",
        NotLinked "not_linked" "The stream has no peer to relay to.",
        NotSending "not_sending" "The peer stream is on hold in its direction.",
        NoRemote "no_remote" "Where the peer stream's party listens is not known yet.",
        UnmappedPayload "unmapped_payload" "A payload type the peer stream has no name for.",
        CoveredByTone "covered_by_tone" "A tone of ours is being played to the peer stream's party.",
        Late "late" "Belongs before what has already been sent from another source.",
        Duplicate "duplicate" "Its number has already been sent under this key.",
        KeyExpired "key_expired" "The transmit key has served its lifetime.",
        NoRoom "no_room" "No room in the buffer for the authentication tag.",
        NotSent "not_sent" "The port did not take it: no route, queue full or closed.",
    }
}

impl DropReason {
    /// What there is to say of its counter.
    #[must_use]
    pub const fn metric(self) -> Metric {
        Metric {
            word: self.word(),
            unit: Unit::Packets,
            kind: Kind::Counter,
            help: self.help(),
        }
    }
}
