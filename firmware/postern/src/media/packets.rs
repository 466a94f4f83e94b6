//! How packets come and go: what the configuration asks for, and what the box gives.
//!
//! Audio matters more than how it travels: whatever is wrong, media starts, with sockets, and says why.
//!
//! Not here: the ports themselves (`board`).

use std::path::Path;

use board::linux::{Plan, Ports};
use config::document::packets::{Owner, Packets};

/// Ports over an interface's queues.
pub(super) struct Frames {
    pub(super) ports: Ports,
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
pub(super) fn frames(config: &Path) -> Option<Frames> {
    let plan = plan(config)?;
    match Ports::new(&plan) {
        Ok(ports) => {
            let mode = ports.mode();
            tracing::info!(
                interface = plan.interface,
                queues = mode.queues,
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

/// What is to go over an interface's queues, if anything is.
fn plan(config: &Path) -> Option<Plan> {
    let text = std::fs::read_to_string(config)
        .inspect_err(|error| tracing::error!(%error, "the configuration cannot be read: packets come by sockets"))
        .ok()?;
    // What is wrong with it is for control to tell.
    let document = config::parse(&text)
        .inspect_err(|_| tracing::error!("the configuration has faults: packets come by sockets"))
        .ok()?;
    match document.media.packets {
        Packets::Sockets => None,
        Packets::AfXdp { interface, owner } => {
            let faces = document.media.faces.iter();
            let bound = faces.map(|face| face.bound).collect();
            let (addresses, alone) = match owner {
                Owner::Interface => (bound, Vec::new()),
                Owner::Media => (Vec::new(), bound),
            };
            Some(Plan {
                interface,
                addresses,
                alone,
                ports: document.media.ports.first..=document.media.ports.last,
            })
        }
    }
}
