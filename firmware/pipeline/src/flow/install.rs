//! How a spec becomes a stream, and how a stream follows a new spec.
//!
//! Everything that can be wrong is found before anything changes.
//!
//! Not here: ports (`commands.rs` opens them), answers.

use alloc::boxed::Box;

use embassy_time::{Duration, Instant};
use hal::{Dscp, PortId};
use measure::Refusal;
use media_api::{Ice, PayloadMap, Rtcp, Sdes, StreamSpec};
use media_dsp::quality::{Reception, Transmission};
use media_dsp::srtp::{Keying, Lifetime, Limits, MasterKey, Mki, MkiRule, Receiver, Sender, Suite};
use rand_chacha::rand_core::RngCore;

use crate::counters::{Counts, Tally};
use crate::dtls::{self, Association, Link};
use crate::flow::{Incoming, Mapping, Purpose, Stream, UNMAPPED};
use crate::gate::Gate;
use crate::ice::{Agent, Continuity};
use crate::report::Reports;
use crate::rewrite::Outgoing;
use crate::vigil::{Party, Vigil};

/// How long the keys before a re-key are still tried.
const OVERLAP: Duration = Duration::from_secs(2);

/// SSRCs a party may use under one key: forks that share it, and restarts. Only authentic packets take a place.
const HEARD: Limits = Limits {
    sources: 8,
    window: 128,
};

/// We send under one SSRC.
const SENT: Limits = Limits {
    sources: 1,
    window: 128,
};

/// What a spec says, checked.
pub(crate) struct Checked {
    pub(crate) dscp: Dscp,
    payloads: [u8; 128],
    receive: Option<Keying>,
    transmit: Option<Keying>,
}

/// Looks for everything that could be wrong with a spec by itself.
pub(crate) fn check(spec: &StreamSpec) -> Result<Checked, Refusal> {
    let port = spec.local.port();
    let is_pair = port.is_multiple_of(2) && port < u16::MAX;
    if port == 0 || (spec.rtcp == Rtcp::Separate && !is_pair) {
        return Err(Refusal::BadAddress);
    }
    // What would be sent to ourselves would come back as received, for ever.
    if spec
        .remote
        .is_some_and(|remote| remote.rtp == spec.local || remote.rtcp == spec.local)
    {
        return Err(Refusal::BadAddress);
    }
    // RFC 8839 §5.4.
    let is_good =
        |ice: &Ice| (4..=256).contains(&ice.name.len()) && (22..=256).contains(&ice.password.len());
    if !spec.ice.as_deref().is_none_or(is_good) {
        return Err(Refusal::BadIce);
    }
    let has_keys = spec.receive.is_some() || spec.transmit.is_some();
    if spec.dtls.is_some() && (has_keys || spec.rtcp == Rtcp::Separate) {
        return Err(Refusal::BadHandshake);
    }
    if spec.clock_rate == 0 {
        return Err(Refusal::BadClock);
    }
    if spec.tones.is_some_and(|tones| tones.payload_type > 127) {
        return Err(Refusal::BadPayload);
    }
    Ok(Checked {
        dscp: Dscp::new(spec.dscp).ok_or(Refusal::BadDscp)?,
        payloads: flatten(&spec.payloads)?,
        receive: spec.receive.as_ref().map(keying).transpose()?,
        transmit: spec.transmit.as_ref().map(keying).transpose()?,
    })
}

fn flatten(map: &PayloadMap) -> Result<[u8; 128], Refusal> {
    let mut flat = [UNMAPPED; 128];
    for (theirs, ours) in map.pairs() {
        match flat.get_mut(usize::from(*theirs)) {
            Some(place) if *place == UNMAPPED && *ours < 128 => *place = *ours,
            _ => return Err(Refusal::BadPayload),
        }
    }
    Ok(flat)
}

pub(crate) fn keying(sdes: &Sdes) -> Result<Keying, Refusal> {
    let suite = match sdes.suite {
        media_api::Suite::AesCm128HmacSha1_80 => Suite::AesCm128HmacSha1_80,
        media_api::Suite::AesCm128HmacSha1_32 => Suite::AesCm128HmacSha1_32,
        media_api::Suite::AesCm256HmacSha1_80 => Suite::AesCm256HmacSha1_80,
        media_api::Suite::AesCm256HmacSha1_32 => Suite::AesCm256HmacSha1_32,
        media_api::Suite::AeadAes128Gcm => Suite::AeadAes128Gcm,
        media_api::Suite::AeadAes256Gcm => Suite::AeadAes256Gcm,
    };
    let length = |length: u8| {
        if (1..=128).contains(&length) {
            Ok(length)
        } else {
            Err(Refusal::BadKey)
        }
    };
    let mki = match &sdes.mki {
        media_api::MkiRule::Absent => MkiRule::Absent,
        media_api::MkiRule::Exact(bytes) => {
            MkiRule::Exact(Mki::new(bytes).map_err(|_| Refusal::BadKey)?)
        }
        media_api::MkiRule::AnyValue(bytes) => MkiRule::AnyValue(length(*bytes)?),
        media_api::MkiRule::Optional(bytes) => MkiRule::Optional(length(*bytes)?),
    };
    let master = MasterKey::new(suite, sdes.key.as_bytes()).map_err(|_| Refusal::BadKey)?;
    Ok(Keying {
        master,
        mki,
        lifetime: sdes.lifetime.map_or(Lifetime::MAXIMUM, Lifetime::packets),
    })
}

/// A new stream on ports that are open.
pub(crate) fn create(
    spec: StreamSpec,
    checked: Checked,
    (rtp_port, rtcp_port): (PortId, Option<PortId>),
    fresh: Association,
    chance: &mut impl RngCore,
    now: Instant,
) -> Stream {
    let link = Link::follow(None, None, spec.dtls.as_deref().copied(), fresh, now);
    let mut locked = || link.map(|_| dtls::nobodys(chance));
    let receive = checked.receive.or_else(&mut locked);
    let transmit = checked.transmit.or_else(&mut locked);
    // RFC 3550 §5.1, §8.1: SSRC, first number and first timestamp are random.
    let (ssrc, timestamp) = (chance.next_u32(), chance.next_u32());
    let outgoing = Outgoing::new(ssrc, chance.next_u32() as u16, timestamp, spec.clock_rate);
    Stream {
        peer: None,
        rtp_port,
        receiver: receive.map(|keying| {
            Box::new(Incoming {
                current: Receiver::new(keying, HEARD),
                previous: None,
            })
        }),
        sender: transmit.map(|keying| Box::new(Sender::new(keying, SENT))),
        usual: Mapping::NONE,
        direction: dtls::direction(link, spec.direction),
        gate: Gate::new(&spec),
        received: Tally::default(),
        vigil: Vigil::new(&spec, now),
        reception: Reception::new(spec.clock_rate),
        reports: Box::new(Reports::new(chance, now)),
        id: spec.id,
        rtcp_port,
        counts: Counts::default(),
        outgoing,
        tone: None,
        transmission: Transmission::new(spec.clock_rate),
        sent: Tally::default(),
        payloads: checked.payloads,
        ice: spec.ice.clone().map(|terms| Box::new(Agent::new(*terms))),
        dtls: link,
        spec: Box::new(spec),
    }
}

/// An existing stream as its new spec says.
pub(crate) fn replace(
    stream: &mut Stream,
    spec: StreamSpec,
    checked: Checked,
    fresh: Association,
    chance: &mut impl RngCore,
    now: Instant,
) {
    let is_same = spec.remote == stream.spec.remote
        && spec.receive == stream.spec.receive
        && spec.dtls == stream.spec.dtls;
    let party = if is_same { Party::Same } else { Party::Another };
    stream.vigil.replaced(&spec, party, now);
    stream.gate = stream.gate.replaced(&spec);
    follow_ice(stream, &spec);
    let (was, terms) = (stream.spec.dtls.as_deref(), spec.dtls.as_deref());
    let before = stream.dtls;
    stream.dtls = Link::follow(before, was.copied(), terms.copied(), fresh, now);
    stream.direction = dtls::direction(stream.dtls, spec.direction);
    (stream.payloads, stream.usual) = (checked.payloads, Mapping::NONE);
    match (before, stream.dtls) {
        (_, None) => {
            rekey_receiver(&mut stream.receiver, checked.receive, now);
            rekey_sender(&mut stream.sender, checked.transmit);
        }
        (None, Some(_)) => rekey(stream, dtls::nobodys(chance), dtls::nobodys(chance), now),
        // Its keys are its own matter.
        (Some(_), Some(_)) => {}
    }
    if spec.clock_rate != stream.spec.clock_rate {
        stream.outgoing.set_clock_rate(spec.clock_rate);
        stream.reception = Reception::new(spec.clock_rate);
        stream.transmission = Transmission::new(spec.clock_rate);
    }
    if spec.tones != stream.spec.tones {
        stream.tone = None;
    }
    stream.id = spec.id;
    *stream.spec = spec;
}

/// ICE on a stream that goes on under another spec.
fn follow_ice(stream: &mut Stream, spec: &StreamSpec) {
    let Some(terms) = spec.ice.clone() else {
        stream.ice = None;
        return;
    };
    let Some(agent) = &mut stream.ice else {
        stream.ice = Some(Box::new(Agent::new(*terms)));
        return;
    };
    let is_other_fork = terms.party != stream.spec.ice.as_ref().and_then(|ice| ice.party.clone());
    // RFC 8445 §9: after a restart media goes where it went until the first new check.
    if agent.replaced(*terms) == Continuity::Restarted || !is_other_fork {
        return;
    }
    stream.gate.forget_choice();
    for purpose in [Purpose::Rtp, Purpose::Rtcp] {
        if let Some(address) = agent.chosen(purpose) {
            stream.gate.choose(purpose, address);
        }
    }
}

/// Other keys both ways.
pub(crate) fn rekey(stream: &mut Stream, receive: Keying, transmit: Keying, now: Instant) {
    rekey_receiver(&mut stream.receiver, Some(receive), now);
    rekey_sender(&mut stream.sender, Some(transmit));
}

/// MED-04: the same key goes on, another starts at roll-over counter 0; the one before is tried for a moment.
fn rekey_receiver(receiver: &mut Option<Box<Incoming>>, keying: Option<Keying>, now: Instant) {
    let Some(keying) = keying else {
        *receiver = None;
        return;
    };
    let until = now + OVERLAP;
    *receiver = Some(match receiver.take() {
        Some(mut incoming) if incoming.current.keying().master == keying.master => {
            incoming.current.rekey(keying);
            incoming
        }
        before => Box::new(Incoming {
            current: Receiver::new(keying, HEARD),
            previous: before.map(|incoming| Box::new((incoming.current, until))),
        }),
    });
}

fn rekey_sender(sender: &mut Option<Box<Sender>>, keying: Option<Keying>) {
    match (sender.as_mut(), keying) {
        (Some(sender), Some(keying)) => {
            sender.rekey(keying);
        }
        (None, Some(keying)) => *sender = Some(Box::new(Sender::new(keying, SENT))),
        (_, None) => *sender = None,
    }
}
