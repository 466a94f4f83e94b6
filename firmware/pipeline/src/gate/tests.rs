//! Who may speak, and who draws the audio to himself.
//!
//! Not here: authentication, which these tests grant or withhold by calling `prove` or not.

extern crate alloc;

use core::net::SocketAddr;

use embassy_time::{Duration, Instant};
use measure::DropReason;
use media_api::{
    Direction, KeyMaterial, MkiRule, PayloadMap, Remote, Rtcp, Sdes, SourceGate, StreamId,
    StreamSpec, Suite,
};
use media_dsp::rtp::Header;

use super::{Admission, Gate, MOVE_AFTER, Moved};

const START: Instant = Instant::from_secs(100);

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn party() -> SocketAddr {
    address("192.0.2.1:4000")
}

fn nat() -> SocketAddr {
    address("198.51.100.1:7000")
}

fn stranger() -> SocketAddr {
    address("203.0.113.9:9000")
}

fn spec(source: SourceGate, keyed: Option<()>, rtcp: Rtcp) -> StreamSpec {
    let mut above = party();
    above.set_port(4001);
    StreamSpec {
        id: StreamId(1),
        local: address("10.0.0.1:20000"),
        rtcp,
        remote: Some(Remote {
            rtp: party(),
            rtcp: if rtcp == Rtcp::Muxed { party() } else { above },
        }),
        direction: Direction::SendRecv,
        source,
        receive: keyed.map(|()| Sdes {
            suite: Suite::AesCm128HmacSha1_80,
            key: KeyMaterial::new(&[1; 30]),
            mki: MkiRule::Absent,
            lifetime: None,
        }),
        transmit: None,
        payloads: PayloadMap::empty(),
        ice: None,
        dtls: None,
        codec: media_api::Codec::G711,
        clock_rate: 8_000,
        tones: None,
        dscp: 46,
        silence_after: None,
    }
}

fn header(ssrc: u32, sequence: u16) -> Header {
    Header {
        marker: false,
        payload_type: 0,
        sequence,
        timestamp: 0,
        ssrc,
    }
}

/// Asks and, where asked to, proves.
fn speak(
    gate: &mut Gate,
    from: SocketAddr,
    ssrc: u32,
    sequence: u16,
    now: Instant,
) -> Result<Moved, DropReason> {
    let admission = gate.ask_rtp(from)?;
    gate.prove(admission, from, &header(ssrc, sequence), now)
}

#[test]
fn only_the_signalled_address_speaks_where_nothing_else_is_said() {
    for (source, keyed) in [
        (SourceGate::Signalled, None),
        (SourceGate::Signalled, Some(())),
        (SourceGate::LatchAuthenticated, None),
    ] {
        let gate = Gate::new(&spec(source, keyed, Rtcp::Muxed));
        assert_eq!(gate.ask_rtp(party()), Ok(Admission::Known));
        assert_eq!(
            gate.ask_rtp(address("192.0.2.1:4002")),
            Err(DropReason::ForeignSource)
        );
        assert_eq!(gate.ask_rtp(stranger()), Err(DropReason::ForeignSource));
        assert_eq!(gate.ask_rtcp(stranger()), Err(DropReason::ForeignSource));
        assert_eq!(gate.rtp_target(), Some(party()));
    }
}

#[test]
fn authentic_packets_are_followed_to_where_they_come_from() {
    let mut gate = Gate::new(&spec(
        SourceGate::LatchAuthenticated,
        Some(()),
        Rtcp::Separate,
    ));
    assert_eq!(
        gate.ask_rtp(nat()),
        Ok(Admission::Candidate),
        "it must authenticate first"
    );
    assert_eq!(
        gate.rtp_target(),
        Some(party()),
        "asking alone moves nothing"
    );
    assert_eq!(speak(&mut gate, nat(), 7, 100, START), Ok(Moved::To(nat())));
    assert_eq!(
        (gate.rtp_target(), gate.latched()),
        (Some(nat()), Some(nat()))
    );
    assert_eq!(speak(&mut gate, nat(), 7, 101, START), Ok(Moved::No));
    // It moves on; a late packet from before does not draw us back.
    assert_eq!(
        speak(&mut gate, party(), 7, 103, START),
        Ok(Moved::To(party()))
    );
    assert_eq!(speak(&mut gate, nat(), 7, 102, START), Ok(Moved::No));
    assert_eq!((gate.rtp_target(), gate.latched()), (Some(party()), None));
}

#[test]
fn the_first_plain_source_is_held_against_all_others() {
    let mut gate = Gate::new(&spec(SourceGate::LatchFirst, None, Rtcp::Muxed));
    assert_eq!(speak(&mut gate, nat(), 7, 100, START), Ok(Moved::To(nat())));
    assert_eq!(
        speak(&mut gate, stranger(), 9, 1, START),
        Err(DropReason::ForeignSource)
    );
    // Not even one who knows the SSRC and the numbers, while the held source speaks.
    assert_eq!(
        speak(&mut gate, stranger(), 7, 101, START),
        Err(DropReason::ForeignSource)
    );
    assert_eq!(gate.rtp_target(), Some(nat()));
}

#[test]
fn the_signalled_address_comes_before_a_held_one() {
    let mut gate = Gate::new(&spec(SourceGate::LatchFirst, None, Rtcp::Muxed));
    assert_eq!(
        speak(&mut gate, stranger(), 9, 1, START),
        Ok(Moved::To(stranger()))
    );
    assert_eq!(
        speak(&mut gate, party(), 7, 100, START),
        Ok(Moved::To(party()))
    );
    assert_eq!(
        speak(&mut gate, stranger(), 9, 2, START),
        Err(DropReason::ForeignSource)
    );
    assert_eq!(gate.latched(), None);
}

#[test]
fn a_held_source_is_followed_after_silence_if_it_goes_on() {
    let mut gate = Gate::new(&spec(SourceGate::LatchFirst, None, Rtcp::Muxed));
    assert_eq!(speak(&mut gate, nat(), 7, 100, START), Ok(Moved::To(nat())));
    let later = START + MOVE_AFTER;
    assert_eq!(
        speak(&mut gate, stranger(), 9, 101, later),
        Err(DropReason::ForeignSource),
        "another SSRC"
    );
    assert_eq!(
        speak(&mut gate, stranger(), 7, 9_000, later),
        Err(DropReason::ForeignSource),
        "far off"
    );
    let before = later - Duration::from_ticks(1);
    assert_eq!(
        speak(&mut gate, stranger(), 7, 101, before),
        Err(DropReason::ForeignSource),
        "too early"
    );
    let rebound = address("198.51.100.1:7001");
    assert_eq!(
        speak(&mut gate, rebound, 7, 150, later),
        Ok(Moved::To(rebound))
    );
}

#[test]
fn rtcp_is_taken_from_beside_the_source_of_rtp() {
    let mut gate = Gate::new(&spec(SourceGate::LatchFirst, None, Rtcp::Separate));
    let signalled = address("192.0.2.1:4001");
    assert_eq!(
        (gate.rtcp_target(), gate.ask_rtcp(signalled)),
        (Some(signalled), Ok(Admission::Known))
    );
    assert_eq!(speak(&mut gate, nat(), 7, 100, START), Ok(Moved::To(nat())));
    let beside = address("198.51.100.1:9999");
    assert_eq!(gate.ask_rtcp(beside), Ok(Admission::Candidate));
    gate.prove_rtcp(beside);
    assert_eq!(gate.rtcp_target(), Some(beside));
    assert_eq!(gate.ask_rtcp(stranger()), Err(DropReason::ForeignSource));
    // Muxed, RTP alone tells the address.
    let mut gate = Gate::new(&spec(SourceGate::LatchAuthenticated, Some(()), Rtcp::Muxed));
    assert_eq!(gate.ask_rtcp(nat()), Ok(Admission::Candidate));
    gate.prove_rtcp(nat());
    assert_eq!(gate.rtcp_target(), Some(party()));
}

#[test]
fn what_was_learnt_stays_while_the_party_does() {
    let first = spec(SourceGate::LatchAuthenticated, Some(()), Rtcp::Separate);
    let mut gate = Gate::new(&first);
    assert_eq!(speak(&mut gate, nat(), 7, 100, START), Ok(Moved::To(nat())));
    assert_eq!(gate.replaced(&first).rtp_target(), Some(nat()));
    let moved = StreamSpec {
        remote: Some(Remote {
            rtp: stranger(),
            rtcp: stranger(),
        }),
        ..first.clone()
    };
    assert_eq!(
        gate.replaced(&moved).rtp_target(),
        Some(stranger()),
        "a new address is a new beginning"
    );
    let strict = StreamSpec {
        source: SourceGate::Signalled,
        ..first
    };
    assert_eq!(
        gate.replaced(&strict).rtp_target(),
        Some(party()),
        "and so is a new rule"
    );
}

#[test]
fn an_unspecified_remote_is_nowhere() {
    // RFC 3264 §8.4
    let mut hold = spec(SourceGate::Signalled, None, Rtcp::Muxed);
    for nowhere in ["0.0.0.0:4000", "192.0.2.1:0", "[::]:4000"] {
        hold.remote = Some(Remote {
            rtp: address(nowhere),
            rtcp: address(nowhere),
        });
        assert_eq!(Gate::new(&hold).rtp_target(), None, "{nowhere}");
    }
}
