//! Request methods: the fourteen that are known, and any other token as it came.
//!
//! Methods are case-sensitive (RFC 3261 §7.1), so `invite` is [`Method::Other`].
//! Not here: which methods a dialog or trunk lets through.

use std::fmt;

use bytes::Bytes;

use super::chars;
use super::text::Text;

macro_rules! methods {
    ($($variant:ident $token:literal $source:literal),+ $(,)?) => {
        /// A request method.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Method {
            $(#[doc = concat!("`", $token, "`, ", $source, ".")] $variant,)+
            /// Any other token.
            Other(Text),
        }

        impl Method {
            /// The token, as it stands in a start line.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $token,)+
                    Self::Other(token) => token,
                }
            }

            /// The method of a token in a message's buffer; `None` where it is no token.
            #[must_use]
            pub fn parse(token: &Bytes) -> Option<Self> {
                Some(match &token[..] {
                    $(bytes if bytes == $token.as_bytes() => Self::$variant,)+
                    bytes if chars::is_token(bytes) => Self::Other(Text::new(token.clone()).ok()?),
                    _ => return None,
                })
            }
        }
    };
}

methods! {
    Invite "INVITE" "RFC 3261",
    Ack "ACK" "RFC 3261",
    Bye "BYE" "RFC 3261",
    Cancel "CANCEL" "RFC 3261",
    Options "OPTIONS" "RFC 3261",
    Register "REGISTER" "RFC 3261",
    Prack "PRACK" "RFC 3262",
    Update "UPDATE" "RFC 3311",
    Refer "REFER" "RFC 3515",
    Notify "NOTIFY" "RFC 6665",
    Subscribe "SUBSCRIBE" "RFC 6665",
    Info "INFO" "RFC 6086",
    Message "MESSAGE" "RFC 3428",
    Publish "PUBLISH" "RFC 3903",
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
