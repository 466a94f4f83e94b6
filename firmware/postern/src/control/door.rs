//! The door for questions: a Unix socket, one line of JSON in, one line of JSON out, as often as the caller likes.
//!
//! What can be asked is `call::api`'s; here are only lines, with a bound on their length, their number and the callers.
//!
//! Not here: the console (it will come through the same door of `call`, not through this socket).

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

/// No question is longer.
const LINE: u64 = 64 * 1024;
/// Callers at a time; more wait at the door.
const CALLERS: usize = 16;
/// A caller who says nothing makes room for others.
const SILENCE: Duration = Duration::from_secs(60);

/// A question, and where its answer goes.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) line: String,
    pub(super) answer: oneshot::Sender<String>,
}

/// Lets callers in, for ever.
pub(super) async fn serve(listener: UnixListener, questions: mpsc::Sender<Question>) {
    let places = Arc::new(tokio::sync::Semaphore::new(CALLERS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Ok((caller, _)) = listener.accept().await else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let questions = questions.clone();
        tokio::task::spawn_local(async move {
            let _place = place;
            // A caller that went away has no more questions.
            let _ = converse(caller, questions).await;
        });
    }
}

async fn converse(caller: UnixStream, questions: mpsc::Sender<Question>) -> std::io::Result<()> {
    let (reading, mut writing) = caller.into_split();
    let mut reading = BufReader::new(reading);
    loop {
        let mut line = String::new();
        let length = timeout(SILENCE, (&mut reading).take(LINE).read_line(&mut line)).await??;
        if length == 0 || !line.ends_with('\n') {
            return Ok(());
        }
        let (answer, answered) = oneshot::channel();
        if questions.send(Question { line, answer }).await.is_err() {
            return Ok(());
        }
        let Ok(mut answer) = answered.await else {
            return Ok(());
        };
        answer.push('\n');
        writing.write_all(answer.as_bytes()).await?;
    }
}
