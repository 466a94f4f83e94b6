//! The recorder of calls: what the control thread has heard and said is filed by a thread aside, which also answers who asks about it.
//!
//! The control thread hands over what it holds anyway, by a bounded queue that never makes it wait: what does not fit is counted and
//! lost. The recorder looks into the queue now and then and is not woken for each message, which would cost more than the message.
//!
//! Not here: whose a message is (`store::trace`); what the answers look like (`history`).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use call::api::Event;
use memchr::{memchr, memmem};
use sip::message::Message;
use sip::transport::{Source, Target, Transport as Wire};
use store::trace::{
    Archive, Assembly, CallNumber, Found, Heard, LegNumber, Message as Kept, Micros, Page, Query,
    Space, Summary, Transport, Way,
};

use crate::strangers;

/// Things that wait to be filed: what a full box says in half a second.
const QUEUE: usize = 16 * 1_024;
/// Between two looks into the queue.
const REST: Duration = Duration::from_millis(50);
/// Looks between two writings of calls that have fallen silent.
const WRITES: u32 = 5;

/// Something for the recorder.
enum Said {
    Received(Micros, Source, Bytes),
    Sent(Micros, Target, Bytes),
    Event(Micros, Event),
    Asked(Asked),
}

/// Takes an answer where it is wanted.
type Answer<T> = Box<dyn FnOnce(T) + Send>;

/// A question about calls, and what becomes of its answer.
pub(crate) enum Asked {
    /// Calls that are over, the newest first.
    Search(Query, Answer<Page>),
    /// One call, over or in progress.
    Read(CallNumber, Answer<Option<Found>>),
}

/// The control thread's end.
#[derive(Clone)]
pub(crate) struct Tap {
    queue: SyncSender<Said>,
    lost: Arc<AtomicU64>,
}

impl Tap {
    /// Starts the recorder; calls lie in this folder.
    pub(crate) fn start(folder: PathBuf) -> std::io::Result<Self> {
        let (queue, said) = sync_channel(QUEUE);
        thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || record(&folder, &said))?;
        Ok(Self {
            queue,
            lost: Arc::default(),
        })
    }

    /// A message came.
    pub(crate) fn received(&self, source: &Source, message: &Message) {
        self.say(Said::Received(
            now(),
            source.clone(),
            message.bytes().clone(),
        ));
    }

    /// A message leaves.
    pub(crate) fn sent(&self, target: &Target, bytes: &Bytes) {
        self.say(Said::Sent(now(), target.clone(), bytes.clone()));
    }

    /// Call control tells something, of a call or not.
    pub(crate) fn told(&self, event: &Event) {
        // Anybody can cause these; they are no call's.
        if let Event::TurnedAway { .. } | Event::Target { .. } | Event::Registration { .. } = event
        {
            return;
        }
        self.say(Said::Event(now(), event.clone()));
    }

    /// Somebody asks. Where the recorder is too busy there is no answer.
    pub(crate) fn ask(&self, asked: Asked) {
        self.say(Said::Asked(asked));
    }

    /// What was lost because the recorder was too slow.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn say(&self, said: Said) {
        if self.queue.try_send(said).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Micros(since.map_or(0, |since| {
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }))
}

fn record(folder: &Path, said: &Receiver<Said>) {
    let archive = match Archive::open(folder, Space::USUAL) {
        Ok(archive) => Some(archive),
        Err(error) => {
            tracing::error!(%error, "calls are not recorded: their folder cannot be used");
            None
        }
    };
    let mut recorder = Recorder {
        assembly: Assembly::default(),
        archive,
    };
    let mut looks = 0;
    loop {
        let is_over = loop {
            match said.try_recv() {
                Ok(said) => recorder.hear(said),
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => break true,
            }
        };
        if is_over {
            return recorder.finish();
        }
        looks += 1;
        if looks == WRITES {
            looks = 0;
            recorder.write();
        }
        thread::sleep(REST);
    }
}

struct Recorder {
    assembly: Assembly,
    archive: Option<Archive>,
}

impl Recorder {
    fn hear(&mut self, said: Said) {
        match said {
            Said::Received(at, source, bytes) => {
                let message = Kept {
                    way: Way::Received,
                    transport: transport(source.transport),
                    local: Some(source.local),
                    remote: source.remote,
                    bytes,
                };
                self.message(at, message);
            }
            Said::Sent(at, target, bytes) => {
                let message = Kept {
                    way: Way::Sent,
                    transport: transport(target.transport),
                    local: None,
                    remote: target.remote,
                    bytes,
                };
                self.message(at, message);
            }
            Said::Event(at, event) => self.event(at, &event),
            Said::Asked(Asked::Search(query, answer)) => {
                answer(self.search(query));
            }
            Said::Asked(Asked::Read(call, answer)) => answer(self.read(call)),
        }
    }

    fn message(&mut self, at: Micros, message: Kept) {
        if let Some(call_id) = call_id(&message.bytes) {
            self.assembly.hear(at, Heard::Message { call_id, message });
        }
    }

    fn event(&mut self, at: Micros, event: &Event) {
        let Some((call, heard)) = heard(at, event) else {
            return;
        };
        let (mut before, mut after) = (None, None);
        match heard {
            // The call must be known before anything can be said of it.
            Some(heard @ Heard::Began(_)) => before = Some(heard),
            heard => after = heard,
        }
        if let Some(heard) = before.take() {
            self.assembly.hear(at, heard);
        }
        if let Ok(json) = serde_json::to_string(event) {
            self.assembly.hear(at, Heard::Told { call, json });
        }
        if let Some(heard) = after.take() {
            self.assembly.hear(at, heard);
        }
    }

    /// What has just ended is on the first page, before what is filed. Should more have ended in the last seconds than a page holds,
    /// the rest is found as soon as it is filed.
    fn search(&self, mut query: Query) -> Page {
        let mut recent = Vec::new();
        if query.after.is_none() {
            let ended = self.assembly.ended().into_iter();
            let fitting = ended.filter(|call| query.fits(call));
            recent.extend(fitting.take(query.most).cloned());
        }
        query.most -= recent.len();
        let filed = self.archive.as_ref().map(|archive| archive.search(&query));
        let filed = filed.unwrap_or_default();
        recent.extend(filed.calls);
        Page {
            calls: recent,
            next: filed.next,
        }
    }

    /// What is written of it and what is not yet.
    fn read(&self, call: CallNumber) -> Option<Found> {
        let written = self.archive.as_ref().and_then(|archive| archive.read(call));
        let Some((summary, items)) = self.assembly.live(call) else {
            return written;
        };
        let mut found = written.unwrap_or_else(|| Found {
            summary: summary.clone(),
            items: Vec::new(),
            missing: 0,
        });
        found.summary = summary.clone();
        found.items.extend(items.iter().cloned());
        Some(found)
    }

    fn write(&mut self) {
        let pieces = self.assembly.settle(now());
        self.append(&pieces);
    }

    fn finish(&mut self) {
        let pieces = self.assembly.finish();
        self.append(&pieces);
    }

    fn append(&mut self, pieces: &[store::trace::Piece]) {
        let Some(archive) = &mut self.archive else {
            return;
        };
        for piece in pieces {
            if let Err(error) = archive.append(piece) {
                strangers!(error, %error, "a call cannot be recorded");
            }
        }
    }
}

const fn transport(wire: Wire) -> Transport {
    match wire {
        Wire::Udp => Transport::Udp,
        Wire::Tcp => Transport::Tcp,
        Wire::Tls => Transport::Tls,
    }
}

/// The Call-ID of a message; `None` if it is none.
fn call_id(bytes: &Bytes) -> Option<String> {
    // As we write it, and almost everybody: found without taking the message apart.
    const USUAL: &[u8] = b"\r\nCall-ID: ";
    let head = memmem::find(bytes, b"\r\n\r\n").unwrap_or(bytes.len());
    if let Some(at) = memmem::find(&bytes[..head], USUAL) {
        let value = &bytes[at + USUAL.len()..];
        let end = memchr(b'\r', value)?;
        return Some(String::from_utf8_lossy(&value[..end]).trim().to_owned());
    }
    let message = Message::parse(bytes.clone()).ok()?;
    Some(message.headers().call_id().ok()?.to_string())
}

/// Which call an event is about, and what it changes in what is known of the call.
fn heard(at: Micros, event: &Event) -> Option<(CallNumber, Option<Heard>)> {
    let number = |call: &call::api::CallId| CallNumber(call.0);
    Some(match event {
        Event::Started {
            call,
            from_trunk,
            tenant,
            caller,
            called,
        } => {
            let summary = Summary {
                from_trunk: from_trunk.clone(),
                tenant: tenant.clone(),
                caller: caller.clone(),
                called: called.clone(),
                ..Summary::of(number(call), at)
            };
            (number(call), Some(Heard::Began(summary)))
        }
        Event::Restored {
            call,
            from_trunk,
            to_trunk,
            tenant,
            caller,
            called,
        } => {
            let summary = Summary {
                from_trunk: from_trunk.clone(),
                to_trunk: to_trunk.clone(),
                tenant: tenant.clone(),
                caller: caller.clone(),
                called: called.clone(),
                ..Summary::of(number(call), at)
            };
            (number(call), Some(Heard::Began(summary)))
        }
        Event::Leg {
            call, leg, call_id, ..
        } => {
            let heard = Heard::Leg {
                call: number(call),
                leg: LegNumber(*leg),
                call_id: call_id.clone(),
            };
            (number(call), Some(heard))
        }
        Event::Trying { call, trunk, .. } => {
            let heard = Heard::Towards {
                call: number(call),
                trunk: trunk.clone(),
            };
            (number(call), Some(heard))
        }
        Event::Sounded { call, sound, .. } => {
            let opinions = [sound.from_party.mos, sound.to_party.mos];
            let worst = opinions.into_iter().flatten().min();
            let heard = worst.map(|opinion| Heard::Sounded {
                call: number(call),
                opinion: opinion.0,
            });
            (number(call), heard)
        }
        Event::Ended {
            call,
            ending,
            status,
            duration,
            correlation,
        } => {
            let word = serde_json::to_value(ending).ok();
            let word = word.as_ref().and_then(serde_json::Value::as_str);
            let heard = Heard::Ended {
                call: number(call),
                ending: word.unwrap_or_default().to_owned(),
                status: *status,
                duration: *duration,
                correlation: correlation.clone(),
            };
            (number(call), Some(heard))
        }
        Event::Ringing { call }
        | Event::Answered { call }
        | Event::Transferred { call }
        | Event::Silent { call, .. }
        | Event::Insecure { call, .. } => (number(call), None),
        Event::TurnedAway { .. } | Event::Target { .. } | Event::Registration { .. } => {
            return None;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_id_is_found_however_it_is_written() {
        let message = |header: &str, body: &str| {
            Bytes::from(format!(
                "BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\n{header}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ))
        };
        for header in ["Call-ID: a@b", "call-id :  a@b", "i: a@b", "Call-ID: a@b  "] {
            let found = call_id(&message(header, "\r\nCall-ID: other\r\n"));
            assert_eq!(found.as_deref(), Some("a@b"), "{header}");
        }
        assert_eq!(call_id(&Bytes::from_static(b"\r\n\r\n")), None);
    }
}
