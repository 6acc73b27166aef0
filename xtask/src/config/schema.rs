//! The schema of what may be typed: as `shape` checks it, and as editors read it.

mod published;

use serde_json::{Map, Value as Json, json};
use toml::de::DeValue;

use super::raw;
use super::source::Path;
pub(super) use published::published;

/// A value from the process environment.
pub(super) const FROM_ENV: &str = "FromEnv";
/// What may stand in `[env.NAME]`.
pub(super) const ENVIRONMENT: &str = "Environment";

/// The schema of the typed keys, for look-ups.
#[derive(Debug)]
pub(super) struct Schema {
    root: Json,
}

impl Schema {
    pub(super) fn new() -> Self {
        let mut root = schemars::schema_for!(raw::File).to_value();
        let mut environment = root.clone();
        for member in ["$schema", "$defs", "title", "required"] {
            environment.as_object_mut().map(|members| members.remove(member));
        }
        environment["description"] = json!("What differs in this environment: any part of the file.");
        root["$defs"][ENVIRONMENT] = environment;
        root["$defs"][FROM_ENV] = from_env();
        root["properties"]["env"] = json!({
            "description": "Environments, chosen by `--env NAME`: each is laid over the rest of the file.",
            "type": "object",
            "additionalProperties": reference(ENVIRONMENT),
        });
        Self { root }
    }

    pub(super) const fn root(&self) -> &Json {
        &self.root
    }

    pub(super) fn definition(&self, name: &str) -> &Json {
        &self.root["$defs"][name]
    }

    /// What may stand at a place, in every form that may stand there; nothing if the place is unknown.
    pub(super) fn at(&self, path: &Path) -> Vec<&Json> {
        let mut here = vec![&self.root];
        for part in path.parts() {
            here = here.into_iter().flat_map(|schema| forms(&self.root, schema)).collect();
            here = here.into_iter().filter_map(|schema| below(schema, part)).collect();
        }
        here
    }

    /// The keys that are typed at a place.
    pub(super) fn keys(&self, path: &Path) -> Vec<&str> {
        let forms = self.at(path).into_iter().flat_map(|schema| forms(&self.root, schema));
        forms
            .filter_map(|form| form["properties"].as_object())
            .flat_map(Map::keys)
            .map(String::as_str)
            .collect()
    }

    /// The scalars that may stand at a place.
    pub(super) fn scalars(&self, path: &Path) -> Scalars {
        let forms = self.at(path).into_iter().flat_map(|schema| forms(&self.root, schema));
        Scalars::of(forms)
    }
}

/// Which scalars a schema allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Scalars {
    string: bool,
    integer: bool,
    number: bool,
    boolean: bool,
}

impl Scalars {
    fn of<'s>(forms: impl Iterator<Item = &'s Json>) -> Self {
        let mut scalars = Self::default();
        for form in forms {
            let types = &form["type"];
            let has =
                |kind: &str| types == kind || types.as_array().is_some_and(|all| all.contains(&json!(kind)));
            let anything = is_anything(form);
            scalars.string |= has("string") || anything || form.get("const").is_some_and(Json::is_string);
            scalars.integer |= has("integer");
            scalars.number |= has("number");
            scalars.boolean |= has("boolean");
        }
        scalars
    }

    /// Those that a schema allows.
    pub(super) fn in_schema(root: &Json, schema: &Json) -> Self {
        Self::of(forms(root, schema).into_iter())
    }

    pub(super) fn any(self) -> bool {
        self != Self::default()
    }

    /// A text as what is allowed here: a string if one is; `None` if it says nothing of that kind.
    pub(super) fn typed<'t>(self, text: &'t str) -> Option<DeValue<'t>> {
        if self.string {
            return Some(DeValue::String(text.into()));
        }
        let value = DeValue::parse(text).ok()?.into_inner();
        let fits = match value {
            DeValue::Integer(_) => self.integer || self.number,
            DeValue::Float(_) => self.number,
            DeValue::Boolean(_) => self.boolean,
            _ => false,
        };
        fits.then_some(value)
    }

    /// `an integer`, for the reader.
    pub(super) fn words(self) -> String {
        let all = [
            (self.string, "a string"),
            (self.integer, "an integer"),
            (self.number && !self.integer, "a number"),
            (self.boolean, "`true` or `false`"),
        ];
        let words: Vec<_> = all.into_iter().filter(|(allowed, _)| *allowed).map(|(_, word)| word).collect();
        words.join(" or ")
    }
}

/// The schema itself, or what it refers to and chooses from.
fn forms<'s>(root: &'s Json, schema: &'s Json) -> Vec<&'s Json> {
    if let Some(pointer) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        return root.pointer(pointer).map(|target| forms(root, target)).unwrap_or_default();
    }
    let choices = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array());
    choices.map_or_else(|| vec![schema], |all| all.iter().flat_map(|one| forms(root, one)).collect())
}

/// The schema of a key or an element.
fn below<'s>(schema: &'s Json, part: &str) -> Option<&'s Json> {
    if is_anything(schema) {
        return Some(schema);
    }
    let property = schema["properties"].get(part);
    let other = || schema.get("additionalProperties").filter(|extra| **extra != json!(false));
    let element = || schema.get("items").filter(|_| part.bytes().all(|byte| byte.is_ascii_digit()));
    property.or_else(other).or_else(element)
}

/// `true` and a schema without a type allow whatever there is.
fn is_anything(schema: &Json) -> bool {
    const LIMITS: [&str; 7] =
        ["type", "properties", "items", "enum", "const", "$ref", "additionalProperties"];
    *schema == json!(true)
        || schema.as_object().is_some_and(|members| LIMITS.iter().all(|limit| !members.contains_key(*limit)))
}

fn reference(definition: &str) -> Json {
    json!({ "$ref": format!("#/$defs/{definition}") })
}

fn from_env() -> Json {
    json!({
        "description": "A value from the environment of the process. Not for secrets.",
        "type": "object",
        "properties": {
            "from-env": { "description": "Name of the variable; an error if it is not set.", "type": "string" },
            "default": {
                "description": "The value if the variable is not set.",
                "type": ["string", "integer", "number", "boolean"],
            },
        },
        "required": ["from-env"],
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_through_every_form() {
        let schema = Schema::new();
        let at = |path: &str| {
            let path = path.split('.').fold(Path::default(), |path, part| path.at(part));
            (schema.at(&path).is_empty(), schema.scalars(&path))
        };
        let nothing = Scalars::default();
        let string = Scalars { string: true, ..nothing };
        let integer = Scalars { integer: true, ..nothing };
        assert_eq!(at("cluster"), (false, string));
        assert_eq!(at("service.web.cpu"), (false, integer));
        assert_eq!(at("service.web.launch-type"), (false, string));
        assert_eq!(at("service.web.subnets.tag.tier"), (false, string));
        assert_eq!(at("service.web.container.app.ports.0.name"), (false, string));
        assert_eq!(at("service.web.container.app.ulimits.nofile.soft"), (false, integer));
        assert_eq!(at("service.web.container.app.environment"), (false, nothing));
        assert_eq!(at("service.web.zzz.y"), (true, nothing));
    }
}
