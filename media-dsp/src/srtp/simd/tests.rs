//! Every engine of this machine beside its scalar twin, over random keys, lengths and mixtures of lengths.
//!
//! Not here: SRTP's own vectors (`session.rs`, `../../tests/srtp_burst.rs`).

use alloc::vec::Vec;

use proptest::prelude::*;

use super::{BLOCK, Engine, KEYS_128, KEYS_256, Mac, Message, SHA_BLOCK, scalar};

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 16),
        prop::collection::vec(any::<u8>(), 32)
    ]
}

/// A message of so many blocks before its tail of one or two.
#[derive(Debug, Clone)]
struct Owned {
    inner: [u32; 5],
    outer: [u32; 5],
    blocks: Vec<[u8; SHA_BLOCK]>,
    tail: usize,
}

fn owned() -> impl Strategy<Value = Owned> {
    let block = (any::<[u8; 32]>(), any::<[u8; 32]>())
        .prop_map(|(a, b)| [a, b].as_flattened().try_into().expect("two halves"));
    (
        any::<[u32; 5]>(),
        any::<[u32; 5]>(),
        prop::collection::vec(block, 2..7),
        1_usize..=2,
    )
        .prop_map(|(inner, outer, blocks, tail)| Owned {
            inner,
            outer,
            blocks,
            tail,
        })
}

impl Owned {
    fn message(&self) -> Message<'_> {
        let (head, tail) = self.blocks.split_at(self.blocks.len() - self.tail);
        Message {
            inner: &self.inner,
            outer: &self.outer,
            head,
            tail,
        }
    }
}

#[test]
fn this_machine_has_an_engine_or_says_so() {
    let engines = Engine::all().count();
    if engines == 0 {
        std::eprintln!("no engine here: packets go one by one");
    }
    assert_eq!(Engine::detect().is_some(), engines > 0);
}

/// What each engine does with a key of either length.
macro_rules! with_key {
    ($engine:expr, $key:expr, $schedule:ident => $work:expr) => {
        if $key.len() == 16 {
            let $schedule = $engine.expand::<KEYS_128>($key);
            $work
        } else {
            let $schedule = $engine.expand::<KEYS_256>($key);
            $work
        }
    };
}

proptest! {
    #[test]
    fn counter_mode(key in key(), iv in any::<[u8; 12]>(), first in 0_u32..3, body in prop::collection::vec(any::<u8>(), 0..1_500)) {
        let mut block = [0; BLOCK];
        block[..12].copy_from_slice(&iv);
        let mut expected = body.clone();
        scalar::apply(&key, block, first, &mut expected);
        for engine in Engine::all() {
            let mut text = body.clone();
            with_key!(engine, &key, schedule => engine.apply(&schedule, u128::from_be_bytes(block), first, &mut text));
            prop_assert_eq!(&text, &expected);
        }
    }

    #[test]
    fn midstates(block in prop::collection::vec(any::<u8>(), SHA_BLOCK)) {
        let block = block.try_into().expect("a block");
        for engine in Engine::all() {
            prop_assert_eq!(engine.midstate(&block), scalar::midstate(&block));
        }
    }

    #[test]
    fn authentication(messages in prop::collection::vec(owned(), 1..=32), equal in any::<bool>()) {
        let messages: Vec<Message<'_>> = messages.iter().map(|message| if equal { messages[0].message() } else { message.message() }).collect();
        let expected: Vec<Mac> = messages.iter().map(scalar::authenticate).collect();
        for engine in Engine::all() {
            let mut macs = std::vec![[0; 16]; messages.len()];
            engine.authenticate(&messages, &mut macs);
            prop_assert_eq!(&macs, &expected);
        }
    }

    #[test]
    fn galois(
        key in key(), iv in any::<[u8; 12]>(),
        clear in prop_oneof![prop::collection::vec(any::<u8>(), 12), prop::collection::vec(any::<u8>(), 0..300)],
        text in prop_oneof![prop::collection::vec(any::<u8>(), 0..230), prop::collection::vec(any::<u8>(), 0..1_500)],
    ) {
        let mut block = [0; BLOCK];
        block[..12].copy_from_slice(&iv);
        let mut sealed = text.clone();
        scalar::apply(&key, block, 2, &mut sealed);
        let expected = scalar::tag(&key, block, &clear, &sealed);
        for engine in Engine::all() {
            with_key!(engine, &key, schedule => {
                let hash = engine.hash_key(&schedule);
                let mut body = text.clone();
                prop_assert_eq!(engine.seal(&schedule, &hash, u128::from_be_bytes(block), &clear, &mut body), expected);
                prop_assert_eq!(&body, &sealed);
                prop_assert_eq!(engine.open(&schedule, &hash, u128::from_be_bytes(block), &clear, &mut body), expected);
                prop_assert_eq!(&body, &text);
            });
        }
    }
}
