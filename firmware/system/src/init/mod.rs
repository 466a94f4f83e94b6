//! PID 1: from the first mount to the last unmount.
//!
//! ```text
//! mounts ─► modules ─► partitions ─► settings ─► loop: network, planes, health, watchdog, trial, console ─► order of ending
//! ```
//!
//! Up to the loop all is done in order and with patience; in the loop nothing may wait. Whatever goes wrong on the way is told
//! and worked around as far as that makes sense; only if the first process itself fails is the box restarted.
//!
//! Not here: what decides (the modules beside it); the planes.

mod fetch;
mod planes;
mod settings;

use std::error::Error;
use std::fs;
use std::io::{self, BufRead};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::system::{RebootCommand, reboot};
use rustix::time::{ClockId, Timespec, clock_settime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::bundle::PublicKey;
use crate::console::{Console, HELP, Status, Word};
use crate::data;
use crate::entropy;
use crate::health::{Health, Sign};
use crate::modules::Loader;
use crate::mounts;
use crate::network::{self, News};
use crate::release::{FILE, Release, Version};
use crate::slots::Standing;
use crate::trial::{Trial, Verdict};
use crate::update::{self, Memory, NotTaken, Slots};
use crate::watchdog::Watchdog;

use planes::{Planes, RUN};

/// What the first process alone may see.
const OWN: &str = "/data/system";
/// The planes are started without an address after this: one given by hand needs none from a server.
const WITHOUT_ADDRESS: Duration = Duration::from_secs(8);
const GLANCE: Duration = Duration::from_millis(250);
/// The watchdog bites after a minute.
const MEAL: Duration = Duration::from_secs(5);
/// Files and sockets that a plane may have open.
const FILES: u64 = 1 << 20;

/// What the kernel is told before anybody can reach the box.
const SETTINGS: [(&str, &str); 8] = [
    ("net/ipv4/conf/all/accept_redirects", "0"),
    ("net/ipv4/conf/all/send_redirects", "0"),
    ("net/ipv4/conf/all/accept_source_route", "0"),
    ("net/ipv6/conf/all/accept_redirects", "0"),
    ("net/core/rmem_max", "8388608"),
    ("net/core/wmem_max", "8388608"),
    ("kernel/kptr_restrict", "2"),
    ("kernel/dmesg_restrict", "1"),
];

/// How the box ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Restart,
    Off,
    /// All settings forgotten, then restarted.
    Reset,
}

/// Is the first process until the box ends. Comes back only if it is not the first process.
///
/// # Errors
/// Where it is not.
pub fn run() -> Result<(), Box<dyn Error>> {
    if std::process::id() != 1 {
        return Err("init is the first process of a box and of nothing else".into());
    }
    let end = start().unwrap_or_else(|error| {
        tracing::error!(%error, "the first process cannot go on; the box restarts");
        thread::sleep(Duration::from_secs(5));
        End::Restart
    });
    if end == End::Reset {
        settings::forget();
    }
    mounts::release();
    let command = match end {
        End::Off => RebootCommand::PowerOff,
        End::Restart | End::Reset => RebootCommand::Restart,
    };
    reboot(command)?;
    Ok(())
}

fn start() -> Result<End, Box<dyn Error>> {
    let began = Instant::now();
    mounts::kernel();
    let release: Release = serde_json::from_slice(&fs::read(FILE)?)?;
    tracing::info!(version = %release.version, board = release.board, "postern begins");
    let machine = Machine::prepare(release, began)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(machine.serve())
}

/// The box, once its disk and drivers are there.
struct Machine {
    release: Release,
    began: Instant,
    keys: Vec<PublicKey>,
    memory: Memory,
    slots: Option<Slots>,
    keeps_data: bool,
    on_trial: bool,
    /// By hand and by DHCP.
    addresses: Vec<(network::Link, IpAddr)>,
    /// Who answers names, by DHCP, of each link.
    resolvers: Vec<(network::Link, Vec<Ipv4Addr>)>,
    health: Health,
    trial: Trial,
    watchdog: Watchdog,
    told: bool,
}

/// What happens while the box serves.
enum Event {
    Network(News),
    Sign(Sign),
    Line(String),
    Taken(Result<Version, NotTaken>),
}

impl Machine {
    fn prepare(release: Release, began: Instant) -> Result<Self, Box<dyn Error>> {
        // As far as it goes: what the kernel does not know cannot be told to it.
        for (file, value) in SETTINGS {
            let _ = fs::write(Path::new("/proc/sys").join(file), value);
        }
        let _ = rustix::system::sethostname(b"postern");
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(FILES),
                maximum: Some(FILES),
            },
        );
        not_before(release.built);
        let mut loader = Loader::open()?;
        for line in &release.modules {
            loader.load(line);
        }
        loader.settle();
        mounts::firmware_variables();
        let watchdog = Watchdog::wake();
        // The links need a while to find their other end; the disk is looked for meanwhile.
        network::bring_up(&network::links(Path::new("/sys")))?;
        let partitions = data::await_partitions(|| loader.settle());
        let (keeps_data, slots) = mount_partitions(partitions.as_ref());
        fs::create_dir_all(OWN)?;
        if let Err(error) = entropy::carry_over(Path::new(OWN)) {
            tracing::warn!(%error, "no seed is carried over");
        }
        settings::prepare()?;
        let mut memory = Memory::read(&memory_file());
        memory.began(release.version);
        let keys = update::keys(&fs::read_to_string(update::KEYS).unwrap_or_default());
        let standing = slots
            .as_ref()
            .and_then(|slots| slots.of(release.version).ok()?);
        let on_trial = standing.is_some_and(|slot| slot.standing != Standing::Good);
        network::write_resolvers(&[])?;
        mounts::seal_root();
        let machine = Self {
            keys,
            slots,
            keeps_data,
            on_trial,
            addresses: Vec::new(),
            resolvers: Vec::new(),
            health: Health::new(at(began)),
            trial: Trial::new(at(began), release.trial),
            watchdog,
            told: false,
            memory,
            release,
            began,
        };
        machine.remember();
        Ok(machine)
    }

    async fn serve(mut self) -> Result<End, Box<dyn Error>> {
        let (events, mut happens) = mpsc::channel(64);
        self.ask_for_addresses(&events);
        listen_at_console(events.clone());
        let mut planes = Planes::new(at(self.began));
        let mut ended = signal(SignalKind::child())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut glance = interval(GLANCE);
        glance.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut console = Console::default();
        let mut fed = Instant::now();
        self.watchdog.feed();
        println!("{}", self.status(&planes).text());
        let end = loop {
            tokio::select! {
                _ = ended.recv() => planes.reap(at(self.began)),
                _ = terminate.recv() => break End::Restart,
                _ = interrupt.recv() => break End::Restart,
                _ = glance.tick() => {
                    let now = at(self.began);
                    if !self.addresses.is_empty() || self.began.elapsed() > WITHOUT_ADDRESS {
                        planes.start_due(now);
                    }
                    planes.ask(&events, now);
                    if fed.elapsed() >= MEAL && self.health.may_live(now) {
                        self.watchdog.feed();
                        fed = Instant::now();
                    }
                    if self.on_trial && self.judge() == Some(End::Restart) {
                        break End::Restart;
                    }
                }
                Some(event) = happens.recv() => match event {
                    Event::Network(news) => self.hear_network(news, &planes),
                    Event::Sign(sign) => self.hear_sign(sign, &mut planes),
                    Event::Line(line) => match self.hear_line(console.hear(&line), &planes, &events) {
                        Some(end) => break end,
                        None => continue,
                    },
                    Event::Taken(outcome) => if self.hear_taken(outcome) {
                        break End::Restart;
                    },
                },
            }
        };
        tracing::info!(?end, "the box ends");
        planes.end().await;
        Ok(end)
    }

    fn ask_for_addresses(&mut self, events: &mpsc::Sender<Event>) {
        let (news, mut heard) = mpsc::channel(16);
        let links = network::links(Path::new("/sys"));
        let settings = settings::document().map(|document| document.interfaces);
        let settings = settings.unwrap_or_default();
        let (by_hand, asking) = network::plan(&links, &settings);
        for (link, setting) in by_hand {
            match network::give(&link, setting) {
                Ok(link) => {
                    let given = setting.addresses.iter();
                    self.addresses
                        .extend(given.map(|placed| (link.clone(), placed.address)));
                }
                Err(error) => {
                    tracing::error!(interface = setting.name, %error, "it has no address");
                }
            }
        }
        for link in asking {
            let seed = settings::chance().unwrap_or_default();
            let (news, began) = (news.clone(), self.began);
            tokio::spawn(async move {
                let name = link.name.clone();
                if let Err(error) = network::keep_address(link, seed, began, news).await {
                    tracing::warn!(link = name, %error, "it has no address");
                }
            });
        }
        let events = events.clone();
        tokio::spawn(async move {
            while let Some(news) = heard.recv().await {
                let _ = events.send(Event::Network(news)).await;
            }
        });
    }

    fn hear_network(&mut self, news: News, planes: &Planes) {
        let gone = match &news {
            News::Bound(link, _) | News::Lost(link) => link.index,
        };
        self.addresses.retain(|(link, _)| link.index != gone);
        self.resolvers.retain(|(link, _)| link.index != gone);
        if let News::Bound(link, lease) = news {
            let address = format!("{}/{}", lease.address, lease.prefix);
            tracing::info!(link = link.name, address, router = ?lease.router, "an address");
            settings::write_default(lease.address);
            self.addresses
                .push((link.clone(), IpAddr::V4(lease.address)));
            self.resolvers.push((link, lease.dns));
        }
        let servers = self.resolvers.iter().flat_map(|(_, servers)| servers);
        let servers: Vec<Ipv4Addr> = servers.copied().collect();
        if let Err(error) = network::write_resolvers(&servers) {
            tracing::warn!(%error, "the planes do not know who answers names");
        }
        // What could not be bound before can be now.
        planes.read_again();
    }

    fn hear_sign(&mut self, sign: Sign, planes: &mut Planes) {
        let sign = planes.judge(sign);
        if let Some(remedy) = self.health.handle(at(self.began), sign) {
            tracing::warn!(?sign, ?remedy, "not well");
            planes.carry_out(remedy);
        }
        if sign == Sign::Well && !self.told {
            self.told = true;
            let after = self.began.elapsed().as_millis();
            tracing::info!(after, "the box is well");
            println!("{}", self.status(planes).text());
        }
    }

    fn judge(&mut self) -> Option<End> {
        let now = at(self.began);
        let (well_for, last) = (self.health.well_for(now), self.health.last());
        let version = self.release.version;
        match self.trial.judge(now, well_for, last)? {
            Verdict::Keep => {
                let kept = mounts::with_boot_writable(|boot| Slots::at(boot).keep(version));
                if let Err(error) = kept {
                    tracing::error!(%error, "the release is good and cannot be marked so");
                }
                // Only now: until it is kept there must be a way back.
                self.memory.kept(version);
                self.remember();
                self.on_trial = false;
                tracing::info!(%version, "the release is kept");
                None
            }
            Verdict::Leave(reason) => {
                self.memory.left(version, reason.text());
                self.remember();
                tracing::error!(reason = reason.text(), "the release is left behind");
                let left = mounts::with_boot_writable(|boot| Slots::at(boot).leave(version));
                if let Err(error) = left {
                    // The loader counts on: after the last try it leaves it behind by itself.
                    tracing::error!(%error, "it cannot be marked so");
                }
                Some(End::Restart)
            }
        }
    }

    fn hear_line(&self, word: Word, planes: &Planes, events: &mpsc::Sender<Event>) -> Option<End> {
        match word {
            Word::Nothing => {}
            Word::Help => print!("{HELP}"),
            Word::Status => print!("{}", self.status(planes).text()),
            Word::Code => println!("code       {}", told_code()),
            Word::SureToReset => {
                println!("All settings will be lost. Say it again to have it done.")
            }
            Word::Update(url) => self.fetch(url, events.clone()),
            Word::Restart => return Some(End::Restart),
            Word::Off => return Some(End::Off),
            Word::Reset => return Some(End::Reset),
        }
        None
    }

    fn fetch(&self, url: String, events: mpsc::Sender<Event>) {
        if self.slots.is_none() {
            println!("update     there is no boot partition to write to");
            return;
        }
        let (keys, release, mark) = (self.keys.clone(), self.release.clone(), self.memory.mark);
        tracing::info!(url, "a release is fetched");
        tokio::task::spawn_blocking(move || {
            let taken = fetch::open(&url)
                .map_err(NotTaken::Disk)
                .and_then(|bundle| {
                    mounts::with_boot_writable(|boot| {
                        Slots::at(boot).take(bundle, &keys, &release, mark)
                    })
                });
            let _ = events.blocking_send(Event::Taken(taken));
        });
    }

    fn hear_taken(&mut self, outcome: Result<Version, NotTaken>) -> bool {
        match outcome {
            Ok(version) => {
                tracing::info!(%version, "the release is stored; the box restarts into it");
                self.memory.awaited = Some(version);
                self.remember();
                true
            }
            Err(error) => {
                tracing::error!(%error, "the release is not taken");
                self.memory.last = Some(format!("not taken: {error}"));
                self.remember();
                false
            }
        }
    }

    fn remember(&self) {
        if let Err(error) = self.memory.write(&memory_file()) {
            tracing::warn!(%error, "what became of releases is not remembered");
        }
    }

    fn status(&self, planes: &Planes) -> Status {
        let addresses = self.addresses.iter();
        Status {
            release: format!("{} {}", self.release.board, self.release.version),
            on_trial: self.on_trial,
            addresses: addresses
                .map(|(link, address)| (link.name.clone(), address.to_string()))
                .collect(),
            planes: planes.tell(),
            well: self.health.last() == Some(Sign::Well),
            keeps_data: self.keeps_data,
            memory: fs::read_to_string("/proc/meminfo")
                .ok()
                .and_then(|text| crate::console::memory(&text)),
            last_update: self.memory.last.clone(),
            code: planes::notice().and_then(|notice| notice.setup_code),
        }
    }
}

/// The set-up code, or why there is none.
fn told_code() -> String {
    match planes::notice() {
        None => "the web console is not there yet".to_owned(),
        Some(notice) => notice.setup_code.unwrap_or_else(|| {
            "none: somebody has set the web console up; reset forgets it, with all settings"
                .to_owned()
        }),
    }
}

fn at(began: Instant) -> embassy_time::Instant {
    embassy_time::Instant::from_micros(began.elapsed().as_micros() as u64)
}

fn memory_file() -> PathBuf {
    Path::new(OWN).join("releases.json")
}

/// No time before the sources were written can be right.
fn not_before(built: u64) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    if now.as_secs() < built {
        let time = Timespec {
            tv_sec: i64::try_from(built).unwrap_or(i64::MAX),
            tv_nsec: 0,
        };
        tracing::warn!("the clock is wrong; it is set to when this release was made");
        let _ = clock_settime(ClockId::Realtime, time);
    }
}

fn mount_partitions(partitions: Option<&data::Partitions>) -> (bool, Option<Slots>) {
    let Some(partitions) = partitions else {
        tracing::error!("no disk of ours; the box serves from memory");
        serve_from_memory();
        return (false, None);
    };
    let keeps_data = match data::mount(&partitions.data) {
        Ok(check) => {
            tracing::info!(?check, "data is mounted");
            true
        }
        Err(error) => {
            tracing::error!(%error, "the data cannot be mounted; the box serves from memory");
            serve_from_memory();
            false
        }
    };
    let slots = match mounts::boot(&partitions.boot) {
        Ok(()) => Some(Slots::at(Path::new(mounts::BOOT))),
        Err(error) => {
            tracing::error!(%error, "the boot partition cannot be mounted; no updates");
            None
        }
    };
    (keeps_data, slots)
}

fn serve_from_memory() {
    if let Err(error) = mounts::data_in_memory() {
        tracing::error!(%error, "nor is there memory for it");
    }
}

/// Lines of the serial console; a thread of its own, for a terminal cannot be waited for otherwise.
fn listen_at_console(events: mpsc::Sender<Event>) {
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let sent = line.map(|line| events.blocking_send(Event::Line(line)));
            if !matches!(sent, Ok(Ok(()))) {
                return;
            }
        }
    });
}

/// Where the planes meet.
#[must_use]
pub fn run_dir() -> &'static Path {
    Path::new(RUN)
}
