//! Reads files of SIP messages and says what is wrong with each message: `cargo run -p sip --example siplint FILE…`
//!
//! A file holds one message, or several one after the other, each with its Content-Length (as a stream would). Ends
//! with 1 where anything was found.
//!
//! Not here: captures (cut them first), and whether a message fits its dialog.

use std::io::Write;
use std::process::ExitCode;

use bytes::Bytes;
use sip::message::{HeaderError, Headers, Message, ParseError, Problem, refuse};

fn main() -> ExitCode {
    let mut files = std::env::args_os().skip(1).peekable();
    if files.peek().is_none() {
        eprintln!("siplint FILE…: says what is wrong with SIP messages");
        return ExitCode::from(2);
    }
    let mut found = 0;
    for file in files {
        let name = file.to_string_lossy().into_owned();
        match std::fs::read(&file) {
            Ok(bytes) => found += lint(&name, Bytes::from(bytes), &mut std::io::stdout()),
            Err(error) => {
                eprintln!("{name}: {error}");
                return ExitCode::from(2);
            }
        }
    }
    ExitCode::from(u8::from(found > 0))
}

/// Goes through the messages of a file; how many faults there are.
fn lint(name: &str, mut rest: Bytes, out: &mut impl Write) -> usize {
    let mut faults = 0;
    let mut line = 1;
    while !rest.trim_ascii().is_empty() {
        let message = match Message::parse(rest.clone()) {
            Ok(message) => message,
            Err(error) => {
                let line = line + lines_before(&rest, error);
                let _ = writeln!(
                    out,
                    "{name}:{line}: {}: {}",
                    error.kind,
                    deserves(&rest, error)
                );
                return faults + 1;
            }
        };
        let problems = problems(&message);
        let _ = writeln!(
            out,
            "{name}:{line}: {}: {}",
            title(&message),
            verdict(problems.len())
        );
        for problem in &problems {
            let _ = writeln!(out, "    {problem}");
        }
        faults += problems.len();
        let end = rest.len() - message.trailing().len();
        line += rest[..end].iter().filter(|&&byte| byte == b'\n').count();
        rest = rest.slice(end..);
    }
    faults
}

fn lines_before(bytes: &[u8], error: ParseError) -> usize {
    bytes[..error.at.min(bytes.len())]
        .iter()
        .filter(|&&byte| byte == b'\n')
        .count()
}

/// What bytes that are no message deserve.
fn deserves(bytes: &[u8], error: ParseError) -> String {
    match refuse(bytes, error.status()) {
        Some(reply) => format!("answer {}", reply.status()),
        None => "drop".to_owned(),
    }
}

fn verdict(problems: usize) -> String {
    match problems {
        0 => "well".to_owned(),
        1 => "1 fault".to_owned(),
        more => format!("{more} faults"),
    }
}

fn title(message: &Message) -> String {
    match message {
        Message::Request(request) => format!(
            "{} {}",
            request.method(),
            String::from_utf8_lossy(request.uri())
        ),
        Message::Response(response) => {
            format!(
                "{} {}",
                response.status(),
                String::from_utf8_lossy(response.reason())
            )
        }
    }
}

/// What every element must refuse first, then each header that cannot be read.
fn problems(message: &Message) -> Vec<HeaderError> {
    let checked = match message {
        Message::Request(request) => request.check(),
        Message::Response(response) => response.check(),
    };
    let mut problems: Vec<_> = checked.err().into_iter().collect();
    for read in READERS {
        if let Err(error) = read(message.headers())
            && error.problem != Problem::Missing
            && !problems.contains(&error)
        {
            problems.push(error);
        }
    }
    problems
}

type Reader = fn(Headers<'_>) -> Result<(), HeaderError>;

const READERS: [Reader; 34] = [
    |headers| headers.vias().map(drop),
    |headers| headers.from().map(drop),
    |headers| headers.to().map(drop),
    |headers| headers.call_id().map(drop),
    |headers| headers.cseq().map(drop),
    |headers| headers.max_forwards().map(drop),
    |headers| headers.contacts().map(drop),
    |headers| headers.routes().map(drop),
    |headers| headers.record_routes().map(drop),
    |headers| headers.path().map(drop),
    |headers| headers.service_routes().map(drop),
    |headers| headers.content_type().map(drop),
    |headers| headers.expires().map(drop),
    |headers| headers.min_expires().map(drop),
    |headers| headers.session_expires().map(drop),
    |headers| headers.min_se().map(drop),
    |headers| headers.rseq().map(drop),
    |headers| headers.rack().map(drop),
    |headers| headers.refer_to().map(drop),
    |headers| headers.referred_by().map(drop),
    |headers| headers.replaces().map(drop),
    |headers| headers.reasons().map(drop),
    |headers| headers.retry_after().map(drop),
    |headers| headers.p_asserted_identity().map(drop),
    |headers| headers.p_preferred_identity().map(drop),
    |headers| headers.diversion().map(drop),
    |headers| headers.history_info().map(drop),
    |headers| headers.www_authenticate().map(drop),
    |headers| headers.proxy_authenticate().map(drop),
    |headers| headers.authorization().map(drop),
    |headers| headers.proxy_authorization().map(drop),
    |headers| headers.event().map(drop),
    |headers| headers.subscription_state().map(drop),
    |headers| headers.content_length().map(drop),
];
