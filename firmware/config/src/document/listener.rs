//! `[[listener]]`: where SIP is listened for, and what is asked of those who connect by TLS.
//!
//! A listener is also where requests of its trunks leave from. Certificates are named here and judged by the program, which
//! loads them.

use std::net::SocketAddr;

use super::{IdentityId, Known};
use crate::finding::Problem;
use crate::read::{Section, field_of_words};
use crate::values::{Endpoint, Transport};

/// A listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its name.
    pub name: String,
    /// The transport.
    pub transport: Transport,
    /// Address and port to bind; requests that leave on behalf of this listener have this address as source.
    pub address: SocketAddr,
    /// What Via and Contact say instead of the address, where NAT or a name makes it another.
    pub advertised: Endpoint,
    /// TLS: the identity shown when no server name matches a tenant (SIG-07).
    pub identity: Option<IdentityId>,
    /// TLS: what is asked of those who connect.
    pub client_auth: ClientAuth,
}

/// Whether those who connect by TLS must show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// They must, and it must be good.
    Required,
    /// They are asked; one that is shown must be good.
    Requested,
    /// They are not asked.
    None,
}

field_of_words!(ClientAuth, "\"required\", \"requested\" or \"none\"",
    "required" => ClientAuth::Required, "requested" => ClientAuth::Requested, "none" => ClientAuth::None);

impl Listener {
    pub(super) fn read(section: &mut Section<'_, '_>, name: String, known: &Known) -> Self {
        let transport = section.must("transport", Transport::Udp).value;
        let address = section
            .must("address", SocketAddr::from(([127, 0, 0, 1], 5060)))
            .value;
        let of_address = Endpoint {
            host: address.ip().to_string(),
            port: Some(address.port()),
        };
        let mut advertised = section.or("advertised", of_address);
        advertised.port = advertised.port.or_else(|| Some(address.port()));
        let identity = known.identities.maybe(section, "identity").map(IdentityId);
        let client_auth = section.or("client_auth", ClientAuth::Required);
        if transport == Transport::Tls && identity.is_none() && !section.has("identity") {
            let span = section.span.clone();
            let problem = Problem::Missing {
                key: "identity",
                expected: "the name of an identity, for TLS",
            };
            section.fault(Some(&span), "identity", problem);
        }
        if transport != Transport::Tls && section.has("client_auth") {
            section.fault(
                None,
                "client_auth",
                Problem::Conflict {
                    what: "only TLS listeners ask for certificates",
                    cure: "Remove client_auth, or set transport = \"tls\".",
                },
            );
        }
        Self {
            name,
            transport,
            address,
            advertised,
            identity,
            client_auth,
        }
    }
}
