//! deploy.toml: text to typed values. Knows no AWS, Docker, environment or clock.
//!
//! Three steps, each of which finds all it can: the text is parsed with the place
//! of every key (`source`), its shape is checked against the schema of what may
//! be typed (`raw`, `shape`), and what it says is validated into what it means
//! (`validate`: [`Image`](image::Image), [`Service`](service::Service)).

pub mod image;
pub mod limits;
mod merge;
pub mod problem;
mod raw;
pub mod service;
mod shape;
pub mod source;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_json;
#[cfg(test)]
mod tests_service;
mod validate;

use std::path::Path;

use toml::de::{DeTable, Deserializer};

pub use merge::merge;
pub use validate::role_recipe;
pub(crate) use validate::units;

use problem::Problem;
use source::Spans;

/// A whole deploy.toml.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Name of the project, if the file gives one.
    pub name: Option<String>,
    /// AWS region, if the file gives one.
    pub region: Option<String>,
    /// The only account this may be deployed to, if the file names one.
    pub account: Option<String>,
    /// Cluster name.
    pub cluster: String,
    /// In the order of the file.
    pub images: Vec<image::Image>,
    /// In the order of the file.
    pub services: Vec<service::Service>,
}

/// Parses and validates the text of a deploy.toml that lies in `root`.
///
/// # Errors
/// Every problem that was found, not the first alone.
pub fn parse(text: &str, root: &Path) -> Result<Config, Vec<Problem>> {
    let document = parse_document(text)?;
    let shape = shape::check(&document, schema().as_value());
    if !shape.is_empty() {
        return Err(shape);
    }
    let spans = Spans::of(&document);
    let file: raw::File = serde::Deserialize::deserialize(Deserializer::from(document))
        .map_err(|error| vec![from_toml(&error)])?;
    validate::validate(file, &spans, root)
}

/// The JSON Schema of what may be typed.
#[must_use]
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(raw::File)
}

fn parse_document(text: &str) -> Result<toml::Spanned<DeTable<'_>>, Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() { Ok(document) } else { Err(errors.iter().map(from_toml).collect()) }
}

fn from_toml(error: &toml::de::Error) -> Problem {
    Problem { span: error.span(), title: error.message().to_owned(), label: String::new(), help: Vec::new() }
}
