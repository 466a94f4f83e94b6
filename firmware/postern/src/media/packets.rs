//! How packets come and go: what the configuration asks for, and what the box gives.
//!
//! Audio matters more than how it travels: whatever is wrong, media starts, with sockets, and says why.
//!
//! Not here: the ports themselves (`board`).

use std::num::{NonZeroU8, NonZeroUsize};
use std::path::Path;

use board::linux::{Plan, Ports};
use config::document::media::{Media, Workers};
use config::document::packets::{Owner, Packets};

use super::worker::PROCESSORS;

/// What the configuration asks of media.
pub(super) struct Wanted {
    plan: Option<Plan>,
    workers: NonZeroU8,
}

impl Wanted {
    /// What it asks for, or what is usual where it cannot be read.
    pub(super) fn of(config: Option<&Path>) -> Self {
        let media = config.and_then(read);
        let workers = media.as_ref().and_then(|media| media.workers);
        Self {
            workers: workers.map_or_else(usual_workers, Workers::count),
            plan: media.and_then(plan),
        }
    }

    /// How many workers share the streams.
    pub(super) fn workers(&self) -> NonZeroU8 {
        self.workers
    }
}

/// Of four processors and more one does what is not media's, and half of the others are for the kernel's part of the work.
fn usual_workers() -> NonZeroU8 {
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let half = u8::try_from(processors / 2).unwrap_or(u8::MAX);
    let few = processors < PROCESSORS as usize;
    let workers = if few { 1 } else { half.min(Workers::MOST) };
    NonZeroU8::new(workers).unwrap_or(NonZeroU8::MIN)
}

/// Ports over an interface's queues, of as many threads as there are queues and workers wanted.
pub(super) struct Frames {
    pub(super) ports: Vec<Ports>,
    /// What a stream has besides.
    pub(super) sockets: Sockets,
}

/// Sockets of a stream whose packets come over queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sockets {
    /// They keep its ports from others on this machine, and take what the queues do not see.
    Kept,
    /// The address is media's alone: nobody else could have them.
    None,
}

/// The ports over an interface's queues, where they are asked for and can be had.
pub(super) fn frames(wanted: &Wanted) -> Option<Frames> {
    let plan = wanted.plan.as_ref()?;
    match Ports::several(plan, wanted.workers) {
        Ok(ports) => {
            let mode = ports.first()?.mode();
            tracing::info!(
                interface = plan.interface,
                queues = mode.queues,
                workers = ports.len(),
                attached = ?mode.attached,
                copies = ?mode.copies,
                "packets come over AF_XDP"
            );
            let sockets = if plan.addresses.is_empty() {
                Sockets::None
            } else {
                Sockets::Kept
            };
            Some(Frames { ports, sockets })
        }
        Err(error) => {
            if plan.alone.is_empty() {
                tracing::warn!(interface = plan.interface, %error, "no AF_XDP here: packets come by sockets");
            } else {
                tracing::error!(interface = plan.interface, %error, "no AF_XDP here, and the address is media's alone: no audio");
            }
            None
        }
    }
}

fn read(config: &Path) -> Option<Media> {
    let text = std::fs::read_to_string(config)
        .inspect_err(|error| tracing::error!(%error, "the configuration cannot be read: packets come by sockets"))
        .ok()?;
    // What is wrong with it is for control to tell.
    let document = config::parse(&text)
        .inspect_err(|_| tracing::error!("the configuration has faults: packets come by sockets"))
        .ok()?;
    Some(document.media.clone())
}

/// What is to go over an interface's queues, if anything is.
fn plan(media: Media) -> Option<Plan> {
    match media.packets {
        Packets::Sockets => None,
        Packets::AfXdp { interface, owner } => {
            let bound = media.faces.iter().map(|face| face.bound).collect();
            let (addresses, alone) = match owner {
                Owner::Interface => (bound, Vec::new()),
                Owner::Media => (Vec::new(), bound),
            };
            Some(Plan {
                interface,
                addresses,
                alone,
                ports: media.ports.first..=media.ports.last,
            })
        }
    }
}
