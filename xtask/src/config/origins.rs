//! Where each value comes from: every layer that says something about a key, and which one wins.

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue};

use super::from_env;
use super::input::{Input, Lookup};
use super::layers::{Layers, is_unset};
use super::problem::Problem;
use super::schema::Schema;
use super::source::Path;

/// What all layers say about all keys.
#[derive(Clone, Debug)]
pub struct Origins {
    /// From the first layer to the last.
    settings: Vec<Setting>,
    /// The keys that have a value in the end.
    keys: BTreeSet<Path>,
    /// The chosen environment.
    pub(super) environment: Option<String>,
}

/// What one layer says about one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key; arrays are one value.
    pub key: Path,
    /// `deploy.toml:12`, or the flag as it was typed.
    pub place: String,
    /// The environment that says it; `None` for the rest of the file and for flags.
    pub environment: Option<String>,
    /// What it says.
    pub value: Said,
}

/// What a layer says about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A value, as TOML writes it.
    Value(String),
    /// A table without keys.
    Empty,
    /// The value of an environment variable, which is not kept.
    FromEnv {
        /// Its name.
        variable: String,
        /// Whether it is set.
        set: bool,
        /// The value without it, as TOML writes it.
        default: Option<String>,
    },
    /// That the key is removed.
    Unset,
}

impl Origins {
    /// Reads all layers; what they say need not be valid, only TOML.
    ///
    /// # Errors
    /// Syntax, and an environment that is not in the file.
    pub fn of(input: &Input, lookup: Lookup<'_>) -> Result<Self, Vec<Problem>> {
        let schema = Schema::new();
        let layers = Layers::parse(input, &schema)?;
        Ok(Self::of_layers(input, &layers, &schema, lookup))
    }

    pub(super) fn of_layers(input: &Input, layers: &Layers<'_>, schema: &Schema, lookup: Lookup<'_>) -> Self {
        let environment = layers.chosen().map(|environment| environment.name.clone());
        let mut reader =
            Reader { input, schema, lookup, environment: None, overlay: false, settings: Vec::new() };
        reader.table(layers.base.get_ref(), &Path::default());
        reader.overlay = true;
        if let Some(chosen) = layers.chosen() {
            reader.environment.clone_from(&environment);
            reader.table(chosen.table.get_ref(), &Path::default());
            reader.environment = None;
        }
        for flag in &layers.flags {
            reader.table(flag.get_ref(), &Path::default());
        }
        let settings = std::mem::take(&mut reader.settings);
        reader.table(layers.merged().0.get_ref(), &Path::default());
        let keys = reader.settings.into_iter().map(|setting| setting.key).collect();
        Self { settings, keys, environment }
    }

    /// What the layers say about a key that has a value, or had one: the winner first.
    #[must_use]
    pub fn about(&self, key: &Path) -> Vec<&Setting> {
        let about = |setting: &&Setting| {
            let above = key.is_in(&setting.key) && setting.value != Said::Empty;
            setting.key.is_in(key) || above
        };
        self.settings.iter().rev().filter(about).collect()
    }

    /// The keys at or below one that some layer says something about.
    #[must_use]
    pub fn below(&self, key: &Path) -> BTreeSet<Path> {
        let kept = self.keys.iter().filter(|other| other.is_in(key));
        let replaced = |setting: &&Setting| {
            let gone = |kept: &Path| !kept.is_in(&setting.key) && !setting.key.is_in(kept);
            setting.key.is_in(key) && setting.value != Said::Unset && self.keys.iter().all(gone)
        };
        let removed = self.settings.iter().filter(replaced).map(|setting| &setting.key);
        kept.chain(removed).cloned().collect()
    }

    /// Whether a key has a value in the end.
    pub(super) fn says(&self, key: &Path) -> bool {
        self.keys.contains(key)
    }

    /// The keys right below one.
    pub(super) fn children<'o>(&'o self, key: &'o Path) -> impl Iterator<Item = &'o str> {
        let all = self.settings.iter().filter(|setting| setting.key.is_in(key));
        all.filter_map(|setting| setting.key.parts().get(key.parts().len()).map(String::as_str))
    }
}

struct Reader<'r> {
    input: &'r Input,
    schema: &'r Schema,
    lookup: Lookup<'r>,
    environment: Option<String>,
    overlay: bool,
    settings: Vec<Setting>,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &Path) {
        for (key, value) in table {
            let path = path.at(key.get_ref());
            let place = self.input.place(key.span().start);
            self.value(value.get_ref(), path, place);
        }
    }

    fn value(&mut self, value: &DeValue<'_>, key: Path, place: String) {
        let value = match value {
            DeValue::Table(table) if self.overlay && is_unset(table) => Said::Unset,
            DeValue::Table(table) if table.contains_key(from_env::KEY) && self.schema.scalars(&key).any() => {
                self.variable(table)
            }
            DeValue::Table(table) if table.is_empty() => Said::Empty,
            DeValue::Table(table) => return self.table(table, &key),
            other => Said::Value(shown(other)),
        };
        self.settings.push(Setting { key, place, environment: self.environment.clone(), value });
    }

    fn variable(&self, table: &DeTable<'_>) -> Said {
        let variable = table.get(from_env::KEY).and_then(|name| name.get_ref().as_str()).unwrap_or_default();
        Said::FromEnv {
            variable: variable.to_owned(),
            set: (self.lookup)(variable).is_some(),
            default: table.get(from_env::DEFAULT).map(|value| shown(value.get_ref())),
        }
    }
}

/// A value as TOML writes it, in one line.
fn shown(value: &DeValue<'_>) -> String {
    let list = |items: Vec<String>| items.join(", ");
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(moment) => moment.to_string(),
        DeValue::Array(items) => {
            format!("[{}]", list(items.iter().map(|item| shown(item.get_ref())).collect()))
        }
        DeValue::Table(table) => {
            let pairs =
                table.iter().map(|(key, value)| format!("{} = {}", key.get_ref(), shown(value.get_ref())));
            format!("{{ {} }}", list(pairs.collect()))
        }
    }
}
