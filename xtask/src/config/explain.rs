//! Answers `--explain KEY`: the value of a key, the layer that it comes from, and those below it.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::from_toml;
use super::input::{Input, Lookup};
use super::layers::Layers;
use super::names;
use super::origins::{Origins, Said, Setting};
use super::problem::{Problem, nearest};
use super::schema::Schema;
use super::source::Path;

/// What a key is and why, in lines; of a table, all keys below it. The input is one that
/// [asks](Input::asking) for it.
///
/// # Errors
/// Syntax, an environment that is not in the file, and a key that nothing can have.
pub fn explain(input: &Input, lookup: Lookup<'_>) -> Result<String, Vec<Problem>> {
    let schema = Schema::new();
    let layers = Layers::parse(input, &schema)?;
    let origins = Origins::of_layers(input, &layers, &schema, lookup);
    let parts = question(input)?;
    let key = known(&parts, &origins, &schema)?;
    let below = origins.below(&key);
    if below.is_empty() {
        return Ok(absent(&key, &origins, &schema));
    }
    let all: Vec<_> = below.iter().map(|key| present(key, &origins, &schema)).collect();
    Ok(all.join("\n"))
}

type Parts = Vec<(String, Range<usize>)>;

/// The parts of the key that is asked for, as TOML writes it.
fn question(input: &Input) -> Result<Parts, Vec<Problem>> {
    let (typed, start) = input.question().unwrap_or_default();
    let document = format!("{:start$}{typed}=0", "");
    let (document, errors) = DeTable::parse_recoverable(&document);
    if let Some(error) = errors.first() {
        return Err(vec![from_toml(error)]);
    }
    let mut parts = Parts::new();
    let mut table = document.get_ref();
    while let Some((key, value)) = table.iter().next() {
        parts.push((key.get_ref().to_string(), key.span()));
        let DeValue::Table(inner) = value.get_ref() else { break };
        table = inner;
    }
    Ok(parts)
}

/// The key, if it is one that the file has or may have.
fn known(parts: &Parts, origins: &Origins, schema: &Schema) -> Result<Path, Vec<Problem>> {
    let mut path = Path::default();
    for (index, (part, span)) in parts.iter().enumerate() {
        let of_environment = index == 0 && part == "env";
        let candidates: Vec<&str> = schema.keys(&path).into_iter().chain(origins.children(&path)).collect();
        if of_environment || !candidates.contains(&part.as_str()) {
            let help = match nearest(part, candidates.iter().copied()) {
                _ if of_environment => "ask for the key itself, with `--env NAME`".to_owned(),
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known here: {}", distinct(candidates).join(", ")),
            };
            let title = if path.is_root() {
                format!("there is no key `{part}`")
            } else {
                format!("there is no `{part}` in `{path}`")
            };
            return Err(vec![Problem::at(span.clone(), title).hint([help])]);
        }
        path = path.at(part);
    }
    Ok(path)
}

fn distinct(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names.dedup();
    names
}

/// A key that no layer says anything about.
fn absent(key: &Path, origins: &Origins, schema: &Schema) -> String {
    let default = default(key, origins, schema)
        .map_or_else(|| "it has no default".to_owned(), |text| format!("default: {text}"));
    format!("{key} is not set\n  {default}\n")
}

/// A key that some layer says something about.
fn present(key: &Path, origins: &Origins, schema: &Schema) -> String {
    let about = origins.about(key);
    let Some((winner, others)) = about.split_first() else { return absent(key, origins, schema) };
    let mut lines = match &winner.value {
        Said::Unset => format!("{key} is not set\n  removed by {}\n", place(winner)),
        said if winner.key != *key => {
            format!("{key} is not set\n  replaced by {}: {} = {}\n", place(winner), winner.key, value(said))
        }
        Said::FromEnv { variable, set: true, .. } => {
            format!("{key} = ${variable}\n  from {}, environment variable {variable}\n", place(winner))
        }
        Said::FromEnv { variable, default: Some(default), .. } => {
            format!(
                "{key} = {default}\n  from {}, since the environment variable {variable} is not set\n",
                place(winner)
            )
        }
        Said::FromEnv { variable, .. } => {
            format!(
                "{key} has no value\n  from {}, but the environment variable {variable} is not set\n",
                place(winner)
            )
        }
        said => format!("{key} = {}\n  from {}\n", value(said), place(winner)),
    };
    for other in others {
        let of = if other.key == *key { String::new() } else { format!("{} = ", other.key) };
        lines.push_str(&format!("  over {}: {of}{}\n", place(other), value(&other.value)));
    }
    // What is gone together with the table that it stood in has no default.
    if winner.key == *key
        && let Some(default) = default(key, origins, schema)
    {
        let over = if winner.value == Said::Unset { "so the default holds" } else { "over the default" };
        lines.push_str(&format!("  {over}: {default}\n"));
    }
    lines
}

fn place(setting: &Setting) -> String {
    let environment = setting.environment.as_ref();
    environment.map_or_else(|| setting.place.clone(), |name| format!("{} [env.{name}]", setting.place))
}

fn value(said: &Said) -> String {
    match said {
        Said::Value(text) => text.clone(),
        Said::Empty => "{ }".to_owned(),
        Said::FromEnv { variable, .. } => format!("${variable}"),
        Said::Unset => "unset".to_owned(),
    }
}

/// What holds if the file says nothing: a name that is made of others, or what the schema says.
fn default(key: &Path, origins: &Origins, schema: &Schema) -> Option<String> {
    if let [service, name, "family"] = key.parts().iter().map(String::as_str).collect::<Vec<_>>().as_slice()
        && origins.says(&Path::default().at(service).at(name).at("task-definition"))
    {
        let end = origins.environment.as_ref().map(|name| format!(", with `-{name}` at its end"));
        return Some(format!("that of the task definition's JSON{}", end.unwrap_or_default()));
    }
    if let Some(name) = names::derived(key, origins.environment.as_deref()) {
        return Some(format!("{name:?}"));
    }
    let schemas = schema.at(key);
    let descriptions = schemas.iter().filter_map(|schema| schema["description"].as_str());
    let said = descriptions.flat_map(|text| ["Default: ", "Left out: "].map(|word| text.split_once(word)));
    said.flatten().next().map(|(_, default)| default.trim().trim_end_matches('.').replace('\n', " "))
}

#[cfg(test)]
mod tests;
