//! Via (RFC 3261 §20.42), with `rport` and `received` (RFC 3581).
//!
//! White space may stand around each slash and the port's colon: `SIP / 2.0 / UDP host: 4000`.
//!
//! Not here: where a response goes (`transaction`).

use bytes::Bytes;

use super::Value;
use crate::message::error::ValueError;
use crate::message::host::HostPort;
use crate::message::params::Params;
use crate::message::text::Text;
use crate::transport::Transport;

/// One hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    raw: Bytes,
    transport: Text,
    sent_by: HostPort,
    params: Params,
}

impl Via {
    /// Parses one value.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(_bytes: Bytes) -> Result<Self, ValueError> {
        todo!()
    }

    /// `SIP/2.0/transport sent-by;branch=…`.
    #[must_use]
    pub fn new(_transport: Transport, _sent_by: &HostPort, _branch: &str) -> Self {
        todo!()
    }

    /// The same with a parameter more, or with another value for it (`received`, `rport`).
    #[must_use]
    pub fn with_param(&self, _name: &str, _value: Option<&str>) -> Self {
        todo!()
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
    pub fn received(&self) -> Option<std::net::IpAddr> {
        todo!()
    }

    /// The `rport` with a value. That it was asked for is `params().contains("rport")`.
    #[must_use]
    pub fn rport(&self) -> Option<u16> {
        self.params.value("rport")?.parse().ok()
    }
}

impl Value for Via {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.raw);
    }
}
