//! Identifiers that look like AWS's: hex task IDs, `eni-…`, UUIDs, numbers.
//!
//! They come from a seed and a counter, so that tests get the same ones each
//! time and a state file that is read back never repeats one.

use std::hash::{BuildHasher, RandomState};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Where identifiers come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ids {
    seed: u64,
    next: u64,
}

impl Ids {
    /// A source that repeats: for tests.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, next: 0 }
    }

    /// A source that does not: the standard library seeds its hasher from the system's entropy.
    pub fn random() -> Self {
        Self::seeded(RandomState::new().hash_one(std::process::id()))
    }

    /// Lower-case hex digits, at most 64.
    pub fn hex(&mut self, digits: usize) -> String {
        let mut text: String = self.bytes().iter().map(|b| format!("{b:02x}")).collect();
        text.truncate(digits);
        text
    }

    /// `prefix-0123456789abcdef0`: EC2's long identifiers.
    pub fn ec2(&mut self, prefix: &str) -> String {
        format!("{prefix}-{}", self.hex(17))
    }

    /// Decimal digits, the first not 0: ECS deployment identifiers have 19.
    pub fn digits(&mut self, count: usize) -> String {
        let bytes = self.bytes();
        bytes
            .iter()
            .take(count)
            .enumerate()
            .map(|(i, b)| char::from(if i == 0 { b'1' + b % 9 } else { b'0' + b % 10 }))
            .collect()
    }

    /// `xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx`.
    pub fn uuid(&mut self) -> String {
        let hex = self.hex(30);
        format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[12..15], &hex[15..18], &hex[18..30])
    }

    fn bytes(&mut self) -> [u8; 32] {
        self.next += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed.to_be_bytes());
        hash.update(self.next.to_be_bytes());
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let mut ids = Ids::seeded(1);
        assert_eq!(ids.hex(32).len(), 32);
        assert_eq!(ids.ec2("eni").len(), "eni-".len() + 17);
        let digits = ids.digits(19);
        assert!(digits.len() == 19 && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0'));
        assert_eq!(ids.uuid().len(), 36);
        assert_ne!(ids.uuid(), ids.uuid());
    }
}
