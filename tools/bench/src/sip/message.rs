//! One message: an INVITE of 1.2 kB as Teams sends it is parsed, checked, built.
//!
//! Nanoseconds are the median of many short runs; `counted` has the rest.
//!
//! Not here: that parsing allocates nothing for each header, which `firmware/sip/tests/allocations.rs` holds.

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use sip::message::{Message, Method, Name, Request, Uri};

use super::counted::{allocations, counted, instructions};
use super::line;
use crate::line::median;

/// Lines end in LF there, to be kept by every editor.
const INVITE: &str = include_str!("../../assets/invite.sip");

const RUNS: usize = 51;
const IN_A_RUN: u32 = 2_000;

/// Measures the case and prints its lines.
pub(super) fn measure(case: &'static str) {
    let mut work = Work::named(case).expect("a case of messages");
    let mut nanoseconds = Vec::with_capacity(RUNS);
    work.times(IN_A_RUN);
    for _ in 0..RUNS {
        let start = Instant::now();
        work.times(IN_A_RUN);
        nanoseconds.push(start.elapsed().as_nanos() as f64 / f64::from(IN_A_RUN));
    }
    line(case, median(&nanoseconds), "ns").print();
    line(
        case,
        counted(case, (500, 1_500), instructions),
        "instructions",
    )
    .print();
    line(
        case,
        counted(case, (500, 1_500), allocations),
        "allocations",
    )
    .print();
}

/// Does a piece of work `count` times; `false` where there is no such work.
pub(super) fn work(name: &str, count: u32) -> bool {
    Work::named(name)
        .map(|mut work| work.times(count))
        .is_some()
}

/// What is done, with all that is ready before it begins.
enum Work {
    /// Bytes become a message.
    Parse(Bytes),
    /// Bytes become a message that is fit to be processed: what each request from the network goes through.
    Check(Bytes),
    /// Values become the bytes of a message.
    Serialise(Values),
}

impl Work {
    fn named(case: &str) -> Option<Self> {
        match case {
            "parse-invite" => Some(Self::Parse(invite())),
            "check-invite" => Some(Self::Check(invite())),
            "serialise-invite" => Some(Self::Serialise(Values::of(&request(invite())))),
            _ => None,
        }
    }

    fn times(&mut self, count: u32) {
        for _ in 0..count {
            match self {
                Self::Parse(bytes) => {
                    black_box(request(bytes.clone()));
                }
                Self::Check(bytes) => {
                    let request = request(bytes.clone());
                    request.check().expect("fit");
                    black_box(request);
                }
                Self::Serialise(values) => {
                    black_box(values.build());
                }
            }
        }
    }
}

fn invite() -> Bytes {
    Bytes::from(INVITE.replace('\n', "\r\n"))
}

fn request(bytes: Bytes) -> Request {
    match Message::parse(bytes) {
        Ok(Message::Request(request)) => request,
        other => panic!("an INVITE is a request: {other:?}"),
    }
}

/// What an INVITE is built of.
struct Values {
    target: Uri,
    headers: Vec<(Name<'static>, Bytes)>,
    body: Bytes,
}

const BUILT: [Name<'static>; 15] = [
    Name::Via,
    Name::From,
    Name::To,
    Name::CallId,
    Name::CSeq,
    Name::MaxForwards,
    Name::RecordRoute,
    Name::Contact,
    Name::Supported,
    Name::UserAgent,
    Name::Allow,
    Name::PAssertedIdentity,
    Name::Privacy,
    Name::SessionExpires,
    Name::MinSe,
];

impl Values {
    fn of(request: &Request) -> Self {
        let headers = request.headers();
        Self {
            target: request.request_uri().expect("a URI"),
            headers: BUILT
                .into_iter()
                .map(|name| {
                    let value = headers.get(name).expect("the INVITE has it");
                    (name, headers.share(value))
                })
                .collect(),
            body: request.body_bytes(),
        }
    }

    fn build(&self) -> Request {
        let builder = Request::build(Method::Invite, &self.target);
        self.headers
            .iter()
            .fold(builder, |builder, (name, value)| {
                builder.header(*name, value)
            })
            .body("application/sdp", self.body.clone())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_invite_is_of_the_size_it_claims_and_survives_being_built() {
        let bytes = invite();
        assert!((1_150..1_250).contains(&bytes.len()), "{}", bytes.len());
        let parsed = request(bytes);
        parsed.check().expect("fit");
        let built = Values::of(&parsed).build();
        assert!((1_150..1_250).contains(&built.bytes().len()));
        assert_eq!(built.body(), parsed.body());
        for name in BUILT {
            assert_eq!(built.headers().get(name), parsed.headers().get(name));
        }
    }
}
