//! The thread that speaks with control.
//!
//! One connection is the control: the one that said hello last. Whoever connects is a guest until he has said hello in our
//! version; a guest who says nothing, or anything else, is shown out and the control never notices. When the control's
//! connection ends the worker is told, and the streams go on.
//!
//! Events from before a control said hello are not for it: the worker marks the place in its tidings.
//!
//! Not here: what commands do (`pipeline`), frames (`connection.rs`).

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::TrySendError;

use board::clock::SystemClock;
use embassy_time::{Duration, Instant};
use hal::Clock;
use media_api::{Command, Event, VERSION};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::connection::{Connection, Ended};
use super::worker::{Handle, Order, Tiding};

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
/// When the worker is gone, or the listener fails.
pub(super) fn serve(listener: UnixListener, worker: Handle, capacity: u32) -> io::Result<()> {
    let mut server = Server {
        listener,
        worker,
        capacity,
        control: None,
        guests: Vec::new(),
        number: 0,
        greeted: 0,
        backlog: VecDeque::new(),
        given: false,
        pid: std::process::id(),
    };
    loop {
        server.turn()?;
    }
}

struct Server {
    listener: UnixListener,
    worker: Handle,
    capacity: u32,
    control: Option<Connection>,
    guests: Vec<Guest>,
    /// Of the control that is there, or was last.
    number: u64,
    /// Of the control that tidings are for.
    greeted: u64,
    /// Orders the worker has had no room for. While there are any, control is not heard.
    backlog: VecDeque<Order>,
    /// The worker has been given orders since it was last woken: once a turn is enough.
    given: bool,
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

impl Server {
    fn turn(&mut self) -> io::Result<()> {
        let ready = self.wait()?;
        if ready.bell {
            let _ = rustix::io::read(&*self.worker.bell, &mut [0; 8]);
        }
        self.pass_tidings();
        // Here and nowhere later: commands left in the decoder are taken as soon as the backlog is gone.
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
        if std::mem::take(&mut self.given) {
            self.worker.waker.wake();
        }
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
        let patience = if self.backlog.is_empty() {
            patience
        } else {
            Some(AGAIN)
        };
        let patience = patience.map(|patience| Timespec {
            tv_sec: patience.as_secs() as i64,
            tv_nsec: (patience.as_micros() % 1_000_000 * 1_000) as i64,
        });
        let bell: &OwnedFd = &self.worker.bell;
        let mut watched = vec![
            PollFd::new(&self.listener, PollFlags::IN),
            PollFd::new(bell, PollFlags::IN),
        ];
        for guest in &self.guests {
            watched.push(PollFd::new(guest.connection.stream(), PollFlags::IN));
        }
        if let Some(control) = &self.control {
            let mut wanted = PollFlags::empty();
            wanted.set(PollFlags::IN, self.backlog.is_empty());
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

    /// Hands the worker's tidings to the control they are for.
    fn pass_tidings(&mut self) {
        let mut count = 0;
        while let Ok(tiding) = self.worker.tidings.try_recv() {
            count += 1;
            match tiding {
                Tiding::Greeted(number) => self.greeted = number,
                Tiding::Event(event) => {
                    let is_for_it = self.greeted == self.number;
                    let Some(control) = self.control.as_mut().filter(|_| is_for_it) else {
                        continue;
                    };
                    if let Err(ended) = control.say(&event) {
                        self.control_ended(&ended);
                    }
                }
            }
        }
        if count >= MANY {
            self.worker.waker.wake();
        }
    }

    /// Takes the control's commands, as long as the worker takes them too, and reads more where there is more.
    fn hear_control(&mut self, is_readable: bool) -> io::Result<()> {
        let mut may_read = is_readable;
        let hello = self.hello();
        while self.backlog.is_empty() {
            let Some(control) = &mut self.control else {
                return Ok(());
            };
            let heard = match control.command() {
                // A second hello says nothing new.
                Ok(Some(Command::Hello { .. })) => control.say(&hello),
                Ok(Some(command)) => {
                    self.order(Order::Do(command))?;
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
            self.backlog.push_back(Order::Left);
        }
    }

    fn hear_guest(&mut self, place: usize) -> io::Result<()> {
        let connection = &mut self.guests[place].connection;
        let said = connection.read().and_then(|()| connection.command());
        match said {
            Ok(None) => {}
            Ok(Some(Command::Hello { version })) => {
                let Guest { mut connection, .. } = self.guests.swap_remove(place);
                let certificate = Event::Certificate(self.worker.certificate);
                let greeting = connection
                    .say(&self.hello())
                    .and_then(|()| match version {
                        VERSION => connection.say(&certificate),
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
        self.number += 1;
        self.order(Order::Came(self.number))?;
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

    /// Gives an order behind those that wait.
    fn order(&mut self, order: Order) -> io::Result<()> {
        self.backlog.push_back(order);
        self.pass_orders()
    }

    /// Gives the orders that wait, as far as the worker has room. It never waits itself: the worker could be waiting for us.
    fn pass_orders(&mut self) -> io::Result<()> {
        while let Some(order) = self.backlog.pop_front() {
            match self.worker.orders.try_send(order) {
                Ok(()) => self.given = true,
                Err(TrySendError::Full(order)) => {
                    self.backlog.push_front(order);
                    break;
                }
                Err(TrySendError::Disconnected(_)) => {
                    return Err(io::Error::other("the worker is gone"));
                }
            }
        }
        Ok(())
    }
}
