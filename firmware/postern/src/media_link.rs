//! Control's end of the conversation with media: connects, says hello, carries commands one way and events the other.
//!
//! While media is away commands are dropped, not kept: when it is back the core tells it anew all that it should hold, and
//! an old command among them would be wrong. Commands given in one turn leave in one write.
//!
//! Not here: what to tell media, or what its events mean (`call`).

use std::cell::{Cell, RefCell};
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use media_api::{Command, Decoder, Event, VERSION, encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};

/// Between two tries to connect, from the first to all later ones.
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// Media answers a hello at once or is not well.
const HELLO_TIME: Duration = Duration::from_secs(2);
/// What may wait for media to read; beyond it media does not read any more.
const BOUND: usize = 16 * 1024 * 1024;
/// Events not yet taken.
const EVENTS: usize = 4096;

/// What the link tells.
#[derive(Debug)]
pub enum News {
    /// Media is there, and of our version.
    Up,
    /// It is gone.
    Down,
    /// It said something.
    Event(Event),
}

#[derive(Debug, Default)]
struct Outgoing {
    bytes: RefCell<Vec<u8>>,
    up: Cell<bool>,
    changed: Notify,
}

/// The link. Lives in a `LocalSet`.
#[derive(Debug)]
pub struct MediaLink {
    outgoing: Rc<Outgoing>,
    news: mpsc::Receiver<News>,
}

impl MediaLink {
    /// Begins to connect to the socket at `path`, and goes on whenever the connection is lost.
    #[must_use]
    pub fn start(path: PathBuf) -> Self {
        let (tell, news) = mpsc::channel(EVENTS);
        let outgoing = Rc::new(Outgoing::default());
        tokio::task::spawn_local(keep(path, Rc::clone(&outgoing), tell));
        Self { outgoing, news }
    }

    /// Whether media is there.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.outgoing.up.get()
    }

    /// Gives a command, if media is there to take it.
    pub fn send(&self, command: &Command) {
        if !self.outgoing.up.get() {
            return;
        }
        if let Err(error) = encode(command, &mut self.outgoing.bytes.borrow_mut()) {
            tracing::error!(%error, "a command to media cannot be sent");
        }
        self.outgoing.changed.notify_one();
    }

    /// Waits for news and puts what there is, at most `limit`, into `batch`. May be dropped while it waits.
    pub async fn next(&mut self, batch: &mut Vec<News>, limit: usize) {
        self.news.recv_many(batch, limit).await;
    }
}

async fn keep(path: PathBuf, outgoing: Rc<Outgoing>, tell: mpsc::Sender<News>) {
    let mut wait = FIRST_WAIT;
    loop {
        match greet(&path).await {
            Ok((reading, writing, decoder, hello)) => {
                wait = FIRST_WAIT;
                outgoing.bytes.borrow_mut().clear();
                outgoing.up.set(true);
                for news in [News::Up, News::Event(hello)] {
                    if tell.send(news).await.is_err() {
                        return;
                    }
                }
                let error = tokio::select! {
                    error = hear(reading, decoder, &tell) => error,
                    error = say(writing, &outgoing) => error,
                };
                outgoing.up.set(false);
                tracing::warn!(%error, "media is gone");
                if tell.send(News::Down).await.is_err() {
                    return;
                }
            }
            // Media may be starting; that it is not there is said once, when it goes.
            Err(error) => tracing::debug!(%error, "no media yet"),
        }
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

type Greeted = (OwnedReadHalf, OwnedWriteHalf, Decoder<Event>, Event);

async fn greet(path: &PathBuf) -> io::Result<Greeted> {
    let (mut reading, mut writing) = UnixStream::connect(path).await?.into_split();
    let mut hello = Vec::new();
    encode(&Command::Hello { version: VERSION }, &mut hello).map_err(io::Error::other)?;
    writing.write_all(&hello).await?;
    let mut decoder = Decoder::new();
    let answer = timeout(HELLO_TIME, one(&mut reading, &mut decoder)).await??;
    match answer {
        Event::Hello { version, .. } if version == VERSION => {
            Ok((reading, writing, decoder, answer))
        }
        other => {
            tracing::error!(?other, ours = ?VERSION, "media speaks another version");
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}

async fn one(reading: &mut OwnedReadHalf, decoder: &mut Decoder<Event>) -> io::Result<Event> {
    let mut buffer = [0; 1024];
    loop {
        if let Some(event) = decoder.poll().map_err(io::Error::other)? {
            return Ok(event);
        }
        match reading.read(&mut buffer).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => decoder.push(&buffer[..count]),
        }
    }
}

async fn hear(
    mut reading: OwnedReadHalf,
    mut decoder: Decoder<Event>,
    tell: &mpsc::Sender<News>,
) -> io::Error {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        loop {
            match decoder.poll() {
                Ok(Some(event)) => {
                    if tell.send(News::Event(event)).await.is_err() {
                        return io::ErrorKind::ConnectionAborted.into();
                    }
                }
                Ok(None) => break,
                Err(error) => return io::Error::other(error),
            }
        }
        match reading.read(&mut buffer).await {
            Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
            Ok(count) => decoder.push(&buffer[..count]),
            Err(error) => return error,
        }
    }
}

async fn say(mut writing: OwnedWriteHalf, outgoing: &Outgoing) -> io::Error {
    let mut bytes = Vec::new();
    loop {
        outgoing.changed.notified().await;
        loop {
            std::mem::swap(&mut bytes, &mut *outgoing.bytes.borrow_mut());
            if bytes.is_empty() {
                break;
            }
            if bytes.len() > BOUND {
                return io::Error::other("media does not read");
            }
            if let Err(error) = writing.write_all(&bytes).await {
                return error;
            }
            bytes.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::net::UnixListener;
    use tokio::task::LocalSet;

    use super::*;

    fn socket(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("postern-{}-{name}.sock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        LocalSet::new().block_on(&runtime, test);
    }

    /// Media's end, as the contract says it.
    struct Peer {
        stream: UnixStream,
        decoder: Decoder<Command>,
    }

    impl Peer {
        async fn accept(listener: &UnixListener) -> Self {
            Self {
                stream: listener.accept().await.expect("control connects").0,
                decoder: Decoder::new(),
            }
        }

        async fn hear(&mut self) -> Command {
            loop {
                if let Some(command) = self.decoder.poll().expect("a frame") {
                    return command;
                }
                let mut buffer = [0; 256];
                let count = self.stream.read(&mut buffer).await.expect("read");
                assert_ne!(count, 0, "control has closed");
                self.decoder.push(&buffer[..count]);
            }
        }

        async fn say(&mut self, event: &Event) {
            let mut bytes = Vec::new();
            encode(event, &mut bytes).expect("fits");
            self.stream.write_all(&bytes).await.expect("written");
        }

        async fn greet(listener: &UnixListener) -> Self {
            let mut peer = Self::accept(listener).await;
            assert_eq!(peer.hear().await, Command::Hello { version: VERSION });
            peer.say(&Event::Hello {
                version: VERSION,
                pid: 1,
                capacity: 1,
            })
            .await;
            peer
        }
    }

    async fn next(link: &mut MediaLink) -> News {
        let mut batch = Vec::new();
        timeout(Duration::from_secs(5), link.next(&mut batch, 1))
            .await
            .expect("news");
        batch.pop().expect("one")
    }

    fn listen(path: &Path) -> UnixListener {
        UnixListener::bind(path).expect("a socket")
    }

    #[test]
    fn media_that_dies_is_found_again_and_old_commands_do_not_reach_the_new_one() {
        run(async {
            let path = socket("again");
            let mut link = MediaLink::start(path.clone());
            link.send(&Command::List);
            let listener = listen(&path);
            let mut media = Peer::greet(&listener).await;
            assert!(matches!(next(&mut link).await, News::Up));
            assert!(matches!(
                next(&mut link).await,
                News::Event(Event::Hello { .. })
            ));
            link.send(&Command::Ping);
            assert_eq!(
                media.hear().await,
                Command::Ping,
                "and not the List of before"
            );
            media.say(&Event::Pong).await;
            assert!(matches!(next(&mut link).await, News::Event(Event::Pong)));

            drop(media);
            assert!(matches!(next(&mut link).await, News::Down));
            link.send(&Command::List);
            let mut media = Peer::greet(&listener).await;
            assert!(matches!(next(&mut link).await, News::Up));
            link.send(&Command::Ping);
            assert_eq!(media.hear().await, Command::Ping);
        });
    }

    #[test]
    fn media_that_talks_rubbish_is_left_and_tried_again() {
        run(async {
            let path = socket("rubbish");
            let listener = listen(&path);
            let mut link = MediaLink::start(path);
            let mut media = Peer::greet(&listener).await;
            media.stream.write_all(&[0xff; 64]).await.expect("written");
            assert!(matches!(next(&mut link).await, News::Up));
            assert!(matches!(
                next(&mut link).await,
                News::Event(Event::Hello { .. })
            ));
            assert!(matches!(next(&mut link).await, News::Down));
            Peer::greet(&listener).await;
            assert!(matches!(next(&mut link).await, News::Up));
        });
    }
}
