//! Packet ports on the network in memory.
//!
//! They do as `host::Ports` does, without a system: the conformance tests hold both to it.
//!
//! Not here: delivery (`network.rs`).

use std::net::SocketAddr;

use embassy_time::{Duration, Instant};
use hal::{BUFFER, Burst, Dscp, Marks, OpenError, PortId};

use super::Network;

/// Ports of a box on a simulated network.
pub struct Ports {
    network: Network,
    open: Vec<Option<(SocketAddr, Dscp)>>,
    /// Ports that had arrivals when last looked; the last is taken first.
    ready: Vec<u32>,
    most: usize,
}

impl Ports {
    /// No port yet; the box gives as many as are asked for.
    #[must_use]
    pub fn new(network: &Network) -> Self {
        Self::limited(network, usize::MAX)
    }

    /// No port yet; the box gives at most so many.
    #[must_use]
    pub fn limited(network: &Network, most: usize) -> Self {
        Self {
            network: network.clone(),
            open: Vec::new(),
            ready: Vec::new(),
            most,
        }
    }

    /// How many are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open.iter().flatten().count()
    }

    /// Where a port can be put.
    fn place(&mut self) -> usize {
        let vacant = self.open.iter().position(Option::is_none);
        vacant.unwrap_or_else(|| {
            self.open.push(None);
            self.open.len() - 1
        })
    }

    fn look(&mut self) {
        let inner = self.network.inner().borrow();
        let ports = self.open.iter().enumerate().rev();
        let ready =
            ports.filter(|(_, port)| port.is_some_and(|(address, _)| inner.has_arrivals(address)));
        self.ready.clear();
        self.ready.extend(ready.map(|(id, _)| id as u32));
    }
}

impl hal::Ports for Ports {
    fn open(&mut self, local: SocketAddr, dscp: Dscp) -> Result<PortId, OpenError> {
        if local.port() == 0 || local.ip().is_unspecified() {
            return Err(OpenError::AddressUnavailable);
        }
        if self.count() >= self.most {
            return Err(OpenError::OutOfPorts);
        }
        let mut inner = self.network.inner().borrow_mut();
        if inner.is_bound(local) {
            return Err(OpenError::AddressInUse);
        }
        inner.bind(local);
        drop(inner);
        let id = self.place();
        self.open[id] = Some((local, dscp));
        Ok(PortId(id as u32))
    }

    fn mark(&mut self, port: PortId, dscp: Dscp) {
        if let Some(Some((_, current))) = self.open.get_mut(port.0 as usize) {
            *current = dscp;
        }
    }

    fn close(&mut self, port: PortId) {
        if let Some((address, _)) = self.open.get_mut(port.0 as usize).and_then(Option::take) {
            self.network.inner().borrow_mut().unbind(address);
        }
    }

    fn rx_burst(&mut self, burst: &mut Burst) -> usize {
        let before = burst.len();
        let mut inner = self.network.inner().borrow_mut();
        while let Some(id) = self.ready.last().copied() {
            let Some((address, _)) = self.open[id as usize] else {
                self.ready.pop();
                continue;
            };
            let Some(packet) = burst.vacant().first_mut() else {
                break;
            };
            let Some(datagram) = inner.take(address) else {
                self.ready.pop();
                continue;
            };
            let fitting = datagram.bytes.len().min(BUFFER);
            packet.buffer_mut()[..fitting].copy_from_slice(&datagram.bytes[..fitting]);
            packet.arrived(PortId(id), datagram.from, datagram.bytes.len());
            burst.fill(1);
        }
        burst.len() - before
    }

    fn tx_burst(&mut self, burst: &mut Burst) -> Marks {
        let mut lost = Marks::NONE;
        let mut inner = self.network.inner().borrow_mut();
        for place in burst.leaving() {
            let packet = &burst.packets()[place];
            match self.open.get(packet.port.0 as usize).copied().flatten() {
                Some((address, dscp)) if can_leave(address, packet.remote) => {
                    inner.send(address, packet.remote, packet.data(), dscp);
                }
                _ => lost.insert(place),
            }
        }
        lost
    }

    /// Moves time to the next arrival or the end of the patience; without patience and with nothing in flight it returns.
    fn wait(&mut self, timeout: Option<Duration>) {
        self.look();
        if !self.ready.is_empty() {
            return;
        }
        let (now, arrival) = {
            let inner = self.network.inner().borrow();
            (inner.now(), inner.next_arrival())
        };
        let patience = timeout.map(|timeout| now + timeout);
        let until: Option<Instant> = match (arrival, patience) {
            (Some(arrival), Some(patience)) => Some(arrival.min(patience)),
            (arrival, patience) => arrival.or(patience),
        };
        if let Some(until) = until {
            self.network.inner().borrow_mut().move_to(until);
        }
        self.look();
    }
}

/// A port on its way to other ports of the same network, on which it stays bound.
#[derive(Debug)]
pub struct Given {
    address: SocketAddr,
    dscp: Dscp,
}

impl hal::Handover for Ports {
    type Port = Given;

    fn give(&mut self, port: PortId) -> Option<Given> {
        let (address, dscp) = self.open.get_mut(port.0 as usize)?.take()?;
        Some(Given { address, dscp })
    }

    fn take(&mut self, port: Given) -> Result<PortId, OpenError> {
        let id = self.place();
        self.open[id] = Some((port.address, port.dscp));
        Ok(PortId(id as u32))
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        for (address, _) in self.open.drain(..).flatten() {
            self.network.inner().borrow_mut().unbind(address);
        }
    }
}

fn can_leave(from: SocketAddr, to: SocketAddr) -> bool {
    to.port() != 0 && from.is_ipv4() == to.is_ipv4()
}
