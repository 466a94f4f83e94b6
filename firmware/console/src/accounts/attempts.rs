//! How often somebody may be wrong: after a few wrong passwords the next must wait, longer each time.
//!
//! Counted by name and address, so that a stranger who guesses does not lock the owner out at another address, and by address
//! alone, so that he does not go through the names.
//!
//! Not here: whether a password is right.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use store::Wall;

/// Wrong passwords that cost nothing, of one name and of one address.
const FREE: u32 = 5;
const FREE_OF_ADDRESS: u32 = 20;

/// Seconds to wait after the next; each further one doubles it.
const FIRST_WAIT: u64 = 10;
const LONGEST_WAIT: u64 = 15 * 60;

/// Whoever has been quiet so long begins anew.
const FORGOTTEN: u64 = 60 * 60;

/// Remembered at most; beyond it the oldest go.
const MOST: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Whose {
    Name(String, IpAddr),
    Address(IpAddr),
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Wall,
}

/// Wrong attempts of late.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<Whose, Failures>>);

impl Attempts {
    /// Seconds until this name may be tried again from this address; `None` if at once.
    pub(crate) fn wait(&self, name: &str, from: IpAddr, now: Wall) -> Option<u64> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        whose(name, from)
            .into_iter()
            .filter_map(|(whose, free)| {
                let failures = failures.get(&whose)?;
                let over = failures.count.checked_sub(free)?;
                let wait = FIRST_WAIT
                    .saturating_mul(1 << over.min(10))
                    .min(LONGEST_WAIT);
                (failures.last.0 + wait).checked_sub(now.0)
            })
            .filter(|wait| *wait > 0)
            .max()
    }

    /// It was wrong.
    pub(crate) fn failed(&self, name: &str, from: IpAddr, now: Wall) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, failures| failures.last.0 + FORGOTTEN > now.0);
        if failures.len() >= MOST {
            let oldest = failures.iter().min_by_key(|(_, failures)| failures.last);
            if let Some(oldest) = oldest.map(|(whose, _)| whose.clone()) {
                failures.remove(&oldest);
            }
        }
        for (whose, _) in whose(name, from) {
            let entry = failures.entry(whose).or_insert(Failures {
                count: 0,
                last: now,
            });
            entry.count = entry.count.saturating_add(1);
            entry.last = now;
        }
    }

    /// It was right.
    pub(crate) fn succeeded(&self, name: &str, from: IpAddr) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(&Whose::Name(name.to_owned(), from));
    }
}

fn whose(name: &str, from: IpAddr) -> [(Whose, u32); 2] {
    [
        (Whose::Name(name.to_owned(), from), FREE),
        (Whose::Address(from), FREE_OF_ADDRESS),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_guesses_waits_longer_and_longer_and_others_do_not() {
        let attempts = Attempts::default();
        let (here, there) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        for _ in 0..5 {
            assert_eq!(attempts.wait("ana", here, Wall(100)), None);
            attempts.failed("ana", here, Wall(100));
        }
        assert_eq!(attempts.wait("ana", here, Wall(100)), Some(10));
        assert_eq!(
            attempts.wait("ana", there, Wall(100)),
            None,
            "the owner elsewhere"
        );
        assert_eq!(attempts.wait("ana", here, Wall(110)), None);
        attempts.failed("ana", here, Wall(110));
        assert_eq!(attempts.wait("ana", here, Wall(110)), Some(20));
        for _ in 0..40 {
            attempts.failed("ana", here, Wall(200));
        }
        assert_eq!(attempts.wait("ana", here, Wall(200)), Some(15 * 60));
        assert_eq!(
            attempts.wait("bea", here, Wall(200)),
            Some(15 * 60),
            "he goes through the names"
        );
        attempts.failed("bea", there, Wall(200 + FORGOTTEN));
        assert_eq!(attempts.wait("ana", here, Wall(200 + FORGOTTEN)), None);
    }
}
