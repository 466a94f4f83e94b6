//! What somebody may do, and of whom they see anything.
//!
//! Not here: who has which role (`users`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a user is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "role", rename_all = "snake_case")]
pub(crate) enum Role {
    /// May do everything.
    Admin,
    /// Sees all calls and ends them.
    Operator,
    /// Sees all calls.
    Viewer,
    /// Sees the calls of one tenant, and ends them.
    TenantAdmin {
        /// The tenant's name.
        tenant: String,
    },
}

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// See calls, those of now and those of before.
    SeeCalls,
    /// End a call.
    EndCalls,
    /// See how the box itself is.
    SeeBox,
    /// See and change the configuration, with the secrets in it.
    Configure,
    /// See and change users, sessions and tokens, and read what was done.
    Administer,
}

/// Of whom anything is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Of all tenants, and of none.
    All,
    /// Of this one.
    Tenant(String),
}

impl Scope {
    /// Whether what belongs to this tenant, or to none, is seen.
    pub(crate) fn covers(&self, tenant: Option<&str>) -> bool {
        match self {
            Self::All => true,
            Self::Tenant(own) => tenant == Some(own.as_str()),
        }
    }
}

impl Role {
    pub(crate) fn may(&self, right: Right) -> bool {
        match self {
            Self::Admin => true,
            Self::Operator => matches!(right, Right::SeeCalls | Right::EndCalls | Right::SeeBox),
            Self::Viewer => matches!(right, Right::SeeCalls | Right::SeeBox),
            Self::TenantAdmin { .. } => matches!(right, Right::SeeCalls | Right::EndCalls),
        }
    }

    pub(crate) fn scope(&self) -> Scope {
        match self {
            Self::TenantAdmin { tenant } => Scope::Tenant(tenant.clone()),
            Self::Admin | Self::Operator | Self::Viewer => Scope::All,
        }
    }

    /// The role of a word, with the tenant that one of them needs.
    pub(crate) fn of(word: &str, tenant: &str) -> Option<Self> {
        match (word, tenant) {
            ("admin", _) => Some(Self::Admin),
            ("operator", _) => Some(Self::Operator),
            ("viewer", _) => Some(Self::Viewer),
            ("tenant_admin", tenant) if !tenant.is_empty() => Some(Self::TenantAdmin {
                tenant: tenant.to_owned(),
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenants_admin_sees_calls_of_the_tenant_and_nothing_else() {
        let role = Role::of("tenant_admin", "contoso").expect("there is such a role");
        assert!(role.may(Right::SeeCalls) && role.may(Right::EndCalls));
        for right in [Right::SeeBox, Right::Configure, Right::Administer] {
            assert!(!role.may(right), "{right:?}");
        }
        assert!(role.scope().covers(Some("contoso")));
        assert!(!role.scope().covers(Some("fabrikam")));
        assert!(!role.scope().covers(None));
        assert_eq!(Role::of("tenant_admin", ""), None);
        assert_eq!(Role::of("root", ""), None);
    }
}
