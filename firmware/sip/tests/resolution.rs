//! From URIs to addresses against a name server made of a table, and failover along what it says.
//!
//! RFC 3263 §4 case by case; RFC 2782's weights by counting; the cache by its clock; INV-13, INV-14 and OPT-04 by cause.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};

use embassy_time::{Duration, Instant};
use sip::message::{RetryAfter, StatusCode};
use sip::resolve::{
    Abilities, Answer, Cause, Failover, Families, Goal, GoalError, Hop, Lookup, Naptr, Outages,
    Question, Record, RecordKind, Resolver, Srv, Unresolved, Verdict,
};
use sip::transport::Transport;

const TTL: Duration = Duration::from_secs(100);

/// The name servers.
#[derive(Default)]
struct Zone {
    records: HashMap<Question, Vec<Record>>,
    asked: Vec<Question>,
}

impl Zone {
    fn put(&mut self, name: &str, kind: RecordKind, record: Record) {
        self.records
            .entry(Question::new(name, kind))
            .or_default()
            .push(record);
    }

    fn a(&mut self, name: &str, address: &str) {
        let address: IpAddr = address.parse().expect("an address");
        let kind = if address.is_ipv4() {
            RecordKind::A
        } else {
            RecordKind::Aaaa
        };
        self.put(name, kind, Record::Address(address));
    }

    fn srv(&mut self, name: &str, priority: u16, weight: u16, port: u16, target: &str) {
        let srv = Srv {
            priority,
            weight,
            port,
            target: target.to_owned(),
        };
        self.put(name, RecordKind::Srv, Record::Srv(srv));
    }

    fn naptr(&mut self, name: &str, order: u16, service: &str, replacement: &str) {
        let naptr = Naptr {
            order,
            preference: 50,
            flags: "s".to_owned(),
            service: service.to_owned(),
            replacement: replacement.to_owned(),
        };
        self.put(name, RecordKind::Naptr, Record::Naptr(naptr));
    }

    fn answer(&mut self, question: &Question) -> Answer {
        self.asked.push(question.clone());
        match self.records.get(question) {
            Some(records) => Answer::Records {
                records: records.clone(),
                ttl: TTL,
            },
            None => Answer::None { ttl: TTL },
        }
    }
}

fn abilities(transports: &[Transport]) -> Abilities {
    Abilities {
        transports: transports.to_vec(),
        families: Families::V4ThenV6,
    }
}

fn all() -> Abilities {
    abilities(&[Transport::Udp, Transport::Tcp, Transport::Tls])
}

fn goal(uri: &str) -> Goal {
    Goal::of_uri(&uri.parse().expect("a URI")).expect("a goal")
}

fn at(seconds: u64) -> Instant {
    Instant::from_secs(1_000 + seconds)
}

/// Asks until it knows.
fn resolve(
    resolver: &mut Resolver,
    zone: &mut Zone,
    now: Instant,
    goal: &Goal,
    abilities: &Abilities,
) -> Result<Vec<Hop>, Unresolved> {
    let (mut open, ticket) = match resolver.lookup(now, goal, abilities) {
        Lookup::Ready { hops, questions } => {
            for question in questions {
                let answer = zone.answer(&question);
                resolver.answered(now, &question, answer);
            }
            return hops;
        }
        Lookup::Pending { ticket, questions } => (questions, ticket),
    };
    while let Some(question) = open.pop() {
        let answer = zone.answer(&question);
        let settled = resolver.answered(now, &question, answer);
        open.extend(settled.questions);
        if let Some((_, hops)) = settled
            .ready
            .into_iter()
            .find(|(ready, _)| *ready == ticket)
        {
            assert!(open.is_empty(), "asks for what it does not need: {open:?}");
            return hops;
        }
    }
    panic!("every question has been answered and nothing came of it");
}

fn shown(hops: &[Hop]) -> Vec<String> {
    hops.iter()
        .map(|hop| format!("{} {}", hop.transport.uri_param(), hop.addr))
        .collect()
}

fn resolved(zone: &mut Zone, uri: &str, abilities: &Abilities) -> Vec<String> {
    let mut resolver = Resolver::new([1; 32]);
    let hops = resolve(&mut resolver, zone, at(0), &goal(uri), abilities).expect("hops");
    assert_eq!(resolver.pending(), 0);
    shown(&hops)
}

#[test]
fn numbers_need_no_questions() {
    // RFC 3263 §4.1, §4.2.
    let cases = [
        ("sip:192.0.2.1", "udp 192.0.2.1:5060"),
        ("sip:192.0.2.1:5080", "udp 192.0.2.1:5080"),
        ("sip:bob@192.0.2.1;transport=tcp", "tcp 192.0.2.1:5060"),
        ("sip:192.0.2.1;transport=TLS", "tls 192.0.2.1:5061"),
        ("sips:192.0.2.1", "tls 192.0.2.1:5061"),
        ("sips:192.0.2.1;transport=tcp", "tls 192.0.2.1:5061"),
        ("sip:[2001:db8::1]", "udp [2001:db8::1]:5060"),
        ("sip:gone.example;maddr=192.0.2.7", "udp 192.0.2.7:5060"),
    ];
    for (uri, expected) in cases {
        let mut zone = Zone::default();
        assert_eq!(resolved(&mut zone, uri, &all()), [expected], "{uri}");
        assert!(zone.asked.is_empty());
    }
}

#[test]
fn a_port_means_addresses_alone() {
    // RFC 3263 §4.2: as the Teams proxies are configured.
    let mut zone = Zone::default();
    zone.a("sip.pstnhub.example", "192.0.2.1");
    zone.a("sip.pstnhub.example", "2001:db8::1");
    zone.srv("_sips._tcp.sip.pstnhub.example", 1, 1, 9, "trap.example");
    let uri = "sip:sip.pstnhub.example:5061;transport=tls";
    assert_eq!(
        resolved(&mut zone, uri, &all()),
        ["tls 192.0.2.1:5061", "tls [2001:db8::1]:5061"]
    );
    assert_eq!(zone.asked.len(), 2);
    let six = Abilities {
        families: Families::V6ThenV4,
        ..all()
    };
    assert_eq!(
        resolved(&mut zone, uri, &six),
        ["tls [2001:db8::1]:5061", "tls 192.0.2.1:5061"]
    );
    let four = Abilities {
        families: Families::V4,
        ..all()
    };
    assert_eq!(resolved(&mut zone, uri, &four), ["tls 192.0.2.1:5061"]);
}

#[test]
fn naptr_chooses_the_transport_and_srv_the_hosts() {
    // RFC 3263 §4.1, with its example.
    let mut zone = Zone::default();
    zone.naptr("example.com", 50, "SIPS+D2T", "_sips._tcp.example.com");
    zone.naptr("example.com", 90, "SIP+D2T", "_sip._tcp.example.com");
    zone.naptr("example.com", 100, "SIP+D2U", "_sip._udp.example.com");
    zone.naptr("example.com", 10, "SIP+D2S", "_sip._sctp.example.com");
    zone.srv("_sip._tcp.example.com", 2, 1, 5060, "server2.example.com");
    zone.srv("_sip._tcp.example.com", 0, 1, 5070, "server1.example.com");
    zone.srv("_sips._tcp.example.com", 0, 1, 5071, "server1.example.com");
    zone.srv("_sip._udp.example.com", 0, 1, 5060, "server2.example.com");
    zone.a("server1.example.com", "192.0.2.1");
    zone.a("server2.example.com", "192.0.2.2");
    let expected = [
        "tls 192.0.2.1:5071",
        "tcp 192.0.2.1:5070",
        "tcp 192.0.2.2:5060",
        "udp 192.0.2.2:5060",
    ];
    assert_eq!(resolved(&mut zone, "sip:Example.COM", &all()), expected);
    assert_eq!(
        resolved(&mut zone, "sip:example.com", &abilities(&[Transport::Tcp])),
        expected[1..3]
    );
    assert_eq!(
        resolved(&mut zone, "sips:example.com", &all()),
        expected[..1]
    );
    // A transport in the URI: no NAPTR.
    zone.asked.clear();
    assert_eq!(
        resolved(&mut zone, "sip:example.com;transport=udp", &all()),
        expected[3..]
    );
    assert!(
        zone.asked
            .iter()
            .all(|question| question.kind() != RecordKind::Naptr)
    );
}

#[test]
fn without_naptr_srv_is_asked_for_what_we_speak_and_without_srv_the_name_itself() {
    let mut zone = Zone::default();
    zone.srv("_sip._tcp.example.com", 0, 0, 5070, "server1.example.com");
    zone.a("server1.example.com", "192.0.2.1");
    zone.a("example.com", "192.0.2.3");
    assert_eq!(
        resolved(&mut zone, "sip:example.com", &all()),
        ["tcp 192.0.2.1:5070"]
    );
    assert_eq!(
        resolved(&mut zone, "sip:example.com", &abilities(&[Transport::Udp])),
        ["udp 192.0.2.3:5060"]
    );
    assert_eq!(
        resolved(&mut zone, "sips:example.com", &all()),
        ["tls 192.0.2.3:5061"]
    );
    assert_eq!(
        resolved(&mut zone, "sip:example.com", &abilities(&[Transport::Tls])),
        ["tls 192.0.2.3:5061"]
    );
}

#[test]
fn a_service_that_is_not_offered_is_not_looked_for_elsewhere() {
    // RFC 2782: a target of `.`.
    let mut zone = Zone::default();
    zone.srv("_sip._udp.example.com", 0, 0, 0, ".");
    zone.a("example.com", "192.0.2.3");
    let mut resolver = Resolver::new([1; 32]);
    let goal = goal("sip:example.com;transport=udp");
    let hops = resolve(&mut resolver, &mut zone, at(0), &goal, &all());
    assert_eq!(hops, Err(Unresolved::NoAddress));
}

#[test]
fn what_leads_nowhere_says_why() {
    let mut resolver = Resolver::new([1; 32]);
    let mut zone = Zone::default();
    let udp = abilities(&[Transport::Udp]);
    let mut ends = |uri: &str| resolve(&mut resolver, &mut zone, at(0), &goal(uri), &udp);
    assert_eq!(ends("sip:nowhere.example"), Err(Unresolved::NoAddress));
    assert_eq!(
        ends("sips:nowhere.example"),
        Err(Unresolved::NothingInCommon)
    );
    assert_eq!(
        ends("sip:192.0.2.1;transport=tcp"),
        Err(Unresolved::NothingInCommon)
    );
    let uri = |uri: &str| Goal::of_uri(&uri.parse().expect("a URI")).err();
    assert_eq!(uri("tel:+12025550100"), Some(GoalError::NoHost));
    assert_eq!(uri("sip:a;transport=sctp"), Some(GoalError::Transport));
    assert_eq!(uri("sips:a;transport=udp"), Some(GoalError::Transport));
}

#[test]
fn weights_share_the_calls() {
    // RFC 2782, counted over a seeded run.
    let mut zone = Zone::default();
    for (weight, host) in [(70, "a"), (30, "b"), (0, "c")] {
        zone.srv("_sip._udp.example.com", 5, weight, 5060, host);
        zone.a(host, &format!("192.0.2.{}", weight + 1));
    }
    zone.srv("_sip._udp.example.com", 9, 100, 5060, "last");
    zone.a("last", "192.0.2.200");
    let mut resolver = Resolver::new([1; 32]);
    let mut first: BTreeMap<SocketAddr, u32> = BTreeMap::new();
    for _ in 0..10_000 {
        let goal = goal("sip:example.com;transport=udp");
        let hops = resolve(&mut resolver, &mut zone, at(0), &goal, &all()).expect("hops");
        assert_eq!(hops.len(), 4);
        assert_eq!(
            hops[3].addr.to_string(),
            "192.0.2.200:5060",
            "a lower priority comes after all"
        );
        *first.entry(hops[0].addr).or_default() += 1;
    }
    let count = |host: &str| {
        first
            .get(&host.parse().expect("an address"))
            .copied()
            .unwrap_or(0)
    };
    assert!(
        (6_700..7_300).contains(&count("192.0.2.71:5060")),
        "{first:?}"
    );
    assert!(
        (2_700..3_300).contains(&count("192.0.2.31:5060")),
        "{first:?}"
    );
    assert!((1..300).contains(&count("192.0.2.1:5060")), "{first:?}");
}

#[test]
fn a_certificate_must_show_the_name_that_was_asked_for() {
    // RFC 5922 §4: not the one that SRV gave.
    let mut zone = Zone::default();
    zone.srv("_sips._tcp.example.com", 0, 0, 5061, "host.hoster.example");
    zone.a("host.hoster.example", "192.0.2.1");
    let mut resolver = Resolver::new([1; 32]);
    let hops = resolve(
        &mut resolver,
        &mut zone,
        at(0),
        &goal("sips:example.com."),
        &all(),
    )
    .expect("hops");
    assert_eq!(&*hops[0].server_name, "example.com");
}

#[test]
fn answers_serve_for_their_time_and_are_renewed_before_they_run_out() {
    let mut zone = Zone::default();
    zone.a("a.example", "192.0.2.1");
    let four = Abilities {
        families: Families::V4,
        ..all()
    };
    let goal = goal("sip:a.example:5060");
    let mut resolver = Resolver::new([1; 32]);
    let mut asked_at = |seconds: u64, resolver: &mut Resolver| {
        zone.asked.clear();
        resolve(resolver, &mut zone, at(seconds), &goal, &four).expect("hops");
        zone.asked.len()
    };
    assert_eq!(asked_at(0, &mut resolver), 1);
    assert_eq!(asked_at(89, &mut resolver), 0);
    assert_eq!(
        asked_at(91, &mut resolver),
        1,
        "renewed while it still serves"
    );
    assert_eq!(asked_at(150, &mut resolver), 0);
    assert_eq!(asked_at(400, &mut resolver), 1);
    assert!(matches!(
        resolver.lookup(at(401), &goal, &four),
        Lookup::Ready { .. }
    ));
}

#[test]
fn one_question_is_asked_once_whoever_waits() {
    let four = Abilities {
        families: Families::V4,
        ..all()
    };
    let goal = goal("sip:a.example:5060");
    let mut resolver = Resolver::new([1; 32]);
    let mut tickets = Vec::new();
    let mut questions = Vec::new();
    for _ in 0..100 {
        match resolver.lookup(at(0), &goal, &four) {
            Lookup::Pending {
                ticket,
                questions: asked,
            } => {
                tickets.push(ticket);
                questions.extend(asked);
            }
            Lookup::Ready { .. } => panic!("nothing is known yet"),
        }
    }
    assert_eq!(questions, [Question::new("A.example.", RecordKind::A)]);
    resolver.forget(tickets.remove(0));
    let address = "192.0.2.1".parse().expect("an address");
    let settled = resolver.answered(at(1), &questions[0], Answer::addresses([address], TTL));
    assert_eq!(
        settled
            .ready
            .iter()
            .map(|(ticket, _)| *ticket)
            .collect::<Vec<_>>(),
        tickets
    );
    assert_eq!(resolver.pending(), 0);
}

#[test]
fn name_servers_that_fail_do_not_stop_calls_that_went_well() {
    // RFC 8767.
    let four = Abilities {
        families: Families::V4,
        ..all()
    };
    let goal = goal("sip:a.example:5060");
    let question = Question::new("a.example", RecordKind::A);
    let mut resolver = Resolver::new([1; 32]);
    let after_failure = |seconds: u64, resolver: &mut Resolver| {
        let Lookup::Pending { .. } = resolver.lookup(at(seconds), &goal, &four) else {
            panic!("should have run out")
        };
        let settled = resolver.answered(at(seconds), &question, Answer::Failed);
        settled.ready.into_iter().next().expect("an end").1
    };
    assert_eq!(after_failure(0, &mut resolver), Err(Unresolved::NoAnswer));
    let address = "192.0.2.1".parse().expect("an address");
    resolver.answered(at(10), &question, Answer::addresses([address], TTL));
    assert!(after_failure(200, &mut resolver).is_ok());
    assert!(after_failure(300, &mut resolver).is_ok());
    assert_eq!(
        after_failure(2 * 86_400, &mut resolver),
        Err(Unresolved::NoAnswer)
    );
    // That there is no such name is an answer, not a failure.
    resolver.answered(at(200_000), &question, Answer::addresses([address], TTL));
    resolver.answered(at(200_050), &question, Answer::None { ttl: TTL });
    assert!(matches!(
        resolver.lookup(at(200_051), &goal, &four),
        Lookup::Ready {
            hops: Err(Unresolved::NoAddress),
            ..
        }
    ));
}

#[test]
fn the_host_table_goes_before_the_dns() {
    let mut zone = Zone::default();
    zone.srv("_sip._udp.a.example", 0, 0, 9, "trap.example");
    let mut resolver = Resolver::new([1; 32]);
    let address: IpAddr = "127.0.0.2".parse().expect("an address");
    resolver.pin([("A.example", vec![address])]);
    let hops = resolve(
        &mut resolver,
        &mut zone,
        at(0),
        &goal("sip:a.example:5061;transport=tls"),
        &all(),
    );
    assert_eq!(shown(&hops.expect("hops")), ["tls 127.0.0.2:5061"]);
    assert!(zone.asked.is_empty());
    resolver.pin([]);
    assert!(
        resolve(
            &mut resolver,
            &mut zone,
            at(0),
            &goal("sip:a.example:5061"),
            &all()
        )
        .is_err()
    );
}

#[test]
fn the_cache_is_bounded() {
    let mut resolver = Resolver::new([1; 32]);
    for number in 0..9_000 {
        let question = Question::new(&format!("{number}.example"), RecordKind::A);
        resolver.answered(at(number), &question, Answer::None { ttl: TTL });
    }
    assert_eq!(resolver.cache().len(), 8_192);
}

// ── failover ────────────────────────────────────────────────────────────────────────────────────────────────────────

fn hops() -> Vec<Hop> {
    let hop = |number: u8| Hop {
        transport: Transport::Tls,
        addr: SocketAddr::new([192, 0, 2, number].into(), 5061),
        server_name: "sip.example".into(),
    };
    vec![hop(1), hop(2), hop(3)]
}

fn refused(status: StatusCode) -> Cause {
    Cause::Answered {
        status,
        retry_after: None,
    }
}

#[test]
fn only_silence_a_broken_connection_and_503_lead_on() {
    // INV-13, INV-14.
    for code in 300..=699 {
        let status = StatusCode::new(code).expect("a code");
        let mut outages = Outages::new();
        let mut way = Failover::new(at(0), hops(), &outages).expect("hops");
        let verdict = way.failed(at(0), refused(status), &mut outages);
        let expected = if code == 503 {
            Verdict::Next(hops()[1].clone())
        } else {
            Verdict::Final
        };
        assert_eq!(verdict, expected, "{code}");
    }
    for cause in [Cause::Silence, Cause::Unreachable] {
        let mut outages = Outages::new();
        let mut way = Failover::new(at(0), hops(), &outages).expect("hops");
        assert_eq!(
            way.failed(at(0), cause, &mut outages),
            Verdict::Next(hops()[1].clone())
        );
        assert_eq!(
            way.failed(at(0), cause, &mut outages),
            Verdict::Next(hops()[2].clone())
        );
        assert_eq!(way.failed(at(0), cause, &mut outages), Verdict::Exhausted);
    }
}

#[test]
fn a_silent_target_costs_four_seconds_once() {
    let mut outages = Outages::new();
    let mut way = Failover::new(at(0), hops(), &outages).expect("hops");
    assert_eq!(way.patience(), Some(Duration::from_secs(4)));
    way.failed(at(4), Cause::Silence, &mut outages);
    // The next call begins elsewhere; and comes back when there is reason to hope.
    let next = Failover::new(at(5), hops(), &outages).expect("hops");
    assert_eq!(next.current().addr, hops()[1].addr);
    let later = Failover::new(at(60), hops(), &outages).expect("hops");
    assert_eq!(later.current().addr, hops()[0].addr);
    outages.recovered(Transport::Tls, hops()[0].addr);
    let recovered = Failover::new(at(5), hops(), &outages).expect("hops");
    assert_eq!(recovered.current().addr, hops()[0].addr);
    // Whoever has no other target may wait as long as the transaction does.
    let only = Failover::new(at(0), hops()[..1].to_vec(), &outages).expect("a hop");
    assert_eq!(only.patience(), None);
}

#[test]
fn retry_after_takes_a_target_out_for_its_time() {
    // OPT-04.
    let mut outages = Outages::new();
    let busy = |seconds| Cause::Answered {
        status: StatusCode::SERVICE_UNAVAILABLE,
        retry_after: Some(RetryAfter {
            seconds,
            duration: None,
        }),
    };
    let mut way = Failover::new(at(0), hops(), &outages).expect("hops");
    way.failed(at(0), busy(120), &mut outages);
    assert!(outages.is_out(at(119), Transport::Tls, hops()[0].addr));
    assert!(!outages.is_out(at(120), Transport::Tls, hops()[0].addr));
    // All are out: tried all the same, in order.
    for hop in hops() {
        outages.failed(at(0), &hop, busy(120));
    }
    let way = Failover::new(at(1), hops(), &outages).expect("hops");
    assert_eq!(way.current().addr, hops()[0].addr);
    // Nobody is believed to be out for a day.
    outages.failed(at(0), &hops()[0], busy(86_400));
    assert!(!outages.is_out(at(3_601), Transport::Tls, hops()[0].addr));
    // Without Retry-After it was that request alone.
    let mut outages = Outages::new();
    let mut way = Failover::new(at(0), hops(), &outages).expect("hops");
    way.failed(
        at(0),
        refused(StatusCode::SERVICE_UNAVAILABLE),
        &mut outages,
    );
    assert!(!outages.is_out(at(1), Transport::Tls, hops()[0].addr));
}
