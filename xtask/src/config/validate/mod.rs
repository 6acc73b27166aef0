//! What the file says, into what it means; every problem is kept.

mod capacity;
mod container;
mod existing;
mod extra;
mod given;
mod image;
mod service;
mod size;
mod traffic;
mod volume;

pub use service::role_recipe;
pub(crate) use size::units;

use std::fmt::Display;
use std::path::Path as FsPath;

use super::Config;
use super::names;
use super::problem::Problem;
use super::raw;
use super::source::{Path, Spans};

/// Validates the whole file.
pub(super) fn validate(
    file: raw::File,
    spans: &Spans,
    root: &FsPath,
    environment: Option<&str>,
) -> Result<Config, Vec<Problem>> {
    let mut check = Check { spans, environment, problems: Vec::new() };
    let top = Path::default();
    if let Some(account) = &file.account
        && (account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()))
    {
        check.value(&top.at("account"), "an account ID has 12 digits", "", []);
    }
    check.name(&top.at("cluster"), &file.cluster, "a cluster name");
    // An image that has a problem of its own is declared all the same.
    let declared = Declared { names: file.image.keys().cloned().collect() };
    let images = image::images(&mut check, file.image, root);
    let services = service::services(&mut check, file.service, (&images, &declared, root));
    if services.is_empty() && check.problems.is_empty() {
        check.file("no service is declared", "add a table `[service.NAME]`");
    }
    let Check { problems, .. } = check;
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Config {
        name: file.name,
        region: file.region,
        account: file.account,
        environment: environment.map(str::to_owned),
        environments: Vec::new(),
        cluster: file.cluster,
        images,
        services,
    })
}

/// Collects problems, each with its place.
pub(super) struct Check<'s> {
    spans: &'s Spans,
    environment: Option<&'s str>,
    problems: Vec<Problem>,
}

impl Check<'_> {
    /// A name that two environments of one account must not share, unless the file says it.
    fn scoped(&self, name: &str) -> String {
        names::scoped(name, self.environment)
    }

    /// A problem with a value.
    fn value<const N: usize>(&mut self, at: &Path, title: impl Display, label: &str, help: [String; N]) {
        let span = self.spans.value_at(at);
        self.push(span, title.to_string(), label, help.into());
    }

    /// A problem with a key, or with a whole table.
    fn key<const N: usize>(&mut self, at: &Path, title: impl Display, label: &str, help: [String; N]) {
        let span = self.spans.key_at(at);
        self.push(span, title.to_string(), label, help.into());
    }

    fn file(&mut self, title: &str, help: &str) {
        self.push(None, title.to_owned(), "", vec![help.to_owned()]);
    }

    fn push(&mut self, span: Option<std::ops::Range<usize>>, title: String, label: &str, help: Vec<String>) {
        self.problems.push(Problem { span, title, label: label.to_owned(), help });
    }

    /// An integer within a range, as the unsigned type that it means.
    fn integer<T: TryFrom<i64>>(
        &mut self,
        at: &Path,
        value: i64,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<T> {
        let converted = T::try_from(value).ok().filter(|_| range.contains(&value));
        if converted.is_none() {
            let help = format!("allowed: {} to {}", range.start(), range.end());
            self.value(at, format!("{value} is out of range"), "", [help]);
        }
        converted
    }

    /// The same for a value that may be left out.
    fn optional<T: TryFrom<i64>>(
        &mut self,
        at: &Path,
        value: Option<i64>,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<T> {
        value.and_then(|value| self.integer(at, value, range))
    }

    /// ECS names: up to 255 letters, digits, hyphens and underscores.
    /// Source: Amazon ECS API Reference, CreateCluster, CreateService, ContainerDefinition.
    fn name(&mut self, at: &Path, name: &str, what: &str) {
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 255 || !name.chars().all(legal) {
            let help = "letters, digits, `-` and `_`, at most 255 of them".to_owned();
            self.value(at, format!("`{name}` is not {what}"), "", [help]);
        }
    }

    /// Tables in the order of the file.
    fn in_order<T>(
        &self,
        at: &Path,
        tables: std::collections::BTreeMap<String, T>,
    ) -> Vec<(Path, String, T)> {
        let mut ordered: Vec<_> =
            tables.into_iter().map(|(name, table)| (at.at(&name), name, table)).collect();
        ordered.sort_by_key(|(path, ..)| self.spans.key_at(path).map_or(0, |span| span.start));
        ordered
    }
}

/// Names of the images, for look-up and suggestion.
struct Declared {
    names: Vec<String>,
}

impl Declared {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}
