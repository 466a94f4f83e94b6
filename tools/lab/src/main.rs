//! The program `lab`: box, Teams and carriers on loopback, and calls between them.
//!
//! What people read goes to standard error; standard output gets one line of JSON where it was asked for. Exit status: 0
//! all went well, 1 something failed, 2 the arguments are wrong.
//!
//! Not here: all that it does (the library beside it).
#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use lab::runner::summary::{Outcome, Summary};
use lab::runner::{Lab, Options, ProbePlayer, calls, show};
use lexopt::prelude::*;
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};

const USAGE: &str = "\
lab starts the box with a simulated Teams and simulated carriers, all on loopback, and places calls.

  lab              calls both ways, then one each way every few seconds until interrupted
  lab --once       calls both ways, and ends: 0 if all went well
  lab --serve      no calls: serves until interrupted; 127.0.0.9 is the carrier trunk, yours to play

  --json           one line of JSON on standard output: the summary, or when ready to serve
  --messages       every SIP message on standard error
  --keep           leave configuration, certificates and log behind
";

/// Between calls of a long run.
const PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    On,
    Once,
    Serve,
}

struct Arguments {
    mode: Mode,
    json: bool,
    messages: bool,
    keep: bool,
}

fn main() -> ExitCode {
    let arguments = match parse() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("lab: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = runtime.and_then(|runtime| runtime.block_on(run(&arguments)));
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lab: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse() -> Result<Option<Arguments>, lexopt::Error> {
    let mut arguments = Arguments {
        mode: Mode::On,
        json: false,
        messages: false,
        keep: false,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("once") => arguments.mode = Mode::Once,
            Long("serve") => arguments.mode = Mode::Serve,
            Long("json") => arguments.json = true,
            Long("messages") => arguments.messages = true,
            Long("keep") => arguments.keep = true,
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(arguments))
}

/// SIGINT and SIGTERM alike.
struct Interruption(Signal, Signal);

impl Interruption {
    async fn came(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}

async fn run(arguments: &Arguments) -> std::io::Result<ExitCode> {
    let mut interruption = Interruption(
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let options = Options {
        probe: match arguments.mode {
            Mode::Serve => ProbePlayer::Other,
            Mode::On | Mode::Once => ProbePlayer::Lab,
        },
        messages: arguments.messages,
        keep: arguments.keep,
        ..Options::default()
    };
    eprintln!("lab: starting the box, Teams and the carriers");
    let lab = tokio::select! {
        lab = Lab::start(options) => Arc::new(lab?),
        () = interruption.came() => return Ok(ExitCode::FAILURE),
    };
    eprintln!("lab: ready in {}", lab.place.folder.display());
    tokio::spawn(show::show(lab.teams.events()));
    tokio::spawn(show::show(lab.registering.events()));
    if let Some(probe) = &lab.probe {
        tokio::spawn(show::show(probe.events()));
    }
    let code = match arguments.mode {
        Mode::Serve => {
            if arguments.json {
                println!("{}", ready_line(&lab));
            }
            interruption.came().await;
            ExitCode::SUCCESS
        }
        Mode::Once => tokio::select! {
            outcomes = calls::once(&lab) => conclude(&lab, &outcomes, arguments),
            () = interruption.came() => ExitCode::FAILURE,
        },
        Mode::On => {
            let mut outcomes = Vec::new();
            tokio::select! {
                () = go_on(&lab, &mut outcomes) => {}
                () = interruption.came() => {}
            }
            conclude(&lab, &outcomes, arguments)
        }
    };
    if let Ok(lab) = Arc::try_unwrap(lab) {
        lab.stop().await;
    }
    Ok(code)
}

async fn go_on(lab: &Arc<Lab>, outcomes: &mut Vec<Outcome>) {
    outcomes.extend(calls::once(lab).await);
    loop {
        tokio::time::sleep(PAUSE).await;
        outcomes.extend(calls::both_ways(lab).await);
    }
}

fn conclude(lab: &Lab, outcomes: &[Outcome], arguments: &Arguments) -> ExitCode {
    let complaints = lab.complaints();
    for complaint in &complaints {
        eprintln!("COMPLAINT {complaint}");
    }
    let connections = lab.teams.connections();
    let versions: Vec<String> = connections.into_iter().map(|facts| facts.version).collect();
    let summary = Summary::of(outcomes, &versions, complaints.len());
    let good = summary.is_good();
    eprintln!(
        "lab: {} of {} calls answered, {} failed, {} transfers, {} of {} packets lost, set up in {} ms, audio delayed by {} ms",
        summary.answered,
        summary.calls,
        summary.failed,
        summary.transfers,
        summary.rtp_lost,
        summary.rtp_sent,
        summary.setup_ms.p50,
        summary.audio_delay_ms.p50
    );
    if !good {
        eprintln!("lab: the box said last:\n{}", lab.appliance.last_words());
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&summary).unwrap_or_default());
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The line of `--serve --json`.
#[derive(Serialize)]
struct Ready {
    ready: bool,
    sip: Addresses,
    pids: Numbers,
    console: String,
    setup_code: Option<String>,
}

/// Where the box takes SIP.
#[derive(Serialize)]
struct Addresses {
    udp: SocketAddr,
    tcp: SocketAddr,
    tls: SocketAddr,
}

/// The numbers of its processes.
#[derive(Serialize)]
struct Numbers {
    control: u32,
    media: u32,
}

fn ready_line(lab: &Lab) -> String {
    let pids = lab.pids();
    let ready = Ready {
        ready: true,
        sip: Addresses {
            udp: lab.trunks,
            tcp: lab.trunks,
            tls: lab.tls,
        },
        pids: Numbers {
            control: pids.control,
            media: pids.media,
        },
        console: format!("https://{}", lab.console().address),
        setup_code: lab.console().setup_code.clone(),
    };
    serde_json::to_string(&ready).unwrap_or_default()
}
