//! Control's end of the conversation with media: connects, says hello, carries commands one way and events the other.
//!
//! While media is away commands are dropped, not kept: when it is back the core tells it anew all that it should hold, and
//! an old command among them would be wrong. Commands given in one turn leave in one write.
//!
//! Not here: what to tell media, or what its events mean (`call`).

use std::future::{pending, poll_fn};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use media_api::{Command, Decoder, Event, VERSION, encode};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::watch::watch;

/// Between two tries to connect, from the first to all later ones.
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// Media answers a hello at once or is not well.
const HELLO_TIME: Duration = Duration::from_secs(2);
/// What may wait for media to read; beyond it media does not read any more.
const BOUND: usize = 16 * 1024 * 1024;
/// Read at once.
const READ: usize = 64 * 1024;

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

/// The link. Lives on a local runtime.
#[derive(Debug)]
pub struct MediaLink {
    /// Told each time that another connection is wanted.
    wanted: mpsc::Sender<()>,
    greeted: mpsc::Receiver<Conversation>,
    conversation: Option<Conversation>,
    buffer: Vec<u8>,
}

impl MediaLink {
    /// Begins to connect to the socket at `path`, and goes on whenever the connection is lost.
    #[must_use]
    pub fn start(path: PathBuf) -> Self {
        let (wanted, wants) = mpsc::channel(1);
        let (greet, greeted) = mpsc::channel(1);
        tokio::task::spawn_local(connect(path, wants, greet));
        // There is room for the first.
        let _ = wanted.try_send(());
        Self {
            wanted,
            greeted,
            conversation: None,
            buffer: vec![0; READ],
        }
    }

    /// Whether media is there.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.conversation.is_some()
    }

    /// Gives a command, if media is there to take it. It leaves with the next [`MediaLink::flush`].
    pub fn send(&mut self, command: &Command) {
        let Some(conversation) = &mut self.conversation else {
            return;
        };
        if let Err(error) = encode(command, &mut conversation.outgoing) {
            tracing::error!(%error, "a command to media cannot be sent");
        }
    }

    /// Hands the commands given so far to the kernel; what it does not take now leaves later by itself.
    pub fn flush(&mut self) {
        if let Some(conversation) = &mut self.conversation {
            // A connection that cannot be written to is found broken by the next read.
            let _ = conversation.flush();
        }
    }

    /// Waits for news and puts what there is into `batch`. May be dropped while it waits.
    pub async fn next(&mut self, batch: &mut Vec<News>) {
        let Some(conversation) = &mut self.conversation else {
            match self.greeted.recv().await {
                Some(conversation) => {
                    batch.extend([News::Up, News::Event(conversation.hello.clone())]);
                    self.conversation = Some(conversation);
                }
                // The task that connects has ended, and with it the program soon.
                None => pending().await,
            }
            return;
        };
        let buffer = &mut self.buffer;
        let outcome = poll_fn(|context| conversation.poll(context, buffer, batch)).await;
        if let Err(error) = outcome {
            tracing::warn!(%error, "media is gone");
            self.conversation = None;
            batch.push(News::Down);
            // Wanted already: then it comes.
            let _ = self.wanted.try_send(());
        }
    }
}

/// A connection on which both have said hello.
#[derive(Debug)]
struct Conversation {
    hello: Event,
    decoder: Decoder<Event>,
    outgoing: Vec<u8>,
    /// Heard of when it can be read, and then alone: that commands have left is no reason to wake up.
    stream: AsyncFd<UnixStream>,
    /// The same, to hear when it can be written again; there only while it cannot.
    blocked: Option<AsyncFd<UnixStream>>,
}

impl Conversation {
    fn flush(&mut self) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match self.stream.get_ref().write(&self.outgoing) {
                Ok(count) => drop(self.outgoing.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.outgoing.len() > BOUND {
                        return Err(io::Error::other("media does not read"));
                    }
                    if self.blocked.is_none() {
                        let same = self.stream.get_ref().try_clone()?;
                        self.blocked = Some(watch(same, Interest::WRITABLE)?);
                    }
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.blocked = None;
        Ok(())
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
        batch: &mut Vec<News>,
    ) -> Poll<io::Result<()>> {
        while let Some(blocked) = &self.blocked {
            let Poll::Ready(guard) = blocked.poll_write_ready(context) else {
                break;
            };
            // Before the try: room that comes after it is told anew.
            guard?.clear_ready();
            self.flush()?;
        }
        loop {
            while let Some(event) = self.decoder.poll().map_err(io::Error::other)? {
                batch.push(News::Event(event));
            }
            if !batch.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let mut guard = ready!(self.stream.poll_read_ready(context))?;
            match guard.try_io(|stream| stream.get_ref().read(buffer)) {
                Ok(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Ok(Ok(count)) => {
                    // Fewer than there was room for: there is no more now, and what comes will say so.
                    if count < buffer.len() {
                        guard.clear_ready();
                    }
                    self.decoder.push(&buffer[..count]);
                }
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

/// Connects once for each time it is wanted, however long that takes.
async fn connect(path: PathBuf, mut wants: mpsc::Receiver<()>, greet: mpsc::Sender<Conversation>) {
    while wants.recv().await.is_some() {
        let mut wait = FIRST_WAIT;
        let conversation = loop {
            match hello(&path).await {
                Ok(conversation) => break conversation,
                // Media may be starting; that it is not there is said once, when it goes.
                Err(error) => tracing::debug!(%error, "no media yet"),
            }
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        };
        if greet.send(conversation).await.is_err() {
            return;
        }
    }
}

async fn hello(path: &Path) -> io::Result<Conversation> {
    let mut stream = tokio::net::UnixStream::connect(path).await?;
    let mut hello = Vec::new();
    encode(&Command::Hello { version: VERSION }, &mut hello).map_err(io::Error::other)?;
    stream.write_all(&hello).await?;
    let mut decoder = Decoder::new();
    let answer = timeout(HELLO_TIME, one(&mut stream, &mut decoder)).await??;
    if !matches!(answer, Event::Hello { version, .. } if version == VERSION) {
        tracing::error!(?answer, ours = ?VERSION, "media speaks another version");
        return Err(io::ErrorKind::Unsupported.into());
    }
    let stream = watch(stream.into_std()?, Interest::READABLE)?;
    Ok(Conversation {
        hello: answer,
        decoder,
        outgoing: Vec::new(),
        stream,
        blocked: None,
    })
}

async fn one(
    stream: &mut tokio::net::UnixStream,
    decoder: &mut Decoder<Event>,
) -> io::Result<Event> {
    let mut buffer = [0; 1024];
    loop {
        if let Some(event) = decoder.poll().map_err(io::Error::other)? {
            return Ok(event);
        }
        match stream.read(&mut buffer).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => decoder.push(&buffer[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::net::{UnixListener, UnixStream};
    use tokio::runtime::LocalOptions;

    use super::*;

    fn socket(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("postern-{}-{name}.sock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
            .expect("a runtime");
        runtime.block_on(test);
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

    async fn next(link: &mut MediaLink) -> Vec<News> {
        link.flush();
        let mut batch = Vec::new();
        timeout(Duration::from_secs(5), link.next(&mut batch))
            .await
            .expect("news");
        batch
    }

    /// Media has come, and said so.
    async fn up(link: &mut MediaLink) {
        assert!(matches!(
            next(link).await[..],
            [News::Up, News::Event(Event::Hello { .. })]
        ));
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
            up(&mut link).await;
            link.send(&Command::Ping);
            link.flush();
            assert_eq!(
                media.hear().await,
                Command::Ping,
                "and not the List of before"
            );
            media.say(&Event::Pong).await;
            assert!(matches!(
                next(&mut link).await[..],
                [News::Event(Event::Pong)]
            ));

            drop(media);
            assert!(matches!(next(&mut link).await[..], [News::Down]));
            link.send(&Command::List);
            let mut media = Peer::greet(&listener).await;
            up(&mut link).await;
            link.send(&Command::Ping);
            link.flush();
            assert_eq!(media.hear().await, Command::Ping);
        });
    }

    #[test]
    fn media_that_is_slow_to_read_gets_every_command_in_the_end() {
        const MANY: u32 = 200_000;
        run(async {
            let path = socket("slow");
            let listener = listen(&path);
            let mut link = MediaLink::start(path);
            let mut media = Peer::greet(&listener).await;
            up(&mut link).await;
            for _ in 0..MANY {
                link.send(&Command::Ping);
            }
            link.send(&Command::List);
            link.flush();
            let heard = tokio::task::spawn_local(async move {
                let mut pings = 0;
                while media.hear().await == Command::Ping {
                    pings += 1;
                }
                media.say(&Event::Pong).await;
                pings
            });
            assert!(matches!(
                next(&mut link).await[..],
                [News::Event(Event::Pong)]
            ));
            assert_eq!(heard.await.expect("no panic"), MANY);
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
            up(&mut link).await;
            assert!(matches!(next(&mut link).await[..], [News::Down]));
            Peer::greet(&listener).await;
            up(&mut link).await;
        });
    }
}
