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
use crate::values::e164;

/// A configuration in force. Dereferences to its [`Document`].
#[derive(Debug)]
pub struct Snapshot {
    document: Document,
    /// First number of each range, by number of digits, sorted; with the last number and the owner.
    numbers: HashMap<u8, Vec<(u64, u64, TenantId)>>,
    tenants: HashMap<String, TenantId>,
    trunks: HashMap<String, TrunkId>,
    of_listener: HashMap<ListenerId, Vec<TrunkId>>,
}

impl Deref for Snapshot {
    type Target = Document;

    fn deref(&self) -> &Document {
        &self.document
    }
}

impl Document {
    /// The document, indexed.
    #[must_use]
    pub fn snapshot(self) -> Arc<Snapshot> {
        let mut numbers: HashMap<u8, Vec<(u64, u64, TenantId)>> = HashMap::new();
        let mut tenants = HashMap::new();
        for (id, tenant) in (0..).map(TenantId).zip(&self.tenants) {
            tenants.insert(tenant.fqdn.clone(), id);
            for range in &tenant.numbers {
                numbers
                    .entry(range.digits)
                    .or_default()
                    .push((range.first, range.last, id));
            }
        }
        for ranges in numbers.values_mut() {
            ranges.sort_unstable_by_key(|(first, ..)| *first);
        }
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

    /// The tenant that a number in E.164 form belongs to.
    #[must_use]
    pub fn tenant_of_number(&self, number: &str) -> Option<TenantId> {
        let digits = e164(number)?;
        let ranges = self.numbers.get(&u8::try_from(digits.len()).ok()?)?;
        let value: u64 = digits.parse().ok()?;
        let (_, last, tenant) =
            ranges[..ranges.partition_point(|(first, ..)| *first <= value)].last()?;
        (value <= *last).then_some(*tenant)
    }

    /// Whether any trunk of this listener has this source (SIG-03).
    #[must_use]
    pub fn is_known(&self, listener: ListenerId, source: IpAddr) -> bool {
        self.heard_on(listener)
            .any(|(_, trunk)| trunk.sources.iter().any(|network| network.contains(source)))
    }

    /// The trunk that a request belongs to: by listener and source; where several share them, by the host of the Request-URI, which
    /// names the tenant on Teams trunks (MT-01). A Teams trunk is never chosen by its source alone.
    #[must_use]
    pub fn trunk_of(
        &self,
        listener: ListenerId,
        source: IpAddr,
        host: Option<&str>,
    ) -> Option<TrunkId> {
        let tenant = host.and_then(|host| self.tenant_of_fqdn(host));
        let mut carrier = None;
        for (id, trunk) in self.heard_on(listener) {
            if !trunk.sources.iter().any(|network| network.contains(source)) {
                continue;
            }
            if trunk.is_teams() {
                if tenant.is_some() && trunk.tenant() == tenant {
                    return Some(id);
                }
            } else if carrier.is_none() {
                carrier = Some(id);
            }
        }
        carrier
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
