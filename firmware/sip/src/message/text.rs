//! Text that shares the message's buffer: `Bytes` known to be UTF-8.
//!
//! Cloning or slicing one copies nothing. The check is made once, in [`Text::new`]; all later access trusts it, which takes a
//! line of unsafe code that `bytestring` has written and we have not.
//! Not here: what the text means, and values that may hold Latin-1 (display names, reason phrases), which stay `Bytes`.

use std::fmt;
use std::ops::{Deref, Range};
use std::str::Utf8Error;

use bytes::Bytes;
use bytestring::ByteString;

/// UTF-8 text within a message's buffer.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Text(ByteString);

impl Text {
    /// Takes bytes that are UTF-8.
    ///
    /// # Errors
    /// When they are not.
    pub fn new(bytes: Bytes) -> Result<Self, Utf8Error> {
        ByteString::try_from(bytes).map(Self)
    }

    /// Text known when compiling.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(ByteString::from_static(text))
    }

    /// As a string slice.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The buffer, shared.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        self.0.as_bytes()
    }

    /// A part of it, sharing the buffer; empty where the range does not lie on characters within the text.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        let part = self.0.get(range).unwrap_or_default();
        Self(self.0.slice_ref(part))
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
        self.0.as_bytes()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(ByteString::from(text))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(ByteString::from(text))
    }
}

impl From<Text> for Bytes {
    fn from(text: Text) -> Self {
        text.0.into_bytes()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
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
