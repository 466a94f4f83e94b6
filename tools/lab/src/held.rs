//! Locking a mutex whose holder cannot have left it in disorder: every critical section here is a few plain moves.
//!
//! A test that panics while it holds one must not make the next panic for another reason.
//!
//! Not here: locks across `await` (tokio's, where they are needed).

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
