//! The typed document: one file a section, each with its type and how it is read.
//!
//! Names are resolved to ids as they are read, in an order in which what is named comes first, so that the document holds no dangling
//! reference.

pub mod carrier;
pub mod listener;
pub mod numbers;
pub mod route;
pub mod teams;
pub mod tenant;
pub mod trunk;

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;

use toml::de::DeTable;

use crate::finding::{Findings, Problem, Report, most_similar};
use crate::read::{At, Section};
use crate::values::{HostName, Label, PortRange};

use listener::Listener;
use route::Route;
use tenant::{Limits, Tenant};
use trunk::Trunk;

macro_rules! ids {
    ($($id:ident $what:literal),+ $(,)?) => {
        $(#[doc = concat!("The number of a ", $what, " in one snapshot; another snapshot numbers anew.")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $id(pub u32);

        impl $id {
            /// As an index.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        })+
    };
}

ids!(ListenerId "listener", IdentityId "identity", TrustId "trust bundle", TenantId "tenant", TrunkId "trunk", RouteId "route");

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Document {
    /// Name of the box, as `X-MS-SBC` and the console show it.
    pub name: String,
    /// Media addresses and ports.
    pub media: Media,
    /// Names that are answered here, and the servers for all others.
    pub dns: Dns,
    /// Limits of the box.
    pub limits: Limits,
    /// EMG-01: bare emergency strings such as `911` and `112`.
    pub emergency: Vec<String>,
    /// Where SIP is listened for.
    pub listeners: Vec<Listener>,
    /// Certificates with keys.
    pub identities: Vec<Identity>,
    /// Trusted roots.
    pub trusts: Vec<Trust>,
    /// Customers.
    pub tenants: Vec<Tenant>,
    /// Peers.
    pub trunks: Vec<Trunk>,
    /// Where calls go, in order.
    pub routes: Vec<Route>,
}

/// `[media]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// The address that media is bound to.
    pub address: IpAddr,
    /// The address that stands in SDP, where NAT makes it another.
    pub advertised: IpAddr,
    /// Ports for media; each leg of a call takes two.
    pub ports: PortRange,
}

/// `[dns]`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dns {
    /// Servers to ask; none: those of the system.
    pub servers: Vec<IpAddr>,
    /// Names answered here, in lower case.
    pub hosts: HashMap<String, Vec<IpAddr>>,
}

/// `[[identity]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// PEM file of the certificate with its chain.
    pub certificate: String,
    /// PEM file of the key.
    pub key: String,
}

/// `[[trust]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Its name.
    pub name: String,
    /// PEM file of the roots.
    pub bundle: String,
}

/// The names of one kind, to refer to.
#[derive(Debug)]
pub(crate) struct Names {
    kind: &'static str,
    by_name: HashMap<String, (u32, usize)>,
}

impl Names {
    fn new(kind: &'static str) -> Self {
        Self {
            kind,
            by_name: HashMap::new(),
        }
    }

    /// Take a name for the next one of the kind.
    fn take(&mut self, section: &mut Section<'_, '_>) -> String {
        let At {
            value: Label(name),
            span,
        } = section.must("name", Label("?".to_owned()));
        let index = u32::try_from(self.by_name.len()).unwrap_or(u32::MAX);
        let line = section.report().line_of(&span);
        if let Some((_, first)) = self.by_name.get(&name) {
            let problem = Problem::Duplicate {
                kind: self.kind,
                name: name.clone(),
                line: *first,
            };
            section.fault(Some(&span), "name", problem);
            // Numbering stays dense: the second one is put under a name that nobody can write.
            self.by_name
                .insert(format!("{name}\u{0}{index}"), (index, line));
        } else {
            self.by_name.insert(name.clone(), (index, line));
        }
        name
    }

    /// The number of a name that is referred to.
    pub(crate) fn find(
        &self,
        section: &mut Section<'_, '_>,
        key: &str,
        name: &str,
        span: &Range<usize>,
    ) -> Option<u32> {
        if let Some((index, _)) = self.by_name.get(name) {
            return Some(*index);
        }
        let meant = most_similar(name, self.by_name.keys().map(String::as_str));
        section.fault(
            Some(span),
            key,
            Problem::NoSuch {
                kind: self.kind,
                name: name.to_owned(),
                meant,
            },
        );
        None
    }

    /// A setting that names one and must be there.
    pub(crate) fn must(&self, section: &mut Section<'_, '_>, key: &'static str) -> u32 {
        let there = section.has(key);
        let At {
            value: Label(name),
            span,
        } = section.must(key, Label("?".to_owned()));
        if there {
            self.find(section, key, &name, &span).unwrap_or(0)
        } else {
            0
        }
    }

    /// A setting that names one and may be left out.
    pub(crate) fn maybe(&self, section: &mut Section<'_, '_>, key: &'static str) -> Option<u32> {
        let At {
            value: Label(name),
            span,
        } = section.maybe(key)?;
        self.find(section, key, &name, &span)
    }
}

/// Everything that can be referred to while the document is read.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) listeners: Names,
    pub(crate) identities: Names,
    pub(crate) trusts: Names,
    pub(crate) tenants: Names,
    pub(crate) trunks: Names,
}

/// Read a document.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn parse(text: &str) -> Result<Document, Findings> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut report = Report::new(text);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        report.add(
            &span,
            "document",
            Problem::Syntax(error.message().to_owned()),
        );
    }
    // A broken table reads as full of gaps: nothing more is said than that it is broken.
    if !errors.is_empty() {
        return Err(report.findings());
    }
    let mut section = Section::new(&mut report, Some(root.get_ref()), 0..0, String::new());
    let document = read(&mut section);
    section.close();
    crate::check::all(&document, &mut report);
    report.close().map(|()| document.document)
}

/// A document with the places of what checks look at.
pub(crate) struct Read {
    pub(crate) document: Document,
    pub(crate) number_spans: Vec<Vec<Range<usize>>>,
    pub(crate) trunk_spans: Vec<Range<usize>>,
    pub(crate) route_spans: Vec<Range<usize>>,
    pub(crate) listener_spans: Vec<Range<usize>>,
}

fn read(root: &mut Section<'_, '_>) -> Read {
    let version = root.must::<u32>("version", 1);
    if version.value != 1 {
        let problem = Problem::BadValue {
            value: version.value.to_string(),
            expected: "1, the version that this release reads",
        };
        root.fault(Some(&version.span), "version", problem);
    }
    let name = root.within("appliance", |section| {
        section.or("name", "postern".to_owned())
    });
    let media = root.within("media", |section| {
        let address = section.must("address", IpAddr::from([127, 0, 0, 1])).value;
        Media {
            address,
            advertised: section.or("advertised", address),
            ports: section.or(
                "ports",
                PortRange {
                    first: 20_000,
                    last: 39_999,
                },
            ),
        }
    });
    let dns = root.within("dns", |section| Dns {
        servers: section
            .list("servers")
            .into_iter()
            .map(|at| at.value)
            .collect(),
        hosts: section.within("hosts", |hosts| {
            let all = hosts.each::<IpAddr>().into_iter();
            all.map(|(name, list)| {
                (
                    name.to_ascii_lowercase(),
                    list.into_iter().map(|at| at.value).collect(),
                )
            })
            .collect()
        }),
    });
    let limits = root.within("limits", Limits::read);
    let emergency = root.within("emergency", |section| {
        section
            .list::<String>("numbers")
            .into_iter()
            .map(|at| at.value)
            .collect()
    });
    let mut known = Known {
        listeners: Names::new("listener"),
        identities: Names::new("identity"),
        trusts: Names::new("trust bundle"),
        tenants: Names::new("tenant"),
        trunks: Names::new("trunk"),
    };
    let identities = root.tables("identity", |section| Identity {
        name: known.identities.take(section),
        certificate: section.must("certificate", String::new()).value,
        key: section.must("key", String::new()).value,
    });
    let trusts = root.tables("trust", |section| Trust {
        name: known.trusts.take(section),
        bundle: section.must("bundle", String::new()).value,
    });
    let mut listener_spans = Vec::new();
    let listeners = root.tables("listener", |section| {
        listener_spans.push(section.span.clone());
        let name = known.listeners.take(section);
        Listener::read(section, name, &known)
    });
    let mut number_spans = Vec::new();
    let tenants = root.tables("tenant", |section| {
        let name = known.tenants.take(section);
        Tenant::read(section, name, &known, &mut number_spans)
    });
    let mut trunk_spans = Vec::new();
    let trunks = root.tables("trunk", |section| {
        trunk_spans.push(section.span.clone());
        let name = known.trunks.take(section);
        Trunk::read(section, name, &known)
    });
    let mut route_spans = Vec::new();
    let mut route_names = Names::new("route");
    let routes = root.tables("route", |section| {
        route_spans.push(section.span.clone());
        let name = route_names.take(section);
        Route::read(section, name, &known)
    });
    let document = Document {
        name,
        media,
        dns,
        limits,
        emergency,
        listeners,
        identities,
        trusts,
        tenants,
        trunks,
        routes,
    };
    Read {
        document,
        number_spans,
        trunk_spans,
        route_spans,
        listener_spans,
    }
}

/// The FQDN of a tenant.
pub(crate) fn fqdn(section: &mut Section<'_, '_>) -> String {
    section
        .must("fqdn", HostName("invalid.invalid".to_owned()))
        .value
        .0
}
