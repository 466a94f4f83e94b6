//! What a party hears is one stream, whatever happens at the other side in the middle of a word or of a digit.
//!
//! Not here: single sources and runs (`rewrite/tests.rs`), a transfer with its ringback (`calls.rs`).

mod kit;

use kit::{Call, FRAME, Lab, Party, Sound, key, keying};
use media_api::{Command, Remote, StreamId, StreamSpec, Tone};
use media_dsp::srtp::{Limits, Receiver};

const EVENTS: u8 = 101;
const EVENTS_AT_TEAMS: u8 = 96;

/// One packet of a digit (RFC 4733 §2.5): its duration grows while its timestamp stands, the last is said three times.
fn digit(call: &mut Call, at: u32, packet: u16) {
    let last = packet >= 5;
    let duration = (160 * (packet + 1)).min(6 * 160);
    let end = if last { 0x80 } else { 0 };
    let voice = call.carrier.timestamp;
    (call.carrier.payload_type, call.carrier.timestamp) = (EVENTS, at);
    let mut bytes = vec![7, end | 10];
    bytes.extend(duration.to_be_bytes());
    call.carrier.say(&call.carrier_stream, &bytes);
    (call.carrier.payload_type, call.carrier.timestamp) = (8, voice.wrapping_add(160));
    call.lab.run(FRAME);
}

/// All of it under one name, number after number, and time never goes back but within a digit.
fn assert_one_stream(heard: &[Sound]) {
    for pair in heard.windows(2) {
        let (before, after) = (pair[0].header, pair[1].header);
        assert_eq!(after.ssrc, before.ssrc);
        assert_eq!(after.sequence, before.sequence.wrapping_add(1));
        let step = after.timestamp.wrapping_sub(before.timestamp);
        let is_digit = [before, after].map(|header| header.payload_type) == [EVENTS_AT_TEAMS; 2];
        assert!(
            is_digit && step == 0 || (160..2_000).contains(&step),
            "{step}: {pair:?}"
        );
    }
}

#[test]
fn a_digit_goes_through_a_re_invite_in_its_middle() {
    // MED-08
    let mut call = Call::new(Lab::fair());
    call.talk(10);
    let at = call.carrier.timestamp;
    for packet in 0..8 {
        digit(&mut call, at, packet);
        if packet == 3 {
            // The other party says the same again with another number for its codec; the digit's stays.
            let mut spec = call.teams_stream.clone();
            spec.payloads = [(8, 8), (13, 13), (EVENTS, EVENTS_AT_TEAMS)]
                .into_iter()
                .collect();
            call.lab.put(&spec);
        }
    }
    call.talk(10);
    let heard = call.teams.hear();
    assert_eq!(heard.len(), 28);
    assert_one_stream(&heard);
    let digits: Vec<&Sound> = heard
        .iter()
        .filter(|sound| sound.header.payload_type == EVENTS_AT_TEAMS)
        .collect();
    assert_eq!(digits.len(), 8);
    let durations: Vec<u16> = digits
        .iter()
        .map(|sound| u16::from_be_bytes([sound.payload[2], sound.payload[3]]))
        .collect();
    assert_eq!(durations, [160, 320, 480, 640, 800, 960, 960, 960]);
    let ends = digits.iter().filter(|sound| sound.payload[1] & 0x80 != 0);
    assert_eq!(ends.count(), 3);
    // Its place in the time of the voice: ten frames before it, as the speaker meant it.
    let first = heard[0].header.timestamp;
    assert_eq!(digits[0].header.timestamp.wrapping_sub(first), 10 * 160);
    assert!(
        digits
            .iter()
            .all(|sound| sound.header.timestamp == digits[0].header.timestamp)
    );
}

#[test]
fn a_re_invite_to_another_address_goes_on_both_ways() {
    let mut call = Call::new(Lab::fair());
    call.talk(20);
    let mut before = call.carrier.hear();
    let mut moved = Party::new(&call.lab.network, "192.0.2.55:6000", 0x5555);
    moved.sequence = 65_530;
    call.carrier_stream.remote = Some(Remote {
        rtp: moved.address(),
        rtcp: moved.address(),
    });
    let stream = call.carrier_stream.clone();
    call.lab.put(&stream);
    std::mem::swap(&mut call.carrier, &mut moved);
    call.talk(20);
    let mut after = call.carrier.hear();
    assert_eq!((before.len(), after.len()), (20, 20));
    before.append(&mut after);
    assert_one_stream(&before);
    let heard = call.teams.hear();
    assert_eq!(heard.len(), 40);
    assert_one_stream(&heard);
}

#[test]
fn a_prompt_in_the_middle_and_a_new_key_behind_it_use_no_number_twice() {
    let mut call = Call::new(Lab::fair());
    call.talk(5);
    let play = |call: &mut Call, tone| {
        let stream = StreamId(2);
        call.lab.tell(Command::Tone { stream, tone });
    };
    for _ in 0..3 {
        play(&mut call, Some(Tone::Ringback));
        call.talk(5);
        play(&mut call, None);
        call.talk(5);
    }
    let mut heard = call.teams.hear();
    assert!((35..=38).contains(&heard.len()), "{}", heard.len());
    // MED-04: under a new key of ours the stream goes on as well.
    let spec = StreamSpec {
        transmit: Some(key(9)),
        ..call.teams_stream.clone()
    };
    call.lab.put(&spec);
    call.teams.receiver = Some(Receiver::new(keying(&key(9)), Limits::default()));
    call.talk(5);
    heard.extend(call.teams.hear());
    assert_one_stream(&heard);
}
