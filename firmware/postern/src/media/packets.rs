//! How packets come and go: what the configuration asks for, and what the box gives.
//!
//! Audio matters more than how it travels: whatever is wrong, media starts, with sockets, and says why.
//!
//! Not here: the ports themselves (`board`).

use std::path::Path;

use board::linux::{Plan, Ports};
use config::document::packets::Packets;

/// The ports over an interface's queues, where they are asked for and can be had.
pub(super) fn frames(config: &Path) -> Option<Ports> {
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
            Some(ports)
        }
        Err(error) => {
            tracing::warn!(
                interface = plan.interface,
                %error,
                "no AF_XDP here: packets come by sockets"
            );
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
        Packets::AfXdp { interface } => Some(Plan {
            interface,
            addresses: vec![document.media.address],
            ports: document.media.ports.first..=document.media.ports.last,
        }),
    }
}
