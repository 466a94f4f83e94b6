//! Routes by tenant, number, trunk, time and weight; hunts by cause; limits; and what explain tells of them.
//!
//! One configuration for all, with two tenants behind one listener, three carriers and an emergency number. INVITEs are text.

use std::sync::Arc;

use bytes::Bytes;
use config::Snapshot;
use embassy_time::{Duration, Instant};
use sip::message::{Message, Request};
use sip::token::Tokens;

use super::hunt::{Failure, Hunt, Next, Target};
use super::limit::{Limits, Measure, Scope};
use super::*;

/// 2026-11-23, a Monday, 12:00 UTC.
const MONDAY_NOON: u64 = 1_795_392_000 + 12 * 3_600;
const SATURDAY_NOON: u64 = MONDAY_NOON + 5 * 86_400;

const BOX: &str = r#"
version = 1
emergency = { numbers = ["911", "112"] }
limits = { concurrent_calls = 5 }
[media]
address = "127.0.0.1"
[[listener]]
name = "udp"
transport = "udp"
address = "127.0.0.1:5060"
[[listener]]
name = "tls"
transport = "tls"
address = "127.0.0.1:5061"
identity = "id"
[[identity]]
name = "id"
certificate = "c.pem"
key = "k.pem"
[[trust]]
name = "ms"
bundle = "ms.pem"
[[tenant]]
name = "contoso"
fqdn = "sbc1.contoso.example"
numbers = ["+12025550100-+12025550199"]
screening = "overwrite"
limits = { concurrent_calls = 2, calls_per_second = 3 }
[[tenant]]
name = "fabrikam"
fqdn = "sbc1.fabrikam.example"
numbers = ["+14255550100"]
screening = "refuse"
[[trunk]]
name = "teams-contoso"
kind = "teams"
tenant = "contoso"
listener = "tls"
trust = "ms"
sources = ["52.112.0.0/14"]
[[trunk.header]]
name = "X-Site"
value = "branch-1"
[[trunk.header]]
name = "X-Pass"
action = "pass"
[[trunk.header]]
name = "User-Agent"
action = "remove"
[[trunk]]
name = "teams-fabrikam"
kind = "teams"
tenant = "fabrikam"
listener = "tls"
trust = "ms"
sources = ["52.112.0.0/14"]
[[trunk]]
name = "us"
kind = "carrier"
listener = "udp"
peers = ["192.0.2.1", "192.0.2.2"]
sources = ["192.0.2.0/24"]
limits = { concurrent_calls = 3 }
[trunk.numbers]
called_in = [
    { name = "ten digits", pattern = '^(\d{10})$', translation = '+1$1' },
    { name = "extension", pattern = '^(\d{4})$', translation = '+1202555$1' },
]
caller_in = [{ strip = "00", prefix = "+" }]
called_out = [{ name = "national", pattern = '^\+1(\d{10})$', translation = '$1' }]
[[trunk]]
name = "us-2"
kind = "carrier"
listener = "udp"
peers = ["198.51.100.1"]
sources = ["198.51.100.1"]
[[trunk]]
name = "uk"
kind = "carrier"
listener = "udp"
peers = ["203.0.113.1"]
sources = ["203.0.113.1"]
[[route]]
name = "in-contoso"
tenant = "contoso"
from = ["us", "uk"]
to_numbers = ["tenant"]
send_to = ["teams-contoso"]
[[route]]
name = "in-fabrikam-to-the-wrong-tenant"
from = ["us-2"]
to_numbers = ["tenant"]
send_to = ["teams-contoso"]
[[route]]
name = "night"
from = ["teams-contoso"]
prefix = ["+44"]
when = ["sat-sun 00:00-24:00"]
send_to = ["us-2"]
[[route]]
name = "britain"
from = ["teams-contoso", "teams-fabrikam"]
prefix = ["+44"]
send_to = ["uk"]
[[route]]
name = "america"
from = ["teams-contoso"]
pattern = ['^\+1\d{10}$']
send_to = ["us*3", "us-2*2", "uk"]
failover = [500, 503]
[[route]]
name = "anything"
from = ["teams-contoso"]
send_to = ["uk"]
[[route]]
name = "help"
to_numbers = ["911"]
send_to = ["us"]
"#;

fn snapshot() -> Arc<Snapshot> {
    // The last route can only be reached because emergencies look for their number first.
    match config::parse(BOX) {
        Ok(document) => document.snapshot(),
        Err(findings) => panic!("{findings}"),
    }
}

fn attempt(snapshot: &Snapshot, trunk: &str, called: &str, caller: &str) -> Attempt {
    let trunk = snapshot.trunk_named(trunk).expect("a trunk");
    Attempt::new(snapshot, trunk, called, Caller::numbered(caller))
}

fn decide(trunk: &str, called: &str, caller: &str, wall: u64) -> Result<Decision, Refusal> {
    let snapshot = snapshot();
    choose(&snapshot, &attempt(&snapshot, trunk, called, caller), wall)
}

fn route(trunk: &str, called: &str, caller: &str, wall: u64) -> Result<String, Refusal> {
    decide(trunk, called, caller, wall).map(|decision| decision.route_name().to_owned())
}

const OF_CONTOSO: &str = "+12025550123";

#[test]
fn the_first_route_that_matches_takes_the_call() {
    assert_eq!(
        route("teams-contoso", "+442071234567", OF_CONTOSO, MONDAY_NOON).as_deref(),
        Ok("britain")
    );
    assert_eq!(
        route("teams-contoso", "+442071234567", OF_CONTOSO, SATURDAY_NOON).as_deref(),
        Ok("night")
    );
    assert_eq!(
        route("teams-contoso", "+13125550100", OF_CONTOSO, MONDAY_NOON).as_deref(),
        Ok("america")
    );
    assert_eq!(
        route("teams-contoso", "+3312345", OF_CONTOSO, MONDAY_NOON).as_deref(),
        Ok("anything")
    );
    assert_eq!(
        route(
            "teams-fabrikam",
            "+13125550100",
            "+14255550100",
            MONDAY_NOON
        ),
        Err(Refusal::NoRoute)
    );
    assert_eq!(Refusal::NoRoute.status().code(), 404);
}

#[test]
fn calls_of_carriers_go_to_the_tenant_of_the_number_and_never_to_another() {
    // MT-01
    let decision = decide("us", "2025550142", "0044207", MONDAY_NOON).expect("a route");
    assert_eq!(decision.route_name(), "in-contoso");
    assert_eq!(decision.attempt().tenant_name(), Some("contoso"));
    assert_eq!(decision.attempt().called(), "+12025550142");
    assert_eq!(decision.attempt().caller(), "+44207");
    // NUM-01: the extension, by the second rule of the list.
    assert_eq!(
        route("us", "0142", "", MONDAY_NOON).as_deref(),
        Ok("in-contoso")
    );
    assert_eq!(
        route("us", "+14255550100", "", MONDAY_NOON),
        Err(Refusal::NoRoute)
    );
    assert_eq!(
        route("us", "+12025550200", "", MONDAY_NOON),
        Err(Refusal::NoRoute)
    );
    // A route that leads into another tenant leads nowhere.
    assert_eq!(
        route("us-2", "+14255550100", "", MONDAY_NOON),
        Err(Refusal::NoTrunk)
    );
}

#[test]
fn callers_who_are_not_the_tenants_are_overwritten_or_refused() {
    // MT-03
    let first = first_target("teams-contoso", "+442071234567", "+15005550000");
    assert_eq!(first.caller().number, "+12025550100");
    let own = first_target("teams-contoso", "+442071234567", OF_CONTOSO);
    assert_eq!(own.caller().number, OF_CONTOSO);
    assert_eq!(
        route("teams-fabrikam", "+442071234567", OF_CONTOSO, MONDAY_NOON),
        Err(Refusal::CallerNotAllowed)
    );
    assert_eq!(Refusal::CallerNotAllowed.status().code(), 403);
    assert_eq!(
        route(
            "teams-fabrikam",
            "+442071234567",
            "+14255550100",
            MONDAY_NOON
        )
        .as_deref(),
        Ok("britain")
    );
    // Nobody screens the callers of a carrier.
    assert!(decide("us", "2025550142", "+15005550000", MONDAY_NOON).is_ok());
}

#[test]
fn emergencies_go_to_the_route_that_names_them_unscreened_and_untranslated() {
    // EMG-01
    for dialled in ["911", "+911"] {
        let decision =
            decide("teams-fabrikam", dialled, "+15005550000", MONDAY_NOON).expect("a route");
        assert_eq!(decision.route_name(), "help");
        assert!(decision.attempt().is_emergency());
        let Next::Try(target) = Hunt::new(decision).next(None, &mut tokens(1)) else {
            panic!("a target")
        };
        assert_eq!(
            (target.called(), target.caller().number.as_str()),
            ("911", "+15005550000")
        );
    }
    assert_eq!(
        route("teams-contoso", "911", OF_CONTOSO, MONDAY_NOON).as_deref(),
        Ok("help")
    );
    // No route names 112: the first that takes it will do.
    assert_eq!(
        route("teams-contoso", "112", OF_CONTOSO, MONDAY_NOON).as_deref(),
        Ok("anything")
    );
}

fn tokens(seed: u8) -> Tokens {
    Tokens::new([seed; 32])
}

fn first_target(trunk: &str, called: &str, caller: &str) -> Target {
    let decision = decide(trunk, called, caller, MONDAY_NOON).expect("a route");
    match Hunt::new(decision).next(None, &mut tokens(1)) {
        Next::Try(target) => target,
        Next::GiveUp => panic!("no target"),
    }
}

/// Hosts tried, when every one of them fails in the same way.
fn tried(trunk: &str, called: &str, failure: Failure, seed: u8) -> Vec<String> {
    let mut hunt = Hunt::new(decide(trunk, called, OF_CONTOSO, MONDAY_NOON).expect("a route"));
    let mut rng = tokens(seed);
    let mut hosts = Vec::new();
    let mut last = None;
    while let Next::Try(target) = hunt.next(last, &mut rng) {
        hosts.push(target.host().to_string());
        last = Some(failure);
        assert!(hosts.len() < 10, "endless");
    }
    assert!(
        matches!(hunt.next(last, &mut rng), Next::GiveUp),
        "it stays over"
    );
    hosts
}

#[test]
fn teams_is_tried_at_its_three_proxies_in_order() {
    // SIG-01, INV-13
    let three = [
        "sip.pstnhub.microsoft.com:5061",
        "sip2.pstnhub.microsoft.com:5061",
        "sip3.pstnhub.microsoft.com:5061",
    ];
    for failure in [
        Failure::Silent,
        Failure::Unreachable,
        Failure::Status(503, Some(1)),
    ] {
        assert_eq!(tried("us", "2025550142", failure, 1), three, "{failure:?}");
    }
    // INV-14
    for failure in
        [404, 408, 480, 486, 488, 500, 504, 600, 603].map(|code| Failure::Status(code, None))
    {
        assert_eq!(
            tried("us", "2025550142", failure, 1).len(),
            1,
            "{failure:?}"
        );
    }
}

#[test]
fn a_hunt_goes_on_after_the_causes_of_its_route_and_no_others() {
    let all = |failure| tried("teams-contoso", "+13125550100", failure, 1);
    assert_eq!(
        all(Failure::Silent).len(),
        4,
        "two hosts of one trunk, one of each other"
    );
    assert_eq!(all(Failure::Status(503, None)).len(), 4);
    assert_eq!(
        all(Failure::Status(500, None)).len(),
        3,
        "not the same trunk again"
    );
    assert_eq!(all(Failure::NoMedia).len(), 3);
    for failure in [
        Failure::Status(502, None),
        Failure::Status(486, None),
        Failure::Status(603, None),
        Failure::NoAnswer,
    ] {
        assert_eq!(all(failure).len(), 1, "{failure:?}");
    }
    assert_eq!(
        all(Failure::Silent).last().map(String::as_str),
        Some("203.0.113.1"),
        "the last group comes last"
    );
}

#[test]
fn trunks_of_a_group_share_calls_by_weight() {
    let mut first = 0;
    let mut rng = tokens(9);
    let decision =
        decide("teams-contoso", "+13125550100", OF_CONTOSO, MONDAY_NOON).expect("a route");
    for _ in 0..5_000 {
        let Next::Try(target) = Hunt::new(decision.clone()).next(None, &mut rng) else {
            panic!("a target")
        };
        first += u32::from(target.trunk_name() == "us");
    }
    // 3 of 5; the standard deviation is 35.
    assert!((2_860..=3_140).contains(&first), "{first}");
}

#[test]
fn peers_in_random_order_share_calls_and_stand_in_for_each_other() {
    let text = BOX.replace(
        "peers = [\"192.0.2.1\", \"192.0.2.2\"]",
        "peers = [\"192.0.2.1\", \"192.0.2.2\", \"192.0.2.3\"]\norder = \"random\"",
    );
    let snapshot = config::parse(&text)
        .unwrap_or_else(|findings| panic!("{findings}"))
        .snapshot();
    let attempt = attempt(&snapshot, "teams-contoso", "911", OF_CONTOSO);
    let decision = choose(&snapshot, &attempt, MONDAY_NOON).expect("a route");
    let mut rng = tokens(3);
    let mut first = std::collections::BTreeMap::new();
    for _ in 0..3_000 {
        let mut hunt = Hunt::new(decision.clone());
        let mut hosts = Vec::new();
        let mut last = None;
        while let Next::Try(target) = hunt.next(last, &mut rng) {
            hosts.push(target.host().to_string());
            last = Some(Failure::Silent);
        }
        *first.entry(hosts[0].clone()).or_insert(0) += 1;
        hosts.sort();
        assert_eq!(hosts, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    }
    // A third each; the standard deviation is 26.
    assert!(
        first.len() == 3 && first.values().all(|count| (896..=1_104).contains(count)),
        "{first:?}"
    );
}

#[test]
fn the_trunk_gets_its_own_number_format_and_headers() {
    let mut hunt = Hunt::new(
        decide("teams-contoso", "+13125550100", OF_CONTOSO, MONDAY_NOON).expect("a route"),
    );
    let mut rng = tokens(1);
    let mut last = None;
    while let Next::Try(target) = hunt.next(last, &mut rng) {
        let expected = if target.trunk_name() == "us" {
            "3125550100"
        } else {
            "+13125550100"
        };
        assert_eq!(target.called(), expected, "{}", target.trunk_name());
        last = Some(Failure::Silent);
    }
    let snapshot = snapshot();
    let invite = invite("X-Pass: a, b\r\nX-Other: no\r\nX-Pass: c\r\n");
    let attempt = Attempt::read(
        &snapshot,
        snapshot.trunk_named("us").expect("a trunk"),
        &invite,
    )
    .expect("a number");
    let decision = choose(&snapshot, &attempt, MONDAY_NOON).expect("a route");
    let Next::Try(target) = Hunt::new(decision).next(None, &mut rng) else {
        panic!("a target")
    };
    let changes: Vec<_> = target
        .headers()
        .iter()
        .map(|change| (change.name.as_str(), change.values.clone()))
        .collect();
    let text = |text: &'static str| Bytes::from_static(text.as_bytes());
    let expected = vec![
        ("X-Site", vec![text("branch-1")]),
        ("X-Pass", vec![text("a, b"), text("c")]),
        ("User-Agent", vec![]),
    ];
    assert_eq!(changes, expected);
}

#[test]
fn a_transfer_goes_straight_back_to_the_proxies() {
    // REF-03
    let snapshot = snapshot();
    let attempt = attempt(&snapshot, "us", "+12025550142", "+13125550100");
    let mut hunt = Hunt::on_trunk(
        &snapshot,
        &attempt,
        snapshot.trunk_named("teams-contoso").expect("a trunk"),
    );
    let mut rng = tokens(1);
    let mut count = 0;
    let mut last = None;
    while let Next::Try(target) = hunt.next(last, &mut rng) {
        assert_eq!(target.trunk_name(), "teams-contoso");
        count += 1;
        last = Some(Failure::Unreachable);
    }
    assert_eq!(count, 3);
}

fn invite(headers: &str) -> Request {
    let text = format!(
        "INVITE sip:202-555-0142;npdi@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
         Call-ID: 1\r\nCSeq: 1 INVITE\r\nTo: <sip:2025550142@127.0.0.1>\r\n{}{headers}Content-Length: 0\r\n\r\n",
        if headers.contains("From:") {
            ""
        } else {
            "From: \"Ann\" <sip:0013125550100@192.0.2.1>;tag=1\r\n"
        }
    );
    match Message::parse(Bytes::from(text)) {
        Ok(Message::Request(request)) => request,
        other => panic!("not an INVITE: {other:?}"),
    }
}

fn caller(trunk: &str, headers: &str) -> Caller {
    let snapshot = snapshot();
    let trunk = snapshot.trunk_named(trunk).expect("a trunk");
    Attempt::read(&snapshot, trunk, &invite(headers))
        .expect("a number")
        .calling_party()
        .clone()
}

fn party(number: &str, display: &str, presentation: Presentation) -> Caller {
    Caller {
        number: number.to_owned(),
        display: display.to_owned(),
        presentation,
    }
}

#[test]
fn callers_of_carriers_are_who_the_carrier_asserts() {
    // INV-04
    use Presentation::{Shown, Withheld};
    assert_eq!(caller("us", ""), party("+13125550100", "Ann", Shown));
    let asserted = "P-Asserted-Identity: \"Bob\" <sip:+13125550199@carrier.example>\r\n";
    assert_eq!(caller("us", asserted), party("+13125550199", "Bob", Shown));
    let tel = "P-Asserted-Identity: <sip:bob@carrier.example>, <tel:+1-312-555-0199>\r\n";
    assert_eq!(caller("us", tel), party("+13125550199", "", Shown));
    let hidden = "From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1\r\n";
    assert_eq!(
        caller("us", &format!("{hidden}{asserted}")),
        party("+13125550199", "", Withheld)
    );
    assert_eq!(
        caller("us", &format!("{asserted}Privacy: id;critical\r\n")),
        party("+13125550199", "", Withheld)
    );
    assert_eq!(caller("us", hidden), party("anonymous", "", Withheld));
}

#[test]
fn callers_of_teams_are_who_from_says_unless_it_says_nobody() {
    use Presentation::{Shown, Withheld};
    let pays = "P-ASSERTED-IDENTITY: <tel:+12025550111>,<sip:a@contoso.example>\r\nPRIVACY: id\r\n";
    let from =
        "From: \"Alex\" <sip:+12025550122@sip.pstnhub.microsoft.com:5061;user=phone>;tag=1\r\n";
    assert_eq!(
        caller("teams-contoso", &format!("{from}{pays}")),
        party("+12025550122", "Alex", Shown)
    );
    let hidden = "From: <sip:anonymous@anonymous.invalid>;tag=1\r\n";
    assert_eq!(
        caller("teams-contoso", &format!("{hidden}{pays}")),
        party("+12025550111", "", Withheld)
    );
}

#[test]
fn the_dial_plan_stands_behind_the_last_rule() {
    // NUM-01
    let trunk = "us-2";
    let plan = "sources = [\"198.51.100.1\"]\nnumbers = { country = \"44\", send = \"national\", called_in = [{ name = \"desk\", pattern = '^(\\d{2})$', translation = '+120255501$1' }] }";
    let text = BOX.replace("sources = [\"198.51.100.1\"]", plan);
    let snapshot = config::parse(&text)
        .unwrap_or_else(|findings| panic!("{findings}"))
        .snapshot();
    let meant = |dialled| attempt(&snapshot, trunk, dialled, "02079460000");
    assert_eq!(meant("42").called(), "+12025550142", "a rule comes first");
    assert_eq!(meant("0012025550142").called(), "+12025550142");
    assert_eq!(meant("999").called(), "999");
    assert_eq!(meant("42").caller(), "+442079460000");
    assert_eq!(meant("42").steps()[1].rule, "dial plan");
    let decision = choose(
        &snapshot,
        &attempt(&snapshot, "teams-contoso", "+442071234567", OF_CONTOSO),
        SATURDAY_NOON,
    );
    let Next::Try(target) = Hunt::new(decision.expect("a route")).next(None, &mut tokens(1)) else {
        panic!("a target")
    };
    assert_eq!(
        (target.called(), target.caller().number.as_str()),
        ("02071234567", "0012025550123")
    );
}

#[test]
fn a_number_is_read_without_separators_and_parameters() {
    let snapshot = snapshot();
    let trunk = snapshot.trunk_named("us").expect("a trunk");
    let attempt = Attempt::read(&snapshot, trunk, &invite("")).expect("a number");
    assert_eq!(
        (attempt.dialled(), attempt.called()),
        ("2025550142", "+12025550142")
    );
}

fn at(milliseconds: u64) -> Instant {
    Instant::from_ticks(0) + Duration::from_secs(100) + Duration::from_millis(milliseconds)
}

#[test]
fn a_tenant_has_so_many_calls_at_the_same_time() {
    let snapshot = snapshot();
    let decision = choose(
        &snapshot,
        &attempt(&snapshot, "us", "2025550142", ""),
        MONDAY_NOON,
    )
    .expect("a route");
    let mut limits = Limits::default();
    let first = limits.admit(&snapshot, &decision, at(0)).expect("room");
    let second = limits.admit(&snapshot, &decision, at(0)).expect("room");
    let full = limits
        .admit(&snapshot, &decision, at(5_000))
        .expect_err("no room");
    assert_eq!((full.of, full.what), (Scope::Tenant, Measure::Concurrent));
    assert_eq!(limits.calls(), 2, "a refused call takes nothing");
    limits.release(first);
    let third = limits
        .admit(&snapshot, &decision, at(5_000))
        .expect("room again");
    limits.release(second);
    limits.release(third);
    assert_eq!(
        (
            limits.calls(),
            limits.calls_on_trunk("us"),
            limits.calls_of_tenant("contoso")
        ),
        (0, 0, 0)
    );
}

#[test]
fn a_tenant_begins_so_many_calls_in_a_second() {
    let snapshot = snapshot();
    let decision = choose(
        &snapshot,
        &attempt(&snapshot, "us", "2025550142", ""),
        MONDAY_NOON,
    )
    .expect("a route");
    let mut limits = Limits::default();
    let mut begun = Vec::new();
    for millisecond in 0..10_000 {
        match limits.admit(&snapshot, &decision, at(millisecond)) {
            Ok(ticket) => {
                begun.push(millisecond);
                limits.release(ticket);
            }
            Err(reached) => assert_eq!((reached.of, reached.what), (Scope::Tenant, Measure::Rate)),
        }
    }
    assert_eq!(
        begun[..4],
        [0, 1, 2, 334],
        "a burst of three, then one each third of a second"
    );
    assert_eq!(begun.len(), 3 + 29);
}

#[test]
fn the_trunk_that_is_tried_counts_and_the_one_left_does_not() {
    let snapshot = snapshot();
    let us = snapshot.trunk_named("us").expect("a trunk");
    let uk = snapshot.trunk_named("uk").expect("a trunk");
    let mut limits = Limits::default();
    let mut tickets = Vec::new();
    for second in 0..4 {
        let trunk = if second < 2 {
            "teams-contoso"
        } else {
            "teams-fabrikam"
        };
        let attempt = attempt(
            &snapshot,
            trunk,
            "+442071234567",
            if second < 2 {
                OF_CONTOSO
            } else {
                "+14255550100"
            },
        );
        let decision = choose(&snapshot, &attempt, MONDAY_NOON).expect("a route");
        tickets.push(
            limits
                .admit(&snapshot, &decision, at(second * 1_000))
                .expect("room"),
        );
    }
    for ticket in &mut tickets[..3] {
        assert_eq!(limits.enter(&snapshot, ticket, us, at(9_000)), Ok(()));
        assert_eq!(
            limits.enter(&snapshot, ticket, us, at(9_000)),
            Ok(()),
            "once for both hosts of a trunk"
        );
    }
    let full = limits
        .enter(&snapshot, &mut tickets[3], us, at(9_000))
        .expect_err("the trunk is full");
    assert_eq!((full.of, full.what), (Scope::Trunk, Measure::Concurrent));
    assert_eq!(
        limits.enter(&snapshot, &mut tickets[0], uk, at(9_000)),
        Ok(())
    );
    assert_eq!(
        limits.enter(&snapshot, &mut tickets[3], us, at(9_000)),
        Ok(()),
        "room of the one that moved on"
    );
    for ticket in tickets {
        limits.release(ticket);
    }
    assert_eq!(
        (
            limits.calls(),
            limits.calls_on_trunk("us"),
            limits.calls_on_trunk("uk")
        ),
        (0, 0, 0)
    );
}

#[test]
fn an_emergency_finds_room_on_a_full_box() {
    // EMG-01
    let snapshot = snapshot();
    let ordinary = choose(
        &snapshot,
        &attempt(&snapshot, "us", "2025550142", ""),
        MONDAY_NOON,
    )
    .expect("a route");
    let emergency = choose(
        &snapshot,
        &attempt(&snapshot, "teams-contoso", "911", ""),
        MONDAY_NOON,
    )
    .expect("a route");
    let mut limits = Limits::default();
    let mut tickets = Vec::new();
    while let Ok(ticket) = limits.admit(&snapshot, &ordinary, at(0)) {
        tickets.push(ticket);
    }
    for _ in 0..100 {
        let mut ticket = limits
            .admit(&snapshot, &emergency, at(0))
            .expect("room for help");
        assert_eq!(
            limits.enter(
                &snapshot,
                &mut ticket,
                snapshot.trunk_named("us").expect("a trunk"),
                at(0)
            ),
            Ok(())
        );
        tickets.push(ticket);
    }
    assert!(limits.admit(&snapshot, &ordinary, at(60_000)).is_err());
    for ticket in tickets {
        limits.release(ticket);
    }
    assert_eq!((limits.calls(), limits.calls_on_trunk("us")), (0, 0));
}

#[test]
fn explain_tells_the_decision_and_why_not_another() {
    let snapshot = snapshot();
    let trunk = snapshot.trunk_named("teams-contoso").expect("a trunk");
    let told = explain(
        &snapshot,
        trunk,
        "+13125550100",
        Caller::numbered("+15005550000"),
        MONDAY_NOON,
    );
    let expected = "\
A call to +13125550100 comes in on trunk teams-contoso
  called +13125550100, caller +15005550000
  it is a call of tenant contoso
  the caller id is none of the tenant's and becomes +12025550100
Route in-contoso does not take it: it is for calls from other trunks
Route in-fabrikam-to-the-wrong-tenant does not take it: it is for calls from other trunks
Route night does not take it: it is for other numbers
Route britain does not take it: it is for other numbers
Route america takes it
  1. trunk us (first in 60 of 100 calls) at 192.0.2.1, then 192.0.2.2
     +13125550100 becomes 3125550100 by rule national of called_out
     called 3125550100, caller +12025550100
  1. trunk us-2 (first in 40 of 100 calls) at 198.51.100.1
     called +13125550100, caller +12025550100
  2. trunk uk at 203.0.113.1
     called +13125550100, caller +12025550100
  the next is tried when one is silent, cannot be reached or answers 500, 503
  limit of the box: 5 calls at the same time
  limit of the tenant: 2 calls at the same time 3 calls a second
";
    assert_eq!(told.to_string(), expected);
    let night = explain(
        &snapshot,
        trunk,
        "+442071234567",
        Caller::numbered(OF_CONTOSO),
        MONDAY_NOON,
    );
    assert!(
        night
            .to_string()
            .contains("Route night does not take it: it is for other times\n"),
        "{night}"
    );
    let refused = explain(
        &snapshot,
        snapshot.trunk_named("us-2").expect("a trunk"),
        "+14255550100",
        Caller::default(),
        0,
    );
    assert!(
        refused.to_string().ends_with(
            "  trunk teams-contoso is left out: it belongs to another tenant\n\
         Refused with 404: every trunk of the route belongs to another tenant\n"
        ),
        "{refused}"
    );
    let json = serde_json::to_value(&told).expect("a value");
    assert_eq!(
        json["outcome"]["routed"]["groups"][0][0]["steps"][0]["list"],
        "called_out"
    );
    assert_eq!(json["passed"][3]["why"], "number");
}
