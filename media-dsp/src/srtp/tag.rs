//! Tags as numbers: written and compared without a loop over octets.
//!
//! Invariant: how long a comparison takes says nothing about where two tags differ.
//!
//! Not here: what a tag is over (`session.rs`).

use subtle::ConstantTimeEq;

use super::simd::Mac;

/// Whether the tag, of one of the lengths that SRTP knows, is the beginning of this authentication code.
#[inline]
pub(super) fn is_of(mac: &Mac, tag: &[u8]) -> bool {
    let mac = u128::from_be_bytes(*mac);
    let (mac, tag) = match tag {
        [a, b, c, d] => (mac >> 96, u128::from(u32::from_be_bytes([*a, *b, *c, *d]))),
        [first @ .., y, z] if first.len() == 8 => {
            let first = u64::from_be_bytes(*first.first_chunk().expect("eight octets"));
            let last = u16::from_be_bytes([*y, *z]);
            (mac >> 48, u128::from(first) << 16 | u128::from(last))
        }
        tag => match tag.as_array::<16>() {
            Some(tag) => (mac, u128::from_be_bytes(*tag)),
            None => return false,
        },
    };
    let differences = mac ^ tag;
    ((differences >> 64) as u64 | differences as u64)
        .ct_eq(&0)
        .into()
}

/// Writes as much of this authentication code as there is room for a tag.
#[inline]
pub(super) fn write(mac: &Mac, tag: &mut [u8]) {
    match tag.len() {
        16 => tag.copy_from_slice(mac),
        10 => tag.copy_from_slice(&mac[..10]),
        4 => tag.copy_from_slice(&mac[..4]),
        other => tag.copy_from_slice(&mac[..other]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_the_beginning_of_its_code_and_every_bit_counts() {
        let mac: Mac = core::array::from_fn(|at| at as u8 ^ 0x5a);
        for length in [4, 10, 16] {
            let mut tag = [0; 16];
            let tag = &mut tag[..length];
            write(&mac, tag);
            assert_eq!(*tag, mac[..length]);
            assert!(is_of(&mac, tag));
            for bit in 0..8 * length {
                tag[bit / 8] ^= 1 << (bit % 8);
                assert!(!is_of(&mac, tag), "bit {bit} of {length} octets");
                tag[bit / 8] ^= 1 << (bit % 8);
            }
        }
        assert!(!is_of(&mac, &mac[..5]), "SRTP has no such tag");
    }
}
