//! Building sip and sips URIs: every part is escaped as its place demands, so what is built always parses.
//!
//! Not here: changing one that came (`Uri::with_param`, which leaves all other bytes alone).

use super::escape;
use super::{Scheme, Uri};
use crate::digits::push_number;
use crate::message::host::Host;
use crate::message::params::Params;
use crate::message::text::Text;

/// A URI being put together.
#[derive(Debug, Clone)]
pub struct UriBuilder {
    scheme: Scheme,
    user: String,
    host: Host,
    port: Option<u16>,
    params: String,
    headers: String,
}

impl UriBuilder {
    pub(super) const fn new(scheme: Scheme, host: Host) -> Self {
        Self {
            scheme,
            user: String::new(),
            host,
            port: None,
            params: String::new(),
            headers: String::new(),
        }
    }

    /// The user part, not yet escaped; none where it is empty.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        self.user.clear();
        escape::push(&mut self.user, user, escape::is_user);
        self
    }

    /// The port.
    #[must_use]
    pub fn port(mut self, port: impl Into<Option<u16>>) -> Self {
        self.port = port.into();
        self
    }

    /// A parameter with a value, neither yet escaped.
    #[must_use]
    pub fn param(mut self, name: &str, value: &str) -> Self {
        escape::push_param(&mut self.params, name, Some(value));
        self
    }

    /// A parameter without a value (`lr`).
    #[must_use]
    pub fn flag(mut self, name: &str) -> Self {
        escape::push_param(&mut self.params, name, None);
        self
    }

    /// A header after the `?`, not yet escaped.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers
            .push(if self.headers.is_empty() { '?' } else { '&' });
        escape::push(&mut self.headers, name, escape::is_header);
        self.headers.push('=');
        escape::push(&mut self.headers, value, escape::is_header);
        self
    }

    /// The URI.
    #[must_use]
    pub fn finish(self) -> Uri {
        let mut out = String::from(if self.scheme == Scheme::Sips {
            "sips:"
        } else {
            "sip:"
        });
        let user = (!self.user.is_empty()).then(|| out.len()..out.len() + self.user.len());
        if user.is_some() {
            out.push_str(&self.user);
            out.push('@');
        }
        self.host.write_to(&mut out);
        if let Some(port) = self.port {
            out.push(':');
            push_number(&mut out, port);
        }
        let params_at = out.len()..out.len() + self.params.len();
        out.push_str(&self.params);
        out.push_str(&self.headers);
        let headers = if self.headers.is_empty() {
            0..0
        } else {
            params_at.end + 1..out.len()
        };
        let raw = Text::from(out);
        Uri {
            scheme: self.scheme,
            user,
            host: Some(self.host),
            port: self.port,
            params: Params::trusted(raw.slice(params_at.clone())),
            params_at,
            headers,
            raw,
        }
    }
}
