//! The planes as processes: started confined, asked, ended, and whatever else has ended buried.
//!
//! Every process that loses its parent becomes a child of the first one, so all that ended are taken, known or not.
//!
//! Not here: when to start again (`supervision`); what their answers mean (`health`).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use config::document::packets::Packets;
use embassy_time::Instant;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use rustix::thread::CapabilitySet;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::{Event, settings};
use crate::confine::Order;
use crate::health::{Remedy, Sign};
use crate::listening::{self, Kind, Place};
use crate::supervision::{self, Service};

/// Where they meet.
pub(super) const RUN: &str = "/run/postern";
/// The program that is everything.
const PROGRAM: &str = "/postern";
/// Who they are: nobody else is.
pub(super) const USER: u32 = 990;

/// Control answers so quickly or not at all.
const ANSWER: Duration = Duration::from_secs(2);
/// Between two questions, once the box is well.
const EASE: embassy_time::Duration = embassy_time::Duration::from_secs(2);
/// From SIGTERM to SIGKILL.
const ENDING: Duration = Duration::from_secs(5);
const GLANCE: Duration = Duration::from_millis(20);

struct Plane {
    name: &'static str,
    service: Service,
    process: Option<Pid>,
}

/// All of them.
pub(super) struct Planes {
    /// Media before control, which looks for it; the console last, for calls come first.
    planes: [Plane; 3],
    asked: Option<Instant>,
    /// Where control is to listen, by the settings of that moment.
    places: Option<(SystemTime, Vec<Place>)>,
}

const MEDIA: usize = 0;
const CONTROL: usize = 1;
const CONSOLE: usize = 2;
/// Where people find the web console, at each address of the box.
const PORT: u16 = 443;

/// What the console tells of itself once it serves.
#[derive(Debug, Deserialize)]
pub(super) struct Notice {
    /// While nobody has entered.
    pub(super) setup_code: Option<String>,
}

/// What the console has told; `None` before it serves.
pub(super) fn notice() -> Option<Notice> {
    let notice = std::fs::read(Path::new(RUN).join("console.json")).ok()?;
    serde_json::from_slice(&notice).ok()
}

/// Where the console listens. A kernel without IPv6 has no address for all.
fn console() -> SocketAddr {
    let all = match Path::new("/proc/net/if_inet6").exists() {
        true => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        false => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    SocketAddr::new(all, PORT)
}

impl Planes {
    pub(super) fn new(now: Instant) -> Self {
        let plane = |name| Plane {
            name,
            service: Service::new(now),
            process: None,
        };
        Self {
            planes: [plane("media"), plane("control"), plane("console")],
            asked: None,
            places: None,
        }
    }

    pub(super) fn start_due(&mut self, now: Instant) {
        for plane in &mut self.planes {
            if !plane.service.is_due(now) {
                continue;
            }
            plane.service.handle(now, supervision::Event::Started);
            match spawn(plane.name) {
                Ok(process) => plane.process = Some(process),
                Err(error) => {
                    tracing::error!(plane = plane.name, %error, "not started");
                    plane.service.handle(now, supervision::Event::Ended);
                }
            }
        }
    }

    /// Buries all that ended.
    pub(super) fn reap(&mut self, now: Instant) {
        while let Ok(Some((process, status))) = wait(WaitOptions::NOHANG) {
            let ours = self
                .planes
                .iter_mut()
                .find(|plane| plane.process == Some(process));
            if let Some(plane) = ours {
                plane.process = None;
                let lived = plane.service.since().map(|since| (now - since).as_secs());
                plane.service.handle(now, supervision::Event::Ended);
                tracing::warn!(plane = plane.name, ?status, lived, "ended");
            }
        }
    }

    /// Asks control how it is, if it is time.
    pub(super) fn ask(&mut self, events: &mpsc::Sender<Event>, now: Instant) {
        if self.asked.is_some_and(|asked| now - asked < EASE) {
            return;
        }
        // Quickly until the first answer: the box is awaited.
        self.asked = Some(now);
        self.look_up_places();
        let places = self.places.as_ref().map(|(_, places)| places.clone());
        let places = places.unwrap_or_default();
        let events = events.clone();
        tokio::spawn(async move {
            let hears =
                || notice().is_some() && listening::missing(Path::new("/proc"), &places).is_empty();
            let sign = match timeout(ANSWER, census()).await {
                Ok(Ok(true)) if !hears() => Sign::Deaf,
                Ok(Ok(true)) => Sign::Well,
                Ok(Ok(false)) => Sign::NoMedia,
                _ => Sign::Silent,
            };
            let _ = events.send(Event::Sign(sign)).await;
        });
    }

    /// Settings are read again only when they have changed: there may be many.
    fn look_up_places(&mut self) {
        let Some(changed) = settings::changed() else {
            return;
        };
        if self.places.as_ref().is_none_or(|(of, _)| *of != changed) {
            let document = settings::document();
            let places = document.as_ref().map(listening::places);
            let mut places = places.unwrap_or_default();
            // A box that nobody can set right from afar is not well.
            places.push(Place {
                kind: Kind::Connections,
                address: console(),
            });
            self.places = Some((changed, places));
        }
    }

    /// A sign in the light of which processes there are.
    pub(super) fn judge(&mut self, sign: Sign) -> Sign {
        match sign {
            Sign::Well => {}
            Sign::Silent if self.planes[CONTROL].process.is_none() && !settings::are_valid() => {
                return Sign::Refused;
            }
            // While the box comes up it is asked at each glance.
            _ => self.asked = None,
        }
        sign
    }

    pub(super) fn carry_out(&self, remedy: Remedy) {
        let plane = match remedy {
            Remedy::EndControl => &self.planes[CONTROL],
            Remedy::EndMedia => &self.planes[MEDIA],
        };
        plane.signal(Signal::KILL);
    }

    /// Has control read its configuration again.
    pub(super) fn read_again(&self) {
        self.planes[CONTROL].signal(Signal::HUP);
    }

    pub(super) fn tell(&self) -> Vec<(String, bool, u32)> {
        let planes = self.planes.iter();
        planes
            .map(|plane| {
                let restarts = plane.service.restarts();
                (plane.name.to_owned(), plane.process.is_some(), restarts)
            })
            .collect()
    }

    /// Ends all, control before media, which loses its calls only after control has let them go.
    pub(super) async fn end(mut self) {
        let now = Instant::from_micros(0);
        for index in [CONSOLE, CONTROL, MEDIA] {
            let plane = &mut self.planes[index];
            plane.service.handle(now, supervision::Event::Stop);
            plane.signal(Signal::TERM);
            let waited = timeout(ENDING, async {
                while self.planes[index].process.is_some() {
                    sleep(GLANCE).await;
                    self.reap(now);
                }
            });
            if waited.await.is_err() {
                self.planes[index].signal(Signal::KILL);
            }
        }
    }
}

impl Plane {
    fn signal(&self, signal: Signal) {
        // Gone already: then there is nobody to tell.
        let _ = self.process.map(|process| kill_process(process, signal));
    }
}

async fn census() -> io::Result<bool> {
    let mut control = UnixStream::connect(format!("{RUN}/control.sock")).await?;
    control.write_all(b"{\"query\":\"census\"}\n").await?;
    let mut answer = String::new();
    BufReader::new(control).read_line(&mut answer).await?;
    let census: serde_json::Value = serde_json::from_str(&answer)?;
    Ok(census["media"] == true)
}

fn spawn(name: &str) -> io::Result<Pid> {
    let mut arguments = vec![name.into(), "--run".into(), RUN.into()];
    arguments.extend(["--config".into(), settings::file().into()]);
    let mut write = vec![RUN, settings::FOLDER];
    if name == "console" {
        arguments.extend(["--listen".into(), console().to_string().into()]);
        arguments.extend(["--data".into(), settings::CONSOLE.into()]);
        write.push(settings::CONSOLE);
    }
    let paths = |paths: &[&str]| {
        paths
            .iter()
            .map(|path| Path::new(path).to_owned())
            .collect()
    };
    let order = Order {
        user: USER,
        keep: capabilities(name),
        read: paths(&["/etc", "/proc", "/sys", "/run"]),
        write: paths(&write),
        arguments,
    };
    let child = Command::new(PROGRAM)
        .arg("confine")
        .args(order.line())
        .env_clear()
        .current_dir(RUN)
        .stdin(Stdio::null())
        .spawn()?;
    // It is buried with all the others; nobody waits for this one by itself.
    Ok(Pid::from_child(&child))
}

/// What a plane needs beyond what everybody may: ports below 1024, and packets past the kernel if they are wanted so.
fn capabilities(name: &str) -> CapabilitySet {
    let past_the_kernel = || {
        let packets = settings::document().map(|document| document.media.packets);
        packets.is_some_and(|packets| !matches!(packets, Packets::Sockets))
    };
    match name {
        "control" | "console" => CapabilitySet::NET_BIND_SERVICE,
        _ if past_the_kernel() => {
            CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN | CapabilitySet::BPF
        }
        _ => CapabilitySet::empty(),
    }
}
