//! Processor time of a whole call, INVITE to BYE with SDP, beside kamailio as a stateful proxy under the same SIPp load.
//!
//! Five interleaved pairs; ours counts all processes of the box, theirs all of kamailio's. Then ten thousand calls, after which nothing may be
//! left. SIPp and kamailio are Debian's.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::process::{Started, family, used};
use crate::report::{beside, line, median};

const PAIRS: usize = 5;
const CALLS: u32 = 2_000;
const RATE: u32 = 200;
const LEFT: u32 = 10_000;

const BOX_PORT: u16 = 15_060;
const KAMAILIO_PORT: u16 = 15_081;
const UAS_PORT: u16 = 15_091;
const UAC_PORT: u16 = 15_092;

/// All cases of the box as a whole.
pub(crate) fn measure() -> Result<(), Box<dyn Error>> {
    let place = std::env::temp_dir().join(format!("postern-bench-{}", std::process::id()));
    fs::create_dir_all(&place)?;
    let measured = measure_in(&place);
    let _ = fs::remove_dir_all(&place);
    measured
}

fn measure_in(place: &Path) -> Result<(), Box<dyn Error>> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    {
        let the_box = start_box(place)?;
        let kamailio = start_kamailio(place)?;
        for _ in 0..PAIRS {
            ours.push(load(place, BOX_PORT, the_box.id(), CALLS)?);
            theirs.push(load(place, KAMAILIO_PORT, kamailio.id(), CALLS)?);
        }
    }
    beside(
        "b2bua-udp",
        median(&mut ours),
        "us/call",
        "kamailio",
        median(&mut theirs),
    );
    let the_box = start_box(place)?;
    load(place, BOX_PORT, the_box.id(), LEFT)?;
    line("calls-left-behind", left_behind(place)?, "calls");
    Ok(())
}

/// Microseconds a call of all processes of `pid`.
fn load(place: &Path, port: u16, pid: u32, calls: u32) -> Result<f64, Box<dyn Error>> {
    let total = || family(pid).into_iter().map(used).sum::<Result<f64, _>>();
    let many = calls.to_string();
    let mut answers = sipp(place, UAS_PORT, "127.0.0.22", &["-sn", "uas", "-m", &many])?;
    let before = total()?;
    let target = format!("127.0.0.1:{port}");
    let rate = RATE.to_string();
    let mut places = sipp(
        place,
        UAC_PORT,
        "127.0.0.21",
        &[
            "-sn",
            "uac",
            "-s",
            "13125550100",
            "-m",
            &many,
            "-r",
            &rate,
            &target,
        ],
    )?;
    if !places.wait()? {
        return Err(format!("calls to port {port} failed").into());
    }
    let after = total()?;
    answers.wait()?;
    Ok((after - before) / f64::from(calls))
}

fn sipp(
    place: &Path,
    port: u16,
    address: &str,
    arguments: &[&str],
) -> Result<Started, Box<dyn Error>> {
    Started::new(
        Command::new("sipp")
            .current_dir(place)
            .args(["-i", address, "-p", &port.to_string(), "-nostdin"])
            .args(arguments),
    )
}

fn start_box(place: &Path) -> Result<Started, Box<dyn Error>> {
    let configuration = format!(
        r#"
version = 1
[media]
address = "127.0.0.1"
ports = "30000-49999"
[[listener]]
name = "trunks"
transport = "udp"
address = "127.0.0.1:{BOX_PORT}"
[[trunk]]
name = "caller"
kind = "carrier"
listener = "trunks"
peers = ["127.0.0.21:{UAC_PORT}"]
sources = ["127.0.0.21"]
[[trunk]]
name = "callee"
kind = "carrier"
listener = "trunks"
peers = ["127.0.0.22:{UAS_PORT}"]
sources = ["127.0.0.22"]
[[route]]
name = "out"
from = ["caller"]
send_to = ["callee"]
"#
    );
    let file = place.join("postern.toml");
    fs::write(&file, configuration)?;
    let started = Started::new(
        Command::new(beside_us("postern")?)
            .arg("run")
            .arg("--config")
            .arg(&file)
            .arg("--run")
            .arg(place.join("run")),
    )?;
    let until = Instant::now() + Duration::from_secs(20);
    while !census(place).is_ok_and(|census| census["media"] == true) {
        if Instant::now() > until {
            return Err("the box does not come up".into());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(started)
}

fn start_kamailio(place: &Path) -> Result<Started, Box<dyn Error>> {
    let file = place.join("kamailio.cfg");
    fs::write(
        &file,
        format!(
            r#"#!KAMAILIO
debug=0
log_stderror=yes
children=2
listen=udp:127.0.0.1:{KAMAILIO_PORT}
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/aarch64-linux-gnu/kamailio/modules/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
request_route {{
  if(!mf_process_maxfwd_header("10")) {{ sl_send_reply("483","Too Many Hops"); exit; }}
  $du = "sip:127.0.0.22:{UAS_PORT}";
  t_relay();
}}
"#
        ),
    )?;
    let started = Started::new(
        Command::new("kamailio")
            .arg("-f")
            .arg(&file)
            .args(["-DD", "-E", "-m", "128", "-M", "8"])
            .arg("-P")
            .arg(place.join("kamailio.pid"))
            .arg("-Y")
            .arg(place),
    )?;
    thread::sleep(Duration::from_secs(2));
    Ok(started)
}

fn census(place: &Path) -> Result<Value, Box<dyn Error>> {
    let mut control = UnixStream::connect(place.join("run").join("control.sock"))?;
    control.set_read_timeout(Some(Duration::from_secs(5)))?;
    writeln!(control, r#"{{"query":"census"}}"#)?;
    let mut text = String::new();
    BufReader::new(control).read_line(&mut text)?;
    Ok(serde_json::from_str(&text)?)
}

/// Calls, legs, dialogs and ports that are left after their last transactions have lingered.
fn left_behind(place: &Path) -> Result<f64, Box<dyn Error>> {
    let until = Instant::now() + Duration::from_secs(70);
    loop {
        let census = census(place)?;
        let left: f64 = ["calls", "legs", "dialogs", "ports", "clients", "servers"]
            .iter()
            .filter_map(|name| census[*name].as_f64())
            .sum();
        if left == 0.0 || Instant::now() > until {
            return Ok(left);
        }
        thread::sleep(Duration::from_millis(500));
    }
}

/// A program that was built with us.
fn beside_us(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    Ok(std::env::current_exe()?.with_file_name(name))
}
