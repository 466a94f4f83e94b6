//! The calls of a peer, for those who look for one: kept a while, waited for.
//!
//! Not here: what becomes of a call (`mod.rs`).

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::{Call, Phase};
use crate::held::lock;

/// Calls kept; past this those that are over are forgotten.
const KEPT: usize = 500;

/// Calls in the order in which they began.
#[derive(Debug, Default)]
pub(crate) struct CallBook {
    calls: Mutex<Vec<Call>>,
    came: Notify,
}

impl CallBook {
    pub(crate) fn keep(&self, call: &Call) {
        {
            let mut calls = lock(&self.calls);
            if calls.len() >= KEPT {
                calls.retain(|call| !matches!(call.phase(), Phase::Over(_)));
            }
            calls.push(call.clone());
        }
        self.came.notify_waiters();
    }

    pub(crate) fn all(&self) -> Vec<Call> {
        lock(&self.calls).clone()
    }

    /// The youngest that fits, now or when it comes.
    pub(crate) async fn wait_for(
        &self,
        within: Duration,
        fits: impl Fn(&Call) -> bool,
    ) -> Option<Call> {
        let search = async {
            loop {
                let next = self.came.notified();
                tokio::pin!(next);
                // Enlisted before the look, so that a call which comes in between is not missed.
                next.as_mut().enable();
                let found = self.all().into_iter().rev().find(|call| fits(call));
                if let Some(call) = found {
                    return call;
                }
                next.await;
            }
        };
        timeout(within, search).await.ok()
    }
}
