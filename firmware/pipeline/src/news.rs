//! What there is to tell control, in a queue with an end.
//!
//! Answers are always kept: there are no more of them than commands. News give way when nobody takes them, and are counted.
//!
//! Not here: the connection to control.

use alloc::collections::VecDeque;

use media_api::Event;

/// News beyond this many events are lost.
const NEWS: usize = 4_096;

/// Events nobody has taken yet. Memory is set aside at the start; a packet that makes news allocates nothing.
#[derive(Debug)]
pub(crate) struct Outbox {
    events: VecDeque<Event>,
    lost: u64,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self {
            events: VecDeque::with_capacity(NEWS),
            lost: 0,
        }
    }

    /// Answers a command.
    pub(crate) fn answer(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Tells news.
    pub(crate) fn tell(&mut self, event: Event) {
        if self.events.len() < NEWS {
            self.events.push_back(event);
        } else {
            self.lost += 1;
        }
    }

    pub(crate) fn take(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Events lost so far.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }
}
