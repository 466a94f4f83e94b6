//! The configuration of the box under test, as the text that a person would write.
//!
//! Tenant contoso with Teams and the static carrier `probe`; tenant fabrikam with its own name and certificate and a
//! carrier that the box registers to.
//!
//! Not here: the rules of the format (`config`).

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use crate::carrier::Account;
use crate::teams::{NAMES, Tenant};

/// What the text depends on.
#[derive(Debug)]
pub struct Shape<'a> {
    /// The box's address and port for carriers, UDP and TCP.
    pub trunks: SocketAddr,
    /// The box's address and port for Teams.
    pub teams: SocketAddr,
    /// The box's media address.
    pub media: IpAddr,
    /// Names that must resolve.
    pub names: &'a [(String, IpAddr)],
    /// Teams' proxies.
    pub proxies: [SocketAddr; 3],
    /// Where Teams' own connections come from.
    pub network: [u8; 3],
    /// The static carrier.
    pub probe: SocketAddr,
    /// The carrier to register to.
    pub registrar: SocketAddr,
    /// With what.
    pub account: &'a Account,
    /// Both tenants.
    pub tenants: &'a [Tenant],
    /// How often the box sends OPTIONS, in seconds.
    pub options: u64,
    /// Written at the end, for tests that need more.
    pub more: &'a str,
}

/// The text.
#[must_use]
pub fn text(shape: &Shape<'_>) -> String {
    let mut text = format!(
        "version = 1\n\n[appliance]\nname = \"lab\"\n\n[media]\naddress = \"{}\"\nports = \"20000-39999\"\n\n[dns.hosts]\n",
        shape.media
    );
    for (name, address) in shape.names {
        let _ = writeln!(text, "\"{name}\" = [\"{address}\"]");
    }
    text.push_str(&listeners(shape));
    for tenant in shape.tenants {
        text.push_str(&of_tenant(shape, tenant));
    }
    text.push_str(&carriers(shape));
    text.push_str(ROUTES);
    text.push_str(shape.more);
    text
}

fn listeners(shape: &Shape<'_>) -> String {
    format!(
        r#"
[[listener]]
name = "trunks-udp"
transport = "udp"
address = "{trunks}"

[[listener]]
name = "trunks-tcp"
transport = "tcp"
address = "{trunks}"

[[listener]]
name = "teams"
transport = "tls"
address = "{teams}"
identity = "contoso"
client_auth = "required"

[[trust]]
name = "microsoft"
bundle = "microsoft-roots.pem"
"#,
        trunks = shape.trunks,
        teams = shape.teams,
    )
}

fn of_tenant(shape: &Shape<'_>, tenant: &Tenant) -> String {
    let numbers: Vec<String> = tenant
        .numbers
        .iter()
        .map(|range| format!("\"+{}-+{}\"", range.start(), range.end()))
        .collect();
    let proxies: Vec<String> = NAMES
        .iter()
        .zip(shape.proxies)
        .map(|(name, address)| format!("\"{name}:{}\"", address.port()))
        .collect();
    let [a, b, c] = shape.network;
    format!(
        r#"
[[identity]]
name = "{name}"
certificate = "{name}.pem"
key = "{name}.key"

[[tenant]]
name = "{name}"
fqdn = "{fqdn}"
identity = "{name}"
numbers = [{numbers}]

[[trunk]]
name = "teams-{name}"
kind = "teams"
tenant = "{name}"
listener = "teams"
trust = "microsoft"
proxies = [{proxies}]
sources = ["{a}.{b}.{c}.0/24"]
options = "{options}s"
"#,
        name = tenant.name,
        fqdn = tenant.fqdn,
        numbers = numbers.join(", "),
        proxies = proxies.join(", "),
        options = shape.options,
    )
}

fn carriers(shape: &Shape<'_>) -> String {
    format!(
        r#"
[[trunk]]
name = "probe"
kind = "carrier"
listener = "trunks-udp"
peers = ["{probe}"]
sources = ["{probe_address}"]

[[trunk]]
name = "fabrikam-pstn"
kind = "carrier"
tenant = "fabrikam"
listener = "trunks-udp"
sources = ["{registrar_address}"]
credentials = {{ user = "{user}", password = "{password}" }}
registration = {{ registrar = "{registrar}", user = "{user}", expires = 600 }}
"#,
        probe = shape.probe,
        probe_address = shape.probe.ip(),
        registrar = shape.registrar,
        registrar_address = shape.registrar.ip(),
        user = shape.account.user,
        password = shape.account.password,
    )
}

const ROUTES: &str = r#"
[[route]]
name = "contoso-in"
from = ["probe"]
to_numbers = ["tenant"]
send_to = ["teams-contoso"]

[[route]]
name = "contoso-out"
from = ["teams-contoso"]
prefix = ["+1312555"]
send_to = ["probe"]

[[route]]
name = "fabrikam-in"
from = ["fabrikam-pstn"]
to_numbers = ["tenant"]
send_to = ["teams-fabrikam"]

[[route]]
name = "fabrikam-out"
from = ["teams-fabrikam"]
prefix = ["+49"]
send_to = ["fabrikam-pstn"]
"#;
