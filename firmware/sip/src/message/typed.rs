//! Typed access to headers: each method parses the values of one header when it is called.
//!
//! What must be there gives an error when it is missing, what may be there an `Option`, lists a `Vec` (bounded).
//! A header that may stand once and stands twice is an error, never the first of the two.
//!
//! Not here: the grammar of the values (`values`).

use bytes::Bytes;

use super::chars;
use super::error::{HeaderError, Problem, ValueError};
use super::headers::Headers;
use super::limits;
use super::name::Name;
use super::text::Text;
use super::values::{
    CSeq, Challenge, Contacts, Event, MediaType, NameAddr, RAck, Reason, Replaces, RetryAfter,
    SessionExpires, SubscriptionState, Tokens, Via,
};

impl<'a> Headers<'a> {
    /// The topmost Via.
    ///
    /// # Errors
    /// When it cannot be read, or is missing.
    pub fn via(&self) -> Result<Via, HeaderError> {
        self.first_of(Name::Via, Via::parse)
    }

    /// All Vias, topmost first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn vias(&self) -> Result<Vec<Via>, HeaderError> {
        self.list(Name::Via, Via::parse)
    }

    /// From.
    ///
    /// # Errors
    /// When it cannot be read, or is missing.
    pub fn from(&self) -> Result<NameAddr, HeaderError> {
        self.required(Name::From, NameAddr::parse)
    }

    /// To.
    ///
    /// # Errors
    /// When it cannot be read, or is missing.
    pub fn to(&self) -> Result<NameAddr, HeaderError> {
        self.required(Name::To, NameAddr::parse)
    }

    /// Call-ID.
    ///
    /// # Errors
    /// When it cannot be read, or is missing.
    pub fn call_id(&self) -> Result<Text, HeaderError> {
        self.required(Name::CallId, call_id)
    }

    /// CSeq.
    ///
    /// # Errors
    /// When it cannot be read, or is missing.
    pub fn cseq(&self) -> Result<CSeq, HeaderError> {
        self.required(Name::CSeq, |value| CSeq::parse(&value))
    }

    /// Max-Forwards (RFC 3261 §20.22).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn max_forwards(&self) -> Result<Option<u8>, HeaderError> {
        self.optional(Name::MaxForwards, max_forwards)
    }

    /// The first Contact address.
    ///
    /// # Errors
    /// When it cannot be read, or is missing.
    pub fn contact(&self) -> Result<NameAddr, HeaderError> {
        self.first_of(Name::Contact, NameAddr::parse)
    }

    /// All Contacts.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn contacts(&self) -> Result<Contacts, HeaderError> {
        if self.get(Name::Contact) == Some(b"*") {
            return match self.values(Name::Contact).nth(1) {
                None => Ok(Contacts::All),
                // RFC 3261 §20.10: `*` stands alone.
                Some(_) => Err(HeaderError::new(Name::Contact, Problem::Repeated)),
            };
        }
        self.list(Name::Contact, NameAddr::parse)
            .map(Contacts::List)
    }

    /// Route, topmost first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.list(Name::Route, NameAddr::parse)
    }

    /// Record-Route, topmost first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn record_routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.list(Name::RecordRoute, NameAddr::parse)
    }

    /// Path (RFC 3327).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn path(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.list(Name::Path, NameAddr::parse)
    }

    /// Service-Route (RFC 3608).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn service_routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.list(Name::ServiceRoute, NameAddr::parse)
    }

    /// Content-Type.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn content_type(&self) -> Result<Option<MediaType>, HeaderError> {
        self.optional(Name::ContentType, |value| MediaType::parse(&value))
    }

    /// Content-Length.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn content_length(&self) -> Result<Option<u32>, HeaderError> {
        self.optional(Name::ContentLength, seconds)
    }

    /// Expires, in seconds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn expires(&self) -> Result<Option<u32>, HeaderError> {
        self.optional(Name::Expires, seconds)
    }

    /// Min-Expires, in seconds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn min_expires(&self) -> Result<Option<u32>, HeaderError> {
        self.optional(Name::MinExpires, seconds)
    }

    /// Session-Expires (RFC 4028).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn session_expires(&self) -> Result<Option<SessionExpires>, HeaderError> {
        self.optional(Name::SessionExpires, |value| SessionExpires::parse(&value))
    }

    /// Min-SE, in seconds (RFC 4028).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn min_se(&self) -> Result<Option<u32>, HeaderError> {
        self.optional(Name::MinSe, seconds)
    }

    /// RSeq (RFC 3262).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn rseq(&self) -> Result<Option<u32>, HeaderError> {
        self.optional(Name::RSeq, seconds)
    }

    /// RAck (RFC 3262).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn rack(&self) -> Result<Option<RAck>, HeaderError> {
        self.optional(Name::RAck, |value| RAck::parse(&value))
    }

    /// Refer-To (RFC 3515).
    ///
    /// # Errors
    /// When it cannot be read, or is missing.
    pub fn refer_to(&self) -> Result<NameAddr, HeaderError> {
        self.required(Name::ReferTo, NameAddr::parse)
    }

    /// Referred-By (RFC 3892); copy its `bytes()` (REF-03).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn referred_by(&self) -> Result<Option<NameAddr>, HeaderError> {
        self.optional(Name::ReferredBy, NameAddr::parse)
    }

    /// Replaces (RFC 3891).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn replaces(&self) -> Result<Option<Replaces>, HeaderError> {
        self.optional(Name::Replaces, |value| Replaces::parse(&value))
    }

    /// Reason (RFC 3326).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn reasons(&self) -> Result<Vec<Reason>, HeaderError> {
        self.list(Name::Reason, |value| Reason::parse(&value))
    }

    /// Retry-After.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn retry_after(&self) -> Result<Option<RetryAfter>, HeaderError> {
        self.optional(Name::RetryAfter, |value| RetryAfter::parse(&value))
    }

    /// P-Asserted-Identity (RFC 3325).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn p_asserted_identity(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.list(Name::PAssertedIdentity, NameAddr::parse)
    }

    /// P-Preferred-Identity (RFC 3325).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn p_preferred_identity(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.list(Name::PPreferredIdentity, NameAddr::parse)
    }

    /// Diversion (RFC 5806).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn diversion(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.list(Name::Diversion, NameAddr::parse)
    }

    /// History-Info (RFC 7044).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn history_info(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.list(Name::HistoryInfo, NameAddr::parse)
    }

    /// WWW-Authenticate, one a line.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn www_authenticate(&self) -> Result<Vec<Challenge>, HeaderError> {
        self.lines(Name::WwwAuthenticate, Challenge::parse)
    }

    /// Proxy-Authenticate, one a line.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn proxy_authenticate(&self) -> Result<Vec<Challenge>, HeaderError> {
        self.lines(Name::ProxyAuthenticate, Challenge::parse)
    }

    /// Authorization, one a line.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn authorization(&self) -> Result<Vec<Challenge>, HeaderError> {
        self.lines(Name::Authorization, Challenge::parse)
    }

    /// Proxy-Authorization, one a line.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn proxy_authorization(&self) -> Result<Vec<Challenge>, HeaderError> {
        self.lines(Name::ProxyAuthorization, Challenge::parse)
    }

    /// Event (RFC 6665).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn event(&self) -> Result<Option<Event>, HeaderError> {
        self.optional(Name::Event, |value| Event::parse(&value))
    }

    /// Subscription-State (RFC 6665).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn subscription_state(&self) -> Result<Option<SubscriptionState>, HeaderError> {
        self.optional(Name::SubscriptionState, |value| {
            SubscriptionState::parse(&value)
        })
    }

    /// Supported.
    #[must_use]
    pub const fn supported(&self) -> Tokens<'a> {
        Tokens::new(*self, Name::Supported)
    }

    /// Require.
    #[must_use]
    pub const fn require(&self) -> Tokens<'a> {
        Tokens::new(*self, Name::Require)
    }

    /// Proxy-Require.
    #[must_use]
    pub const fn proxy_require(&self) -> Tokens<'a> {
        Tokens::new(*self, Name::ProxyRequire)
    }

    /// Unsupported.
    #[must_use]
    pub const fn unsupported(&self) -> Tokens<'a> {
        Tokens::new(*self, Name::Unsupported)
    }

    /// Allow.
    #[must_use]
    pub const fn allow(&self) -> Tokens<'a> {
        Tokens::new(*self, Name::Allow)
    }

    /// Allow-Events (RFC 6665).
    #[must_use]
    pub const fn allow_events(&self) -> Tokens<'a> {
        Tokens::new(*self, Name::AllowEvents)
    }

    /// Privacy (RFC 3323), its values parted by `;`.
    #[must_use]
    pub const fn privacy(&self) -> Tokens<'a> {
        Tokens::new(*self, Name::Privacy)
    }

    fn optional<T>(
        &self,
        name: Name<'static>,
        parse: impl Fn(Bytes) -> Result<T, ValueError>,
    ) -> Result<Option<T>, HeaderError> {
        let mut lines = self.all(name);
        let Some(value) = lines.next() else {
            return Ok(None);
        };
        if lines.next().is_some() {
            return Err(HeaderError::new(name, Problem::Repeated));
        }
        self.read(name, value, parse).map(Some)
    }

    fn required<T>(
        &self,
        name: Name<'static>,
        parse: impl Fn(Bytes) -> Result<T, ValueError>,
    ) -> Result<T, HeaderError> {
        self.optional(name, parse)?
            .ok_or_else(|| HeaderError::new(name, Problem::Missing))
    }

    fn first_of<T>(
        &self,
        name: Name<'static>,
        parse: impl Fn(Bytes) -> Result<T, ValueError>,
    ) -> Result<T, HeaderError> {
        let value = self
            .values(name)
            .next()
            .ok_or_else(|| HeaderError::new(name, Problem::Missing))?;
        self.read(name, value, parse)
    }

    fn list<T>(
        &self,
        name: Name<'static>,
        parse: impl Fn(Bytes) -> Result<T, ValueError>,
    ) -> Result<Vec<T>, HeaderError> {
        self.collect(name, self.values(name), parse)
    }

    fn lines<T>(
        &self,
        name: Name<'static>,
        parse: impl Fn(Bytes) -> Result<T, ValueError>,
    ) -> Result<Vec<T>, HeaderError> {
        self.collect(name, self.all(name), parse)
    }

    fn collect<T>(
        &self,
        name: Name<'static>,
        values: impl Iterator<Item = &'a [u8]>,
        parse: impl Fn(Bytes) -> Result<T, ValueError>,
    ) -> Result<Vec<T>, HeaderError> {
        let mut list = Vec::new();
        for value in values {
            if list.len() == limits::LIST_VALUES {
                return Err(HeaderError::new(name, Problem::TooMany));
            }
            list.push(self.read(name, value, &parse)?);
        }
        Ok(list)
    }

    fn read<T>(
        &self,
        name: Name<'static>,
        value: &'a [u8],
        parse: impl Fn(Bytes) -> Result<T, ValueError>,
    ) -> Result<T, HeaderError> {
        parse(self.share(value)).map_err(|error| HeaderError::new(name, error.into()))
    }
}

/// RFC 3261 §25.1: `word [ "@" word ]`.
fn call_id(value: Bytes) -> Result<Text, ValueError> {
    if !value.splitn(2, |&byte| byte == b'@').all(chars::is_word) {
        return Err(ValueError::Token);
    }
    Text::new(value).map_err(|_| ValueError::Utf8)
}

/// RFC 3261 §20.22: 0 to 255.
fn max_forwards(value: Bytes) -> Result<u8, ValueError> {
    chars::number(&value)
        .and_then(|hops| u8::try_from(hops).ok())
        .ok_or(ValueError::Number)
}

/// A number alone; parameters that RFC 4028 allows after it are passed over.
fn seconds(value: Bytes) -> Result<u32, ValueError> {
    let end = chars::find_outside(&value, b';');
    chars::number(chars::trim(&value[..end])).ok_or(ValueError::Number)
}
