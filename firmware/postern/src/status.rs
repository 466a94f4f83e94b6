//! `postern status`: asks the running control one question and prints its answer.
//!
//! The answer is one line of JSON, as control gave it, so that programs can read it as well as people.
//!
//! Not here: what is in it (`call::api`).

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::run_dir::RunDir;

/// Control answers at once or not at all.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks `question`, a line of JSON, of the control in `run`.
///
/// # Errors
/// Where no control listens there, or it does not answer.
pub fn ask(run: &RunDir, question: &str) -> io::Result<String> {
    let mut control = UnixStream::connect(run.control_socket())?;
    control.set_read_timeout(Some(PATIENCE))?;
    writeln!(control, "{question}")?;
    let mut answer = String::new();
    if BufReader::new(control).read_line(&mut answer)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(answer.trim_end().to_owned())
}
