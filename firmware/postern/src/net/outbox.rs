//! What waits to be written on a connection: bounded in bytes, and filled from outside while the connection sleeps.
//!
//! One thread fills and empties it, so cells suffice; nothing is borrowed across an await. A peer that does not read is
//! noticed here: past the bound the connection is told to break off, rather than a message in the middle be left out.
//!
//! Not here: writing (`stream`).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use bytes::Bytes;
use sip::transaction::ClientId;
use tokio::sync::Notify;

/// What may wait before the peer counts as one that does not read.
pub(super) const BOUND: usize = 512 * 1024;

/// How many requests a connection remembers having carried, to tell their transactions when it breaks.
const REMEMBERED: usize = 256;

/// A message on its way, with the transaction to be told if it fails.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) bytes: Bytes,
    pub(super) client: Option<ClientId>,
}

/// What the connection has been told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Carry on.
    Run,
    /// Take nothing new, close when quiet.
    Drain,
    /// The peer does not read: break off.
    Overrun,
}

/// The queue between whoever sends and the connection's own task.
#[derive(Debug)]
pub(super) struct Outbox {
    waiting: RefCell<VecDeque<Outgoing>>,
    carried: RefCell<VecDeque<ClientId>>,
    bytes: Cell<usize>,
    order: Cell<Order>,
    changed: Notify,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            waiting: RefCell::default(),
            carried: RefCell::default(),
            bytes: Cell::new(0),
            order: Cell::new(Order::Run),
            changed: Notify::new(),
        }
    }

    /// Puts a message at the end, or gives the order to break off where that is too much.
    pub(super) fn push(&self, outgoing: Outgoing) {
        if let Some(client) = outgoing.client {
            let mut carried = self.carried.borrow_mut();
            if carried.len() == REMEMBERED {
                carried.pop_front();
            }
            carried.push_back(client);
        }
        self.bytes.set(self.bytes.get() + outgoing.bytes.len());
        if self.bytes.get() > BOUND {
            self.give(Order::Overrun);
            return;
        }
        self.waiting.borrow_mut().push_back(outgoing);
        self.changed.notify_one();
    }

    /// The next message to write. It counts as waiting until [`Self::written`] says otherwise.
    pub(super) fn pop(&self) -> Option<Bytes> {
        self.waiting
            .borrow_mut()
            .pop_front()
            .map(|outgoing| outgoing.bytes)
    }

    /// So many bytes have left.
    pub(super) fn written(&self, count: usize) {
        self.bytes.set(self.bytes.get().saturating_sub(count));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.borrow().is_empty()
    }

    pub(super) fn give(&self, order: Order) {
        if self.order.get() != Order::Overrun {
            self.order.set(order);
        }
        self.changed.notify_one();
    }

    pub(super) fn order(&self) -> Order {
        self.order.get()
    }

    /// Something was put in or ordered since last asked.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Every transaction whose request is waiting here or went out not long ago. Those already answered know it.
    pub(super) fn clients(&self) -> Vec<ClientId> {
        self.carried.borrow_mut().drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: usize) -> Outgoing {
        Outgoing {
            bytes: Bytes::from(vec![b'x'; length]),
            client: None,
        }
    }

    #[test]
    fn a_peer_that_does_not_read_is_broken_off_and_cannot_be_talked_out_of_it() {
        let outbox = Outbox::new();
        outbox.push(message(BOUND));
        assert_eq!(outbox.order(), Order::Run);
        outbox.push(message(1));
        assert_eq!(outbox.order(), Order::Overrun);
        outbox.give(Order::Drain);
        assert_eq!(outbox.order(), Order::Overrun);
    }

    #[test]
    fn what_was_written_makes_room() {
        let outbox = Outbox::new();
        for _ in 0..10 {
            outbox.push(message(BOUND));
            let bytes = outbox.pop().expect("just pushed");
            outbox.written(bytes.len());
        }
        assert_eq!(outbox.order(), Order::Run);
    }

    #[test]
    fn only_the_latest_requests_are_remembered() {
        let outbox = Outbox::new();
        for client in 0..REMEMBERED as u64 + 10 {
            outbox.push(Outgoing {
                bytes: Bytes::new(),
                client: Some(ClientId(client)),
            });
        }
        let clients = outbox.clients();
        assert_eq!(clients.len(), REMEMBERED);
        assert_eq!(clients.first(), Some(&ClientId(10)));
    }
}
