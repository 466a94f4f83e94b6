//! Who calls whom, as the configuration understands it: numbers translated, tenant known, emergency recognised.
//!
//! The numbers of an INVITE are read once, here. What the peer wrote passes through the `…_in` lists of its trunk; what comes out
//! is what routes match and what limits and records show. EMG-01: a bare emergency string passes through none of them.
//!
//! Not here: what another trunk is told of the caller (`translate`, and the leg's headers).

use config::{Snapshot, TenantId, TrunkId};
use serde::Serialize;
use sip::message::{Headers, Name, NameAddr, Request, Uri};

use super::translate::{Step, Whose, translate};

/// A call that somebody wants to make.
#[derive(Debug, Clone)]
pub struct Attempt {
    trunk: TrunkId,
    tenant: Option<(TenantId, String)>,
    dialled: String,
    called: String,
    caller: Caller,
    urgency: Urgency,
    steps: Vec<Step>,
    request: Option<Request>,
}

/// The party that calls.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Caller {
    /// Its number, or whatever stands for one; empty if nothing is known.
    pub number: String,
    /// Its name, empty if none was given.
    pub display: String,
    /// Whether the party called may see it.
    pub presentation: Presentation,
}

/// Whether the party called may see who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Presentation {
    /// It may.
    #[default]
    Shown,
    /// It must not; the number is for those who route and charge.
    Withheld,
}

/// EMG-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    Ordinary,
    Emergency,
}

/// The Request-URI names nobody: answered 484.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoNumber;

impl Attempt {
    /// What an INVITE that came in on `trunk` asks for.
    ///
    /// # Errors
    /// Its Request-URI has no user part.
    pub fn read(snapshot: &Snapshot, trunk: TrunkId, request: &Request) -> Result<Self, NoNumber> {
        let uri = request.request_uri().map_err(|_| NoNumber)?;
        let dialled = number_of(&uri).ok_or(NoNumber)?;
        let caller = if snapshot.trunk(trunk).is_teams() {
            Caller::of_teams(&request.headers())
        } else {
            Caller::of_carrier(&request.headers())
        };
        Ok(Self {
            request: Some(request.clone()),
            ..Self::new(snapshot, trunk, &dialled, caller)
        })
    }

    /// A call to `dialled` that `caller` makes on `trunk`, both as the peer would write them.
    #[must_use]
    pub fn new(snapshot: &Snapshot, trunk: TrunkId, dialled: &str, caller: Caller) -> Self {
        let rules = &snapshot.trunk(trunk).numbers;
        let mut steps = Vec::new();
        // EMG-01: 911 comes without "+", and is what it is whatever the lists say. One that comes as +911 is no other number.
        let bare = dialled.strip_prefix('+').unwrap_or(dialled);
        let (called, urgency) = if snapshot.emergency.iter().any(|number| number == bare) {
            (bare.to_owned(), Urgency::Emergency)
        } else {
            (
                translate(rules, Whose::CalledIn, dialled, &mut steps),
                Urgency::Ordinary,
            )
        };
        let number = translate(rules, Whose::CallerIn, &caller.number, &mut steps);
        let caller = Caller { number, ..caller };
        // MT-01: a trunk that is reserved for a tenant never reaches into another, whatever number is dialled.
        let tenant = snapshot
            .trunk(trunk)
            .tenant()
            .or_else(|| snapshot.tenant_of_number(&called));
        let tenant = tenant.map(|tenant| (tenant, snapshot.tenant(tenant).name.clone()));
        Self {
            trunk,
            tenant,
            dialled: dialled.to_owned(),
            called,
            caller,
            urgency,
            steps,
            request: None,
        }
    }

    /// The trunk that the call came in on.
    #[must_use]
    pub const fn trunk(&self) -> TrunkId {
        self.trunk
    }

    /// The tenant whose call it is: the trunk's, or the one that the called number belongs to.
    #[must_use]
    pub fn tenant(&self) -> Option<TenantId> {
        self.tenant.as_ref().map(|(tenant, _)| *tenant)
    }

    /// The tenant's name.
    #[must_use]
    pub fn tenant_name(&self) -> Option<&str> {
        self.tenant.as_ref().map(|(_, name)| name.as_str())
    }

    /// The called number as the peer wrote it, without visual separators.
    #[must_use]
    pub fn dialled(&self) -> &str {
        &self.dialled
    }

    /// The called number as it is meant.
    #[must_use]
    pub fn called(&self) -> &str {
        &self.called
    }

    /// The calling number as it is meant; empty if there is none.
    #[must_use]
    pub fn caller(&self) -> &str {
        &self.caller.number
    }

    /// The calling party as it is meant.
    #[must_use]
    pub const fn calling_party(&self) -> &Caller {
        &self.caller
    }

    /// EMG-01: whether limits, screening and number rules stand back.
    #[must_use]
    pub const fn is_emergency(&self) -> bool {
        matches!(self.urgency, Urgency::Emergency)
    }

    /// The number rules that have changed something so far.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The INVITE's values of a header, for rules that pass one on.
    pub(super) fn values(&self, name: &str) -> Vec<bytes::Bytes> {
        let Some(request) = &self.request else {
            return Vec::new();
        };
        let headers = request.headers();
        headers
            .all(Name::of(name))
            .map(|value| headers.share(value))
            .collect()
    }
}

impl Caller {
    /// A party that is known by its number alone.
    #[must_use]
    pub fn numbered(number: &str) -> Self {
        Self {
            number: without_separators(number),
            ..Self::default()
        }
    }

    /// INV-04: carriers tell who calls in P-Asserted-Identity and keep From for what the caller likes to say (RFC 3325 §9.1). The sources of a
    /// trunk are its trust domain.
    fn of_carrier(headers: &Headers<'_>) -> Self {
        let from = headers.from().ok();
        let hidden = from.as_ref().is_some_and(is_anonymous) || asks_for_privacy(headers);
        let asserted = asserted_of(headers);
        let party = asserted.as_ref().or(from.as_ref());
        Self::of(
            party,
            if hidden {
                Presentation::Withheld
            } else {
                Presentation::Shown
            },
        )
    }

    /// Teams shows in From who calls. P-Asserted-Identity names the user who pays and always asks for privacy (spec §1.11), so it
    /// counts only where From says nothing.
    fn of_teams(headers: &Headers<'_>) -> Self {
        match headers.from().ok() {
            Some(from) if !is_anonymous(&from) => Self::of(Some(&from), Presentation::Shown),
            _ => Self::of(asserted_of(headers).as_ref(), Presentation::Withheld),
        }
    }

    fn of(party: Option<&NameAddr>, presentation: Presentation) -> Self {
        let number = party
            .and_then(|party| number_of(party.uri()))
            .unwrap_or_default();
        let hidden = presentation == Presentation::Withheld;
        let display = party.filter(|_| !hidden).and_then(NameAddr::display_name);
        Self {
            number,
            display: display.map(|name| name.into_owned()).unwrap_or_default(),
            presentation,
        }
    }
}

/// The first asserted identity that is a telephone number, or else the first.
fn asserted_of(headers: &Headers<'_>) -> Option<NameAddr> {
    let all = headers.p_asserted_identity().ok()?;
    all.iter()
        .find(|party| party.uri().telephone().is_some())
        .or_else(|| all.first())
        .cloned()
}

/// RFC 3323 §4.1.1.3, and what gateways write instead.
fn is_anonymous(party: &NameAddr) -> bool {
    let uri = party.uri();
    let nobody = uri
        .user()
        .is_some_and(|user| user.eq_ignore_ascii_case("anonymous"));
    let nowhere = uri
        .host()
        .is_some_and(|host| host.to_string().eq_ignore_ascii_case("anonymous.invalid"));
    nobody || nowhere
}

/// RFC 3323 §4.2, RFC 3325 §9.3.
fn asks_for_privacy(headers: &Headers<'_>) -> bool {
    headers.all(Name::Privacy).any(|value| {
        value.split(|byte| b";,".contains(byte)).any(|word| {
            let word = word.trim_ascii();
            word.eq_ignore_ascii_case(b"id") || word.eq_ignore_ascii_case(b"user")
        })
    })
}

/// The number that a URI names, or its user part where that is none.
fn number_of(uri: &Uri) -> Option<String> {
    match uri.telephone() {
        Some(number) => Some(without_separators(number)),
        None => uri
            .user_unescaped()
            .filter(|user| !user.is_empty())
            .map(std::borrow::Cow::into_owned),
    }
}

/// RFC 3966 §3: `-`, `.`, `(` and `)` mean nothing.
fn without_separators(number: &str) -> String {
    number
        .chars()
        .filter(|c| !matches!(c, '-' | '.' | '(' | ')' | ' '))
        .collect()
}
