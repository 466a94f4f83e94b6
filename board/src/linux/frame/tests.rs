//! Frames against bytes that others made, against themselves, and against damage.
//!
//! Not here: what the kernel thinks of them (`tests/conformance.rs` lets it read and write them).

use super::*;

const HOP: Hop = Hop {
    to: [2, 0, 0, 0, 0, 1],
    from: [2, 0, 0, 0, 0, 2],
    vlan: None,
};

fn written(hop: &Hop, from: &str, to: &str, payload: &[u8]) -> Vec<u8> {
    let (from, to) = (from.parse().expect("one"), to.parse().expect("one"));
    let headers = Headers::new(hop, from, to, Dscp::EXPEDITED).expect("one family");
    let mut frame = vec![0xee; 2_048];
    let length = headers.write(payload, &mut frame).expect("it fits");
    frame.truncate(length);
    frame
}

const PAIRS: [(&str, &str); 2] = [
    ("192.0.2.1:20000", "198.51.100.7:50000"),
    ("[2001:db8::1]:20000", "[2001:db8:5::7]:50000"),
];

#[test]
fn a_frame_is_octet_for_octet_as_another_program_writes_it() {
    // By scapy: Ether()/IP(tos=0xb8, flags="DF", id=0)/UDP()/"hello" and Ether()/IPv6(tc=0xb8)/UDP()/"hello".
    let v4 = [
        0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x08, 0x00, // Ethernet
        0x45, 0xb8, 0x00, 0x21, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0x4d, 0xd8, // IPv4
        192, 0, 2, 1, 198, 51, 100, 7, // from, to
        0x4e, 0x20, 0xc3, 0x50, 0x00, 0x0d, 0xbe, 0x54, // UDP
        b'h', b'e', b'l', b'l', b'o',
    ];
    let v6 = [
        0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x86, 0xdd, // Ethernet
        0x6b, 0x80, 0x00, 0x00, 0x00, 0x0d, 0x11, 0x40, // IPv6
        0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, // from
        0x20, 0x01, 0x0d, 0xb8, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, // to
        0x4e, 0x20, 0xc3, 0x50, 0x00, 0x0d, 0x4f, 0x12, // UDP
        b'h', b'e', b'l', b'l', b'o',
    ];
    assert_eq!(written(&HOP, PAIRS[0].0, PAIRS[0].1, b"hello"), v4);
    assert_eq!(written(&HOP, PAIRS[1].0, PAIRS[1].1, b"hello"), v6);
}

#[test]
fn what_is_written_is_read() {
    for (from, to) in PAIRS {
        for vlan in [None, Some(100)] {
            for length in [0, 1, 2, 3, 172, 1_200] {
                let payload: Vec<u8> = (0..length).map(|n| (n * 7) as u8).collect();
                let mut frame = written(&Hop { vlan, ..HOP }, from, to, &payload);
                let expected = Datagram {
                    from: from.parse().expect("one"),
                    to: to.parse().expect("one"),
                    payload: &payload,
                };
                assert_eq!(read(&frame).as_ref(), Some(&expected), "{length}");
                // Ethernet pads what is short.
                frame.extend([0xaa; 20]);
                assert_eq!(read(&frame).as_ref(), Some(&expected), "{length}, padded");
            }
        }
    }
}

#[test]
fn a_tag_carries_its_number_and_the_class_of_the_traffic() {
    let vlan = Some(100);
    let frame = written(&Hop { vlan, ..HOP }, PAIRS[0].0, PAIRS[0].1, b"");
    assert_eq!(frame[12..18], [0x81, 0x00, 0xa0, 100, 0x08, 0x00]);
}

#[test]
fn no_damaged_octet_is_taken_for_what_was_sent() {
    for (from, to) in PAIRS {
        let frame = written(&HOP, from, to, &[3; 50]);
        let whole = read(&frame).expect("it is whole");
        for at in 14..frame.len() {
            for bit in 0..8 {
                let mut damaged = frame.clone();
                damaged[at] ^= 1 << bit;
                // Class and hop limit are in no checksum of IPv6, and change on the way.
                let is_free = whole.to.is_ipv6() && (at < 18 || at == 21);
                assert!(read(&damaged).is_none() || is_free, "{at}.{bit}");
            }
        }
    }
}

#[test]
fn what_is_cut_short_is_nothing() {
    for (from, to) in PAIRS {
        let frame = written(&HOP, from, to, &[3; 50]);
        for length in 0..frame.len() {
            assert_eq!(read(&frame[..length]), None, "{length}");
        }
    }
}

#[test]
fn a_checksum_left_to_the_card_is_taken_and_none_at_all_only_with_ipv4() {
    for (from, to) in PAIRS {
        let mut frame = written(&HOP, from, to, b"hello");
        let udp = frame.len() - 13;
        let addresses = if to.starts_with('[') { 22..54 } else { 26..34 };
        let pseudo = fold(sum(&frame[addresses]) + u64::from(PROTOCOL_UDP) + 13);
        put(&mut frame, udp + 6, pseudo);
        assert!(read(&frame).is_some());
        put(&mut frame, udp + 6, 0);
        assert_eq!(read(&frame).is_some(), !to.starts_with('['));
        put(&mut frame, udp + 6, pseudo ^ 1);
        assert!(read(&frame).is_none());
    }
}

#[test]
fn a_checksum_is_never_written_as_none() {
    // Some payload makes the sum zero; its other form must be written (RFC 768).
    let mut seen = false;
    for filler in 0..=u16::MAX {
        let frame = written(&HOP, PAIRS[0].0, PAIRS[0].1, &filler.to_be_bytes());
        assert_ne!(frame[40..42], [0, 0]);
        seen |= frame[40..42] == [0xff, 0xff];
        if seen {
            assert!(read(&frame).is_some());
            return;
        }
    }
    panic!("one of them must be it");
}

#[test]
fn a_way_that_cannot_be_has_no_headers() {
    let address = |text: &str| text.parse().expect("an address");
    let (here, there) = (address("192.0.2.1:20000"), address("198.51.100.7:0"));
    assert!(Headers::new(&HOP, here, there, Dscp::DEFAULT).is_none());
    let other = address("[2001:db8::1]:4000");
    assert!(Headers::new(&HOP, here, other, Dscp::DEFAULT).is_none());
    let headers = Headers::new(&HOP, here, address("198.51.100.7:9"), Dscp::DEFAULT);
    let headers = headers.expect("one family");
    assert_eq!(headers.packet_length(172), 200);
    assert_eq!(headers.write(&[0; 172], &mut [0; 100]), None);
}
