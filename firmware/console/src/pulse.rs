//! How many calls there were of late: a sample every few seconds, for an hour, for the plot that people would rather look at.
//!
//! Not here: what happened in them (`store::trace`).

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Between two samples.
pub(crate) const EVERY: Duration = Duration::from_secs(5);

/// An hour of them.
const KEPT: usize = 720;

/// Samples, the oldest first; none where control did not answer.
#[derive(Debug, Default)]
pub(crate) struct Pulse(Mutex<VecDeque<Option<u32>>>);

impl Pulse {
    pub(crate) fn feel(&self, calls: Option<u32>) {
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() == KEPT {
            samples.pop_front();
        }
        samples.push_back(calls);
    }

    pub(crate) fn samples(&self) -> Vec<Option<u32>> {
        let samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        samples.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_kept() {
        let pulse = Pulse::default();
        for number in 0..1_000 {
            pulse.feel(Some(number));
        }
        let samples = pulse.samples();
        assert_eq!(samples.len(), KEPT);
        assert_eq!(samples.last(), Some(&Some(999)));
    }
}
