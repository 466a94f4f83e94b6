//! The configuration as calls use it: immutable, indexed, shared.
//!
//! A call keeps the snapshot that it began with; a new configuration is a new snapshot beside it. Ids are indexes into one
//! snapshot and mean nothing in another; names do.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use crate::document::listener::Listener;
use crate::document::route::Route;
use crate::document::tenant::Tenant;
use crate::document::trunk::Trunk;
use crate::document::{Document, ListenerId, RouteId, TenantId, TrunkId};
use crate::number::NumberMap;
use crate::values::Network;

/// A configuration in force. Dereferences to its [`Document`].
#[derive(Debug)]
pub struct Snapshot {
    document: Document,
    /// Owners of numbers where the trunk does not say whose call it is.
    numbers: NumberMap<TenantId>,
    /// The numbers of each tenant, which may be another's too (MT-01).
    numbers_of: Vec<NumberMap<()>>,
    ownership: Ownership,
    tenants: HashMap<String, TenantId>,
    trunks: HashMap<String, TrunkId>,
    of_listener: HashMap<ListenerId, Vec<TrunkId>>,
}

/// Whether a number can be two tenants'.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// It cannot: some carrier trunk serves several tenants and tells them apart by number.
    Sole,
    /// It can: the trunk always tells whose call it is.
    Shared,
}

impl Deref for Snapshot {
    type Target = Document;

    fn deref(&self) -> &Document {
        &self.document
    }
}

impl Document {
    pub(crate) fn ownership(&self) -> Ownership {
        match self.trunks.iter().all(|trunk| trunk.tenant().is_some()) {
            true => Ownership::Shared,
            false => Ownership::Sole,
        }
    }

    /// The document, indexed.
    #[must_use]
    pub fn snapshot(self) -> Arc<Snapshot> {
        let tenants: HashMap<_, _> = (0..)
            .map(TenantId)
            .zip(&self.tenants)
            .map(|(id, tenant)| (tenant.fqdn.clone(), id))
            .collect();
        let numbers = NumberMap::new(
            (0..)
                .map(TenantId)
                .zip(&self.tenants)
                .flat_map(|(id, tenant)| tenant.numbers.iter().map(move |range| (range, id))),
        );
        let of_one =
            |tenant: &Tenant| NumberMap::new(tenant.numbers.iter().map(|range| (range, ())));
        let numbers_of = self.tenants.iter().map(of_one).collect();
        let ownership = self.ownership();
        let mut trunks = HashMap::new();
        let mut of_listener: HashMap<ListenerId, Vec<TrunkId>> = HashMap::new();
        for (id, trunk) in (0..).map(TrunkId).zip(&self.trunks) {
            trunks.insert(trunk.name.clone(), id);
            for (listener, other) in (0..).map(ListenerId).zip(&self.listeners) {
                // A trunk is heard on its own listener and on those of the same address and port (UDP beside TCP).
                let own = &self.listeners[trunk.listener.index()];
                if listener == trunk.listener
                    || (other.address == own.address && other.identity == own.identity)
                {
                    of_listener.entry(listener).or_default().push(id);
                }
            }
        }
        Arc::new(Snapshot {
            document: self,
            numbers,
            numbers_of,
            ownership,
            tenants,
            trunks,
            of_listener,
        })
    }
}

impl Snapshot {
    /// A trunk.
    #[must_use]
    pub fn trunk(&self, id: TrunkId) -> &Trunk {
        &self.document.trunks[id.index()]
    }

    /// A listener.
    #[must_use]
    pub fn listener(&self, id: ListenerId) -> &Listener {
        &self.document.listeners[id.index()]
    }

    /// A tenant.
    #[must_use]
    pub fn tenant(&self, id: TenantId) -> &Tenant {
        &self.document.tenants[id.index()]
    }

    /// A route.
    #[must_use]
    pub fn route(&self, id: RouteId) -> &Route {
        &self.document.routes[id.index()]
    }

    /// Every trunk with its id.
    pub fn trunks(&self) -> impl Iterator<Item = (TrunkId, &Trunk)> {
        (0..).map(TrunkId).zip(&self.document.trunks)
    }

    /// The trunk of a name.
    #[must_use]
    pub fn trunk_named(&self, name: &str) -> Option<TrunkId> {
        self.trunks.get(name).copied()
    }

    /// The tenant that a host name means (MT-01).
    #[must_use]
    pub fn tenant_of_fqdn(&self, fqdn: &str) -> Option<TenantId> {
        match self.tenants.get(fqdn) {
            Some(id) => Some(*id),
            None => self.tenants.get(&fqdn.to_ascii_lowercase()).copied(),
        }
    }

    /// The tenant that a number in E.164 form belongs to: the one with the narrowest range around it.
    #[must_use]
    pub fn tenant_of_number(&self, number: &str) -> Option<TenantId> {
        self.numbers.find(number)
    }

    /// Whether a number in E.164 form is one of a tenant's. Tenants may share a number where every carrier trunk is reserved for
    /// one of them (MT-01).
    #[must_use]
    pub fn owns(&self, tenant: TenantId, number: &str) -> bool {
        match self.numbers.find(number) {
            Some(owner) if owner == tenant => true,
            Some(_) if self.ownership == Ownership::Sole => false,
            Some(_) => self.numbers_of[tenant.index()].find(number).is_some(),
            None => false,
        }
    }

    /// Whether any trunk of this listener has this source (SIG-03).
    #[must_use]
    pub fn is_known(&self, listener: ListenerId, source: IpAddr) -> bool {
        self.heard_on(listener)
            .any(|(_, trunk)| trunk.sources.iter().any(|network| network.contains(source)))
    }

    /// The trunk that a request belongs to: by listener and source, the narrowest network first. Where Teams trunks share both, the host
    /// of the Request-URI names the tenant (MT-01); a Teams trunk is never chosen by its source alone.
    #[must_use]
    pub fn trunk_of(
        &self,
        listener: ListenerId,
        source: IpAddr,
        host: Option<&str>,
    ) -> Option<TrunkId> {
        let tenant = host.and_then(|host| self.tenant_of_fqdn(host));
        let mut carrier: Option<(u8, TrunkId)> = None;
        for (id, trunk) in self.heard_on(listener) {
            let around = trunk
                .sources
                .iter()
                .filter(|network| network.contains(source));
            let Some(narrowest) = around.map(Network::length).max() else {
                continue;
            };
            if trunk.is_teams() {
                if tenant.is_some() && trunk.tenant() == tenant {
                    return Some(id);
                }
            } else if carrier.is_none_or(|(length, _)| narrowest > length) {
                carrier = Some((narrowest, id));
            }
        }
        carrier.map(|(_, id)| id)
    }

    fn heard_on(&self, listener: ListenerId) -> impl Iterator<Item = (TrunkId, &Trunk)> {
        let ids = self
            .of_listener
            .get(&listener)
            .map(Vec::as_slice)
            .unwrap_or_default();
        ids.iter().map(|id| (*id, self.trunk(*id)))
    }

    /// Every file that the rim must load: certificates, keys, bundles.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let identities = self.document.identities.iter();
        identities
            .flat_map(|identity| [identity.certificate.as_str(), identity.key.as_str()])
            .chain(
                self.document
                    .trusts
                    .iter()
                    .map(|trust| trust.bundle.as_str()),
            )
    }
}
