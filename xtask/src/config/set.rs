//! `--set KEY=VALUE`: one key of the file, as TOML writes it, and a value.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::from_toml;
use super::input::Text;
use super::problem::Problem;
use super::schema::Schema;
use super::source::Path;

/// A flag, prepared to be parsed.
#[derive(Clone, Debug)]
pub(super) struct Flag {
    pub(super) text: Text,
    /// As a TOML document, behind so many blanks that its spans are those of the whole input.
    document: String,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    /// Something that only TOML can read: a quoted string, an array, a table.
    Toml,
    /// Anything else is what its key wants; so many bytes of the flag's value.
    Bare(Range<usize>),
    /// There is no `=`.
    Missing,
}

impl Flag {
    pub(super) fn new(text: Text) -> Self {
        let (typed, start) = text.value();
        let equals = outside_quotes(typed, '=');
        let (document, value) = match equals.map(|at| (&typed[..at], &typed[at + 1..])) {
            Some((_, value)) if value.trim_start().starts_with(['"', '\'', '[', '{']) => {
                (typed.to_owned(), Value::Toml)
            }
            Some((key, value)) => (format!("{key}=0"), Value::Bare(trimmed(value, key.len() + 1))),
            None => (String::new(), Value::Missing),
        };
        let document = format!("{:start$}{document}", "");
        Self { text, document, value }
    }

    /// What it lays over the file.
    ///
    /// # Errors
    /// It is not `KEY=VALUE`.
    pub(super) fn parse(&self, schema: &Schema) -> Result<Spanned<DeTable<'_>>, Vec<Problem>> {
        let (typed, start) = self.text.value();
        if matches!(self.value, Value::Missing) {
            let problem = Problem::at(start..start + typed.len(), "`--set` takes a key and a value");
            return Err(vec![problem.hint(["`--set service.NAME.desired-count=4`".to_owned()])]);
        }
        let (mut document, errors) = DeTable::parse_recoverable(&self.document);
        if !errors.is_empty() {
            // What follows the first one in so short a text comes of it.
            return Err(errors.iter().take(1).map(from_toml).collect());
        }
        if let Value::Bare(range) = &self.value {
            let span = start + range.start..start + range.end;
            fill(document.get_mut(), &Path::default(), &typed[range.clone()], &span, schema);
        }
        Ok(document)
    }
}

/// Puts the value in at the end of the one key.
fn fill<'a>(table: &mut DeTable<'a>, at: &Path, text: &'a str, span: &Range<usize>, schema: &Schema) {
    for (key, value) in table {
        let at = at.at(key.get_ref());
        match value.get_mut() {
            DeValue::Table(inner) => fill(inner, &at, text, span, schema),
            _ => {
                // What does not fit is found, with everything else that does not, by its shape.
                let typed = schema.scalars(&at).typed(text);
                let typed = typed.unwrap_or_else(|| {
                    DeValue::parse(text).map_or_else(|_| DeValue::String(text.into()), Spanned::into_inner)
                });
                *value = Spanned::new(span.clone(), typed);
            }
        }
    }
}

/// The first place of a character that is in no quotes.
fn outside_quotes(text: &str, wanted: char) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, char) in text.char_indices() {
        match quote {
            _ if escaped => escaped = false,
            Some('"') if char == '\\' => escaped = true,
            Some(open) if char == open => quote = None,
            Some(_) => {}
            None if char == wanted => return Some(at),
            None if char == '"' || char == '\'' => quote = Some(char),
            None => {}
        }
    }
    None
}

/// Where the text stands without the blanks around it.
fn trimmed(text: &str, start: usize) -> Range<usize> {
    let start = start + text.len() - text.trim_start().len();
    start..start + text.trim().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_part_of_a_key_may_hold_an_equals_sign() {
        assert_eq!(outside_quotes("a=b", '='), Some(1));
        assert_eq!(outside_quotes("a.\"b=c\".d=e", '='), Some(9));
        assert_eq!(outside_quotes("a.\"b\\\"=\"=e", '='), Some(8));
        assert_eq!(outside_quotes("a.'b=\\'=e", '='), Some(7));
        assert_eq!(outside_quotes("a.\"b=c", '='), None);
    }

    #[test]
    fn blanks_around_a_value_are_not_part_of_it() {
        assert_eq!(trimmed(" x y ", 10), 11..14);
        assert_eq!(trimmed("  ", 10), 12..12);
    }
}
