//! The command line: what was asked for, as a type.
//!
//! Every option is named; a wrong line is answered with what is wrong and the usage, and nothing is guessed.
//!
//! Not here: doing any of it.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::PathBuf;

use lexopt::prelude::*;
use system::confine;

/// How to ask.
pub const USAGE: &str = "\
Postern joins Microsoft Teams to SIP trunks.

  postern run --config FILE --run DIR          control and media together, each restarted when it dies;
                                               [--listen ADDRESS] the console with them
  postern control --config FILE --run DIR      SIP and calls; [--journal FILE] remembers them over a restart
  postern media --run DIR                      the audio; [--config FILE] says how its packets come and go
  postern console --config FILE --run DIR --listen ADDRESS
                                               the web console; [--data DIR] keeps users and versions
  postern check FILE                           every fault of a configuration, with its place and cure
  postern explain --config FILE --from TRUNK --to NUMBER [--caller NUMBER] [--json]
                                               which way a call would take, and why
  postern doctor --config FILE [--run DIR] [--json]
                                               checks names, certificates, trunks and ports, and says what to do
  postern status --run DIR [census|calls|sounds|network|trunks]
                                               what the running control holds, as JSON; how the last legs sounded

  postern history --run DIR [TEXT] [--json]    the last calls, those with TEXT in a number, trunk, tenant or Call-ID
  postern ladder --run DIR --call N [--messages | --json | --pcapng FILE]
                                               all that happened in a call: messages of all legs, decisions, quality

  postern init                                 the first process of an appliance
  postern confine --user N … -- COMMAND …      a command with no more rights than are named

  --run DIR       where the processes meet: sockets and the numbers of the processes
  POSTERN_LOG     what is logged on standard error: info (unless said otherwise), debug, postern=debug,call=trace
  SIGHUP          control reads its configuration again; SIGTERM ends a process in order
";

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// All processes, supervised.
    Run(Run),
    /// The control process.
    Control(Control),
    /// The media process.
    Media(Media),
    /// The console process.
    Console(Console),
    /// Check a configuration.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Explain a route.
    Explain(Explain),
    /// Check all that a call depends on.
    Doctor(Doctor),
    /// Ask the running control.
    Status {
        /// Where the processes meet.
        run: PathBuf,
        /// What about.
        query: Query,
    },
    /// List calls.
    History {
        /// Where the processes meet.
        run: PathBuf,
        /// What is known of them.
        text: Option<String>,
        /// For whom.
        form: Form,
    },
    /// Show what happened in a call.
    Ladder(Ladder),
    /// Be the first process of an appliance.
    Init,
    /// Be another command with fewer rights.
    Confine(confine::Order),
    /// Show the usage.
    Help,
    /// Show the version.
    Version,
}

/// What all processes need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Of control, and through it of media.
    pub control: Control,
    /// Where the console listens; there is none without it.
    pub listen: Option<SocketAddr>,
    /// Where the console keeps users and versions; in `run` unless said otherwise.
    pub data: Option<PathBuf>,
}

/// What the console needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    /// The configuration.
    pub config: PathBuf,
    /// Where the processes meet.
    pub run: PathBuf,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where it keeps users and versions; in `run` unless said otherwise.
    pub data: Option<PathBuf>,
}

/// What control needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// The configuration.
    pub config: PathBuf,
    /// Where the processes meet.
    pub run: PathBuf,
    /// Where calls are remembered; in `run` unless said otherwise.
    pub journal: Option<PathBuf>,
}

/// What media needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Where the processes meet.
    pub run: PathBuf,
    /// The configuration, for its `[media]`; without it packets come and go by sockets.
    pub config: Option<PathBuf>,
}

/// A call that might be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explain {
    /// The configuration.
    pub config: PathBuf,
    /// The trunk that it would come from.
    pub from: String,
    /// The number called.
    pub to: String,
    /// The number calling.
    pub caller: Option<String>,
    /// For whom.
    pub form: Form,
}

/// What the doctor looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doctor {
    /// The configuration.
    pub config: PathBuf,
    /// Where the processes of a running box meet, which knows more.
    pub run: Option<PathBuf>,
    /// For whom.
    pub form: Form,
}

/// A call to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    /// Where the processes meet.
    pub run: PathBuf,
    /// The call.
    pub call: u64,
    /// How it is shown.
    pub shown: Shown,
}

/// How a call is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// A line for each thing that happened.
    Lines,
    /// The same with all of each message.
    Messages,
    /// For programs.
    Json,
    /// As a capture, in this file.
    Pcapng(PathBuf),
}

/// For whom an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// People.
    #[default]
    Text,
    /// Programs.
    Json,
}

/// What the running control is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Query {
    /// What stands in its tables.
    #[default]
    Census,
    /// The calls that are.
    Calls,
    /// How the last legs sounded.
    Sounds,
    /// What came and went by the network.
    Network,
    /// Whether each trunk's targets answer, and registrations.
    Trunks,
}

impl Query {
    /// The word for it, in the arguments and through the door.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Census => "census",
            Self::Calls => "calls",
            Self::Sounds => "sounds",
            Self::Network => "network",
            Self::Trunks => "trunks",
        }
    }

    fn named(word: &OsStr) -> Result<Self, lexopt::Error> {
        [
            Self::Census,
            Self::Calls,
            Self::Sounds,
            Self::Network,
            Self::Trunks,
        ]
        .into_iter()
        .find(|query| word == query.word())
        .ok_or_else(|| format!("there is nothing to ask about '{}'", word.display()).into())
    }
}

#[derive(Default)]
struct Options {
    config: Option<PathBuf>,
    run: Option<PathBuf>,
    journal: Option<PathBuf>,
    from: Option<String>,
    to: Option<String>,
    caller: Option<String>,
    form: Option<Form>,
    file: Option<PathBuf>,
    call: Option<u64>,
    messages: Option<()>,
    pcapng: Option<PathBuf>,
    listen: Option<SocketAddr>,
    data: Option<PathBuf>,
}

/// Reads the arguments after the program's name.
///
/// # Errors
/// Where they ask for nothing that is known.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, lexopt::Error> {
    let mut arguments = arguments.into_iter().peekable();
    // What follows is mostly another command's line.
    if arguments.next_if(|first| first == "confine").is_some() {
        let order = confine::Order::parse(arguments).map_err(|error| error.to_string())?;
        return Ok(Command::Confine(order));
    }
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut word = None;
    let mut options = Options::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Short('V') | Long("version") => return Ok(Command::Version),
            Long("config") => options.config = Some(parser.value()?.into()),
            Long("run") => options.run = Some(parser.value()?.into()),
            Long("journal") => options.journal = Some(parser.value()?.into()),
            Long("from") => options.from = Some(parser.value()?.string()?),
            Long("to") => options.to = Some(parser.value()?.string()?),
            Long("caller") => options.caller = Some(parser.value()?.string()?),
            Long("json") => options.form = Some(Form::Json),
            Long("call") => options.call = Some(parser.value()?.parse()?),
            Long("messages") => options.messages = Some(()),
            Long("listen") => options.listen = Some(parser.value()?.parse()?),
            Long("data") => options.data = Some(parser.value()?.into()),
            Long("pcapng") => options.pcapng = Some(parser.value()?.into()),
            Value(value) if word.is_none() => word = Some(value.string()?),
            Value(value) if options.file.is_none() => options.file = Some(value.into()),
            other => return Err(other.unexpected()),
        }
    }
    let command = match word.as_deref() {
        Some("run") => Command::Run(Run {
            control: options.control()?,
            listen: options.listen.take(),
            data: options.data.take(),
        }),
        Some("console") => Command::Console(Console {
            config: needed(options.config.take(), "--config FILE")?,
            run: needed(options.run.take(), "--run DIR")?,
            listen: needed(options.listen.take(), "--listen ADDRESS")?,
            data: options.data.take(),
        }),
        Some("init") => Command::Init,
        Some("control") => Command::Control(options.control()?),
        Some("media") => Command::Media(Media {
            run: needed(options.run.take(), "--run DIR")?,
            config: options.config.take(),
        }),
        Some("status") => Command::Status {
            run: needed(options.run.take(), "--run DIR")?,
            query: match options.file.take() {
                Some(word) => Query::named(word.as_os_str())?,
                None => Query::default(),
            },
        },
        Some("history") => Command::History {
            run: needed(options.run.take(), "--run DIR")?,
            text: options
                .file
                .take()
                .map(|text| text.to_string_lossy().into_owned()),
            form: options.form.take().unwrap_or_default(),
        },
        Some("ladder") => Command::Ladder(Ladder {
            run: needed(options.run.take(), "--run DIR")?,
            call: needed(options.call.take(), "--call N")?,
            shown: options.shown(),
        }),
        Some("check") => Command::Check {
            file: needed(options.file.take(), "FILE")?,
        },
        Some("doctor") => Command::Doctor(Doctor {
            config: needed(options.config.take(), "--config FILE")?,
            run: options.run.take(),
            form: options.form.take().unwrap_or_default(),
        }),
        Some("explain") => Command::Explain(Explain {
            config: needed(options.config.take(), "--config FILE")?,
            from: needed(options.from.take(), "--from TRUNK")?,
            to: needed(options.to.take(), "--to NUMBER")?,
            caller: options.caller.take(),
            form: options.form.take().unwrap_or_default(),
        }),
        Some("help") | None => Command::Help,
        Some(other) => return Err(format!("there is no command '{other}'").into()),
    };
    options.all_used()?;
    Ok(command)
}

impl Options {
    fn control(&mut self) -> Result<Control, lexopt::Error> {
        Ok(Control {
            config: needed(self.config.take(), "--config FILE")?,
            run: needed(self.run.take(), "--run DIR")?,
            journal: self.journal.take(),
        })
    }

    /// One way of showing; what else was asked for is left, and told of.
    fn shown(&mut self) -> Shown {
        if let Some(file) = self.pcapng.take() {
            Shown::Pcapng(file)
        } else if self.form.take().is_some() {
            Shown::Json
        } else if self.messages.take().is_some() {
            Shown::Messages
        } else {
            Shown::Lines
        }
    }

    /// An option that the command does not know was meant to do something.
    fn all_used(&self) -> Result<(), lexopt::Error> {
        let left = [
            ("--config", self.config.is_some()),
            ("--run", self.run.is_some()),
            ("--journal", self.journal.is_some()),
            ("--from", self.from.is_some()),
            ("--to", self.to.is_some()),
            ("--caller", self.caller.is_some()),
            ("--json", self.form.is_some()),
            ("FILE", self.file.is_some()),
            ("--call", self.call.is_some()),
            ("--messages", self.messages.is_some()),
            ("--pcapng", self.pcapng.is_some()),
            ("--listen", self.listen.is_some()),
            ("--data", self.data.is_some()),
        ];
        match left.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(format!("{name} means nothing to this command").into()),
            None => Ok(()),
        }
    }
}

fn needed<T>(value: Option<T>, name: &str) -> Result<T, lexopt::Error> {
    value.ok_or_else(|| format!("{name} is missing").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn each_command_is_understood() {
        let control = Control {
            config: "a.toml".into(),
            run: "d".into(),
            journal: None,
        };
        assert_eq!(
            asked("run --config a.toml --run d"),
            Ok(Command::Run(Run {
                control: control.clone(),
                listen: None,
                data: None,
            }))
        );
        assert_eq!(
            asked("control --run=d --config=a.toml"),
            Ok(Command::Control(control.clone()))
        );
        let remembering = Control {
            journal: Some("j".into()),
            ..control
        };
        assert_eq!(
            asked("control --run d --config a.toml --journal j"),
            Ok(Command::Control(remembering))
        );
        for (line, config) in [
            ("media --run d", None),
            ("media --run d --config a.toml", Some("a.toml".into())),
        ] {
            let run = "d".into();
            assert_eq!(asked(line), Ok(Command::Media(Media { run, config })));
        }
        assert_eq!(
            asked("check a.toml"),
            Ok(Command::Check {
                file: "a.toml".into()
            })
        );
        assert_eq!(
            asked("status --run d"),
            Ok(Command::Status {
                run: "d".into(),
                query: Query::Census
            })
        );
        assert_eq!(
            asked("status --run d sounds"),
            Ok(Command::Status {
                run: "d".into(),
                query: Query::Sounds
            })
        );
        let explain = Explain {
            config: "a.toml".into(),
            from: "probe".into(),
            to: "+12025550100".into(),
            caller: Some("+1".into()),
            form: Form::Json,
        };
        assert_eq!(
            asked("explain --config a.toml --from probe --to +12025550100 --caller +1 --json"),
            Ok(Command::Explain(explain))
        );
        assert_eq!(
            asked("history --run d +1202"),
            Ok(Command::History {
                run: "d".into(),
                text: Some("+1202".into()),
                form: Form::Text
            })
        );
        for (words, shown) in [
            ("", Shown::Lines),
            (" --messages", Shown::Messages),
            (" --json", Shown::Json),
            (" --pcapng a.pcapng", Shown::Pcapng("a.pcapng".into())),
        ] {
            let (run, call) = ("d".into(), 7);
            assert_eq!(
                asked(&format!("ladder --run d --call 7{words}")),
                Ok(Command::Ladder(Ladder { run, call, shown }))
            );
        }
        assert_eq!(asked(""), Ok(Command::Help));
        assert_eq!(asked("run --help"), Ok(Command::Help));
    }

    #[test]
    fn what_is_missing_unknown_or_too_much_is_said() {
        assert_eq!(
            asked("control --run d"),
            Err("--config FILE is missing".into())
        );
        assert_eq!(asked("dance"), Err("there is no command 'dance'".into()));
        assert_eq!(
            asked("media --run d --to 1"),
            Err("--to means nothing to this command".into())
        );
        assert_eq!(
            asked("status --run d weather"),
            Err("there is nothing to ask about 'weather'".into())
        );
        assert_eq!(
            asked("ladder --run d --call 7 --json --messages"),
            Err("--messages means nothing to this command".into())
        );
        assert!(asked("check a.toml b.toml").is_err());
        assert!(asked("run --configuration a.toml").is_err());
    }
}
