//! RTP packets with everything in them, packets that lie about their lengths, rewriting in place.
//!
//! More hostile bytes lie in the corpus (`tests/regressions/rtp`).

use alloc::vec::Vec;

use super::*;

/// Two CSRCs, an extension of one word, ten bytes of payload, four of padding.
fn full() -> Vec<u8> {
    let mut packet = std::vec![0xb2, 0x88, 0xab, 0xcd, 0, 0, 0, 160, 0xde, 0xad, 0xbe, 0xef];
    packet.extend([1, 1, 1, 1, 2, 2, 2, 2, 0xbe, 0xde, 0, 1, 0x10, 5, 0, 0]);
    packet.extend([0x55; 10]);
    packet.extend([0, 0, 0, 4]);
    packet
}

#[test]
fn every_part_is_found() {
    let bytes = full();
    let packet = Packet::parse(&bytes).unwrap();
    assert!(packet.marker());
    assert_eq!(packet.payload_type(), 8);
    assert_eq!(packet.sequence(), 0xabcd);
    assert_eq!(packet.timestamp(), 160);
    assert_eq!(packet.ssrc(), 0xdead_beef);
    assert_eq!(
        packet.csrcs().collect::<Vec<_>>(),
        [0x0101_0101, 0x0202_0202]
    );
    assert_eq!(
        packet.extension(),
        Some(Extension {
            profile: 0xbede,
            data: &[0x10, 5, 0, 0]
        })
    );
    assert_eq!(packet.header_len(), 28);
    assert_eq!(packet.payload(), [0x55; 10]);
    assert_eq!(packet.padding_len(), 4);
    assert_eq!(packet.as_bytes(), bytes);
}

#[test]
fn a_bare_header_is_a_packet() {
    let mut bytes = [0; 12];
    bytes[0] = 0x80;
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!(packet.payload(), []);
    assert_eq!(packet.extension(), None);
    assert_eq!(packet.csrcs().len(), 0);
}

#[test]
fn lengths_that_do_not_add_up_are_refused() {
    let bytes = full();
    for length in 0..28 {
        assert_eq!(
            Header::read(&bytes[..length]).err(),
            Some(Malformed::Truncated),
            "cut to {length}"
        );
    }
    // RFC 3550 §5.1: the count of padding includes itself and ends at the header.
    for (padding, verdict) in [
        (0, Some(Malformed::Padding)),
        (1, None),
        (14, None),
        (15, Some(Malformed::Padding)),
    ] {
        let mut bytes = full();
        *bytes.last_mut().unwrap() = padding;
        assert_eq!(Packet::parse(&bytes).err(), verdict, "padding of {padding}");
    }
    let mut empty = full();
    empty.truncate(28);
    empty[27] = 1;
    assert_eq!(
        Packet::parse(&empty).err(),
        Some(Malformed::Padding),
        "no room for any padding"
    );
}

#[test]
fn other_versions_are_refused() {
    for version in [0, 1, 3] {
        let mut bytes = full();
        bytes[0] = bytes[0] & 0x3f | version << 6;
        assert_eq!(Packet::parse(&bytes).err(), Some(Malformed::Version));
    }
}

#[test]
fn an_emitted_packet_reads_back() {
    let header = Header {
        marker: true,
        payload_type: 101,
        sequence: 65_535,
        timestamp: u32::MAX,
        ssrc: 1,
    };
    let mut out = [0xee; 20];
    assert_eq!(header.emit(b"abcd", &mut out), Ok(16));
    let packet = Packet::parse(&out[..16]).unwrap();
    assert_eq!(packet.header(), header);
    assert_eq!(packet.payload(), b"abcd");
    assert_eq!(out[16..], [0xee; 4]);
    assert_eq!(
        header.emit(b"abcd", &mut out[..15]),
        Err(NoRoom { needed: 16 })
    );
}

#[test]
fn rewriting_leaves_the_rest_alone() {
    let original = full();
    let mut bytes = original.clone();
    let mut packet = PacketMut::parse(&mut bytes).unwrap();
    packet.set_payload_type(0x80 | 101);
    packet.set_sequence(7);
    packet.set_timestamp(0x0102_0304);
    packet.set_ssrc(9);
    assert_eq!(
        packet.header(),
        Header {
            marker: true,
            payload_type: 101,
            sequence: 7,
            timestamp: 0x0102_0304,
            ssrc: 9
        }
    );
    assert_eq!(bytes[0], original[0]);
    assert_eq!(bytes[12..], original[12..]);

    let header = Packet::parse(&original).unwrap().header();
    PacketMut::parse(&mut bytes).unwrap().set_header(header);
    assert_eq!(bytes, original);
}
