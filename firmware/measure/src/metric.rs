//! What there is to say of a number: its word, its unit, its kind, and a sentence for people.
//!
//! `words!` makes an enum of which every member has a word and a sentence, and an index for flat arrays of counts.
//!
//! Not here: OIDs and paths of one export or another; each derives them from word and index.

/// What a number counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Datagrams.
    Packets,
    /// Bytes on the wire, without IP and UDP headers.
    Octets,
    /// Things: streams, events, turns of a loop.
    Items,
    /// Millionths of a second.
    Microseconds,
}

impl Unit {
    /// The unit as exports write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Packets => "packets",
            Self::Octets => "octets",
            Self::Items => "items",
            Self::Microseconds => "microseconds",
        }
    }
}

/// How a number behaves over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Only grows, from zero at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// All that is said of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// The one word, `snake_case`.
    pub word: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// Its behaviour.
    pub kind: Kind,
    /// One sentence for people.
    pub help: &'static str,
}

/// Makes an enum whose members have a word and a sentence. Order is contract: indexes lie in shared memory and on the wire.
macro_rules! words {
    ($(#[$outer:meta])* $name:ident { $($member:ident $word:literal $help:literal,)+ }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[repr(u8)]
        pub enum $name {
            $(#[doc = $help] $member,)+
        }

        impl $name {
            /// Every member, in the order of their indexes.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$member),+];

            /// How many there are: the length of an array of counts.
            pub const COUNT: usize = Self::ALL.len();

            /// The place in an array of counts.
            #[must_use]
            #[inline]
            pub const fn index(self) -> usize {
                self as usize
            }

            /// The one word for it, in log, counter, SNMP, CDR and console.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$member => $word,)+ }
            }

            /// One sentence for people.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self { $(Self::$member => $help,)+ }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

pub(crate) use words;
