//! Calls as they are heard, written, found again, cut short by a death, and let go when there is no more space.
//!
//! Files are in a folder of the test's own; time is what the test says.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use store::trace::{
    Archive, Assembly, CallNumber, Heard, Item, LegNumber, Message, Micros, Query, Space, Summary,
    Transport, Way, What, pcapng,
};

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("store-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).expect("a folder");
        let mut files: Vec<_> = entries
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        files
    }

    fn open(&self, space: Space) -> Archive {
        Archive::open(&self.0, space).expect("a folder")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const ROOM: Space = Space {
    octets: 1 << 24,
    calls: 1_000,
};
const SECOND: u64 = 1_000_000;

fn message(text: &str) -> Message {
    let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
    Message {
        way: Way::Received,
        transport: Transport::Udp,
        local: Some(at(5060)),
        remote: at(5070),
        bytes: Bytes::copy_from_slice(text.as_bytes()),
    }
}

fn says(call_id: &str, text: &str) -> Heard {
    Heard::Message {
        call_id: call_id.to_owned(),
        message: message(text),
    }
}

fn texts(items: &[Item]) -> Vec<(u8, String)> {
    let text = |item: &Item| match &item.what {
        What::Message { leg, message } => {
            Some((leg.0, String::from_utf8_lossy(&message.bytes).into_owned()))
        }
        _ => None,
    };
    items.iter().filter_map(text).collect()
}

fn begun(call: u64, at: u64) -> Heard {
    Heard::Began(Summary {
        from_trunk: "probe".into(),
        tenant: Some("contoso".into()),
        caller: format!("+1202555{call:04}"),
        called: "+13125550100".into(),
        ..Summary::of(CallNumber(call), Micros(at))
    })
}

fn leg(call: u64, leg: u8) -> Heard {
    Heard::Leg {
        call: CallNumber(call),
        leg: LegNumber(leg),
        call_id: format!("{call}-{leg}"),
    }
}

fn ended(call: u64) -> Heard {
    Heard::Ended {
        call: CallNumber(call),
        ending: "caller_hung_up".into(),
        status: Some(200),
        duration: 12,
        correlation: None,
    }
}

fn settle(assembly: &mut Assembly, archive: &mut Archive, now: u64) {
    for piece in assembly.settle(Micros(now)) {
        archive.append(&piece).expect("room");
    }
}

/// A call from its first message to its last.
fn whole_call(assembly: &mut Assembly, archive: &mut Archive, call: u64, at: u64) {
    let hear =
        |assembly: &mut Assembly, later: u64, heard| assembly.hear(Micros(at + later), heard);
    hear(assembly, 0, says(&format!("{call}-0"), "INVITE"));
    hear(assembly, 1, begun(call, at));
    hear(assembly, 2, leg(call, 0));
    hear(assembly, 3, leg(call, 1));
    hear(assembly, 4, says(&format!("{call}-1"), "INVITE out"));
    hear(assembly, 5, says("a stranger's", "OPTIONS"));
    settle(assembly, archive, at + 2 * SECOND);
    hear(assembly, 10 * SECOND, says(&format!("{call}-0"), "BYE"));
    hear(assembly, 10 * SECOND + 1, ended(call));
    hear(assembly, 11 * SECOND, says(&format!("{call}-1"), "200"));
    settle(assembly, archive, at + 20 * SECOND);
}

fn expected() -> Vec<(u8, String)> {
    [(0, "INVITE"), (1, "INVITE out"), (0, "BYE"), (1, "200")]
        .map(|(leg, text)| (leg, text.to_owned()))
        .to_vec()
}

#[test]
fn a_call_is_whole_though_it_was_written_in_pieces_and_read_by_another_process() {
    let folder = Folder::new();
    let mut archive = folder.open(ROOM);
    let mut assembly = Assembly::default();
    whole_call(&mut assembly, &mut archive, 7, 1_000);
    assert!(
        assembly.live(CallNumber(7)).is_none(),
        "nothing is left in memory"
    );
    assert_eq!(assembly.ended(), Vec::<&Summary>::new());
    for archive in [archive, folder.open(ROOM)] {
        let found = archive.read(CallNumber(7)).expect("it is kept");
        assert_eq!(texts(&found.items), expected());
        assert_eq!(found.missing, 0);
        assert_eq!(found.summary.call_ids, ["7-0", "7-1"]);
        assert_eq!(found.summary.ending, "caller_hung_up");
        let query = Query {
            text: Some("0007".into()),
            most: 10,
            ..Query::default()
        };
        assert_eq!(archive.search(&query).calls, [found.summary]);
    }
}

#[test]
fn a_call_that_another_process_began_is_one_call() {
    let folder = Folder::new();
    let (mut archive, mut assembly) = (folder.open(ROOM), Assembly::default());
    assembly.hear(Micros(5), begun(7, 5));
    assembly.hear(Micros(6), leg(7, 0));
    assembly.hear(Micros(7), says("7-0", "INVITE"));
    settle(&mut assembly, &mut archive, 5 * SECOND);
    drop((assembly, archive));

    let (mut archive, mut assembly) = (folder.open(ROOM), Assembly::default());
    let restored = Summary::of(CallNumber(7), Micros(9 * SECOND));
    assembly.hear(Micros(9 * SECOND), Heard::Began(restored));
    assembly.hear(Micros(9 * SECOND), leg(7, 0));
    assembly.hear(Micros(10 * SECOND), says("7-0", "BYE"));
    assembly.hear(Micros(10 * SECOND), ended(7));
    settle(&mut assembly, &mut archive, 20 * SECOND);
    let found = archive.read(CallNumber(7)).expect("it is kept");
    assert_eq!(texts(&found.items).len(), 2);
    assert_eq!(found.summary.began, Micros(5));
    assert_eq!(found.summary.tenant.as_deref(), Some("contoso"));
    assert_eq!(archive.count(), 1);
}

#[test]
fn a_file_cut_at_any_octet_is_read_as_far_as_it_is_whole() {
    let folder = Folder::new();
    let (mut archive, mut assembly) = (folder.open(ROOM), Assembly::default());
    whole_call(&mut assembly, &mut archive, 1, 0);
    let first = archive.octets();
    whole_call(&mut assembly, &mut archive, 2, 0);
    drop(archive);
    let file = folder.files().remove(0);
    let whole = fs::read(&file).expect("a file");
    for length in 0..=whole.len() {
        fs::write(&file, &whole[..length]).expect("written");
        let mut archive = folder.open(ROOM);
        if length as u64 >= first {
            let found = archive.read(CallNumber(1)).expect("it was whole");
            assert_eq!(texts(&found.items), expected(), "cut at {length}");
        }
        // What is written afterwards is found, too.
        whole_call(&mut assembly, &mut archive, 3, 0);
        drop(archive);
        let found = folder.open(ROOM).read(CallNumber(3));
        let items = found.expect("it was written").items;
        assert_eq!(texts(&items), expected(), "cut at {length}");
        for file in folder.files() {
            fs::remove_file(file).expect("removed");
        }
    }
}

#[test]
fn damage_is_seen_and_no_call_is_told_wrong() {
    let folder = Folder::new();
    let (mut archive, mut assembly) = (folder.open(ROOM), Assembly::default());
    whole_call(&mut assembly, &mut archive, 1, 0);
    whole_call(&mut assembly, &mut archive, 2, 0);
    drop(archive);
    let file = folder.files().remove(0);
    let whole = fs::read(&file).expect("a file");
    let mut lost = 0;
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x40;
        fs::write(&file, &damaged).expect("written");
        let archive = folder.open(ROOM);
        for call in [1, 2] {
            match archive.read(CallNumber(call)) {
                Some(found) if found.missing == 0 && !found.summary.ending.is_empty() => {
                    assert_eq!(texts(&found.items), expected());
                }
                _ => lost += 1,
            }
        }
    }
    assert!(lost > 0, "damage is seen");
}

#[test]
fn the_oldest_go_when_there_is_no_more_space() {
    let folder = Folder::new();
    let space = Space {
        octets: 64 * 1024,
        calls: 100,
    };
    let (mut archive, mut assembly) = (folder.open(space), Assembly::default());
    for call in 0..1_000 {
        whole_call(&mut assembly, &mut archive, call, call * 30 * SECOND);
        assert!(archive.octets() <= space.octets + space.octets / 8);
        assert!(archive.count() <= space.calls);
    }
    for archive in [archive, folder.open(space)] {
        assert!(archive.read(CallNumber(0)).is_none());
        let query = Query {
            most: 1_000,
            ..Query::default()
        };
        let kept = archive.search(&query).calls;
        assert!(kept.len() > 50, "{} are kept", kept.len());
        for (number, call) in kept.iter().enumerate() {
            assert_eq!(call.call, CallNumber(999 - number as u64), "newest first");
            let found = archive.read(call.call).expect("it is kept");
            assert_eq!((found.missing, texts(&found.items)), (0, expected()));
        }
    }
}

#[test]
fn a_call_that_never_stops_talking_is_bounded() {
    let folder = Folder::new();
    let (mut archive, mut assembly) = (folder.open(ROOM), Assembly::default());
    assembly.hear(Micros(0), begun(1, 0));
    assembly.hear(Micros(0), leg(1, 0));
    let long = "x".repeat(10_000);
    for number in 0..10_000 {
        assembly.hear(Micros(number), says("1-0", &long));
        settle(&mut assembly, &mut archive, number);
    }
    assembly.hear(Micros(10_000), ended(1));
    settle(&mut assembly, &mut archive, 10 * SECOND);
    let found = archive.read(CallNumber(1)).expect("it is kept");
    let kept = texts(&found.items).len();
    assert!((50..200).contains(&kept), "{kept} messages");
    let left_out = 10_000 - u32::try_from(kept).expect("few");
    let last = found.items.last().map(|item| item.what.clone());
    assert_eq!(last, Some(What::LeftOut(left_out)));
}

#[test]
fn strangers_fill_no_memory_and_late_legs_find_their_messages() {
    let mut assembly = Assembly::default();
    for number in 0..100_000 {
        assembly.hear(
            Micros(number),
            says(&format!("stranger {number}"), "OPTIONS"),
        );
    }
    assembly.hear(Micros(100_000), says("1-0", "INVITE"));
    assembly.hear(Micros(100_001), begun(1, 0));
    assembly.hear(Micros(100_002), leg(1, 0));
    let (_, items) = assembly.live(CallNumber(1)).expect("it is followed");
    assert_eq!(texts(items), [(0, "INVITE".to_owned())]);
}

#[test]
fn files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let inner = folder.0.join("traces");
    let _archive = Archive::open(&inner, ROOM).expect("a folder");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&inner), 0o700);
    for entry in fs::read_dir(&inner).expect("a folder") {
        assert_eq!(mode(&entry.expect("an entry").path()), 0o600);
    }
}

#[test]
fn a_capture_has_a_packet_for_each_message() {
    let sent = Message {
        way: Way::Sent,
        remote: "[2001:db8::9]:5061".parse().expect("an address"),
        ..message("SIP/2.0 200 OK")
    };
    let items = [message("INVITE"), sent].map(|message| Item {
        at: Micros(1_700_000_000_000_001),
        what: What::Message {
            leg: LegNumber(1),
            message,
        },
    });
    let file = pcapng(&items);
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("four"));
    let (mut kinds, mut packets, mut at) = (Vec::new(), Vec::new(), 0);
    while at < file.len() {
        let length = word(at + 4) as usize;
        assert_eq!(word(at + length - 4) as usize, length, "ends as it begins");
        kinds.push(word(at));
        if word(at) == 6 {
            packets.push(&file[at + 28..at + 28 + word(at + 20) as usize]);
        }
        at += length;
    }
    assert_eq!(at, file.len());
    assert_eq!(kinds, [0x0a0d_0d0a, 1, 6, 6]);
    assert_eq!(packets[0][0], 0x45);
    assert_eq!(packets[0][20..24], [0x13, 0xce, 0x13, 0xc4], "5070 to 5060");
    assert!(packets[0].ends_with(b"INVITE"));
    assert_eq!(packets[1][0], 0x60);
    assert!(packets[1].ends_with(b"SIP/2.0 200 OK"));
}
