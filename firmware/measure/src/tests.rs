//! One word for each thing, and none for two.
//!
//! Not here: that every reason is counted; the pipeline's tests say so.

extern crate std;

use std::collections::HashSet;
use std::string::String;

use crate::{DropReason, MediaCounter, Refusal};

fn words() -> impl Iterator<Item = (&'static str, &'static str)> {
    let drops = DropReason::ALL.into_iter().map(|it| (it.word(), it.help()));
    let refusals = Refusal::ALL.into_iter().map(|it| (it.word(), it.help()));
    let counters = MediaCounter::ALL
        .into_iter()
        .map(|it| (it.word(), it.help()));
    drops.chain(refusals).chain(counters)
}

#[test]
fn no_word_means_two_things() {
    let mut seen = HashSet::new();
    for (word, _) in words() {
        assert!(seen.insert(word), "{word} is used twice");
    }
}

#[test]
fn words_are_snake_case_and_sentences_are_sentences() {
    for (word, help) in words() {
        assert!(
            word.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{word}"
        );
        assert!(
            help.starts_with(char::is_uppercase) && help.ends_with('.'),
            "{word}: {help}"
        );
    }
}

#[test]
fn indexes_are_places_in_an_array() {
    for (index, reason) in DropReason::ALL.into_iter().enumerate() {
        assert_eq!(reason.index(), index);
    }
    for (index, counter) in MediaCounter::ALL.into_iter().enumerate() {
        assert_eq!(counter.index(), index);
        assert_eq!(counter.metric().word, counter.word());
    }
}

#[test]
fn a_reason_is_written_as_its_word() {
    let mut text = String::new();
    core::fmt::write(&mut text, format_args!("{}", DropReason::ForeignSource))
        .expect("a string takes all");
    assert_eq!(text, "foreign_source");
}
