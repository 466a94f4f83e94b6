//! What is done for trunks without any call, in simulated time.
//!
//! Not here: registrations (`call::registration`), what a call makes of a target that is down (`calls.rs`).

mod kit;

use std::collections::BTreeMap;

use call::Input;
use embassy_time::Duration;
use kit::{CONFIG, Lab, snapshot};

/// A second tenant on the same three proxies.
const FABRIKAM: &str = r#"
[[tenant]]
name = "fabrikam"
fqdn = "sbc.fabrikam.example"
identity = "contoso"
numbers = ["+14255550100-+14255550199"]
[[trunk]]
name = "teams-fabrikam"
kind = "teams"
tenant = "fabrikam"
listener = "teams"
trust = "microsoft"
proxies = ["sip.pstnhub.microsoft.com:5061", "sip2.pstnhub.microsoft.com:5061", "sip3.pstnhub.microsoft.com:5061"]
sources = ["127.0.0.0/29"]
"#;

/// How many OPTIONS have left, by who asks and whom.
fn asked(lab: &Lab) -> BTreeMap<(String, String), usize> {
    let mut asked = BTreeMap::new();
    for (_, text) in lab
        .sent
        .iter()
        .filter(|(_, text)| text.method() == "OPTIONS")
    {
        let key = (text.uri_of("Contact").to_owned(), text.uri().to_owned());
        *asked.entry(key).or_default() += 1;
    }
    asked
}

#[test]
fn a_new_configuration_makes_no_proxy_be_asked_sooner() {
    let text = format!("{CONFIG}{FABRIKAM}");
    let mut lab = Lab::with(&text);
    for _ in 0..3 {
        lab.pass(Duration::from_secs(10));
        lab.input(Input::Config(snapshot(&text)));
        lab.input(Input::Wake);
        // OPT-01: not more often than once in 60 s, for each tenant and proxy.
        assert_eq!(asked(&lab), BTreeMap::new());
    }
    lab.now.instant += Duration::from_secs(30);
    lab.input(Input::Wake);
    let asked = asked(&lab);
    assert_eq!(asked.len(), 6, "{asked:?}");
    assert!(asked.values().all(|times| *times == 1), "{asked:?}");
}
