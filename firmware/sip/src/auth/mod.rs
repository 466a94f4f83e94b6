//! Digest authentication (RFC 3261 §22, RFC 7616, RFC 8760): as client towards trunks, as server for phones.
//!
//! [`Client`] answers challenges and goes on using a nonce until it is refused. [`Server`] issues nonces that prove
//! themselves, so that asking costs it no memory, and takes no nonce count twice.
//!
//! Not here: which user may do what, where passwords are kept.

mod client;
mod digest;
mod server;

pub use client::{Client, Exchange, Unanswerable};
pub use digest::Algorithm;
pub use server::{Server, Staleness, Verdict};

use std::fmt;

use zeroize::Zeroizing;

use crate::message::{Name, StatusCode};

/// A password: never printed, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes it over.
    #[must_use]
    pub fn new(password: String) -> Self {
        Self(Zeroizing::new(password))
    }

    fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What we say of ourselves when asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name, not yet escaped.
    pub username: String,
    /// Its password.
    pub password: Password,
    /// The only realm that is answered; `None`: any.
    pub realm: Option<String>,
}

/// Who asks for credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asker {
    /// A UAS or registrar: 401, WWW-Authenticate, Authorization.
    Server,
    /// A proxy: 407, Proxy-Authenticate, Proxy-Authorization.
    Proxy,
}

impl Asker {
    /// The code it asks with.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Server => StatusCode::UNAUTHORIZED,
            Self::Proxy => StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        }
    }

    /// The header it asks in.
    #[must_use]
    pub const fn challenge_header(self) -> Name<'static> {
        match self {
            Self::Server => Name::WwwAuthenticate,
            Self::Proxy => Name::ProxyAuthenticate,
        }
    }

    /// The header it is answered in.
    #[must_use]
    pub const fn credentials_header(self) -> Name<'static> {
        match self {
            Self::Server => Name::Authorization,
            Self::Proxy => Name::ProxyAuthorization,
        }
    }
}
