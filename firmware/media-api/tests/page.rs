//! The shared page: written by one, read by another, refused when it is not ours.
//!
//! Not here: mapping it (`board`).

use std::sync::atomic::{AtomicU64, Ordering};

use measure::{DropReason, MediaCounter};
use media_api::VERSION;
use media_api::shared::{Counters, LayoutError, PAGES, Pages, WORDS};

#[test]
fn what_is_published_is_read_under_its_own_word() {
    let words: Vec<AtomicU64> = (0..WORDS).map(|_| AtomicU64::new(u64::MAX)).collect();
    let writer = Counters::create(&words, 4711, 1_800_000_000).expect("long enough");
    let counters = std::array::from_fn(|index| 1_000 + index as u64);
    let drops = std::array::from_fn(|index| 2_000 + index as u64);
    writer.publish(&counters, &drops);

    let reader = Pages::open(&words).expect("of this version");
    assert_eq!((reader.process(), reader.started()), (4711, 1_800_000_000));
    for counter in MediaCounter::ALL {
        assert_eq!(
            reader.counter(counter),
            1_000 + counter.index() as u64,
            "{counter}"
        );
    }
    for reason in DropReason::ALL {
        assert_eq!(
            reader.drops(reason),
            2_000 + reason.index() as u64,
            "{reason}"
        );
    }
}

#[test]
fn another_version_is_not_read() {
    let words: Vec<AtomicU64> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
    assert_eq!(
        Pages::open(&words).err(),
        Some(LayoutError::Version { found: 0 })
    );
    words[0].store(u64::from(VERSION.0), Ordering::Relaxed);
    assert!(Pages::open(&words).is_ok());
    assert_eq!(Pages::open(&words[1..]).err(), Some(LayoutError::TooShort));
}

#[test]
fn who_reads_gets_the_pages_as_one() {
    let words: Vec<AtomicU64> = (0..PAGES * WORDS).map(|_| AtomicU64::new(0)).collect();
    for page in 0..3 {
        let writer = Counters::create(&words[page * WORDS..], 1, 2).expect("long enough");
        let counters = std::array::from_fn(|_| 10 + page as u64);
        writer.publish(&counters, &[1; DropReason::COUNT]);
    }
    let pages = Pages::open(&words).expect("of this version");
    assert_eq!(pages.counter(MediaCounter::PacketsRelayed), 10 + 11 + 12);
    assert_eq!(pages.counter(MediaCounter::LongestTurn), 12);
    assert_eq!(pages.drops(DropReason::Looped), 3);
}
