//! The thread that speaks with control.
//!
//! One connection is the control: the one that said hello last. Whoever connects is a guest until he has said hello in our
//! version; a guest who says nothing, or anything else, is shown out and the control never notices. When the control's
//! connection ends the worker is told, and the streams go on.
//!
//! Not here: what commands do (`pipeline`), which worker does them (`shards.rs`), frames (`connection.rs`).

use std::io;
use std::num::NonZeroU8;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};

use board::clock::SystemClock;
use embassy_time::{Duration, Instant};
use hal::Clock;
use media_api::{Command, Event, VERSION};
use rtrb::PushError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::connection::{Connection, Ended};
use super::shards::Shards;
use super::worker::Handle;

/// Guests at once; the next is shown out at once.
const GUESTS: usize = 8;

/// A worker that has had no room is asked again after this time.
const AGAIN: Duration = Duration::from_millis(2);

/// After so many tidings at once the worker may have kept some: it is told that there is room.
const MANY: usize = 1_024;

/// A guest says hello within this time.
const HELLO_TIME: Duration = Duration::from_secs(2);

/// Speaks with controls for ever.
///
/// # Errors
/// When a worker is gone, or the listener fails.
pub(super) fn serve<P>(
    listener: UnixListener,
    workers: Handle<P>,
    capacity: u32,
) -> io::Result<()> {
    let count = u8::try_from(workers.lanes.len()).ok();
    let count = count.and_then(NonZeroU8::new);
    let count = count.ok_or_else(|| io::Error::other("there is no worker"))?;
    let mut server = Server {
        listener,
        workers,
        shards: Shards::new(count),
        capacity,
        control: None,
        guests: Vec::new(),
        pid: std::process::id(),
    };
    loop {
        server.turn()?;
    }
}

struct Server<P> {
    listener: UnixListener,
    workers: Handle<P>,
    shards: Shards<P>,
    capacity: u32,
    control: Option<Connection>,
    guests: Vec<Guest>,
    /// Of this process.
    pid: u32,
}

struct Guest {
    connection: Connection,
    until: Instant,
}

/// What is ready.
#[derive(Default)]
struct Ready {
    listener: bool,
    bell: bool,
    control: bool,
    guests: Vec<usize>,
}

impl<P> Server<P> {
    fn turn(&mut self) -> io::Result<()> {
        let ready = self.wait()?;
        if ready.bell {
            let _ = rustix::io::read(&*self.workers.bell, &mut [0; 8]);
        }
        self.pass_tidings();
        // Here and nowhere later: commands left in the decoder are taken as soon as the orders before them are.
        self.pass_orders()?;
        self.hear_control(ready.control)?;
        // From the last to the first, so that the places of the others hold.
        for place in ready.guests.into_iter().rev() {
            self.hear_guest(place)?;
        }
        let now = SystemClock.now();
        self.guests.retain(|guest| guest.until > now);
        if ready.listener {
            self.accept()?;
        }
        self.pass_orders()?;
        self.pass_events();
        self.wake_workers();
        if let Some(Err(ended)) = self.control.as_mut().map(Connection::flush) {
            self.control_ended(&ended);
        }
        Ok(())
    }

    fn wait(&self) -> io::Result<Ready> {
        let now = SystemClock.now();
        let patience = self
            .guests
            .iter()
            .map(|guest| guest.until.saturating_duration_since(now))
            .min();
        let patience = if self.shards.is_behind() {
            Some(AGAIN)
        } else {
            patience
        };
        let patience = patience.map(|patience| Timespec {
            tv_sec: patience.as_secs() as i64,
            tv_nsec: (patience.as_micros() % 1_000_000 * 1_000) as i64,
        });
        let bell: &OwnedFd = &self.workers.bell;
        let mut watched = vec![
            PollFd::new(&self.listener, PollFlags::IN),
            PollFd::new(bell, PollFlags::IN),
        ];
        for guest in &self.guests {
            watched.push(PollFd::new(guest.connection.stream(), PollFlags::IN));
        }
        if let Some(control) = &self.control {
            let mut wanted = PollFlags::empty();
            wanted.set(PollFlags::IN, !self.shards.is_behind());
            wanted.set(PollFlags::OUT, control.has_output());
            watched.push(PollFd::new(control.stream(), wanted));
        }
        match poll(&mut watched, patience.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(Ready::default()),
            Err(error) => return Err(error.into()),
        }
        let is_ready = |watched: &PollFd<'_>| !watched.revents().is_empty();
        let (fixed, connections) = watched.split_at(2);
        let (guests, control) = connections.split_at(self.guests.len());
        Ok(Ready {
            listener: is_ready(&fixed[0]),
            bell: is_ready(&fixed[1]),
            control: control.first().is_some_and(is_ready),
            guests: guests
                .iter()
                .enumerate()
                .filter(|(_, guest)| is_ready(guest))
                .map(|(place, _)| place)
                .collect(),
        })
    }

    /// Hears what the workers tell.
    fn pass_tidings(&mut self) {
        for (worker, lane) in (0_u8..).zip(&mut self.workers.lanes) {
            let mut count = 0;
            while let Ok(tiding) = lane.tidings.pop() {
                count += 1;
                self.shards.hear(worker, tiding);
            }
            if count >= MANY {
                lane.waker.wake();
            }
        }
        self.pass_events();
    }

    /// Tells control what there is to tell.
    fn pass_events(&mut self) {
        while let Some(event) = self.shards.poll() {
            let Some(control) = self.control.as_mut() else {
                continue;
            };
            if let Err(ended) = control.say(&event) {
                self.control_ended(&ended);
            }
        }
    }

    /// Takes the control's commands, as long as the workers take them too, and reads more where there is more.
    fn hear_control(&mut self, is_readable: bool) -> io::Result<()> {
        let mut may_read = is_readable;
        let hello = self.hello();
        while !self.shards.is_behind() {
            let Some(control) = &mut self.control else {
                return Ok(());
            };
            let heard = match control.command() {
                // A second hello says nothing new.
                Ok(Some(Command::Hello { .. })) => control.say(&hello),
                Ok(Some(command)) => {
                    self.shards.command(command);
                    self.pass_orders()?;
                    Ok(())
                }
                Ok(None) if may_read => {
                    may_read = false;
                    control.read()
                }
                Ok(None) => return Ok(()),
                Err(ended) => Err(ended),
            };
            if let Err(ended) = heard {
                self.control_ended(&ended);
            }
        }
        Ok(())
    }

    fn control_ended(&mut self, ended: &Ended) {
        if self.control.take().is_some() {
            tracing::warn!(%ended, "control is gone; streams go on");
            self.shards.left();
        }
    }

    fn hear_guest(&mut self, place: usize) -> io::Result<()> {
        let connection = &mut self.guests[place].connection;
        let said = connection.read().and_then(|()| connection.command());
        match said {
            Ok(None) => {}
            Ok(Some(Command::Hello { version })) => {
                let Guest { mut connection, .. } = self.guests.swap_remove(place);
                let certificate = Event::Certificate(self.workers.certificate);
                let workers = Event::Workers(self.shards.workers());
                let greeting = connection
                    .say(&self.hello())
                    .and_then(|()| match version {
                        VERSION => connection
                            .say(&certificate)
                            .and_then(|()| connection.say(&workers)),
                        _ => Ok(()),
                    })
                    .and_then(|()| connection.flush());
                if version != VERSION {
                    tracing::error!(theirs = %version, ours = %VERSION, "a control of another version was shown out");
                } else if greeting.is_ok() {
                    self.install(connection)?;
                }
            }
            Ok(Some(_)) | Err(_) => {
                self.guests.swap_remove(place);
                tracing::warn!("somebody who is no control was shown out");
            }
        }
        Ok(())
    }

    /// Makes a connection the control, in the place of any before.
    fn install(&mut self, connection: Connection) -> io::Result<()> {
        if self.control.replace(connection).is_some() {
            tracing::warn!("another control has taken over");
        } else {
            tracing::info!("control is there");
        }
        self.shards.came();
        self.pass_orders()?;
        // It may have said more than hello.
        self.hear_control(true)
    }

    fn accept(&mut self) -> io::Result<()> {
        match self.listener.accept() {
            Ok((stream, _)) => self.admit(stream),
            // Whoever it was is gone already, or there are no files: no reason to end.
            Err(error) => tracing::debug!(%error, "nobody to accept"),
        }
        Ok(())
    }

    fn admit(&mut self, stream: UnixStream) {
        if self.guests.len() >= GUESTS {
            return;
        }
        if let Ok(connection) = Connection::new(stream) {
            self.guests.push(Guest {
                connection,
                until: SystemClock.now() + HELLO_TIME,
            });
        }
    }

    fn hello(&self) -> Event {
        Event::Hello {
            version: VERSION,
            pid: self.pid,
            capacity: self.capacity,
        }
    }

    /// Gives the orders that wait, as far as the workers have room. It never waits itself: a worker could be waiting for us.
    fn pass_orders(&mut self) -> io::Result<()> {
        for (worker, lane) in self.workers.lanes.iter_mut().enumerate() {
            let orders = self.shards.orders(worker);
            if orders.is_empty() {
                continue;
            }
            if lane.orders.is_abandoned() {
                return Err(io::Error::other("a worker is gone"));
            }
            while let Some(order) = orders.pop_front() {
                if let Err(PushError::Full(order)) = lane.orders.push(order) {
                    orders.push_front(order);
                    break;
                }
                lane.given = true;
            }
        }
        Ok(())
    }

    /// Once a turn is enough.
    fn wake_workers(&mut self) {
        for lane in &mut self.workers.lanes {
            if std::mem::take(&mut lane.given) {
                lane.waker.wake();
            }
        }
    }
}
