//! What a restarted control needs to go on with the calls of the one before.
//!
//! A call is written when it is answered and whenever its parties or its media change, and struck out when it is over. An image
//! holds both legs: dialog, session timer, negotiation (keys and versions included), stream and port. The streams themselves go on in
//! the media plane meanwhile. Images contain SRTP keys: the rim must keep them where only this program can read.

use serde::{Deserialize, Serialize};
use sip::dialog::{DialogImage, SessionTimerImage};

use crate::api::CallId;
use crate::media::negotiate::NegotiationImage;
use crate::route::limit::Ticket;

/// One entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Record {
    /// A call as it stands, in place of what was written of it before.
    Call(Box<CallImage>),
    /// The call is over.
    Over(CallId),
}

/// A call whose two parties talk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CallImage {
    pub(crate) id: CallId,
    pub(crate) caller: String,
    pub(crate) called: String,
    pub(crate) correlation: Option<String>,
    /// Seconds since 1970-01-01 UTC: the other clock starts anew with the process.
    pub(crate) answered: u64,
    /// What it counts as against the limits.
    pub(crate) ticket: Option<Ticket>,
    pub(crate) legs: [LegImage; 2],
}

impl CallImage {
    /// The call.
    #[must_use]
    pub const fn id(&self) -> CallId {
        self.id
    }
}

/// One leg.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LegImage {
    /// By name: ids are not those of the configuration then.
    pub(crate) trunk: String,
    pub(crate) user: String,
    pub(crate) stream: u64,
    pub(crate) port: u16,
    pub(crate) dialog: DialogImage,
    pub(crate) timer: SessionTimerImage,
    pub(crate) negotiation: NegotiationImage,
}

/// The calls that a sequence of records leaves standing.
#[must_use]
pub fn standing(records: impl IntoIterator<Item = Record>) -> Vec<CallImage> {
    let mut calls: std::collections::BTreeMap<CallId, CallImage> =
        std::collections::BTreeMap::new();
    for record in records {
        match record {
            Record::Call(image) => {
                calls.insert(image.id, *image);
            }
            Record::Over(id) => {
                calls.remove(&id);
            }
        }
    }
    calls.into_values().collect()
}
