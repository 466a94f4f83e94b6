//! Reading a message costs one allocation, its span table, however many headers it has; building one costs a handful.
//!
//! A counting allocator watches; one test, and counts kept for each thread, so that the harness does not disturb it.
//!
//! Not here: nanoseconds, which a bench measures.

use std::hint::black_box;

use bytes::Bytes;
use sip::message::{Message, Method, Name, Request, Response, StatusCode, Uri};

fn allocations<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let mut result = None;
    let counted = allocation_counter::measure(|| result = Some(black_box(work())));
    (counted.count_total, result.expect("the work was done"))
}

fn invite(headers: usize) -> Bytes {
    let mut text =
        "INVITE sip:+12025550100@sbc1.contoso.example:5061;user=phone;transport=tls SIP/2.0\r\n\
        Via: SIP/2.0/TLS 52.114.75.24:5061;branch=z9hG4bK69ce74c6\r\n\
        From: \"Anna\" <sip:+14255550123@sip.pstnhub.microsoft.com:5061;user=phone>;tag=5f2a\r\n\
        To: <sip:+12025550100@sbc1.contoso.example:5061;user=phone>\r\n\
        Call-ID: 8ad7f09b5d4a5b1e\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\
        Contact: <sip:api-du-a-euwe.pstnhub.microsoft.com:443;x-i=11111111-2222;transport=tls>\r\n"
            .to_owned();
    for index in 0..headers {
        text.push_str(&format!("X-Header-{index}: value {index}\r\n"));
    }
    text.push_str("\r\nv=0\r\n");
    let shared = Bytes::from(text);
    // The first clone of a buffer makes it a shared one, once.
    drop(shared.clone());
    shared
}

#[test]
fn a_message_costs_its_span_table() {
    assert_ne!(allocations(|| vec![1_u8; 10]).0, 0, "the allocator counts");

    let small = invite(10);
    let (count, parsed) = allocations(|| Message::parse(small.clone()).expect("a message"));
    assert_eq!(count, 1, "the span table");
    let Message::Request(request) = parsed else {
        panic!("a request");
    };
    assert_eq!(allocations(|| request.clone()).0, 0, "cheap to clone");
    let (count, ()) = allocations(|| {
        let headers = request.headers();
        let from = headers.from().expect("From");
        let contact = headers.contact().expect("Contact");
        let via = headers.via().expect("Via");
        black_box((from.tag(), contact.uri().host(), via.branch()));
        black_box((
            headers.cseq().expect("CSeq"),
            headers.call_id().expect("Call-ID"),
        ));
        black_box((
            headers.get(Name::Other("x-header-3")),
            headers.supported().contains("timer"),
        ));
        request.check().expect("fit");
    });
    // `check` gathers the Contacts in a list.
    assert_eq!(count, 1, "typed values share the message's buffer");

    // Beyond what a call needs the table is gathered on the heap; still nothing is spent on each header.
    let (count, _) = allocations(|| Message::parse(invite(200)).expect("a message"));
    let (of_text, _) = allocations(|| invite(200));
    assert!(count - of_text <= 6, "{} for 207 headers", count - of_text);

    let uri: Uri = "sip:a@b".parse().expect("a URI");
    let (count, _) = allocations(|| {
        Request::build(Method::Options, &uri)
            .header(Name::MaxForwards, 70u8)
            .header(Name::CallId, "1")
            .finish()
    });
    assert!(count <= 6, "{count} to build a request");
    let (count, _) = allocations(|| Response::reply(&request, StatusCode::TRYING).finish());
    assert!(count <= 6, "{count} to build a reply");
}
