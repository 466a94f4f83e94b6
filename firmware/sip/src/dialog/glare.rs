//! Glare (RFC 3261 §14.1): two re-INVITEs that crossed, each answered 491, come again at different times.
//!
//! The two waits never overlap in their ranges, so the second try cannot cross too.
//! Not here: which offer is out, and what the peer offered meanwhile.

use embassy_time::Duration;

use super::Role;
use crate::token::{RngCore, Tokens};

/// How long to wait before offering again: 2.1 to 4 s for the side that made the Call-ID, 0 to 2 s for the other, in units of 10 ms.
#[must_use]
pub fn wait(role: Role, tokens: &mut Tokens) -> Duration {
    let (least, span) = match role {
        Role::Caller => (210, 191),
        Role::Callee => (0, 201),
    };
    Duration::from_millis(10 * u64::from(least + tokens.next_u32() % span))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_sides_never_wait_alike() {
        let mut tokens = Tokens::new([1; 32]);
        for _ in 0..1_000 {
            let caller = wait(Role::Caller, &mut tokens).as_millis();
            let callee = wait(Role::Callee, &mut tokens).as_millis();
            assert!((2_100..=4_000).contains(&caller), "{caller}");
            assert!((0..=2_000).contains(&callee), "{callee}");
        }
    }
}
