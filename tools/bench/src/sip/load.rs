//! SIPp as caller and callee: a number of complete calls, all of which must succeed.
//!
//! The scenarios follow RFC 3261: what comes after the first answer goes to the Contact and along the Record-Route that it
//! brought, as a proxy needs and a back-to-back user agent does not mind.
//!
//! Not here: what stands between the two.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use super::bridge::Bridge;
use crate::place::{Place, free_port};
use crate::process::Process;

/// Where the caller calls from.
pub(super) const CALLER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 21);
/// Where the callee answers.
pub(super) const CALLEE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 22);

const CALLER_SCENARIO: &str = include_str!("../../assets/caller.xml");
const CALLEE_SCENARIO: &str = include_str!("../../assets/callee.xml");

/// Beside the time that the calls themselves take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Calls to be placed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) calls: u32,
    pub(super) a_second: u32,
    pub(super) holds: Duration,
}

impl Load {
    /// Places the calls through `address` to the callee's port `answers` and waits until the last has ended; behind `bridge`
    /// both speak TCP to it.
    ///
    /// # Panics
    /// Where a call fails: there is nothing to measure then.
    pub(super) fn cross(
        self,
        place: &Place,
        address: SocketAddr,
        answers: u16,
        bridge: Option<&Bridge>,
    ) {
        let _callee = callee(place, answers, bridge);
        let mut caller = self.caller(place, address, bridge);
        let takes = Duration::from_secs(u64::from(self.calls / self.a_second)) + self.holds;
        let status = caller.await_end(takes + PATIENCE);
        assert!(
            status.success(),
            "a call failed, {status}:\n{}",
            caller.log_end()
        );
    }

    /// Begins to place the calls; the process ends with the last of them.
    pub(super) fn caller(
        self,
        place: &Place,
        address: SocketAddr,
        bridge: Option<&Bridge>,
    ) -> Process {
        let scenario = place.write("caller.xml", CALLER_SCENARIO);
        let (transport, flag, to) = bridge.map_or(("UDP", "u1", address), |bridge| {
            ("TLS", "t1", bridge.calls())
        });
        Process::start(
            "caller",
            place.path(),
            sipp(CALLER, free_port(CALLER), flag)
                .arg("-sf")
                .arg(scenario)
                .args(["-key", "via", transport])
                .args(["-key", "box", &address.to_string()])
                .args(["-s", "+13125550100"])
                .args(["-m", &self.calls.to_string()])
                .args(["-r", &self.a_second.to_string()])
                .args(["-l", &self.calls.to_string()])
                .args(["-d", &self.holds.as_millis().to_string()])
                .arg(to.to_string()),
        )
    }
}

/// One that answers whatever comes to its port, or through the bridge whose port it is.
pub(super) fn callee(place: &Place, answers: u16, bridge: Option<&Bridge>) -> Process {
    let scenario = place.write("callee.xml", CALLEE_SCENARIO);
    let (port, flag, contact) = bridge.map_or_else(
        || (answers, "u1", format!("{CALLEE}:{answers}")),
        |bridge| {
            (
                bridge.callee(),
                "t1",
                format!("{CALLEE}:{answers};transport=tls"),
            )
        },
    );
    let mut process = Process::start(
        "callee",
        place.path(),
        sipp(CALLEE, port, flag)
            .arg("-sf")
            .arg(scenario)
            .args(["-key", "contact", &contact]),
    );
    process.await_ready(PATIENCE, || match bridge {
        // Another cannot have the port any more.
        None => UdpSocket::bind((CALLEE, port)).is_err(),
        Some(_) => std::net::TcpListener::bind((CALLEE, port)).is_err(),
    });
    process
}

fn sipp(address: Ipv4Addr, port: u16, transport: &str) -> Command {
    let mut sipp = Command::new("sipp");
    sipp.args(["-i", &address.to_string(), "-p", &port.to_string()])
        .args(["-t", transport, "-nostdin", "-trace_err"]);
    sipp
}
