//! Asks the DNS what the core wants to know, and answers names of the configuration without asking.
//!
//! A name under `[dns.hosts]` has the addresses written there and nothing else: no SRV, no NAPTR, no other addresses.
//! Everything else goes to the servers of the configuration or of the system, on the threads aside. Every question is
//! answered, at the latest after [`PATIENCE`]; the core keeps answers for their time and never asks twice at once.
//!
//! Not here: what follows from an answer (`sip::resolve`).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use sip::resolve::{Answer, Naptr, Question, Record, RecordKind, Srv};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::strangers;

/// A call does not wait longer for a name (INV-11: the caller hears something within seconds).
const PATIENCE: Duration = Duration::from_secs(4);
/// Each server is asked twice within that.
const ONE_TRY: Duration = Duration::from_millis(1_500);
/// How long names of the configuration hold: until the next one, which asks anew.
const STATIC_TTL: embassy_time::Duration = embassy_time::Duration::from_secs(60);
/// How long "there is none" holds where nobody says (RFC 2308 §5 lets a resolver choose).
const NEGATIVE_TTL: embassy_time::Duration = embassy_time::Duration::from_secs(30);
/// Questions on their way; more wait their turn.
const AT_ONCE: usize = 64;
/// Answers not yet taken.
const ANSWERS: usize = 1024;

/// The resolver.
pub struct Resolver {
    hosts: HashMap<String, Vec<IpAddr>>,
    dns: Option<TokioResolver>,
    aside: Handle,
    turns: Arc<Semaphore>,
    answered: mpsc::Sender<(Question, Answer)>,
    answers: mpsc::Receiver<(Question, Answer)>,
}

impl Resolver {
    /// A resolver by `[dns]`; questions are asked on `aside`.
    #[must_use]
    pub fn new(settings: &config::document::Dns, aside: Handle) -> Self {
        let (answered, answers) = mpsc::channel(ANSWERS);
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let mut resolver = Self {
            hosts: HashMap::new(),
            dns: None,
            aside,
            turns,
            answered,
            answers,
        };
        resolver.configure(settings);
        resolver
    }

    /// Another `[dns]` from now on.
    pub fn configure(&mut self, settings: &config::document::Dns) {
        self.hosts = settings
            .hosts
            .iter()
            .map(|(name, to)| (name.to_ascii_lowercase(), to.clone()))
            .collect();
        let servers = settings
            .servers
            .iter()
            .map(|server| NameServerConfig::udp_and_tcp(*server))
            .collect();
        self.ask_at(servers);
    }

    fn ask_at(&mut self, servers: Vec<NameServerConfig>) {
        let _guard = self.aside.enter();
        let provider = TokioRuntimeProvider::default();
        let builder = if servers.is_empty() {
            TokioResolver::builder(provider)
        } else {
            Ok(TokioResolver::builder_with_config(
                ResolverConfig::from_name_servers(servers),
                provider,
            ))
        };
        let built = builder.and_then(|mut builder| {
            let options = builder.options_mut();
            options.timeout = ONE_TRY;
            options.attempts = 2;
            // The core keeps answers by itself, by their TTL; two memories would add up their times.
            options.cache_size = 0;
            builder.build()
        });
        self.dns = built
            .map_err(|error| tracing::error!(%error, "no DNS: only names of the configuration can be resolved"))
            .ok();
    }

    /// Asks. The answer comes with [`Resolver::next`].
    pub fn ask(&self, question: Question) {
        let known = self
            .hosts
            .get(question.name())
            .map(|addresses| of_hosts(addresses, question.kind()));
        let (turns, answered) = (Arc::clone(&self.turns), self.answered.clone());
        let dns = self.dns.clone();
        let asking = async move {
            let answer = match (known, dns) {
                (Some(answer), _) => answer,
                (None, Some(dns)) => {
                    // Never closed, so there is always a turn to wait for.
                    let _turn = turns.acquire_owned().await;
                    timeout(PATIENCE, ask(&dns, &question))
                        .await
                        .unwrap_or(Answer::Failed)
                }
                (None, None) => Answer::Failed,
            };
            // Nobody waits for it only when all of control is ending.
            let _ = answered.send((question, answer)).await;
        };
        self.aside.spawn(asking);
    }

    /// Waits for answers and puts what there is, at most `limit`, into `batch`. May be dropped while it waits.
    pub async fn next(&mut self, batch: &mut Vec<(Question, Answer)>, limit: usize) {
        self.answers.recv_many(batch, limit).await;
    }
}

fn of_hosts(addresses: &[IpAddr], kind: RecordKind) -> Answer {
    let fitting = addresses.iter().copied().filter(|address| match kind {
        RecordKind::A => address.is_ipv4(),
        RecordKind::Aaaa => address.is_ipv6(),
        RecordKind::Naptr | RecordKind::Srv => false,
    });
    let fitting: Vec<_> = fitting.collect();
    if fitting.is_empty() {
        Answer::None { ttl: STATIC_TTL }
    } else {
        Answer::addresses(fitting, STATIC_TTL)
    }
}

async fn ask(dns: &TokioResolver, question: &Question) -> Answer {
    let kind = match question.kind() {
        RecordKind::Naptr => RecordType::NAPTR,
        RecordKind::Srv => RecordType::SRV,
        RecordKind::A => RecordType::A,
        RecordKind::Aaaa => RecordType::AAAA,
    };
    // With its dot: the search list of the system is not for names of peers.
    let Ok(name) = Name::from_utf8(format!("{}.", question.name())) else {
        return Answer::None { ttl: NEGATIVE_TTL };
    };
    match dns.lookup(name, kind).await {
        Ok(lookup) => records(&lookup),
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
            let ttl = none.negative_ttl.map_or(NEGATIVE_TTL, |ttl| {
                embassy_time::Duration::from_secs(ttl.into())
            });
            Answer::None { ttl }
        }
        Err(error) => {
            strangers!(warn, name = question.name(), ?kind, %error, "the DNS does not answer");
            Answer::Failed
        }
    }
}

fn records(lookup: &Lookup) -> Answer {
    let left = lookup
        .valid_until()
        .saturating_duration_since(Instant::now());
    let records: Vec<_> = lookup
        .answers()
        .iter()
        .filter_map(|record| of_dns(&record.data))
        .collect();
    let ttl =
        embassy_time::Duration::from_millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
    if records.is_empty() {
        Answer::None { ttl }
    } else {
        Answer::Records { records, ttl }
    }
}

fn of_dns(data: &RData) -> Option<Record> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match data {
        RData::A(address) => Some(Record::Address(IpAddr::V4(address.0))),
        RData::AAAA(address) => Some(Record::Address(IpAddr::V6(address.0))),
        RData::SRV(srv) => Some(Record::Srv(Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: srv.target.to_utf8(),
        })),
        RData::NAPTR(naptr) => Some(Record::Naptr(Naptr {
            order: naptr.order,
            preference: naptr.preference,
            flags: text(&naptr.flags),
            service: text(&naptr.services),
            replacement: naptr.replacement.to_utf8(),
        })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};

    use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
    use hickory_resolver::proto::rr::Record as DnsRecord;
    use hickory_resolver::proto::rr::rdata;

    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// A name server that knows one zone; its port.
    fn server() -> u16 {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let port = socket.local_addr().expect("bound").port();
        // Lives as long as the test program; nobody asks it after its test.
        std::thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let asked = Message::from_vec(&buffer[..length]).expect("a question");
                if let Some(answer) = answer(&asked) {
                    let _ = socket.send_to(&answer.to_vec().expect("encodes"), from);
                }
            }
        });
        port
    }

    fn answer(asked: &Message) -> Option<Message> {
        let query = asked.queries.first()?.clone();
        let name = query.name().clone();
        let text = name.to_utf8().to_ascii_lowercase();
        let mut answer = Message::new(asked.metadata.id, MessageType::Response, OpCode::Query);
        answer.add_query(query.clone());
        let host = |host: &str| Name::from_utf8(host).expect("a name");
        let data = match (text.as_str(), query.query_type()) {
            ("carrier.example.", RecordType::A) => RData::A(rdata::A::new(192, 0, 2, 7)),
            ("_sip._udp.carrier.example.", RecordType::SRV) => {
                RData::SRV(rdata::SRV::new(10, 60, 5080, host("sbc.carrier.example.")))
            }
            ("carrier.example.", RecordType::NAPTR) => RData::NAPTR(rdata::NAPTR::new(
                50,
                5,
                b"s".to_vec().into(),
                b"SIP+D2U".to_vec().into(),
                Vec::new().into(),
                host("_sip._udp.carrier.example."),
            )),
            ("silent.example.", _) => return None,
            _ => {
                answer.metadata.response_code = ResponseCode::NXDomain;
                let soa =
                    rdata::SOA::new(host("ns.example."), host("admin.example."), 1, 1, 1, 1, 17);
                answer.add_authority(DnsRecord::from_rdata(
                    host("example."),
                    900,
                    RData::SOA(soa),
                ));
                return Some(answer);
            }
        };
        answer.add_answer(DnsRecord::from_rdata(name, 300, data));
        Some(answer)
    }

    fn asked(resolver: &mut Resolver, name: &str, kind: RecordKind) -> Answer {
        resolver.ask(Question::new(name, kind));
        let (question, answer) = resolver
            .answers
            .blocking_recv()
            .expect("every question is answered");
        assert_eq!(question, Question::new(name, kind));
        answer
    }

    fn resolver(runtime: &tokio::runtime::Runtime) -> Resolver {
        let hosts = HashMap::from([("SIP.pstnhub.microsoft.com".to_owned(), vec![LOCAL])]);
        let settings = config::document::Dns {
            servers: vec![LOCAL],
            hosts,
        };
        let mut resolver = Resolver::new(&settings, runtime.handle().clone());
        let mut server_config = NameServerConfig::udp(LOCAL);
        server_config.connections[0].port = server();
        resolver.ask_at(vec![server_config]);
        resolver
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime")
    }

    #[test]
    fn the_dns_is_asked_and_its_times_are_kept() {
        let runtime = runtime();
        let mut resolver = resolver(&runtime);
        let Answer::Records { records, ttl } =
            asked(&mut resolver, "carrier.example", RecordKind::A)
        else {
            panic!("there is an address")
        };
        assert_eq!(records, [Record::Address(IpAddr::from([192, 0, 2, 7]))]);
        assert!((295..=300).contains(&ttl.as_secs()), "SIG-01: {ttl:?}");

        let srv = asked(&mut resolver, "_sip._udp.carrier.example", RecordKind::Srv);
        let Answer::Records { records, .. } = srv else {
            panic!("there is a service: {srv:?}")
        };
        assert!(matches!(&records[..], [Record::Srv(srv)] if srv.port == 5080 && srv.weight == 60));
        let naptr = asked(&mut resolver, "carrier.example", RecordKind::Naptr);
        let Answer::Records { records, .. } = naptr else {
            panic!("there is a pointer: {naptr:?}")
        };
        assert!(
            matches!(&records[..], [Record::Naptr(naptr)] if naptr.service == "SIP+D2U" && naptr.flags == "s")
        );
    }

    #[test]
    fn what_is_not_there_is_known_not_to_be_for_as_long_as_the_zone_says() {
        let runtime = runtime();
        let mut resolver = resolver(&runtime);
        let answer = asked(&mut resolver, "nowhere.example", RecordKind::A);
        let Answer::None { ttl } = answer else {
            panic!("there is none: {answer:?}")
        };
        assert!(
            (10..=17).contains(&ttl.as_secs()),
            "RFC 2308 §5: the SOA's minimum, not its TTL: {ttl:?}"
        );
    }

    #[test]
    fn a_silent_server_is_a_failure_in_time() {
        let runtime = runtime();
        let mut resolver = resolver(&runtime);
        let begun = Instant::now();
        assert_eq!(
            asked(&mut resolver, "silent.example", RecordKind::A),
            Answer::Failed
        );
        assert!(begun.elapsed() < PATIENCE + Duration::from_secs(1));
    }

    #[test]
    fn names_of_the_configuration_are_never_asked_for() {
        let runtime = runtime();
        let mut resolver = resolver(&runtime);
        let name = "sip.pstnhub.microsoft.com";
        assert_eq!(
            asked(&mut resolver, name, RecordKind::A),
            Answer::addresses([LOCAL], STATIC_TTL)
        );
        assert_eq!(
            asked(&mut resolver, name, RecordKind::Aaaa),
            Answer::None { ttl: STATIC_TTL }
        );
        assert_eq!(
            asked(&mut resolver, name, RecordKind::Naptr),
            Answer::None { ttl: STATIC_TTL }
        );
    }
}
