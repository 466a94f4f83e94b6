//! The box below the planes: what the first process does, and what it hands over to them.
//!
//! - [`init`]: PID 1, from the first mount to the last unmount; wires the rest.
//! - [`mounts`], [`modules`], [`entropy`], [`data`]: how a box comes up.
//! - [`network`]: links, addresses, routes; DHCP as a machine without sockets.
//! - [`supervision`], [`confine`], [`health`], [`listening`], [`watchdog`]: who runs, with which rights, and whether all is well.
//! - [`release`], [`bundle`], [`slots`], [`update`], [`trial`]: what runs here, and how it becomes another.
//! - [`console`]: what a person at the serial port can do.
//!
//! What decides is a value fed with events and time; what acts on the machine is kept thin beside it.
//!
//! Not here: calls, and anything that speaks SIP.
#![forbid(unsafe_code)]

pub mod bundle;
pub mod confine;
pub mod console;
pub mod data;
pub mod entropy;
pub mod health;
pub mod init;
pub mod listening;
pub mod modules;
pub mod mounts;
pub mod network;
pub mod release;
pub mod slots;
pub mod supervision;
pub mod trial;
pub mod update;
pub mod watchdog;
