//! Session keys from the master key (RFC 3711 §4.3, with AES-256 RFC 6188 §3).
//!
//! The pseudo-random function is AES counter mode under the master key; the label is laid over the master salt. The key
//! derivation rate is zero, so this runs once for each master key. A GCM salt of 12 bytes is filled up with zeros on the
//! right (RFC 7714 §11 leaves the form; libsrtp and all others do this).

use aes::{Aes128, Aes256};
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};

use super::MasterKey;

/// What a derived key is for (RFC 3711 §4.3.2).
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(super) enum Label {
    RtpCipher = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpCipher = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
}

/// Fills `out` with the session key of this label.
pub(super) fn derive(master: &MasterKey, label: Label, out: &mut [u8]) {
    let mut iv = [0; 16];
    iv[..master.salt().len()].copy_from_slice(master.salt());
    iv[7] ^= label as u8;
    out.fill(0);
    match master.key().len() {
        16 => Ctr128BE::<Aes128>::new_from_slices(master.key(), &iv)
            .expect("the key was matched to this length")
            .apply_keystream(out),
        _ => Ctr128BE::<Aes256>::new_from_slices(master.key(), &iv)
            .expect("a master key has 16 or 32 bytes")
            .apply_keystream(out),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Suite;
    use super::super::vectors::hex;
    use super::*;

    fn derived<const N: usize>(master: &MasterKey, label: Label) -> [u8; N] {
        let mut out = [0xff; N];
        derive(master, label, &mut out);
        out
    }

    #[test]
    fn rfc_3711_appendix_b_3() {
        let material = hex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
        let master = MasterKey::new(Suite::AesCm128HmacSha1_80, &material).unwrap();
        assert_eq!(
            derived::<16>(&master, Label::RtpCipher)[..],
            hex("C61E7A93744F39EE10734AFE3FF7A087")
        );
        assert_eq!(
            derived::<14>(&master, Label::RtpSalt)[..],
            hex("30CBBC08863D8C85D49DB34A9AE1")
        );
        assert_eq!(
            derived::<94>(&master, Label::RtpAuthentication)[..],
            hex(
                "CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE
                 E049646C43D9327AD175578EF7227098 6371C10C9A369AC2F94A8C5FBCDDDC25
                 6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2"
            )
        );
    }

    #[test]
    fn rfc_6188_section_7_2() {
        let material = hex(
            "f0f04914b513f2763a1b1fa130f10e29 98f6f6e43e4309d1e622a0e332b9f1b6
                            3b04803de51ee7c96423ab5b78d2",
        );
        let master = MasterKey::new(Suite::AesCm256HmacSha1_80, &material).unwrap();
        assert_eq!(
            derived::<32>(&master, Label::RtpCipher)[..],
            hex("5ba1064e30ec51613cad926c5a28ef73 1ec7fb397f70a960653caf06554cd8c4")
        );
        assert_eq!(
            derived::<14>(&master, Label::RtpSalt)[..],
            hex("fa31791685ca444a9e07c6c64e93")
        );
        assert_eq!(
            derived::<20>(&master, Label::RtpAuthentication)[..],
            hex("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05")
        );
    }
}
