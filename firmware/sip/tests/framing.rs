//! Framing: datagrams and streams, whole, in pieces, broken and endless.
//!
//! Not here: what the messages say (`message.rs`).

use bytes::Bytes;
use embassy_time::Instant;
use sip::framing::{Datagram, Frame, FramingError, StreamFramer, datagram};
use sip::message::{ParseErrorKind, limits};

const FIRST: &str =
    "OPTIONS sip:a@b SIP/2.0\r\nContent-Length : 6\r\nSubject: l: 99\r\n\r\n\r\n\r\n\r\n";
const SECOND: &str = "SIP/2.0 200 OK\r\nTo: x\r\n l: 3\r\nL:0\r\n\r\n";

fn at(ticks: u64) -> Instant {
    Instant::from_ticks(ticks)
}

fn drain(framer: &mut StreamFramer) -> Vec<Frame> {
    std::iter::from_fn(|| framer.poll())
        .map(|frame| frame.expect("a good stream"))
        .collect()
}

fn broken(stream: &[u8]) -> FramingError {
    let mut framer = StreamFramer::new();
    framer.push(at(0), stream);
    let error = framer
        .poll()
        .expect("a verdict")
        .expect_err("a broken stream");
    assert_eq!(framer.poll(), Some(Err(error.clone())), "it stays broken");
    assert_eq!((framer.buffered(), framer.pending_since()), (0, None));
    error
}

fn message(text: &'static str) -> Frame {
    Frame::Message(Bytes::from_static(text.as_bytes()))
}

#[test]
fn datagrams_are_told_apart() {
    let kind = |bytes: &'static [u8]| datagram(Bytes::from_static(bytes));
    assert!(matches!(kind(b"\r\n\r\n"), Ok(Datagram::Ping)));
    for keep_alive in [&b""[..], b"\r\n", b"\0\0\0\0", b"  "] {
        assert!(matches!(kind(keep_alive), Ok(Datagram::KeepAlive)));
    }
    assert!(matches!(
        kind(b"\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl"),
        Ok(Datagram::Stun)
    ));
    assert!(matches!(kind(FIRST.as_bytes()), Ok(Datagram::Message(_))));
    assert_eq!(
        kind(b"\x00\x01\x00").unwrap_err().kind,
        ParseErrorKind::HeadUnterminated
    );
    assert_eq!(
        kind(b"l: 4\r\n\r\n").unwrap_err().kind,
        ParseErrorKind::StartLine
    );
}

#[test]
fn a_stream_is_cut_the_same_however_it_arrives() {
    let stream = [FIRST, "\r\n\r\n", SECOND, "\r\n", FIRST].concat();
    let messages = [message(FIRST), message(SECOND), message(FIRST)];
    for piece in 1..stream.len() {
        let mut framer = StreamFramer::new();
        let mut frames = Vec::new();
        for bytes in stream.as_bytes().chunks(piece) {
            framer.push(at(0), bytes);
            frames.extend(drain(&mut framer));
        }
        frames.retain(|frame| matches!(frame, Frame::Message(_)));
        assert_eq!(frames, messages, "in pieces of {piece}");
        assert_eq!((framer.buffered(), framer.pending_since()), (0, None));
    }
}

#[test]
fn keepalives_are_seen_between_messages_only() {
    let mut framer = StreamFramer::new();
    framer.push(
        at(0),
        [FIRST, "\r\n\r\n", "\r\n", SECOND].concat().as_bytes(),
    );
    assert_eq!(
        drain(&mut framer),
        [message(FIRST), Frame::Ping, Frame::Pong, message(SECOND)]
    );
}

#[test]
fn how_long_a_message_has_been_coming_is_known() {
    let mut framer = StreamFramer::new();
    assert_eq!(framer.pending_since(), None);
    framer.push(at(1), &FIRST.as_bytes()[..10]);
    assert_eq!(framer.poll(), None);
    framer.push(at(2), &FIRST.as_bytes()[10..20]);
    assert_eq!(framer.poll(), None);
    assert_eq!(
        framer.pending_since(),
        Some(at(1)),
        "a byte now and then does not help"
    );
    framer.push(at(3), &[&FIRST.as_bytes()[20..], b"SIP"].concat());
    assert_eq!(drain(&mut framer), [message(FIRST)]);
    assert_eq!(
        (framer.pending_since(), framer.buffered()),
        (Some(at(3)), 3)
    );
}

#[test]
fn what_breaks_the_framing_ends_the_stream() {
    let kind = |stream: &str| broken(stream.as_bytes()).error.kind;
    assert_eq!(
        kind("OPTIONS sip:a@b SIP/2.0\r\n\r\n"),
        ParseErrorKind::ContentLengthMissing
    );
    assert_eq!(
        kind("OPTIONS sip:a@b SIP/2.0\r\nl: -1\r\n\r\n"),
        ParseErrorKind::ContentLength
    );
    assert_eq!(
        kind("OPTIONS sip:a@b SIP/2.0\r\nl: 0\r\nl: 0\r\n\r\n"),
        ParseErrorKind::ContentLengthRepeated
    );
    assert_eq!(
        kind("OPTIONS sip:a@b SIP/2.0\nl: 0\n\n"),
        ParseErrorKind::BareLineFeed
    );
    assert_eq!(kind("\n"), ParseErrorKind::BareLineFeed);
    assert_eq!(
        kind("OPTIONS sip:a@b SIP/2.0\r\nl: 4294967295\r\n\r\n"),
        ParseErrorKind::MessageTooLong
    );
    let head = broken(b"OPTIONS sip:a@b SIP/2.0\r\nl: 65536\r\n\r\nbody").head;
    assert!(
        head.starts_with(b"OPTIONS"),
        "what came is there to be answered"
    );
    // A malformed line elsewhere breaks the message, not the stream.
    let mut framer = StreamFramer::new();
    framer.push(
        at(0),
        b"OPTIONS sip:a@b SIP/2.0\r\nno colon\r\nl: 0\r\n\r\n",
    );
    framer.push(at(0), SECOND.as_bytes());
    assert_eq!(drain(&mut framer).len(), 2);
}

#[test]
fn an_endless_message_is_not_gathered_for_ever() {
    let mut framer = StreamFramer::new();
    let mut pushed = 0;
    let error = loop {
        framer.push(at(0), b"x-header: and one more that never ends\r\n");
        pushed += 40;
        match framer.poll() {
            None => assert!(pushed <= limits::MESSAGE_BYTES + 40),
            Some(frame) => break frame.expect_err("no message"),
        }
    };
    assert_eq!(error.error.kind, ParseErrorKind::MessageTooLong);
    assert_eq!(error.head.len(), limits::MESSAGE_BYTES);
    framer.push(at(1), b"more");
    assert_eq!(framer.buffered(), 0);
}

#[test]
fn the_longest_message_passes() {
    // INV-24
    let head = "INVITE sip:a@b SIP/2.0\r\nl: 65491\r\n\r\n";
    let mut stream = head.as_bytes().to_vec();
    stream.resize(head.len() + 65_491, b'x');
    assert!(stream.len() <= limits::MESSAGE_BYTES && stream.len() > 65_500);
    let mut framer = StreamFramer::new();
    framer.push(at(0), &stream);
    assert_eq!(drain(&mut framer), [Frame::Message(Bytes::from(stream))]);
}
