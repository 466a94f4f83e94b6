//! Who may hold a connection open here, and how many.
//!
//! Sources of the trunks and strangers are counted apart, so that strangers can only starve each other: with every place
//! for strangers taken, a trunk still gets its connection at once. A [`Ticket`] holds the place and gives it back when dropped.
//!
//! Not here: what a stranger may say once connected (`call` judges each message by its source).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use super::Trusted;

/// Connections that all strangers together may hold.
const STRANGERS: usize = 512;
/// Connections that one stranger may hold.
const ONE_STRANGER: usize = 32;
/// Connections that one source of a trunk may hold: Teams opens several from each of its addresses, none opens thousands.
const ONE_TRUSTED: usize = 4096;

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// This source holds as many as one may.
    Source,
    /// Strangers hold as many as they all may.
    Strangers,
}

/// The places.
#[derive(Debug, Default)]
pub(super) struct Admission {
    trusted: RefCell<Trusted>,
    strangers: Cell<usize>,
    by_source: RefCell<HashMap<IpAddr, usize>>,
}

impl Admission {
    pub(super) fn trust(&self, trusted: Trusted) {
        *self.trusted.borrow_mut() = trusted;
    }

    pub(super) fn trusts(&self, source: IpAddr) -> bool {
        self.trusted.borrow().contains(source.to_canonical())
    }

    pub(super) fn admit(self: &Rc<Self>, source: IpAddr) -> Result<Ticket, Refusal> {
        let source = source.to_canonical();
        let trusted = self.trusts(source);
        let mut by_source = self.by_source.borrow_mut();
        let held = by_source.get(&source).copied().unwrap_or(0);
        if held >= if trusted { ONE_TRUSTED } else { ONE_STRANGER } {
            return Err(Refusal::Source);
        }
        if !trusted {
            if self.strangers.get() >= STRANGERS {
                return Err(Refusal::Strangers);
            }
            self.strangers.set(self.strangers.get() + 1);
        }
        by_source.insert(source, held + 1);
        drop(by_source);
        Ok(Ticket {
            admission: Rc::clone(self),
            source,
            stranger: !trusted,
        })
    }
}

/// A place, held.
#[derive(Debug)]
pub(super) struct Ticket {
    admission: Rc<Admission>,
    source: IpAddr,
    stranger: bool,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.stranger {
            self.admission
                .strangers
                .set(self.admission.strangers.get() - 1);
        }
        let mut by_source = self.admission.by_source.borrow_mut();
        if let Some(held) = by_source.get_mut(&self.source) {
            *held -= 1;
            if *held == 0 {
                by_source.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn admission() -> Rc<Admission> {
        let admission = Rc::new(Admission::default());
        let trunk = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
        admission.trust(Trusted::new(move |source| source == trunk));
        admission
    }

    #[test]
    fn strangers_starve_only_strangers() {
        let admission = admission();
        let mut held = Vec::new();
        for source in 0..=255 {
            for _ in 0..4 {
                held.extend(admission.admit(IpAddr::V4(Ipv4Addr::new(10, 0, 0, source))));
            }
        }
        assert_eq!(held.len(), STRANGERS);
        let late = admission.admit(IpAddr::V4(Ipv4Addr::new(10, 0, 1, 0)));
        assert_eq!(late.err(), Some(Refusal::Strangers));
        assert!(
            admission
                .admit(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9)))
                .is_ok()
        );
    }

    #[test]
    fn one_stranger_gets_a_share_and_gives_it_back() {
        let admission = admission();
        let source = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        let held: Vec<_> = (0..ONE_STRANGER)
            .map(|_| admission.admit(source).expect("within the share"))
            .collect();
        assert_eq!(admission.admit(source).err(), Some(Refusal::Source));
        drop(held);
        assert!(admission.admit(source).is_ok());
        assert!(
            admission.by_source.borrow().is_empty(),
            "nothing is kept of those who left"
        );
    }
}
