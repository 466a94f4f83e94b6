//! What is known of a call at a glance: what lists show and searches look at.
//!
//! Not here: its items.

use serde::{Deserialize, Serialize};

use super::item::{CallNumber, Micros};

/// A call at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The call.
    pub call: CallNumber,
    /// When its INVITE came.
    pub began: Micros,
    /// When it was over; zero while it is not.
    pub ended: Micros,
    /// Trunk of the caller.
    pub from_trunk: String,
    /// Trunk of the callee, the last one tried.
    pub to_trunk: Option<String>,
    /// Whose call it is.
    pub tenant: Option<String>,
    /// Calling number, as received.
    pub caller: String,
    /// Called number, as received.
    pub called: String,
    /// The word of why it ended; empty while it has not.
    pub ending: String,
    /// The SIP status that the caller saw, where there was one.
    pub status: Option<u16>,
    /// Seconds from the answer to the end.
    pub duration: u32,
    /// The worst mean opinion score of any leg and direction, in hundredths.
    pub opinion: Option<u16>,
    /// Microsoft's correlation id, where Teams gave one.
    pub correlation: Option<String>,
    /// Call-ID of each leg, by its number.
    pub call_ids: Vec<String>,
}

impl Summary {
    /// A call that has just begun.
    #[must_use]
    pub fn of(call: CallNumber, began: Micros) -> Self {
        Self {
            call,
            began,
            ended: Micros(0),
            from_trunk: String::new(),
            to_trunk: None,
            tenant: None,
            caller: String::new(),
            called: String::new(),
            ending: String::new(),
            status: None,
            duration: 0,
            opinion: None,
            correlation: None,
            call_ids: Vec::new(),
        }
    }
}
