//! What is laid over what: the file, then the chosen environment, then the flags. Tables merge key
//! by key, everything else replaces, and `KEY = { unset = true }` removes.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::from_env;
use super::from_toml;
use super::input::Input;
use super::problem::{Problem, nearest};
use super::schema::{ENVIRONMENT, Schema};
use super::shape::{self, Part};

type Table<'a> = Spanned<DeTable<'a>>;
type Key<'a> = Spanned<DeString<'a>>;

/// The parsed texts.
#[derive(Clone, Debug)]
pub(super) struct Layers<'a> {
    /// The file without its environments.
    pub(super) base: Table<'a>,
    /// In the order of the file.
    pub(super) environments: Vec<Environment<'a>>,
    /// The chosen one's index.
    chosen: Option<usize>,
    /// `--set`, in the order of the command line.
    pub(super) flags: Vec<Table<'a>>,
}

/// `[env.NAME]`
#[derive(Clone, Debug)]
pub(super) struct Environment<'a> {
    pub(super) name: String,
    at: Range<usize>,
    pub(super) table: Table<'a>,
}

impl<'a> Layers<'a> {
    /// Parses every text.
    ///
    /// # Errors
    /// Syntax, and an environment that is not in the file.
    pub(super) fn parse(input: &'a Input, schema: &Schema) -> Result<Self, Vec<Problem>> {
        let (base, errors) = DeTable::parse_recoverable(&input.file().text);
        let mut problems: Vec<_> = errors.iter().map(from_toml).collect();
        let mut flags = Vec::new();
        for flag in input.sets() {
            match flag.parse(schema) {
                Ok(table) => flags.push(table),
                Err(wrong) => problems.extend(wrong),
            }
        }
        let mut layers = Self { base, environments: Vec::new(), chosen: None, flags };
        layers.environments = take_environments(layers.base.get_mut());
        if errors.is_empty() {
            layers.choose(input, &mut problems);
        }
        if problems.is_empty() { Ok(layers) } else { Err(problems) }
    }

    fn choose(&mut self, input: &Input, problems: &mut Vec<Problem>) {
        let Some((name, span)) = input.env() else { return };
        self.chosen = self.environments.iter().position(|environment| environment.name == name);
        if self.chosen.is_none() {
            let known: Vec<_> =
                self.environments.iter().map(|environment| environment.name.as_str()).collect();
            let title = format!("there is no environment `{name}`");
            let help = match nearest(name, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if known.is_empty() => {
                    format!("declare it: `[env.{name}]`, with what differs from the rest of the file")
                }
                None => format!("declared: {}", known.join(", ")),
            };
            problems.push(Problem::at(span, title).hint([help]));
        }
    }

    /// The environment that was chosen.
    pub(super) fn chosen(&self) -> Option<&Environment<'a>> {
        self.chosen.and_then(|at| self.environments.get(at))
    }

    /// The same with another environment.
    pub(super) fn choosing(&self, index: usize) -> Self {
        Self { chosen: Some(index), ..self.clone() }
    }

    /// Unknown keys and wrong types wherever they stand: in an environment that was not chosen, too.
    pub(super) fn check(&self, schema: &Schema) -> Vec<Problem> {
        let (root, environment) = (schema.root(), schema.definition(ENVIRONMENT));
        let mut problems = shape::check(&self.base, root, root, Part::Base);
        for one in &self.environments {
            problems.extend(one.wrong_name());
            problems.extend(shape::check(&one.table, environment, root, Part::Overlay));
        }
        for flag in &self.flags {
            problems.extend(shape::check(flag, environment, root, Part::Overlay));
        }
        problems
    }

    /// All layers as one document, and what could not be laid over the rest.
    pub(super) fn merged(&self) -> (Table<'a>, Vec<Problem>) {
        let mut merged = self.base.clone();
        let mut problems = Vec::new();
        for over in self.chosen().map(|environment| &environment.table).into_iter().chain(&self.flags) {
            lay(merged.get_mut(), over.get_ref().clone(), &mut problems);
        }
        (merged, problems)
    }
}

impl Environment<'_> {
    /// It becomes a part of names on AWS.
    fn wrong_name(&self) -> Option<Problem> {
        let legal = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
        let right = (1..=64).contains(&self.name.len()) && self.name.chars().all(legal);
        let help = "it becomes a part of names on AWS: letters, digits, `-` and `_`, at most 64 of them";
        let title = || format!("`{}` is not an environment's name", self.name);
        (!right).then(|| Problem::at(self.at.clone(), title()).hint([help.to_owned()]))
    }
}

/// Takes the environments out; what is no table stays, for the check of its shape.
fn take_environments<'a>(file: &mut DeTable<'a>) -> Vec<Environment<'a>> {
    let Some(DeValue::Table(all)) = file.get_mut("env").map(Spanned::get_mut) else { return Vec::new() };
    let mut environments = Vec::new();
    for (name, value) in std::mem::take(all) {
        let (span, at) = (value.span(), name.span());
        match value.into_inner() {
            DeValue::Table(table) => {
                let name = name.into_inner().into_owned();
                environments.push(Environment { name, at, table: Spanned::new(span, table) });
            }
            other => {
                all.insert(name, Spanned::new(span, other));
            }
        }
    }
    if all.is_empty() {
        file.remove("env");
    }
    environments.sort_by_key(|environment| environment.at.start);
    environments
}

/// `{ unset = true }`
pub(super) fn is_unset(table: &DeTable<'_>) -> bool {
    table.len() == 1 && table.get("unset").and_then(|value| value.get_ref().as_bool()) == Some(true)
}

fn lay<'a>(under: &mut DeTable<'a>, over: DeTable<'a>, problems: &mut Vec<Problem>) {
    for (key, value) in over {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) if is_unset(&table) => unset(under, &key, problems),
            DeValue::Table(table) if merges(&table) => lay_table(under, key, span, table, problems),
            value => replace(under, key, Spanned::new(span, value)),
        }
    }
}

fn lay_table<'a>(
    under: &mut DeTable<'a>,
    key: Key<'a>,
    span: Range<usize>,
    over: DeTable<'a>,
    problems: &mut Vec<Problem>,
) {
    if let Some(DeValue::Table(there)) = under.get_mut(name(&key)).map(Spanned::get_mut)
        && merges(there)
    {
        return lay(there, over, problems);
    }
    let mut fresh = DeTable::new();
    lay(&mut fresh, over, problems);
    replace(under, key, Spanned::new(span, DeValue::Table(fresh)));
}

fn unset(under: &mut DeTable<'_>, key: &Key<'_>, problems: &mut Vec<Problem>) {
    if under.remove(name(key)).is_some() {
        return;
    }
    let meant = nearest(name(key), under.keys().map(name)).map(|meant| format!("did you mean `{meant}`?"));
    problems.push(Problem::at(key.span(), format!("there is no `{}` to unset", name(key))).hint(meant));
}

/// A reference to the environment is one value, whatever it is written as.
fn merges(table: &DeTable<'_>) -> bool {
    !from_env::is_reference(table)
}

/// The key's place changes with the value's.
fn replace<'a>(table: &mut DeTable<'a>, key: Key<'a>, value: Spanned<DeValue<'a>>) {
    table.remove(name(&key));
    table.insert(key, value);
}

fn name<'k>(key: &'k Key<'_>) -> &'k str {
    key.get_ref()
}

#[cfg(test)]
mod tests;
