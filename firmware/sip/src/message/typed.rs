//! Typed access to headers: each method parses the values of one header when it is called.
//!
//! What must be there gives an error when it is missing, what may be there an `Option`, lists a `Vec` (bounded).
//! A header that may stand once and stands twice is an error, never the first of the two.
//!
//! Not here: the grammar of the values (`values`).

use super::error::HeaderError;
use super::headers::Headers;
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
        todo!()
    }

    /// All Vias, topmost first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn vias(&self) -> Result<Vec<Via>, HeaderError> {
        todo!()
    }

    /// From.
    ///
    /// # Errors
    /// When it cannot be read, or is missing.
    pub fn from(&self) -> Result<NameAddr, HeaderError> {
        todo!()
    }

    /// To.
    ///
    /// # Errors
    /// When it cannot be read, or is missing.
    pub fn to(&self) -> Result<NameAddr, HeaderError> {
        todo!()
    }

    /// Call-ID.
    ///
    /// # Errors
    /// When it cannot be read, or is missing.
    pub fn call_id(&self) -> Result<Text, HeaderError> {
        todo!()
    }

    /// CSeq.
    ///
    /// # Errors
    /// When it cannot be read, or is missing.
    pub fn cseq(&self) -> Result<CSeq, HeaderError> {
        todo!()
    }

    /// Max-Forwards (RFC 3261 §20.22).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn max_forwards(&self) -> Result<Option<u8>, HeaderError> {
        todo!()
    }

    /// The first Contact address.
    ///
    /// # Errors
    /// When it cannot be read, or is missing.
    pub fn contact(&self) -> Result<NameAddr, HeaderError> {
        todo!()
    }

    /// All Contacts.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn contacts(&self) -> Result<Contacts, HeaderError> {
        todo!()
    }

    /// Route, topmost first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        todo!()
    }

    /// Record-Route, topmost first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn record_routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        todo!()
    }

    /// Path (RFC 3327).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn path(&self) -> Result<Vec<NameAddr>, HeaderError> {
        todo!()
    }

    /// Service-Route (RFC 3608).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn service_routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        todo!()
    }

    /// Content-Type.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn content_type(&self) -> Result<Option<MediaType>, HeaderError> {
        todo!()
    }

    /// Content-Length.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn content_length(&self) -> Result<Option<u32>, HeaderError> {
        todo!()
    }

    /// Expires, in seconds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn expires(&self) -> Result<Option<u32>, HeaderError> {
        todo!()
    }

    /// Min-Expires, in seconds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn min_expires(&self) -> Result<Option<u32>, HeaderError> {
        todo!()
    }

    /// Session-Expires (RFC 4028).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn session_expires(&self) -> Result<Option<SessionExpires>, HeaderError> {
        todo!()
    }

    /// Min-SE, in seconds (RFC 4028).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn min_se(&self) -> Result<Option<u32>, HeaderError> {
        todo!()
    }

    /// RSeq (RFC 3262).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn rseq(&self) -> Result<Option<u32>, HeaderError> {
        todo!()
    }

    /// RAck (RFC 3262).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn rack(&self) -> Result<Option<RAck>, HeaderError> {
        todo!()
    }

    /// Refer-To (RFC 3515).
    ///
    /// # Errors
    /// When it cannot be read, or is missing.
    pub fn refer_to(&self) -> Result<NameAddr, HeaderError> {
        todo!()
    }

    /// Referred-By (RFC 3892); copy its `bytes()` (REF-03).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn referred_by(&self) -> Result<Option<NameAddr>, HeaderError> {
        todo!()
    }

    /// Replaces (RFC 3891).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn replaces(&self) -> Result<Option<Replaces>, HeaderError> {
        todo!()
    }

    /// Reason (RFC 3326).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn reasons(&self) -> Result<Vec<Reason>, HeaderError> {
        todo!()
    }

    /// Retry-After.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn retry_after(&self) -> Result<Option<RetryAfter>, HeaderError> {
        todo!()
    }

    /// P-Asserted-Identity (RFC 3325).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn p_asserted_identity(&self) -> Result<Vec<NameAddr>, HeaderError> {
        todo!()
    }

    /// P-Preferred-Identity (RFC 3325).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn p_preferred_identity(&self) -> Result<Vec<NameAddr>, HeaderError> {
        todo!()
    }

    /// Diversion (RFC 5806).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn diversion(&self) -> Result<Vec<NameAddr>, HeaderError> {
        todo!()
    }

    /// History-Info (RFC 7044).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn history_info(&self) -> Result<Vec<NameAddr>, HeaderError> {
        todo!()
    }

    /// WWW-Authenticate, one a line.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn www_authenticate(&self) -> Result<Vec<Challenge>, HeaderError> {
        todo!()
    }

    /// Proxy-Authenticate, one a line.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn proxy_authenticate(&self) -> Result<Vec<Challenge>, HeaderError> {
        todo!()
    }

    /// Authorization, one a line.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn authorization(&self) -> Result<Vec<Challenge>, HeaderError> {
        todo!()
    }

    /// Proxy-Authorization, one a line.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn proxy_authorization(&self) -> Result<Vec<Challenge>, HeaderError> {
        todo!()
    }

    /// Event (RFC 6665).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn event(&self) -> Result<Option<Event>, HeaderError> {
        todo!()
    }

    /// Subscription-State (RFC 6665).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn subscription_state(&self) -> Result<Option<SubscriptionState>, HeaderError> {
        todo!()
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
}
