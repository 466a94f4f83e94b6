//! The last 100,000 calls: how long a search in them takes, how long they take to be known again after a restart, and their room.
//!
//! Calls are as they come: eight messages of some 800 octets, two Call-IDs, numbers and names. What is looked for is in none of them,
//! in the oldest, and in all.
//!
//! Not here: the way through control's door and the console.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use store::trace::{
    Archive, CallNumber, Item, LegNumber, Message, Micros, Piece, Query, Space, Summary, Transport,
    Way, What,
};

use crate::line::{Line, median};
use crate::place::Place;

/// The cases, in the order in which they run.
pub(crate) const CASES: [&str; 1] = ["search"];

const CALLS: u64 = 100_000;
const MESSAGES: usize = 8;
const OCTETS: usize = 800;
const ROUNDS: usize = 11;

pub(crate) fn run(_cases: &[&str]) {
    let place = Place::new("history");
    let folder = place.path().join("calls");
    let mut archive = Archive::open(&folder, Space::USUAL).expect("a folder");
    for number in 0..CALLS {
        archive.append(&call(number)).expect("room");
    }
    drop(archive);
    let opened = Instant::now();
    let archive = Archive::open(&folder, Space::USUAL).expect("it is there");
    let open = opened.elapsed().as_secs_f64() * 1e3;
    let search = |text: &str| {
        let query = Query {
            text: Some(text.to_owned()),
            most: 50,
            ..Query::default()
        };
        let times: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let begun = Instant::now();
                std::hint::black_box(archive.search(&query));
                begun.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        median(&times)
    };
    let read: Vec<f64> = (0..ROUNDS as u64)
        .map(|round| {
            let begun = Instant::now();
            let found = archive.read(CallNumber(round * 9_001 + 7));
            assert_eq!(found.map(|found| found.items.len()), Some(MESSAGES));
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    Line::new("history", "search", search("nobody@nowhere"), "ms")
        .with("calls", 0, archive.count() as f64)
        .with("oldest_ms", 2, search("leg-0-0@"))
        .with("all_ms", 2, search("+1202555"))
        .with("read_ms", 2, median(&read))
        .with("open_ms", 0, open)
        .with("disk_mib", 0, archive.octets() as f64 / f64::from(1 << 20))
        .print();
}

fn call(number: u64) -> Piece {
    let began = Micros(1_790_000_000_000_000 + number * 50_000);
    let summary = Summary {
        ended: Micros(began.0 + 180_000_000),
        from_trunk: "carrier-north".to_owned(),
        to_trunk: Some("teams-contoso".to_owned()),
        tenant: Some(format!("tenant-{}", number % 1_000)),
        caller: format!("+1202555{:04}", number % 10_000),
        called: format!("+1312555{:04}", number % 9_973),
        ending: "hung_up".to_owned(),
        duration: 180,
        opinion: Some(430),
        correlation: Some(format!("{number:032x}")),
        call_ids: vec![
            format!("leg-0-{number}@192.0.2.10"),
            format!(
                "{:032x}@sbc.example",
                number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ),
        ],
        ..Summary::of(CallNumber(number), began)
    };
    let at = |port| SocketAddr::from(([192, 0, 2, 10], port));
    let items = (0..MESSAGES).map(|place| Item {
        at: Micros(began.0 + 100_000 * place as u64),
        what: What::Message {
            leg: LegNumber((place % 2) as u8),
            message: Message {
                way: Way::Received,
                transport: Transport::Udp,
                local: Some(at(5060)),
                remote: at(5070),
                bytes: message(number, place),
            },
        },
    });
    Piece {
        summary,
        items: items.collect(),
        is_last: true,
    }
}

/// Text that packs no better than a message does.
fn message(number: u64, place: usize) -> Bytes {
    let mut text =
        format!("INVITE sip:+1312555{number:04}@192.0.2.10 SIP/2.0\r\nCSeq: {place} INVITE\r\n");
    let mut state = number << 8 | place as u64;
    while text.len() < OCTETS {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("X-{:x}: value\r\n", state >> 40));
    }
    Bytes::from(text)
}
