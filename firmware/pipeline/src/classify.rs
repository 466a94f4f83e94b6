//! What a datagram is, by its first octets (RFC 7983 §7, RFC 5761 §4).
//!
//! ```text
//!  0–3 STUN · 20–63 DTLS · 128–191 RTP or RTCP: RTCP if the second octet is 192 to 223 · all else nothing of ours
//! ```
//!
//! Not here: whether it is well-formed.

/// What a datagram is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// RTP or SRTP.
    Rtp,
    /// RTCP or SRTCP.
    Rtcp,
    /// STUN.
    Stun,
    /// DTLS.
    Dtls,
    /// ZRTP, TURN channels, and what nobody has named.
    Unknown,
}

/// Looks at the first two octets.
#[must_use]
#[inline]
pub fn classify(datagram: &[u8]) -> Kind {
    match datagram {
        // RFC 5761 §4: payload types 64 to 95 with the marker look like RTCP and must not be used.
        [128..=191, 192..=223, ..] => Kind::Rtcp,
        [128..=191, _, ..] => Kind::Rtp,
        [0..=3, ..] => Kind::Stun,
        [20..=63, ..] => Kind::Dtls,
        _ => Kind::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_octets_tell() {
        for first in 0..=255_u8 {
            for second in 0..=255_u8 {
                let expected = match (first, second) {
                    (0..=3, _) => Kind::Stun,
                    (20..=63, _) => Kind::Dtls,
                    (128..=191, 192..=223) => Kind::Rtcp,
                    (128..=191, _) => Kind::Rtp,
                    _ => Kind::Unknown,
                };
                assert_eq!(classify(&[first, second, 0]), expected, "{first} {second}");
            }
        }
        assert_eq!(classify(&[]), Kind::Unknown);
        assert_eq!(classify(&[128]), Kind::Unknown);
    }
}
