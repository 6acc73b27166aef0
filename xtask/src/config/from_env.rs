//! `{ from-env = "NAME" }` in place of a value: read by a look-up that the caller passes, since
//! this module knows no process environment.
//!
//! What is read may be anything, a secret by mistake too: no message repeats it.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::input::Lookup;
use super::load::Purpose;
use super::problem::Problem;
use super::schema::{Scalars, Schema};
use super::source::Path;

/// Stands for a variable's name in a table.
pub(super) const KEY: &str = "from-env";
/// Stands for what holds if the variable is not set.
pub(super) const DEFAULT: &str = "default";

/// Whether a table stands for a value, and is not one that happens to have such a key.
pub(super) fn is_reference(table: &DeTable<'_>) -> bool {
    table.contains_key(KEY) && table.keys().all(|key| [KEY, DEFAULT].contains(&key.get_ref().as_ref()))
}

/// What was read, by the place of the reference.
#[derive(Debug, Default)]
pub(super) struct Readings {
    found: BTreeMap<Path, Reading>,
    /// Values that do not fit, and variables that are needed for anything.
    wrong: Vec<Problem>,
    /// Variables that are needed to deploy.
    missing: Vec<Problem>,
}

#[derive(Debug)]
struct Reading {
    span: Range<usize>,
    variable: String,
    wanted: Scalars,
    /// `None` where the file's default stands, or nothing can.
    text: Option<String>,
}

impl Reading {
    /// A value of the right type. As a string it is an image's reference, and no name of anything on AWS.
    fn stand_in<'r>(&self) -> Spanned<DeValue<'r>> {
        let mut candidates = ["unset:unset", "1", "true"].into_iter();
        let value = candidates.find_map(|text| self.wanted.typed(text));
        Spanned::new(self.span.clone(), value.unwrap_or(DeValue::Boolean(true)))
    }
}

fn not_set(variable: &str, at: Range<usize>) -> Problem {
    let help = "set it, or say what holds without it: `{ from-env = \"…\", default = \"…\" }`".to_owned();
    Problem::at(at, format!("the environment variable `{variable}` is not set")).hint([help])
}

/// Looks up every variable that the document names.
pub(super) fn read(document: &DeTable<'_>, schema: &Schema, lookup: Lookup<'_>) -> Readings {
    let mut readings = Readings::default();
    readings.table(document, &Path::default(), schema, lookup);
    readings
}

impl Readings {
    fn table(&mut self, table: &DeTable<'_>, path: &Path, schema: &Schema, lookup: Lookup<'_>) {
        for (key, value) in table {
            self.value(value, &path.at(key.get_ref()), schema, lookup);
        }
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, path: &Path, schema: &Schema, lookup: Lookup<'_>) {
        match value.get_ref() {
            DeValue::Table(table) if table.contains_key(KEY) && schema.scalars(path).any() => {
                let reading = self.reference(table, value.span(), path, schema.scalars(path), lookup);
                self.found.insert(path.clone(), reading);
            }
            DeValue::Table(table) => self.table(table, path, schema, lookup),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.value(item, &path.at(index), schema, lookup);
                }
            }
            _ => {}
        }
    }

    fn reference(
        &mut self,
        table: &DeTable<'_>,
        span: Range<usize>,
        path: &Path,
        wanted: Scalars,
        lookup: Lookup<'_>,
    ) -> Reading {
        let named = table.get(KEY).map(|name| (name.span(), name.get_ref().as_str().unwrap_or_default()));
        let (at, variable) = named.unwrap_or((span.clone(), ""));
        let has_default = table.contains_key(DEFAULT);
        let text = match lookup(variable).map(std::ffi::OsString::into_string) {
            Some(Ok(text)) if wanted.typed(&text).is_some() => Some(text),
            Some(read) => {
                let not = if read.is_ok() { wanted.words() } else { "Unicode".to_owned() };
                let title = format!("the value of the environment variable `{variable}` is not {not}");
                self.wrong.push(Problem::at(at, title));
                None
            }
            None => {
                // Keys at the top say where to deploy, and where to look.
                let list = if path.parts().len() == 1 { &mut self.wrong } else { &mut self.missing };
                list.extend((!has_default && !variable.is_empty()).then(|| not_set(variable, at)));
                None
            }
        };
        Reading { span, variable: variable.to_owned(), wanted, text }
    }

    /// What could not be read, as far as it is needed.
    pub(super) fn unreadable(&self, purpose: Purpose) -> Vec<Problem> {
        let missing = if purpose == Purpose::Deploy { self.missing.as_slice() } else { &[] };
        self.wrong.iter().chain(missing).cloned().collect()
    }

    /// Where stand-ins did not help, they are what is wrong.
    pub(super) fn told(&self, problems: Vec<Problem>, purpose: Purpose) -> Vec<Problem> {
        let missing = if purpose == Purpose::Look { self.missing.as_slice() } else { &[] };
        missing.iter().cloned().chain(problems).collect()
    }

    /// The document with what was read in place of the references.
    pub(super) fn fill<'r>(&'r self, table: &mut DeTable<'r>, path: &Path) {
        for (key, value) in table {
            self.fill_value(value, &path.at(key.get_ref()));
        }
    }

    fn fill_value<'r>(&'r self, value: &mut Spanned<DeValue<'r>>, path: &Path) {
        if let Some(reading) = self.found.get(path) {
            let text = reading.text.as_deref();
            let default = || value.get_ref().as_table().and_then(|table| table.get(DEFAULT)).cloned();
            *value = match text.and_then(|text| reading.wanted.typed(text)) {
                Some(typed) => Spanned::new(reading.span.clone(), typed),
                None => default().unwrap_or_else(|| reading.stand_in()),
            };
            return;
        }
        match value.get_mut() {
            DeValue::Table(table) => self.fill(table, path),
            DeValue::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.fill_value(item, &path.at(index));
                }
            }
            _ => {}
        }
    }

    /// Problems of the filled document: those of what could not be read are known already, and what
    /// was read is called by its variable's name.
    pub(super) fn tell(&self, problems: Vec<Problem>) -> Vec<Problem> {
        let unread = |problem: &Problem| {
            let mut unread = self.found.values().filter(|reading| reading.text.is_none());
            unread.any(|reading| problem.span.as_ref() == Some(&reading.span))
        };
        problems
            .into_iter()
            .filter(|problem| !unread(problem))
            .map(|problem| self.redacted(problem))
            .collect()
    }

    fn redacted(&self, mut problem: Problem) -> Problem {
        for reading in self.found.values() {
            let Some(text) = &reading.text else { continue };
            let here = problem.span.as_ref() == Some(&reading.span);
            // Elsewhere a short one could be anything, such as a limit.
            if !here && text.chars().count() < 4 {
                continue;
            }
            let name = format!("${}", reading.variable);
            problem.title = hide(&problem.title, text, &name);
            problem.label = hide(&problem.label, text, &name);
            problem.help.iter_mut().for_each(|help| *help = hide(help, text, &name));
        }
        problem
    }
}

/// Puts the name in place of the value, where the value stands as a word.
fn hide(message: &str, value: &str, name: &str) -> String {
    if value.is_empty() {
        return message.to_owned();
    }
    let mut hidden = String::new();
    let mut rest = message;
    while let Some(at) = rest.find(value) {
        let after = &rest[at + value.len()..];
        let before = rest[..at].chars().next_back().or_else(|| hidden.chars().next_back());
        let in_a_word = |char: Option<char>| char.is_some_and(char::is_alphanumeric);
        hidden.push_str(&rest[..at]);
        hidden.push_str(if in_a_word(before) || in_a_word(after.chars().next()) { value } else { name });
        rest = after;
    }
    hidden + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_hidden_where_it_stands_as_a_word() {
        assert_eq!(hide("`abc` is not abc", "abc", "$X"), "`$X` is not $X");
        assert_eq!(hide("12 is over 120", "12", "$X"), "$X is over 120");
        assert_eq!(hide("/ecs/abc-1", "abc", "$X"), "/ecs/$X-1");
        assert_eq!(hide("nothing", "", "$X"), "nothing");
        assert_eq!(hide("äaä a", "a", "$X"), "äaä $X");
    }
}
