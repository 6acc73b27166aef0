//! The steps from texts to a [`Config`], each of which finds all problems that it can.

use std::path::Path as FsPath;

use toml::Spanned;
use toml::de::{DeTable, Deserializer};

use super::from_env::{self, Readings};
use super::input::{Input, Lookup};
use super::layers::Layers;
use super::problem::Problem;
use super::schema::Schema;
use super::shape::{self, Part};
use super::source::{Path, Spans};
use super::{Config, from_toml, raw, validate};

type Document<'a> = Spanned<DeTable<'a>>;

/// What a file is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To deploy it: all that it says is needed.
    Deploy,
    /// To look at what runs: where, and which services. What a service is made of may lack the
    /// variables that only those who deploy have set; a stand-in takes their place.
    Look,
}

/// Parses and validates what is read; the file lies in `root`. `lookup` is asked for the variables
/// that `{ from-env = "NAME" }` names, and their values are in no message.
///
/// # Errors
/// Every problem that was found, not the first alone.
pub fn load(
    input: &Input,
    purpose: Purpose,
    lookup: Lookup<'_>,
    root: &FsPath,
) -> Result<Config, Vec<Problem>> {
    let schema = Schema::new();
    let layers = Layers::parse(input, &schema)?;
    let load = |layers: &Layers<'_>, purpose| load_layers(layers, &schema, purpose, lookup, root);
    load(&layers, purpose).map_err(|problems| missing_in_base(problems, &layers, load))
}

fn load_layers(
    layers: &Layers<'_>,
    schema: &Schema,
    purpose: Purpose,
    lookup: Lookup<'_>,
    root: &FsPath,
) -> Result<Config, Vec<Problem>> {
    let (mut document, mut problems) = layers.merged();
    let readings = from_env::read(document.get_ref(), schema, lookup);
    readings.fill(document.get_mut(), &Path::default());
    problems.extend(layers.check(schema));
    problems.extend(readings.unreadable(purpose));
    let whole = shape::check(&document, schema.root(), schema.root(), Part::Whole);
    for problem in readings.tell(whole) {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    let loaded =
        if problems.is_empty() { validated(document, layers, &readings, root) } else { Err(problems) };
    loaded.map_err(|problems| readings.told(problems, purpose))
}

fn validated(
    document: Document<'_>,
    layers: &Layers<'_>,
    readings: &Readings,
    root: &FsPath,
) -> Result<Config, Vec<Problem>> {
    let spans = Spans::of(&document);
    let file: raw::File = serde::Deserialize::deserialize(Deserializer::from(document))
        .map_err(|error| readings.tell(vec![from_toml(&error)]))?;
    let environment = layers.chosen().map(|environment| environment.name.as_str());
    let config = validate::validate(file, &spans, root, environment);
    let environments = layers.environments.iter().map(|environment| environment.name.clone()).collect();
    config.map(|config| Config { environments, ..config }).map_err(|problems| readings.tell(problems))
}

/// Without an environment, a key may be missing that environments have.
fn missing_in_base(
    mut problems: Vec<Problem>,
    layers: &Layers<'_>,
    load: impl Fn(&Layers<'_>, Purpose) -> Result<Config, Vec<Problem>>,
) -> Vec<Problem> {
    let missing = |problem: &&mut Problem| problem.title.ends_with("is missing");
    if layers.chosen().is_some() || !problems.iter_mut().any(|problem| missing(&problem)) {
        return problems;
    }
    let all = layers.environments.iter().enumerate();
    let right = all.filter(|(index, _)| load(&layers.choosing(*index), Purpose::Look).is_ok());
    let flags: Vec<_> = right.map(|(_, environment)| format!("`--env {}`", environment.name)).collect();
    if !flags.is_empty() {
        let help = format!("it is there with {}", flags.join(" or "));
        problems.iter_mut().filter(missing).for_each(|problem| problem.help.push(help.clone()));
    }
    problems
}
