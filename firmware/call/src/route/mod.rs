//! Where a call goes: who calls whom on whose behalf, which route takes it, what is tried in which order, and whether there is room.
//!
//! ```text
//! INVITE ─► Attempt ─► choose ─► Decision ─► Hunt ─► Target, Target, … (until one answers or the cause forbids another)
//!           numbers     route      kept        ▲
//!           as meant    by rules               └── failure of the last target
//! ```
//!
//! * [`Attempt`]: the numbers as the configuration understands them, and the tenant.
//! * [`choose`]: the first route that takes the call; [`explain`] is the same code, told aloud.
//! * [`translate`]: number rules and header rules.
//! * [`hunt`]: the order of targets, by weight, and what may follow which failure (INV-13, INV-14).
//! * [`limit`]: concurrent calls and calls per second of the box, a tenant, a trunk.
//!
//! Everything here is a value or a function of values: the snapshot and the time come in as arguments, and nothing is sent.

pub mod attempt;
pub mod choose;
pub mod explain;
pub mod hunt;
pub mod limit;
pub mod translate;

pub use attempt::{Attempt, Caller, NoNumber, Presentation};
pub use choose::{Decision, Refusal, choose};
pub use explain::{Explanation, explain};

#[cfg(test)]
mod tests;
