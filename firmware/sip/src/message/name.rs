//! Header names: known ones as an enum, compact forms and case folded away; others as they came.
//!
//! A name is found by one hash over its length and three of its letters in a table made while compiling, so that a
//! header costs one probe as a rule.
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

/// Slots of the table: a power of two, thinly filled.
const SLOTS: usize = 512;
const EMPTY: u8 = u8::MAX;
const TABLE: [u8; SLOTS] = table();

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
    if name.is_empty() {
        return Code::Other;
    }
    let mut slot = hash(name);
    loop {
        let entry = TABLE[slot];
        if entry == EMPTY {
            return Code::Other;
        }
        let (known, code) = KNOWN[entry as usize];
        if known.as_bytes().eq_ignore_ascii_case(name) {
            return code;
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// Of a name that is not empty.
const fn hash(name: &[u8]) -> usize {
    let last = name.len() - 1;
    let first = (name[0] | 0x20) as usize;
    let middle = (name[name.len() / 2] | 0x20) as usize;
    let end = (name[last] | 0x20) as usize;
    (first * 7 + middle * 31 + end * 131 + name.len() * 17) % SLOTS
}

const fn table() -> [u8; SLOTS] {
    assert!(KNOWN.len() < EMPTY as usize, "an entry fits a byte");
    let mut table = [EMPTY; SLOTS];
    let mut index = 0;
    while index < KNOWN.len() {
        let mut slot = hash(KNOWN[index].0.as_bytes());
        while table[slot] != EMPTY {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = index as u8;
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
