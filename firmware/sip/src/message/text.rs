//! Text that shares the message's buffer: `Bytes` known to be UTF-8.
//!
//! Cloning or slicing one copies nothing. The check is made once, in [`Text::new`]; all later access trusts it.
//! Not here: what the text means, and values that may hold Latin-1 (display names, reason phrases), which stay `Bytes`.

use std::fmt;
use std::ops::{Deref, Range};
use std::str::Utf8Error;

use bytes::Bytes;

/// UTF-8 text within a message's buffer.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Text(Bytes);

impl Text {
    /// Takes bytes that are UTF-8.
    ///
    /// # Errors
    /// When they are not.
    pub fn new(bytes: Bytes) -> Result<Self, Utf8Error> {
        std::str::from_utf8(&bytes)?;
        Ok(Self(bytes))
    }

    /// Text known when compiling.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// As a string slice.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("checked in every constructor")
    }

    /// The buffer, shared.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// A part of it, sharing the buffer; empty where the range does not lie on characters within the text.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        let boundary = |at: usize| {
            self.0
                .get(at)
                .is_none_or(|byte| !(0x80..0xc0).contains(byte))
        };
        if range.start <= range.end
            && range.end <= self.0.len()
            && boundary(range.start)
            && boundary(range.end)
        {
            Self(self.0.slice(range))
        } else {
            Self::default()
        }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl From<Text> for Bytes {
    fn from(text: Text) -> Self {
        text.0
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        *self.0 == *other.as_bytes()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
