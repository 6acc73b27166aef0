//! Address ranges as EC2 reads them.

use std::net::{Ipv4Addr, Ipv6Addr};

/// An IPv4 range in its canonical form, host bits cleared: `10.0.0.7/8` is `10.0.0.0/8`.
pub fn ipv4_range(text: &str) -> Option<String> {
    let (address, bits) = split(text, 32)?;
    let address: Ipv4Addr = address.parse().ok()?;
    let network = Ipv4Addr::from_bits(address.to_bits() & u32::MAX.checked_shl(32 - bits).unwrap_or(0));
    Some(format!("{network}/{bits}"))
}

/// The same for IPv6.
pub fn ipv6_range(text: &str) -> Option<String> {
    let (address, bits) = split(text, 128)?;
    let address: Ipv6Addr = address.parse().ok()?;
    let network = Ipv6Addr::from_bits(address.to_bits() & u128::MAX.checked_shl(128 - bits).unwrap_or(0));
    Some(format!("{network}/{bits}"))
}

fn split(text: &str, most: u32) -> Option<(&str, u32)> {
    let (address, bits) = text.split_once('/')?;
    let bits = bits.parse().ok().filter(|bits| *bits <= most)?;
    Some((address, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(ipv4_range("0.0.0.0/0").as_deref(), Some("0.0.0.0/0"));
        assert_eq!(ipv4_range("10.1.2.3/8").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(ipv4_range("10.1.2.3/32").as_deref(), Some("10.1.2.3/32"));
        assert_eq!(ipv6_range("::/0").as_deref(), Some("::/0"));
        assert_eq!(ipv6_range("2001:db8::1/32").as_deref(), Some("2001:db8::/32"));
        for text in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0/8", "x/8", "::/0"] {
            assert_eq!(ipv4_range(text), None, "{text}");
        }
        assert_eq!(ipv6_range("::/129"), None);
    }
}
