//! Via (RFC 3261 §20.42), with `rport` and `received` (RFC 3581).
//!
//! White space may stand around each slash and the port's colon: `SIP / 2.0 / UDP host: 4000`. The value stays as it
//! came, so that a response returns what the request brought.
//!
//! Not here: where a response goes (`transaction`).

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;

use super::Value;
use crate::message::chars;
use crate::message::error::ValueError;
use crate::message::host::HostPort;
use crate::message::params::{self, Params};
use crate::message::text::Text;
use crate::transport::Transport;

/// One hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    raw: Bytes,
    transport: Text,
    sent_by: HostPort,
    params: Params,
    /// Where the parameters begin in `raw`.
    params_at: usize,
}

impl Via {
    /// Parses one value.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(bytes: Bytes) -> Result<Self, ValueError> {
        let raw = bytes.slice_ref(chars::trim(&bytes));
        let params_at = chars::find_outside(&raw, b';');
        let mut rest = &raw[..params_at];
        let name = upto_slash(&mut rest)?;
        let version = upto_slash(&mut rest)?;
        if !name.eq_ignore_ascii_case(b"SIP") || version != b"2.0" {
            return Err(ValueError::Protocol);
        }
        let rest = chars::trim(rest);
        let end = rest
            .iter()
            .position(|&byte| chars::is_space(byte))
            .ok_or(ValueError::Host)?;
        let (transport, sent_by) = rest.split_at(end);
        if !chars::is_token(transport) {
            return Err(ValueError::Protocol);
        }
        Ok(Self {
            transport: Text::new(raw.slice_ref(transport)).map_err(|_| ValueError::Utf8)?,
            sent_by: HostPort::parse(&raw.slice_ref(chars::trim(sent_by)))?,
            params: Params::parse(
                Text::new(raw.slice(params_at..)).map_err(|_| ValueError::Utf8)?,
            )?,
            params_at,
            raw,
        })
    }

    /// `SIP/2.0/transport sent-by;branch=…`.
    #[must_use]
    pub fn new(transport: Transport, sent_by: &HostPort, branch: &str) -> Self {
        let head = format!("SIP/2.0/{} {sent_by}", transport.via_token());
        Self {
            params_at: head.len(),
            raw: Bytes::from(head),
            transport: Text::from_static(transport.via_token()),
            sent_by: sent_by.clone(),
            params: Params::default(),
        }
        .with_param("branch", Some(branch))
    }

    /// The same with a parameter more, or with another value for it (`received`, `rport`).
    #[must_use]
    pub fn with_param(&self, name: &str, value: Option<&str>) -> Self {
        let params = self
            .params
            .replaced(name, Some(&params::written(name, value)));
        Self {
            raw: Bytes::from([&self.raw[..self.params_at], params.as_bytes()].concat()),
            params: Params::trusted(Text::from(params)),
            ..self.clone()
        }
    }

    /// The value as it came.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.raw
    }

    /// The transport token as it came; compare without case.
    #[must_use]
    pub fn transport(&self) -> &str {
        &self.transport
    }

    /// Where the sender says it is.
    #[must_use]
    pub const fn sent_by(&self) -> &HostPort {
        &self.sent_by
    }

    /// The parameters.
    #[must_use]
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// The `branch`.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.params.value("branch")
    }

    /// The `received`, brackets of an IPv6 address or not (RFC 5118 §4.5).
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.value("received")?;
        text.strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(text)
            .parse()
            .ok()
    }

    /// The `rport` with a value. That it was asked for is `params().contains("rport")`.
    #[must_use]
    pub fn rport(&self) -> Option<u16> {
        crate::message::host::parse_port(self.params.value("rport")?)
    }
}

/// Takes what stands before the next slash.
fn upto_slash<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], ValueError> {
    let end = memchr::memchr(b'/', rest).ok_or(ValueError::Protocol)?;
    let part = chars::trim(&rest[..end]);
    *rest = &rest[end + 1..];
    Ok(part)
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.raw))
    }
}

impl Value for Via {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.raw);
    }
}
