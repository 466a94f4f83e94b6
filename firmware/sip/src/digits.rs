//! Numbers and addresses as text, without the formatter: they are in every message several times.
//!
//! Not here: reading them.

use std::fmt::Write;
use std::net::IpAddr;

/// Writes a number in decimal.
pub(crate) fn push_number(out: &mut String, number: impl itoa::Integer) {
    out.push_str(itoa::Buffer::new().format(number));
}

/// Writes an address as its own `Display` does.
pub(crate) fn push_address(out: &mut String, address: IpAddr) {
    match address {
        IpAddr::V4(ip) => {
            for (index, octet) in ip.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push('.');
                }
                push_number(out, octet);
            }
        }
        // Which zeros are left out is the library's business. Writing to a string cannot fail.
        IpAddr::V6(ip) => {
            let _ = write!(out, "{ip}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_as_the_library_writes_it() {
        for text in ["0.0.0.0", "255.10.1.200", "::1", "2001:db8::7:0:0:1"] {
            let address: IpAddr = text.parse().expect("an address");
            let mut out = String::new();
            push_address(&mut out, address);
            assert_eq!(out, text);
        }
    }
}
