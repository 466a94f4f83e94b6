//! Header names: known ones as an enum, compact forms and case folded away; others as they came.
//!
//! A name is found by one hash over its folded letters in a table made while compiling, so that a header costs one probe
//! as a rule.
//!
//! Not here: which header may stand where (RFC 3261 table 2).

use std::fmt;

macro_rules! names {
    ($($variant:ident $canonical:literal $($compact:literal)?),+ $(,)?) => {
        /// The name of a header. `Other` never holds a name that has a variant if it was made by [`Name::of`].
        #[derive(Debug, Clone, Copy)]
        #[non_exhaustive]
        pub enum Name<'a> {
            $(#[doc = concat!("`", $canonical, "`")] $variant,)+
            /// Any other token.
            Other(&'a str),
        }

        /// A known name, small enough for the span table; `Other` says: compare the text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Code { $($variant,)+ Other }

        const KNOWN: &[(&str, Code)] = &[
            $(($canonical, Code::$variant), $(($compact, Code::$variant),)?)+
        ];

        impl<'a> Name<'a> {
            /// The canonical spelling.
            #[must_use]
            pub const fn as_str(&self) -> &'a str {
                match self {
                    $(Self::$variant => $canonical,)+
                    Self::Other(name) => name,
                }
            }

            pub(crate) const fn code(&self) -> Code {
                match self {
                    $(Self::$variant => Code::$variant,)+
                    Self::Other(_) => Code::Other,
                }
            }

            pub(crate) const fn from_code(code: Code, other: &'a str) -> Self {
                match code {
                    $(Code::$variant => Self::$variant,)+
                    Code::Other => Self::Other(other),
                }
            }
        }
    };
}

names! {
    Via "Via" "v",
    From "From" "f",
    To "To" "t",
    CallId "Call-ID" "i",
    CSeq "CSeq",
    MaxForwards "Max-Forwards",
    Contact "Contact" "m",
    ContentLength "Content-Length" "l",
    ContentType "Content-Type" "c",
    ContentDisposition "Content-Disposition",
    ContentEncoding "Content-Encoding" "e",
    ContentLanguage "Content-Language",
    Route "Route",
    RecordRoute "Record-Route",
    Path "Path",
    ServiceRoute "Service-Route",
    Allow "Allow",
    AllowEvents "Allow-Events" "u",
    Supported "Supported" "k",
    Require "Require",
    ProxyRequire "Proxy-Require",
    Unsupported "Unsupported",
    Accept "Accept",
    AcceptContact "Accept-Contact" "a",
    AcceptEncoding "Accept-Encoding",
    AcceptLanguage "Accept-Language",
    RejectContact "Reject-Contact" "j",
    RequestDisposition "Request-Disposition" "d",
    Expires "Expires",
    MinExpires "Min-Expires",
    SessionExpires "Session-Expires" "x",
    MinSe "Min-SE",
    RSeq "RSeq",
    RAck "RAck",
    ReferTo "Refer-To" "r",
    ReferredBy "Referred-By" "b",
    ReferSub "Refer-Sub",
    TargetDialog "Target-Dialog",
    Replaces "Replaces",
    Join "Join",
    Reason "Reason",
    RetryAfter "Retry-After",
    Warning "Warning",
    ErrorInfo "Error-Info",
    PAssertedIdentity "P-Asserted-Identity",
    PPreferredIdentity "P-Preferred-Identity",
    PEarlyMedia "P-Early-Media",
    PChargingVector "P-Charging-Vector",
    RemotePartyId "Remote-Party-ID",
    Privacy "Privacy",
    Diversion "Diversion",
    HistoryInfo "History-Info",
    Identity "Identity" "y",
    WwwAuthenticate "WWW-Authenticate",
    ProxyAuthenticate "Proxy-Authenticate",
    Authorization "Authorization",
    ProxyAuthorization "Proxy-Authorization",
    AuthenticationInfo "Authentication-Info",
    Event "Event" "o",
    SubscriptionState "Subscription-State",
    SipEtag "SIP-ETag",
    SipIfMatch "SIP-If-Match",
    UserAgent "User-Agent",
    Server "Server",
    Organization "Organization",
    Subject "Subject" "s",
    Date "Date",
    Timestamp "Timestamp",
    Priority "Priority",
    AlertInfo "Alert-Info",
    CallInfo "Call-Info",
    InReplyTo "In-Reply-To",
    ReplyTo "Reply-To",
    MimeVersion "MIME-Version",
    Geolocation "Geolocation",
    GeolocationRouting "Geolocation-Routing",
    UserToUser "User-to-User",
    SessionId "Session-ID",
    ResourcePriority "Resource-Priority",
    FlowTimer "Flow-Timer",
}

/// A spelling folded to lower case in three words (its first eight bytes, what lies between, its last eight), so that it
/// is compared in a few steps.
///
/// Setting bit 5 folds letters and leaves hyphens alone. No other byte that may reach here becomes a letter or hyphen by
/// it (CR would, but it ends the line), so equal keys of equal length are equal names.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    words: [u64; 3],
    length: usize,
}

impl Key {
    const LONGEST: usize = 24;

    /// `None` where it is longer than any known name.
    const fn of(name: &[u8]) -> Option<Self> {
        const FOLD: u64 = 0x2020_2020_2020_2020;
        let length = name.len();
        let words = match (name.first_chunk(), name.last_chunk()) {
            _ if length > Self::LONGEST => return None,
            (Some(first), Some(last)) => {
                let middle = match name.split_at(8).1.first_chunk() {
                    Some(middle) if length > 16 => u64::from_le_bytes(*middle),
                    _ => 0,
                };
                [
                    u64::from_le_bytes(*first) | FOLD,
                    middle | FOLD,
                    u64::from_le_bytes(*last) | FOLD,
                ]
            }
            _ => {
                let (mut word, mut at) = (0, 0);
                while at < length {
                    word = word << 8 | (name[at] | 0x20) as u64;
                    at += 1;
                }
                [word, 0, 0]
            }
        };
        Some(Self { words, length })
    }

    const fn slot(&self) -> usize {
        let [first, second, third] = self.words;
        let mixed = first ^ second.rotate_left(23) ^ third.rotate_left(41) ^ self.length as u64;
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55) as usize % SLOTS
    }
}

/// Slots of the table: a power of two, thinly filled.
const SLOTS: usize = 512;
static TABLE: [Option<(Key, Code)>; SLOTS] = table();

impl<'a> Name<'a> {
    /// The name spelt so, in any case, long or compact.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        Self::from_code(lookup(text.as_bytes()), text)
    }
}

/// RFC 3261 §7.3.1: names are case-insensitive.
impl PartialEq<Name<'_>> for Name<'_> {
    fn eq(&self, other: &Name<'_>) -> bool {
        match (self, other) {
            (Self::Other(ours), Name::Other(theirs)) => ours.eq_ignore_ascii_case(theirs),
            _ => self.code() == other.code(),
        }
    }
}

impl Eq for Name<'_> {}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The code of a spelling; `Other` where it is not known.
pub(crate) fn lookup(name: &[u8]) -> Code {
    let Some(key) = Key::of(name) else {
        return Code::Other;
    };
    let mut slot = key.slot();
    while let Some((known, code)) = TABLE[slot] {
        if known == key {
            return code;
        }
        slot = (slot + 1) % SLOTS;
    }
    Code::Other
}

const fn table() -> [Option<(Key, Code)>; SLOTS] {
    let mut table = [None; SLOTS];
    let mut index = 0;
    while index < KNOWN.len() {
        let (name, code) = KNOWN[index];
        let Some(key) = Key::of(name.as_bytes()) else {
            panic!("a known name is longer than a key");
        };
        let mut slot = key.slot();
        while table[slot].is_some() {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = Some((key, code));
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_found_in_any_case() {
        for (spelling, code) in KNOWN {
            assert_eq!(lookup(spelling.as_bytes()), *code, "{spelling}");
            assert_eq!(
                lookup(spelling.to_uppercase().as_bytes()),
                *code,
                "{spelling}"
            );
            assert_eq!(
                lookup(spelling.to_lowercase().as_bytes()),
                *code,
                "{spelling}"
            );
        }
    }

    #[test]
    fn an_unknown_name_is_other_and_compares_without_case() {
        assert_eq!(Name::of("X-MS-Thing"), Name::Other("x-ms-thing"));
        assert_ne!(Name::of("X-MS-Thing"), Name::Other("x-ms-things"));
        assert_ne!(Name::of("X-MS-Thing"), Name::Via);
        assert_eq!(lookup(b""), Code::Other);
    }
}
