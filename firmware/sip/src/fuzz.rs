//! Doors for the fuzzer: each takes any bytes, walks through everything a stranger can reach, and holds the invariants.
//!
//! The same functions replay the seeds and old crashes of `tests/regressions` in an ordinary test. A panic in here is a
//! bug of ours, never of the bytes.
//!
//! Not here: the targets (`tests/fuzz`), which are one line each.

use bytes::Bytes;
use embassy_time::Instant;

use crate::framing::{self, Datagram, Frame, StreamFramer};
use crate::message::{
    Message, Name, NameAddr, ParseError, Request, Response, StatusCode, Uri, Via, limits, refuse,
};
use crate::sdp::{Problem, SessionDescription};

/// A datagram: parsed, every header read by its type, answered, rebuilt and parsed again.
pub fn message(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    match framing::datagram(bytes.clone()) {
        Ok(Datagram::Message(message)) => {
            assert_eq!(message.bytes(), &bytes, "lossless");
            every_header(&message);
            match &message {
                Message::Request(request) => {
                    let _ = request.description();
                    answer(request);
                }
                Message::Response(response) => {
                    let _ = response.description();
                    let _ = response.check();
                    same_again(&Message::from(response.rebuild().finish()), &message);
                }
            }
        }
        Ok(Datagram::KeepAlive | Datagram::Ping | Datagram::Stun) => {}
        Err(error) => refused(data, error),
    }
}

/// A URI, and the same bytes as a name-address and a Via: parsed, compared with itself, changed, parsed again.
pub fn uri(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(uri) = Uri::parse(bytes.clone()) {
        assert_eq!(uri.bytes(), &bytes, "lossless");
        assert!(uri.matches(&uri), "reflexive: {uri}");
        let _ = (
            uri.user_unescaped(),
            uri.telephone(),
            uri.host(),
            uri.port(),
            uri.header("Replaces"),
        );
        let marked = uri.with_param("x-mark", Some("8:orgid:a b"));
        if uri.params().iter().count() < limits::PARAMS && marked.bytes().len() <= limits::URI_BYTES
        {
            let again = Uri::parse(marked.bytes().clone()).expect("what was written parses");
            assert_eq!(again.params(), marked.params());
            assert_eq!(
                again.headers().collect::<Vec<_>>(),
                uri.headers().collect::<Vec<_>>()
            );
        }
        let bare = uri.without_headers();
        assert_eq!(bare.headers().count(), 0);
        assert!(
            Uri::parse(bare.bytes().clone()).is_ok(),
            "a part of a URI is a URI: {bare}"
        );
    }
    if let Ok(address) = NameAddr::parse(bytes.clone()) {
        let _ = (address.display_name(), address.tag());
        let named = address
            .with_display("a \"b\" c")
            .with_param("tag", Some("1 2"));
        if address.params().iter().count() < limits::PARAMS {
            let again = NameAddr::parse(named.bytes().clone()).expect("what was written parses");
            assert_eq!(again.display_name().as_deref(), Some("a \"b\" c"));
            assert_eq!(again.params().unquoted("tag").as_deref(), Some("1 2"));
            assert_eq!(again.uri(), address.uri());
        }
    }
    if let Ok(via) = Via::parse(bytes) {
        let _ = (via.branch(), via.received(), via.rport());
        let seen = via
            .with_param("received", Some("2001:db8::9"))
            .with_param("rport", Some("5060"));
        if via.params().iter().count() + 2 <= limits::PARAMS {
            let again = Via::parse(seen.bytes().clone()).expect("what was written parses");
            assert_eq!(again.received(), "2001:db8::9".parse().ok());
            assert_eq!(
                (again.rport(), again.sent_by()),
                (Some(5060), via.sent_by())
            );
        }
    }
}

/// A stream: the first byte says how it is cut into pieces; however it is, the same frames come out.
pub fn framing(data: &[u8]) {
    let Some((&piece, stream)) = data.split_first() else {
        return;
    };
    let whole = frames(stream, stream.len().max(1));
    let pieces = frames(stream, usize::from(piece % 64) + 1);
    let messages = |frames: &[Frame]| -> Vec<Bytes> {
        let message = |frame: &Frame| {
            if let Frame::Message(bytes) = frame {
                Some(bytes.clone())
            } else {
                None
            }
        };
        frames.iter().filter_map(message).collect()
    };
    let (whole, pieces) = (messages(&whole), messages(&pieces));
    assert_eq!(whole, pieces, "cuts do not count");
    for frame in whole {
        let _ = Message::parse(frame);
    }
}

/// A session description: parsed, printed, and what was printed reads as the same description.
pub fn sdp(data: &[u8]) {
    let Ok(mut first) = SessionDescription::parse(data) else {
        return;
    };
    first.other.clear();
    for media in &mut first.media {
        media.other.clear();
        // `a=ice-lite` belongs to the session, and only there is it written.
        media.ice.lite = false;
    }
    let printed = first.to_string();
    match SessionDescription::parse(printed.as_bytes()) {
        Ok(second) => assert_eq!(first, second),
        // Canonical text may be longer than what was read (static payload types gain their rtpmap).
        Err(error) => assert!(
            matches!(error.problem, Problem::TooLarge(_)),
            "{error}: {printed}"
        ),
    }
}

fn frames(stream: &[u8], piece: usize) -> Vec<Frame> {
    let mut framer = StreamFramer::new();
    let mut frames = Vec::new();
    for piece in stream.chunks(piece) {
        framer.push(Instant::from_ticks(0), piece);
        while let Some(frame) = framer.poll() {
            match frame {
                Ok(frame) => frames.push(frame),
                Err(broken) => {
                    let _ = refuse(&broken.head, broken.error.status());
                    return frames;
                }
            }
        }
        assert!(
            framer.buffered() <= limits::MESSAGE_BYTES + piece.len(),
            "bounded"
        );
        assert_eq!(
            framer.buffered() == 0,
            framer.pending_since().is_none(),
            "pending tells what is held"
        );
    }
    frames
}

fn answer(request: &Request) {
    let _ = request.check();
    let _ = request.request_uri();
    let reply = Response::reply(request, StatusCode::OK)
        .to_tag("ours")
        .finish();
    let again = Message::parse(reply.bytes().clone());
    // Values are copied as they came; only one that grows by our tag, or lines written long, can pass a limit.
    if let Ok(again) = again {
        same_again(&again, &Message::from(reply));
    }
    let rebuilt = Message::from(request.rebuild().finish());
    same_again(&rebuilt, &Message::from(request.clone()));
}

/// Both have the same headers, but for Content-Length, which is always made, and for folds, which become spaces.
fn same_again(ours: &Message, theirs: &Message) {
    let lines = |message: &Message| -> Vec<(String, Vec<u8>)> {
        let unfolded = |byte: &u8| {
            if matches!(byte, b'\r' | b'\n') {
                b' '
            } else {
                *byte
            }
        };
        message
            .headers()
            .iter()
            .filter(|header| header.name != Name::ContentLength)
            .map(|header| {
                (
                    header.name.as_str().to_lowercase(),
                    header.value.iter().map(unfolded).collect(),
                )
            })
            .collect()
    };
    assert_eq!(lines(ours), lines(theirs));
    assert_eq!(ours.body(), theirs.body());
}

fn refused(data: &[u8], error: ParseError) {
    assert!(error.at <= data.len(), "the place lies in the bytes");
    if let Some(reply) = refuse(data, error.status()) {
        assert!(reply.headers().contains(Name::Via));
    }
}

fn every_header(message: &Message) {
    let headers = message.headers();
    for header in headers.iter() {
        assert!(
            headers.all(header.name).any(|value| value == header.value),
            "found by its name"
        );
    }
    let _ = (
        headers.vias(),
        headers.from(),
        headers.to(),
        headers.call_id(),
        headers.cseq(),
    );
    let _ = (
        headers.max_forwards(),
        headers.contact(),
        headers.contacts(),
        headers.routes(),
    );
    let _ = (
        headers.record_routes(),
        headers.path(),
        headers.service_routes(),
        headers.content_type(),
    );
    let _ = (
        headers.content_length(),
        headers.expires(),
        headers.min_expires(),
        headers.session_expires(),
    );
    let _ = (
        headers.min_se(),
        headers.rseq(),
        headers.rack(),
        headers.refer_to(),
        headers.referred_by(),
    );
    let _ = (
        headers.replaces(),
        headers.reasons(),
        headers.retry_after(),
        headers.event(),
    );
    let _ = (
        headers.subscription_state(),
        headers.diversion(),
        headers.history_info(),
    );
    let _ = (
        headers.p_asserted_identity(),
        headers.p_preferred_identity(),
    );
    for challenges in [headers.www_authenticate(), headers.proxy_authorization()]
        .into_iter()
        .flatten()
    {
        for challenge in challenges {
            let _ = (
                challenge.scheme(),
                challenge.param("realm"),
                challenge.params().count(),
            );
        }
    }
    for tokens in [
        headers.supported(),
        headers.require(),
        headers.allow(),
        headers.privacy(),
    ] {
        assert!(tokens.iter().all(|token| tokens.contains(token)));
    }
}
