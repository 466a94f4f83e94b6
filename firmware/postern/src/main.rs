//! The program `postern`: reads its arguments and becomes one of its processes, or answers a question.
//!
//! Exit status: 0 done, 1 it failed, 2 the arguments or the configuration are wrong. What was asked for goes to standard
//! output, everything else to standard error.
//!
//! Not here: anything but that; all that it can do is in the library beside it.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use ::console::doctor::Light;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use call::route::{self, Caller};
use postern::cli::{self, Command, Form, Shown};
use postern::configuration::Configuration;
use postern::ladder::{self, Depth};
use postern::run_dir::RunDir;
use postern::{console, control, doctor, log, media, status, supervise};
use serde_json::{Value, json};

/// Calls come and go by thousands of small pieces: the system's allocator costs control a tenth of its time, and that of musl, of
/// which the appliance's static program is made, several times that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The arguments or the configuration are wrong.
const WRONG: u8 = 2;

fn main() -> ExitCode {
    let command = match cli::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("postern: {error}\n\n{}", cli::USAGE);
            return ExitCode::from(WRONG);
        }
    };
    match carry_out(command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("postern: {error}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(command: Command) -> Result<ExitCode, Box<dyn Error>> {
    match command {
        Command::Help => print!("{}", cli::USAGE),
        Command::Version => println!("postern {}", env!("CARGO_PKG_VERSION")),
        Command::Status { run, query } => {
            let question = format!(r#"{{"query":"{}"}}"#, query.word());
            println!("{}", status::ask(&RunDir::at(&run)?, &question)?);
        }
        Command::History { run, text, form } => {
            let question = json!({ "history": { "text": text } }).to_string();
            let answer = status::ask(&RunDir::at(&run)?, &question)?;
            match form {
                Form::Json => println!("{answer}"),
                Form::Text => print!("{}", ladder::history(&serde_json::from_str(&answer)?)),
            }
        }
        Command::Ladder(asked) => show(asked)?,
        Command::Run(arguments) => {
            log::start();
            supervise::end_with_supervisor()?;
            // Rather told at once than in the log of a process that starts again and again.
            Configuration::load(&arguments.control.config, None)?;
            supervise::run(&arguments)?;
        }
        Command::Check { file } => return Ok(check(&file)),
        Command::Control(arguments) => {
            log::start();
            control::run(&arguments)?;
        }
        Command::Console(arguments) => {
            log::start();
            console::run(&arguments)?;
        }
        Command::Init => {
            log::start();
            system::init::run()?;
        }
        Command::Confine(order) => {
            return Err(order.carry_out(&std::env::current_exe()?).into());
        }
        Command::Explain(asked) => return explain(&asked),
        Command::Doctor(asked) => return examine(&asked),
        Command::Media(arguments) => {
            log::start();
            supervise::end_with_supervisor()?;
            media::run(&arguments)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows what happened in a call.
fn show(asked: cli::Ladder) -> Result<(), Box<dyn Error>> {
    let form = match asked.shown {
        Shown::Pcapng(_) => "pcapng",
        _ => "items",
    };
    let question = json!({ "ladder": { "call": asked.call, "form": form } }).to_string();
    let answer = status::ask(&RunDir::at(&asked.run)?, &question)?;
    let told: Value = serde_json::from_str(&answer)?;
    if let Some(error) = told["error"].as_str() {
        return Err(error.into());
    }
    match asked.shown {
        Shown::Lines => print!("{}", ladder::ladder(&told, Depth::FirstLine)),
        Shown::Messages => print!("{}", ladder::ladder(&told, Depth::Whole)),
        Shown::Json => println!("{answer}"),
        Shown::Pcapng(file) => {
            let capture = told["pcapng"].as_str().unwrap_or_default();
            let capture = STANDARD
                .decode(capture)
                .map_err(|error| error.to_string())?;
            fs::write(file, capture)?;
        }
    }
    Ok(())
}

/// Tells all that is wrong with a configuration, and what should be known of one that is right.
fn check(file: &Path) -> ExitCode {
    match Configuration::load(file, None) {
        Ok(configuration) => {
            for warning in configuration.warnings() {
                println!("{warning}");
            }
            println!("{} is in order.", file.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error}");
            ExitCode::from(WRONG)
        }
    }
}

/// Checks all that a call depends on.
fn examine(asked: &cli::Doctor) -> Result<ExitCode, Box<dyn Error>> {
    let door = match &asked.run {
        Some(run) => Some(RunDir::at(run)?.control_socket()),
        None => None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let report = runtime.block_on(doctor::examine(&asked.config, door.as_deref()));
    match asked.form {
        Form::Text => print!("{report}"),
        Form::Json => println!("{}", serde_json::to_string(&report)?),
    }
    Ok(if report.worst() == Light::Red {
        ExitCode::from(WRONG)
    } else {
        ExitCode::SUCCESS
    })
}

/// Tells which way a call would take at this moment.
fn explain(asked: &cli::Explain) -> Result<ExitCode, Box<dyn Error>> {
    let configuration = Configuration::load(&asked.config, None)?;
    let snapshot = configuration.snapshot();
    let Some(trunk) = snapshot.trunk_named(&asked.from) else {
        eprintln!("postern: there is no trunk '{}'", asked.from);
        return Ok(ExitCode::from(WRONG));
    };
    let caller = Caller::numbered(asked.caller.as_deref().unwrap_or_default());
    let wall = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let explanation = route::explain(snapshot, trunk, &asked.to, caller, wall);
    match asked.form {
        Form::Text => println!("{explanation}"),
        Form::Json => println!("{}", serde_json::to_string(&explanation)?),
    }
    Ok(ExitCode::SUCCESS)
}
