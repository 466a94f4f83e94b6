//! The typed document: one file a section, each with its type and how it is read.
//!
//! Names are resolved to ids as they are read, in an order in which what is named comes first, so that the document holds no dangling
//! reference.

pub mod carrier;
pub mod dial_plan;
pub mod interface;
pub mod listener;
pub mod media;
mod names;
pub mod numbers;
pub mod packets;
pub mod route;
pub mod teams;
pub mod tenant;
pub mod trunk;
pub mod window;

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::finding::{Findings, Problem, Report};
use crate::read::{Section, field_of_text};
use crate::values::{HostName, UtcOffset};

pub(crate) use names::{Known, Names};

use interface::Interface;
use listener::Listener;
use media::Media;
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
    /// Network ports of an appliance that have their addresses by hand.
    pub interfaces: Vec<Interface>,
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

/// A document of 100,000 numbers has a tenth of it.
const MAX_TEXT: usize = 16 << 20;

/// Read a document.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn parse(text: &str) -> Result<Document, Findings> {
    let mut report = Report::new(text);
    if text.len() > MAX_TEXT {
        let problem = Problem::TooMany {
            count: text.len(),
            most: MAX_TEXT,
        };
        report.add(&(0..0), "bytes", problem);
        return Err(report.findings());
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        report.add(
            &span,
            "document",
            Problem::Syntax(error.message().to_owned()),
        );
    }
    let root = root.get_ref();
    let mut section = Section::new(&mut report, Some(root), 0..0, String::new());
    let (document, number_spans) = read(&mut section);
    section.close();
    let read = Read {
        document,
        root,
        number_spans,
    };
    crate::check::all(&read, &mut report);
    report.close().map(|()| read.document)
}

/// A document with the places of what checks look at.
pub(crate) struct Read<'d> {
    pub(crate) document: Document,
    root: &'d DeTable<'d>,
    /// Of each tenant, where its numbers stand.
    pub(crate) number_spans: Vec<Vec<Range<usize>>>,
}

impl Read<'_> {
    /// Where a setting of the `index`th table of a section stands; the table, if the setting is left out.
    pub(crate) fn span(&self, section: &str, index: usize, key: &str) -> Range<usize> {
        let Some(item) = self.item(section, index) else {
            return 0..0;
        };
        let setting = item
            .get_ref()
            .as_table()
            .and_then(|table| self.table(table, key));
        setting.map_or_else(|| item.span(), Spanned::span)
    }

    /// Where a setting of a section that is there once stands; the section, if the setting is left out.
    pub(crate) fn span_in(&self, section: &str, key: &str) -> Range<usize> {
        let Some(value) = self.table(self.root, section) else {
            return 0..0;
        };
        let setting = value
            .get_ref()
            .as_table()
            .and_then(|table| self.table(table, key));
        setting.map_or_else(|| value.span(), Spanned::span)
    }

    /// Whether a setting is written at all.
    pub(crate) fn sets(&self, section: &str, index: usize, key: &str) -> bool {
        self.item(section, index)
            .and_then(|item| item.get_ref().as_table())
            .is_some_and(|table| self.table(table, key).is_some())
    }

    fn item(&self, section: &str, index: usize) -> Option<&Spanned<DeValue<'_>>> {
        let tables = self.table(self.root, section)?.get_ref().as_array()?;
        tables
            .iter()
            .filter(|item| item.get_ref().is_table())
            .nth(index)
    }

    fn table<'t>(&self, table: &'t DeTable<'t>, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        table
            .iter()
            .find(|(name, _)| name.get_ref() == key)
            .map(|(_, value)| value)
    }
}

fn read(root: &mut Section<'_, '_>) -> (Document, Vec<Vec<Range<usize>>>) {
    let version = root.must::<u32>("version", 1);
    if version.value != 1 {
        let problem = Problem::BadValue {
            value: version.value.to_string(),
            expected: "1, which is the version that this release reads",
        };
        root.fault(Some(&version.span), "version", problem);
    }
    let (name, offset) = root.within("appliance", |section| {
        let name = section.or("name", "postern".to_owned());
        (name, section.or("utc_offset", UtcOffset(0)))
    });
    let media = root.within("media", Media::read);
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
            .list::<ShortNumber>("numbers")
            .into_iter()
            .map(|at| at.value.0)
            .collect()
    });
    let mut interface_names = Names::new("interface");
    let interfaces = root.tables("interface", |section| {
        Interface::read(section, &mut interface_names)
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
    let listeners = root.tables("listener", |section| {
        let name = known.listeners.take(section);
        Listener::read(section, name, &known)
    });
    let mut number_spans = Vec::new();
    let tenants = root.tables("tenant", |section| {
        let name = known.tenants.take(section);
        Tenant::read(section, name, &known, &mut number_spans)
    });
    let trunks = root.tables("trunk", |section| {
        let name = known.trunks.take(section);
        Trunk::read(section, name, &known)
    });
    let mut route_names = Names::new("route");
    let routes = root.tables("route", |section| {
        let name = route_names.take(section);
        Route::read(section, name, &known, offset)
    });
    let document = Document {
        name,
        media,
        dns,
        limits,
        emergency,
        interfaces,
        listeners,
        identities,
        trusts,
        tenants,
        trunks,
        routes,
    };
    (document, number_spans)
}

/// The FQDN of a tenant.
pub(crate) fn fqdn(section: &mut Section<'_, '_>) -> String {
    section
        .must("fqdn", HostName("invalid.invalid".to_owned()))
        .value
        .0
}

/// What is dialled in an emergency, without any prefix.
struct ShortNumber(String);

field_of_text!(
    ShortNumber,
    "an emergency number of 2 to 8 digits, like \"911\"",
    |text| {
        let good = (2..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| ShortNumber(text.to_owned()))
    }
);
