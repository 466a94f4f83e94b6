//! The control process: drives `call::Core` with what happens, and does what it says.
//!
//! ```text
//! network, media, resolver, clock, questions, signals ──► Core::handle ──► outputs ──► journal, then network, media, resolver
//! ```
//!
//! One thread and one loop: everything about calls happens in an order that a trace could tell. A batch of inputs is worked
//! off before its outputs leave; what they must remember is in the journal by then, and the streams that they name are open. TLS handshakes, DNS and whatever
//! else may take long run on threads aside.
//!
//! Not here: any decision about a call.

mod alarm;
mod door;
mod history;
mod holdback;
mod pace;
mod questions;
mod recorder;
mod sounds;
mod tell;

use std::error::Error;
use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use call::journal::{Record, standing};
use call::{Core, Input, Now, Output};
use ring::rand::{SecureRandom, SystemRandom};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sip::transaction::ClientId;
use sip::transport::Target;
use tokio::runtime::{Builder, Handle, LocalOptions};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::cli;
use crate::clock;
use crate::configuration::Configuration;
use crate::journal::Journal;
use crate::media_link::{MediaLink, News};
use crate::net::{Event, Limits, Network};
use crate::resolver::Resolver;
use crate::run_dir::RunDir;
use crate::strangers;
use crate::supervise;
use crate::tls::Store;

use alarm::Alarm;
use door::Question;
use holdback::Holdback;
use pace::Pace;
use recorder::Tap;

/// Answers of the resolver taken in one turn.
const ANSWERS: usize = 64;
/// Questions that wait.
const QUESTIONS: usize = 16;
/// A journal so much longer than when it was last rewritten is rewritten.
const JOURNAL_GROWTH: u64 = 16 * 1024 * 1024;
/// From the signal to the end: what is on its way may still leave.
const ENDING_TIME: Duration = Duration::from_millis(300);

/// Runs control until it is told to end.
///
/// # Errors
/// Where the configuration is wrong at the start, or the run directory cannot be used. Later faults are logged and lived with.
pub fn run(arguments: &cli::Control) -> Result<(), Box<dyn Error>> {
    supervise::end_with_supervisor()?;
    let run = RunDir::at(&arguments.run)?;
    let configuration = Configuration::load(&arguments.config, None)?;
    let journal = arguments.journal.clone().unwrap_or_else(|| run.journal());
    raise_descriptors();
    let aside = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("aside")
        .enable_all()
        .build()?;
    let here = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?;
    let (file, handle) = (arguments.config.clone(), aside.handle().clone());
    // A task of its own: what the runtime blocks on is woken by a system call each time, as if from another thread.
    let outcome = here.block_on(async {
        tokio::task::spawn_local(async move {
            let mut control = Control::start(file, &run, configuration, &journal, &handle)?;
            run.announce("control")?;
            control.run().await
        })
        .await
    });
    // A resolver that waits for an answer is not waited for.
    aside.shutdown_background();
    Ok(outcome??)
}

struct Control {
    core: Core,
    network: Network,
    media: MediaLink,
    resolver: Resolver,
    journal: Journal,
    sounds: sounds::Sounds,
    tap: Tap,
    /// The journal's length after it was last rewritten.
    rewritten: u64,
    questions: mpsc::Receiver<Question>,
    file: PathBuf,
    store: Arc<Store>,
    outputs: Vec<Output>,
    holdback: Holdback<Leaving>,
}

/// A message that is to leave.
struct Leaving {
    target: Target,
    bytes: Bytes,
    client: Option<ClientId>,
}

impl Control {
    fn start(
        file: PathBuf,
        run: &RunDir,
        configuration: Configuration,
        journal: &Path,
        aside: &Handle,
    ) -> io::Result<Self> {
        let mut network = Network::new(aside.clone(), Limits::default());
        for error in network.apply(configuration.plan()) {
            tracing::error!("{error}");
        }
        let mut core = Core::new(Arc::clone(configuration.snapshot()), seed()?, now());
        let (mut journal, records) = Journal::open(journal)?;
        let images = standing(records);
        tracing::info!(calls = images.len(), "calls remembered");
        core.handle(now(), Input::Restore(images));
        journal.replace(&records_of(&core))?;

        let listener = run.listen(&run.control_socket())?;
        let (ask, questions) = mpsc::channel(QUESTIONS);
        tokio::task::spawn_local(door::serve(
            tokio::net::UnixListener::from_std(listener)?,
            ask,
        ));
        let mut control = Self {
            rewritten: journal.length(),
            core,
            network,
            media: MediaLink::start(run.media_socket()),
            resolver: Resolver::new(&configuration.snapshot().dns, aside.clone()),
            journal,
            questions,
            file,
            store: Arc::clone(configuration.store()),
            sounds: sounds::Sounds::default(),
            tap: Tap::start(run.traces())?,
            outputs: Vec::new(),
            holdback: Holdback::default(),
        };
        control.collect();
        control.carry_out();
        Ok(control)
    }

    async fn run(&mut self) -> io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut reload = signal(SignalKind::hangup())?;
        let mut alarm = Alarm::new();
        let mut ending = None;
        let mut events = Vec::new();
        let mut news = Vec::new();
        let mut answers = Vec::new();
        let mut pace = Pace::new(Instant::now());
        tracing::info!("control is ready");
        loop {
            let mut messages = 0;
            alarm.set(self.core.deadline());
            // In this order: what comes seldom is never starved by what comes always.
            tokio::select! {
                biased;
                _ = terminate.recv(), if ending.is_none() => ending = Some(self.end()),
                _ = interrupt.recv(), if ending.is_none() => ending = Some(self.end()),
                () = reached(ending) => return Ok(()),
                _ = reload.recv() => self.reload(),
                () = alarm.due() => self.input(Input::Wake),
                () = self.media.next(&mut news) => for news in news.drain(..) {
                    self.media_said(news);
                },
                () = reached(self.holdback.deadline()) => {}
                () = self.resolver.next(&mut answers, ANSWERS) => for (question, answer) in answers.drain(..) {
                    self.input(Input::Dns { question, answer });
                },
                Some(question) = self.questions.recv() => self.answer(question),
                () = self.network.next(&mut events) => {
                    messages = events.len();
                    events.drain(..).for_each(|event| self.happened(event));
                }
            }
            self.carry_out();
            // Nothing else was ready, or it would have had its turn first.
            if messages > 0
                && let Some(rest) = pace.turned(Instant::now(), messages)
            {
                // All of this thread rests: a sleep of the runtime's would end early with each datagram, only to go on.
                thread::sleep(rest);
            }
        }
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::Message { message, source } => {
                if !self.core.is_stranger(&message, &source) {
                    self.tap.received(&source, &message);
                }
                self.input(Input::Sip { message, source });
            }
            Event::Failed {
                client: Some(client),
                ..
            } => self.input(Input::TransportFailed { client }),
            // A response that did not leave: its transaction resends it or gives up by itself.
            Event::Failed { client: None, .. } => {}
            Event::Closed(flow) => self.input(Input::FlowClosed(flow)),
        }
    }

    fn media_said(&mut self, news: News) {
        let input = match news {
            News::Up => Input::MediaUp,
            News::Down => {
                self.holdback.forget();
                Input::MediaDown
            }
            News::Event(media_api::Event::Pong) => return self.holdback.answered(),
            News::Event(event) => Input::Media(event),
        };
        self.input(input);
    }

    fn input(&mut self, input: Input) {
        self.core.handle(now(), input);
        self.collect();
    }

    /// Takes what the core wants done. Only this much happens between two inputs.
    fn collect(&mut self) {
        while let Some(output) = self.core.poll() {
            match output {
                Output::Journal(record) => self.journal.append(&record),
                output => self.outputs.push(output),
            }
        }
    }

    /// Does it, after it is remembered.
    fn carry_out(&mut self) {
        if let Err(error) = self.journal.write() {
            strangers!(error, %error, "the journal cannot be written; calls would not outlive control");
        }
        let mut outputs = std::mem::take(&mut self.outputs);
        self.ask_media(&outputs);
        let at = Instant::now();
        while let Some(message) = self.holdback.take(at) {
            self.leave(message);
        }
        for output in outputs.drain(..) {
            match output {
                Output::Transmit {
                    target,
                    bytes,
                    client,
                } => {
                    let message = Leaving {
                        target,
                        bytes,
                        client,
                    };
                    if let Some(message) = self.holdback.give(at, message) {
                        self.leave(message);
                    }
                }
                Output::Resolve(question) => self.resolver.ask(question),
                Output::Event(event) => {
                    self.sounds.hear(&event);
                    self.tap.told(&event);
                    tell::tell(&event);
                }
                // Asked of it before.
                Output::Media(_) => {}
                // Taken out when collected.
                Output::Journal(record) => self.journal.append(&record),
            }
        }
        self.outputs = outputs;
        self.network.flush();
        if self.journal.length() > self.rewritten + JOURNAL_GROWTH {
            self.forget();
        }
    }

    /// Tells media its part. Where streams are put, what leaves after them waits until they stand.
    fn ask_media(&mut self, outputs: &[Output]) {
        let mut puts = false;
        for output in outputs {
            if let Output::Media(command) = output {
                puts |= matches!(command, media_api::Command::Put(_));
                self.media.send(command);
            }
        }
        if puts && self.media.is_up() {
            self.media.send(&media_api::Command::Ping);
            self.holdback.asked();
        }
        self.media.flush();
    }

    fn leave(&mut self, message: Leaving) {
        self.tap.sent(&message.target, &message.bytes);
        self.network
            .send(&message.target, message.bytes, message.client);
    }

    /// Rewrites the journal with the calls that are.
    fn forget(&mut self) {
        if let Err(error) = self.journal.replace(&records_of(&self.core)) {
            strangers!(error, %error, "the journal cannot be rewritten");
        }
        self.rewritten = self.journal.length();
    }

    /// Reads the configuration again. One with faults changes nothing.
    fn reload(&mut self) {
        let configuration = match Configuration::load(&self.file, Some(&self.store)) {
            Ok(configuration) => configuration,
            Err(error) => return tracing::error!("the configuration stays as it was:\n{error}"),
        };
        self.store = Arc::clone(configuration.store());
        for error in self.network.apply(configuration.plan()) {
            tracing::error!("{error}");
        }
        self.resolver.configure(&configuration.snapshot().dns);
        self.input(Input::Config(Arc::clone(configuration.snapshot())));
        tracing::info!("a new configuration is in force");
    }

    /// Takes no new calls; those that are stay, with media and in the journal, for the next control.
    fn end(&mut self) -> Instant {
        tracing::info!("control ends");
        self.input(Input::Command(call::api::Command::Drain));
        Instant::now() + ENDING_TIME
    }

    fn answer(&mut self, question: Question) {
        let Question { line, answer } = question;
        if let Some(back) = history::answer(&self.tap, &line, answer) {
            // A caller that did not wait does not want it.
            let _ = back.send(questions::answer(self, &line));
        }
    }
}

/// Waits for a moment, where there is one to wait for.
async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

/// A journal that holds what the core could go on with, and nothing else.
fn records_of(core: &Core) -> Vec<Record> {
    core.images()
        .into_iter()
        .map(|image| Record::Call(Box::new(image)))
        .collect()
}

fn now() -> Now {
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    Now {
        instant: clock::now(),
        wall,
    }
}

fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    SystemRandom::new()
        .fill(&mut seed)
        .map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(seed)
}

/// A connection is a descriptor: take as many as the system allows.
fn raise_descriptors() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    ) {
        tracing::warn!(%error, "the number of open files cannot be raised");
    }
}
