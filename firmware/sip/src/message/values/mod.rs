//! The typed values of headers, one file a family, each parsed on demand from the bytes of one value.
//!
//! All share the message's buffer: making one copies nothing, keeping one keeps the message's memory.
//!
//! Not here: which header holds which (`typed`), comma lists (`Headers::values`).

mod address;
mod auth;
mod call;
mod event;
mod media;
mod session;
mod tokens;
mod via;

pub use address::{Contacts, NameAddr};
pub use auth::Challenge;
pub use call::{CSeq, RAck, Reason, Replaces, ReplacesScope, RetryAfter};
pub use event::{Event, SubscriptionState};
pub use media::MediaType;
pub use session::{Refresher, SessionExpires};
pub use tokens::Tokens;
pub use via::Via;

use std::io::Write;

use bytes::Bytes;

use super::chars;
use super::error::ValueError;
use super::params::Params;
use super::text::Text;
use super::uri::Uri;

/// What can be written as the value of a header.
///
/// The builder ends the line itself: CR, LF and NUL in what is written become spaces, so no value can add a header.
pub trait Value {
    /// Appends the value.
    fn write(&self, out: &mut Vec<u8>);
}

macro_rules! written_as_bytes {
    ($($type:ty),+) => {
        $(impl Value for $type {
            fn write(&self, out: &mut Vec<u8>) {
                let bytes: &[u8] = self.as_ref();
                out.extend_from_slice(bytes);
            }
        })+
    };
}

written_as_bytes!(str, String, [u8], Vec<u8>, Bytes, Text);

impl<const N: usize> Value for [u8; N] {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl<T: Value + ?Sized> Value for &T {
    fn write(&self, out: &mut Vec<u8>) {
        (**self).write(out);
    }
}

impl Value for u32 {
    fn write(&self, out: &mut Vec<u8>) {
        let mut digits = [0u8; 10];
        let mut first = digits.len();
        let mut rest = *self;
        loop {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        out.extend_from_slice(&digits[first..]);
    }
}

impl Value for u8 {
    fn write(&self, out: &mut Vec<u8>) {
        u32::from(*self).write(out);
    }
}

impl Value for Uri {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_str().write(out);
    }
}

macro_rules! written_as_displayed {
    ($($type:ty),+) => {
        $(impl Value for $type {
            fn write(&self, out: &mut Vec<u8>) {
                // Writing to a Vec does not fail.
                let _ = write!(out, "{self}");
            }
        })+
    };
}

written_as_displayed!(
    CSeq,
    RAck,
    Replaces,
    Reason,
    RetryAfter,
    SessionExpires,
    Event,
    SubscriptionState,
    MediaType
);

/// What stands before the first semicolon, trimmed, and the parameters after it.
fn before_params(bytes: &Bytes) -> Result<(Text, Params), ValueError> {
    let end = chars::find_outside(bytes, b';');
    let text = |bytes| Text::new(bytes).map_err(|_| ValueError::Utf8);
    Ok((
        text(bytes.slice_ref(chars::trim(&bytes[..end])))?,
        Params::parse(text(bytes.slice(end..))?)?,
    ))
}

/// What stands between white space.
fn words(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(|&byte| chars::is_space(byte))
        .filter(|word| !word.is_empty())
}
