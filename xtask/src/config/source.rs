//! The text of deploy.toml and where in it each key stands.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The place of a value: the keys that lead to it, `service`, `web`, `cpu`; array elements by index.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(Vec<String>);

impl Path {
    /// The path with one more part.
    #[must_use]
    pub fn at(&self, part: impl ToString) -> Self {
        let mut parts = self.0.clone();
        parts.push(part.to_string());
        Self(parts)
    }

    /// The keys, from the first to the last.
    #[must_use]
    pub fn parts(&self) -> &[String] {
        &self.0
    }

    /// Whether this path is the other one, or lies below it.
    #[must_use]
    pub fn is_in(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The path that this one is a part of.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.0.split_last()?;
        Some(Self(rest.to_vec()))
    }

    /// Nothing but the whole file.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// Where keys and values stand, in bytes of the text.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    keys: BTreeMap<Path, Range<usize>>,
    values: BTreeMap<Path, Range<usize>>,
}

impl Spans {
    /// Walks the parsed document once.
    pub(super) fn of(document: &Spanned<DeTable<'_>>) -> Self {
        let mut spans = Self::default();
        spans.table(&Path::default(), document.get_ref());
        spans
    }

    fn table(&mut self, path: &Path, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = path.at(key.get_ref());
            self.keys.insert(path.clone(), key.span());
            self.value(&path, value);
        }
    }

    fn value(&mut self, path: &Path, value: &Spanned<DeValue<'_>>) {
        self.values.insert(path.clone(), value.span());
        match value.get_ref() {
            DeValue::Table(table) => self.table(path, table),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.value(&path.at(index), item);
                }
            }
            _ => {}
        }
    }

    /// The value's place; of what is not in the file, the nearest key above it.
    #[must_use]
    pub fn value_at(&self, path: &Path) -> Option<Range<usize>> {
        self.values
            .get(path)
            .filter(|span| !self.is_table_body(path, span))
            .cloned()
            .or_else(|| self.key_at(path))
    }

    /// The key's place; of what is not in the file, the nearest key above it.
    #[must_use]
    pub fn key_at(&self, path: &Path) -> Option<Range<usize>> {
        let mut path = path.clone();
        loop {
            if let Some(span) = self.keys.get(&path) {
                return Some(span.clone());
            }
            path = path.parent()?;
        }
    }

    /// Whether the file has this key.
    #[must_use]
    pub fn has(&self, path: &Path) -> bool {
        self.keys.contains_key(path)
    }

    /// The keys right below a table, in the order of the alphabet.
    pub fn keys_in(&self, path: &Path) -> impl Iterator<Item = &str> {
        let below = path.0.len();
        let inside = move |other: &&Path| other.0.len() == below + 1 && other.0.starts_with(&path.0);
        self.keys.keys().filter(inside).filter_map(|key| key.0.last()).map(String::as_str)
    }

    /// A `[table]`'s span covers many lines; its key says the same in one word.
    fn is_table_body(&self, path: &Path, span: &Range<usize>) -> bool {
        let inside = |other: &&Path| other.parent().as_ref() == Some(path);
        let has_keys = self.keys.keys().any(|other| inside(&other));
        has_keys && self.keys.get(path).is_some_and(|key| span.start <= key.end)
    }
}
