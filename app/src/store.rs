//! A bounded in-memory key-value store. Knows no HTTP.

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;

/// The longest key, in bytes.
pub const MAX_KEY: usize = 128;
/// The largest value, in bytes.
pub const MAX_VALUE: usize = 256 * 1024;

/// How much a [`Store`] holds at most. The container's memory limit is shared
/// by the whole task, so the store says no before the kernel does.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Number of keys.
    pub keys: usize,
    /// Sum of the sizes of keys and values, in bytes.
    pub bytes: usize,
}

impl Limits {
    /// What the `data-store` program runs with.
    pub const DEFAULT: Self = Self { keys: 10_000, bytes: 64 * 1024 * 1024 };
}

/// What a [`Store::put`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The key is new.
    Created,
    /// The key had another value before.
    Replaced,
}

/// The value does not fit: [`Limits`] would be exceeded.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the data store is full")
    }
}

/// Keys to values, within limits.
#[derive(Debug)]
pub struct Store {
    limits: Limits,
    bytes: usize,
    values: BTreeMap<String, Bytes>,
}

impl Store {
    /// An empty store.
    pub fn new(limits: Limits) -> Self {
        Self { limits, bytes: 0, values: BTreeMap::new() }
    }

    /// The value of a key. Cheap: the bytes are shared.
    pub fn get(&self, key: &str) -> Option<Bytes> {
        self.values.get(key).cloned()
    }

    /// Sets a key. Nothing changes when the result is [`Full`].
    pub fn put(&mut self, key: &str, value: &[u8]) -> Result<Put, Full> {
        let old = self.values.get(key).map(|old| key.len() + old.len());
        let bytes = self.bytes - old.unwrap_or(0) + key.len() + value.len();
        let keys = self.values.len() + usize::from(old.is_none());
        if bytes > self.limits.bytes || keys > self.limits.keys {
            return Err(Full);
        }
        self.bytes = bytes;
        // Copied, since a body may be a small slice of a large read buffer.
        self.values.insert(key.to_owned(), Bytes::copy_from_slice(value));
        Ok(if old.is_some() { Put::Replaced } else { Put::Created })
    }

    /// Removes a key; `false` when there was none.
    pub fn delete(&mut self, key: &str) -> bool {
        let Some(old) = self.values.remove(key) else {
            return false;
        };
        self.bytes -= key.len() + old.len();
        true
    }

    /// All keys, sorted.
    pub fn keys(&self) -> Vec<String> {
        self.values.keys().cloned().collect()
    }
}

/// Whether a key may be used: 1 to [`MAX_KEY`] of `A-Z a-z 0-9 . _ ~ : @ -`, the
/// characters that stand for themselves in a path. `.` and `..` do not.
///
/// The error says what is wrong with it.
pub fn check_key(key: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._~:@-".contains(&byte);
    if key.is_empty() || key.len() > MAX_KEY {
        return Err(format!("an id has 1 to {MAX_KEY} characters"));
    }
    if !key.bytes().all(allowed) || key == "." || key == ".." {
        return Err(format!("`{}` is not an id: use letters, digits and . _ ~ : @ -", key.escape_default()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(keys: usize, bytes: usize) -> Store {
        Store::new(Limits { keys, bytes })
    }

    #[test]
    fn a_value_is_read_back_replaced_and_removed() {
        let mut store = store(10, 100);
        assert_eq!(store.put("a", b"1"), Ok(Put::Created));
        assert_eq!(store.put("a", b"22"), Ok(Put::Replaced));
        assert_eq!(store.get("a"), Some(Bytes::from_static(b"22")));
        assert!(store.delete("a"));
        assert!(!store.delete("a"));
        assert_eq!(store.get("a"), None);
        assert_eq!(store.bytes, 0);
    }

    #[test]
    fn the_number_of_keys_is_bounded_but_not_their_replacement() {
        let mut store = store(1, 100);
        assert_eq!(store.put("a", b"1"), Ok(Put::Created));
        assert_eq!(store.put("b", b"1"), Err(Full));
        assert_eq!(store.put("a", b"2"), Ok(Put::Replaced));
        assert_eq!(store.keys(), ["a"]);
    }

    #[test]
    fn bytes_are_bounded_and_a_refused_value_leaves_the_old_one() {
        let mut store = store(10, 5);
        assert_eq!(store.put("a", b"1234"), Ok(Put::Created));
        assert_eq!(store.put("a", b"12345"), Err(Full));
        assert_eq!(store.get("a"), Some(Bytes::from_static(b"1234")));
        assert_eq!(store.put("a", b"4321"), Ok(Put::Replaced), "as large as before");
        assert!(store.delete("a"));
        assert_eq!(store.put("b", b"1234"), Ok(Put::Created), "deleting frees room");
    }

    #[test]
    fn keys_are_checked() {
        assert_eq!(check_key("Order-1.a_b~c:d@e"), Ok(()));
        assert_eq!(check_key(&"k".repeat(MAX_KEY)), Ok(()));
        for bad in ["", ".", "..", "a/b", "a b", "ä", "a%", "\0", &"k".repeat(MAX_KEY + 1)] {
            assert!(check_key(bad).is_err(), "{bad:?}");
        }
    }
}
