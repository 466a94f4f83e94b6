//! Control, as the console sees it: questions through its door, a line of JSON each way.
//!
//! A connection for each question: control may have been started anew since the last one.
//!
//! Not here: what is asked, which is `postern::control`'s to say.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Control answers at once, or is busy with something worse.
const PATIENCE: Duration = Duration::from_secs(5);

/// No answer is longer: a ladder of the longest call, or a capture of it.
const LONGEST: u64 = 64 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaneError {
    /// Control is not there, or did not answer in time.
    #[error("control does not answer: {0}")]
    Away(#[from] io::Error),
    /// What it said is not JSON.
    #[error("control has answered what cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// It would not.
    #[error("{0}")]
    Refused(String),
}

/// The way to control.
#[derive(Debug)]
pub(crate) struct Plane {
    door: PathBuf,
}

impl Plane {
    pub(crate) fn at(door: PathBuf) -> Self {
        Self { door }
    }

    /// Asks one question.
    pub(crate) async fn ask(&self, question: &Value) -> Result<Value, PlaneError> {
        let answer = timeout(PATIENCE, self.converse(question))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let answer: Value = serde_json::from_str(&answer)?;
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(PlaneError::Refused(error.to_owned())),
            None => Ok(answer),
        }
    }

    /// Asks about one thing by its word.
    pub(crate) async fn query(&self, word: &str) -> Result<Value, PlaneError> {
        self.ask(&json!({ "query": word })).await
    }

    async fn converse(&self, question: &Value) -> io::Result<String> {
        let stream = UnixStream::connect(&self.door).await?;
        let (reading, mut writing) = stream.into_split();
        writing
            .write_all(format!("{question}\n").as_bytes())
            .await?;
        let mut answer = String::new();
        let length = BufReader::new(reading.take(LONGEST))
            .read_line(&mut answer)
            .await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer)
    }
}
