//! What a handshake's secret says, cut into keys and salts.
//!
//! Not here: the handshake (`handshakes.rs`), what is derived from a key (`media_dsp::srtp`).

use dimpl::SrtpProfile;
use media_api::{Handshake, KeyMaterial, MkiRule, Sdes, Suite};
use pipeline::dtls::Keys;

/// RFC 5764 §4.2: the keys of client and server, then their salts.
pub(super) fn split(material: &[u8], profile: SrtpProfile, ours: Handshake) -> Option<Keys> {
    let (suite, key, salt) = match profile {
        SrtpProfile::AES128_CM_SHA1_80 => (Suite::AesCm128HmacSha1_80, 16, 14),
        SrtpProfile::AEAD_AES_128_GCM => (Suite::AeadAes128Gcm, 16, 12),
        SrtpProfile::AEAD_AES_256_GCM => (Suite::AeadAes256Gcm, 32, 12),
        _ => return None,
    };
    let (keys, salts) = material.split_at_checked(2 * key)?;
    if salts.len() != 2 * salt {
        return None;
    }
    let of = |place: usize| Sdes {
        suite,
        key: KeyMaterial::new(
            &[&keys[place * key..][..key], &salts[place * salt..][..salt]].concat(),
        ),
        mki: MkiRule::Absent,
        lifetime: None,
    };
    let (client, server) = (of(0), of(1));
    Some(match ours {
        Handshake::Active => Keys {
            receive: server,
            transmit: client,
        },
        Handshake::Passive => Keys {
            receive: client,
            transmit: server,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_and_salt_of_each_way_stand_where_rfc_5764_says() {
        let material: Vec<u8> = (0..60).collect();
        let profile = SrtpProfile::AES128_CM_SHA1_80;
        let active = split(&material, profile, Handshake::Active).expect("the lengths fit");
        let client: Vec<u8> = (0..16).chain(32..46).collect();
        let server: Vec<u8> = (16..32).chain(46..60).collect();
        assert_eq!(active.transmit.key.as_bytes(), client);
        assert_eq!(active.receive.key.as_bytes(), server);
        let passive = split(&material, profile, Handshake::Passive).expect("the lengths fit");
        assert_eq!(passive.transmit, active.receive);
        assert_eq!(passive.receive, active.transmit);
        assert!(split(&material[1..], profile, Handshake::Active).is_none());
        assert!(split(&material[..20], profile, Handshake::Active).is_none());
    }
}
