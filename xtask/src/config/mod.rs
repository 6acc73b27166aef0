//! deploy.toml: text to typed values. Knows no AWS, Docker, environment or clock.
//!
//! Four steps, each of which finds all it can: the texts are parsed with the place
//! of every key (`input`, `set`, `source`), laid over each other (`layers`) with the values
//! that the caller looks up (`from_env`), their shape is checked against the schema of what may
//! be typed (`raw`, `schema`, `shape`), and what they say is validated into what it means
//! (`validate`: [`Image`](image::Image), [`Service`](service::Service)).

mod explain;
mod from_env;
pub mod image;
mod input;
mod layers;
pub mod limits;
mod load;
mod merge;
mod names;
mod origins;
pub mod problem;
mod raw;
mod schema;
pub mod service;
mod set;
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

pub use explain::explain;
pub use input::{Choice, Input, Lookup, Text};
pub use load::{Purpose, load};
pub use merge::merge;
pub use origins::{Origins, Said, Setting};
pub use validate::role_recipe;
pub(crate) use validate::units;

use problem::Problem;

/// A whole deploy.toml.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Name of the project, if the file gives one.
    pub name: Option<String>,
    /// AWS region, if the file gives one.
    pub region: Option<String>,
    /// The only account this may be deployed to, if the file names one.
    pub account: Option<String>,
    /// The environment that was chosen.
    pub environment: Option<String>,
    /// The environments that the file declares, in its order.
    pub environments: Vec<String>,
    /// Cluster name.
    pub cluster: String,
    /// In the order of the file.
    pub images: Vec<image::Image>,
    /// In the order of the file.
    pub services: Vec<service::Service>,
}

impl Config {
    /// A service by what the file calls it, or by its name on ECS.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&service::Service> {
        let by_key = self.services.iter().find(|service| service.key == name);
        by_key.or_else(|| self.services.iter().find(|service| service.name == name))
    }
}

/// Parses and validates the text of a deploy.toml that lies in `root`, without any environment.
///
/// # Errors
/// Every problem that was found, not the first alone.
pub fn parse(text: &str, root: &Path) -> Result<Config, Vec<Problem>> {
    load(&Input::new("deploy.toml", text, &Choice::default()), Purpose::Deploy, &|_| None, root)
}

/// The JSON Schema of what may be typed.
#[must_use]
pub fn schema() -> schemars::Schema {
    schema::published()
}

fn from_toml(error: &toml::de::Error) -> Problem {
    Problem { span: error.span(), title: error.message().to_owned(), label: String::new(), help: Vec::new() }
}
