//! Memory brought near before it is used.
//!
//! A packet touches some twelve lines of memory of its streams, and with thousands of streams none of them is in the nearest cache.
//! Asked for early they arrive while there is other work; met one after the other each is waited for. One that is forgotten costs
//! as much as all of them.
//!
//! Not here: arithmetic (`srtp/simd`).
#![allow(
    unsafe_code,
    reason = "the hint is an intrinsic on a pointer; its safe twin is not to give it"
)]

/// Octets of a line of cache.
const LINE: usize = 64;

/// Asks for the memory of `value` to be brought near. A hint: nothing is read, nothing changes. Where the language has no word
/// for it, nothing is done.
#[inline]
pub fn prefetch<T>(value: &T) {
    prefetch_front(value, size_of::<T>().div_ceil(LINE));
    // What begins in the middle of a line may end in one more.
    if align_of::<T>() < LINE {
        hint(value, size_of::<T>().saturating_sub(1));
    }
}

/// The same for so many lines of memory at the front of `value`, or for all of it where it has no more.
#[inline]
pub fn prefetch_front<T>(value: &T, lines: usize) {
    for line in 0..lines.min(size_of::<T>().div_ceil(LINE)) {
        hint(value, line * LINE);
    }
}

/// `at` is an octet of the value.
#[inline]
fn hint<T>(value: &T, at: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let start = core::ptr::from_ref(value).cast::<i8>();
        // SAFETY: the address is in `value`, and a prefetch neither reads for anybody nor faults. SSE, to which it belongs, is
        // part of x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(at)) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (value, at);
}
