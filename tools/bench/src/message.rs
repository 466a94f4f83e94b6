//! Parsing and writing one INVITE of the size that Teams sends: nanoseconds and instructions.
//!
//! Nanoseconds are the median of 15 runs of 20,000. Instructions are counted by callgrind as the difference of two runs, so that starting the
//! program does not count; without valgrind that line is left out and said so.

use std::error::Error;
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use bytes::Bytes;
use sip::message::{Message, Method, Name, Request, Uri};

use crate::report::{line, median};

const RUNS: usize = 15;
const EACH: u32 = 20_000;

/// 1.2 kB: the skeleton of spec §1.13 with SDP.
const INVITE: &str = "INVITE sip:+14255550199@sbc1.example.com:5061;user=phone;transport=tls SIP/2.0\r\n\
FROM: \"Alex\" <sip:+12065550123@sip.pstnhub.microsoft.com:5061;user=phone>;tag=4f0c\r\n\
TO: <sip:+14255550199@sbc1.example.com:5061;user=phone>\r\n\
CSEQ: 1 INVITE\r\nCALL-ID: 5b1e7f0a2d\r\nMAX-FORWARDS: 70\r\n\
VIA: SIP/2.0/TLS 52.112.0.10:5061;branch=z9hG4bKaa01\r\n\
RECORD-ROUTE: <sip:sip-du-a-eu.pstnhub.microsoft.com:5061;transport=tls;lr>\r\n\
CONTACT: <sip:api-du-a-euwe.pstnhub.microsoft.com:443;x-i=11111111-2222-4333-8444-555555555555;x-c=0123abcd/s/1/89ef>\r\n\
SUPPORTED: histinfo,timer\r\nMIN-SE: 300\r\nSESSION-EXPIRES: 3600\r\n\
ALLOW: INVITE,ACK,OPTIONS,CANCEL,BYE,NOTIFY\r\n\
USER-AGENT: Microsoft.PSTNHub.SIPProxy v.2026.1.1.1 i.EUWE.1\r\n\
CONTENT-TYPE: application/sdp\r\nCONTENT-LENGTH: 418\r\n\r\n";

fn invite() -> Bytes {
    let mut body = String::from(
        "v=0\r\no=- 3905 1 IN IP4 198.51.100.20\r\ns=-\r\nc=IN IP4 198.51.100.20\r\nt=0 0\r\n\
         m=audio 20010 RTP/SAVP 0 8 13 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=rtcp-mux\r\na=sendrecv\r\n\
         a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT|2^31\r\n",
    );
    while body.len() < 418 {
        body.push_str("a=x:1\r\n");
    }
    body.truncate(418);
    Bytes::from(format!("{INVITE}{body}"))
}

/// Both cases.
pub(crate) fn measure() -> Result<(), Box<dyn Error>> {
    let bytes = invite();
    Message::parse(bytes.clone())?;
    line(
        "parse-invite",
        timed(|| drop(black_box(Message::parse(black_box(bytes.clone()))))),
        "ns",
    );
    match instructions() {
        Ok(count) => line("parse-invite", count, "instructions"),
        Err(error) => eprintln!("bench: instructions are not counted: {error}"),
    }
    let uri: Uri = "sip:+14255550199@sbc1.example.com:5061;user=phone;transport=tls".parse()?;
    let body = Bytes::from(vec![b'a'; 418]);
    line(
        "serialise-invite",
        timed(|| drop(black_box(write(&uri, &body)))),
        "ns",
    );
    Ok(())
}

fn write(uri: &Uri, body: &Bytes) -> Request {
    Request::build(Method::Invite, uri)
        .header(
            Name::Via,
            "SIP/2.0/TLS sbc1.example.com:5061;branch=z9hG4bK72babcdefgh;alias",
        )
        .header(Name::MaxForwards, "69")
        .header(
            Name::From,
            "\"Caller\" <sip:+14255550199@sbc1.example.com;user=phone>;tag=a1b2c3d4e5f6g7h8",
        )
        .header(
            Name::To,
            "<sip:+12065550123@sip.pstnhub.microsoft.com;user=phone>",
        )
        .header(Name::CallId, "1d0e2f3a4b5c6d7e8f90")
        .header(Name::CSeq, "1 INVITE")
        .header(
            Name::Contact,
            "<sip:+14255550199@sbc1.example.com:5061;transport=tls>",
        )
        .header(
            Name::Allow,
            "INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY, REFER, INFO, UPDATE, PRACK",
        )
        .header(Name::Supported, "timer, replaces")
        .header(Name::SessionExpires, "3600;refresher=uac")
        .header(Name::MinSe, "300")
        .header(Name::Other("X-MS-SBC"), "Postern/branch-1/0.1.0")
        .header(Name::UserAgent, "Postern/0.1.0")
        .body("application/sdp", body.clone())
        .finish()
}

/// Nanoseconds of one call of `work`.
fn timed(mut work: impl FnMut()) -> f64 {
    let mut runs = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let begun = Instant::now();
        for _ in 0..EACH {
            work();
        }
        runs.push(begun.elapsed().as_nanos() as f64 / f64::from(EACH));
    }
    median(&mut runs)
}

/// What callgrind runs.
pub(crate) fn parse_often(times: u32) -> Result<(), Box<dyn Error>> {
    let bytes = invite();
    for _ in 0..times {
        drop(black_box(Message::parse(black_box(bytes.clone()))?));
    }
    Ok(())
}

fn instructions() -> Result<f64, Box<dyn Error>> {
    let one = callgrind("parse-once")?;
    let two = callgrind("parse-twice")?;
    Ok((two - one) / 1_000.0)
}

fn callgrind(what: &str) -> Result<f64, Box<dyn Error>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .arg(what)
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    let count = told
        .lines()
        .find_map(|line| line.split("Collected :").nth(1))
        .ok_or("callgrind told no count")?;
    Ok(count.trim().parse()?)
}
