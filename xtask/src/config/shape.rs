//! Checks the document against the JSON Schema of `raw`, so that every unknown
//! key and wrong type is found in one pass, where serde stops at the first.

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::from_env;
use super::layers;
use super::problem::{Problem, nearest};
use super::schema::{FROM_ENV, Scalars};

/// Which part of what is deployed a document is; see `layers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it, with the values of the process environment filled in.
    Whole,
    /// The file, over which something may be laid: no key is required.
    Base,
    /// What is laid over it: it may unset keys, too.
    Overlay,
}

/// Every key that the schema does not know and every value of the wrong type. `root` has the
/// definitions that the schema refers to.
pub(super) fn check(document: &Spanned<DeTable<'_>>, schema: &Json, root: &Json, part: Part) -> Vec<Problem> {
    let mut checker = Checker { root, part, in_array: false, problems: Vec::new() };
    checker.table(document.get_ref(), schema, document.span());
    checker.problems
}

struct Checker<'s> {
    root: &'s Json,
    part: Part,
    /// What is in an array is replaced as a whole, so it has to be whole.
    in_array: bool,
    problems: Vec<Problem>,
}

impl<'s> Checker<'s> {
    fn table(&mut self, table: &DeTable<'_>, schema: &'s Json, span: std::ops::Range<usize>) {
        let schema = self.resolve(schema);
        let properties = schema["properties"].as_object();
        for (key, value) in table {
            let known = properties.and_then(|properties| properties.get(key.get_ref().as_ref()));
            match known.or_else(|| schema.get("additionalProperties").filter(|extra| **extra != false)) {
                Some(Json::Bool(true)) => self.json(value, key.get_ref()),
                Some(schema) => self.value(value, schema, key.get_ref()),
                None => self.unknown(key, properties),
            }
        }
        if self.part == Part::Whole || self.in_array {
            self.required(table, schema, span);
        }
    }

    fn required(&mut self, table: &DeTable<'_>, schema: &'s Json, span: std::ops::Range<usize>) {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
            if !table.iter().any(|(key, _)| key.get_ref().as_ref() == name) {
                self.missing(name, span.clone());
            }
        }
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, schema: &'s Json, key: &str) {
        let schema = self.resolve(schema);
        if self.stands_in(value, schema) {
            return;
        }
        if let Some(choice) = self.choose(value.get_ref(), schema) {
            return self.value(value, choice, key);
        }
        let wanted = types(schema);
        if !wanted.is_empty() && !wanted.iter().any(|kind| fits(value.get_ref(), kind)) || is_choice(schema) {
            return self.wrong_type(value, schema, key);
        }
        if let Some(words) = self.words(schema) {
            return self.word(value, &words, key);
        }
        match value.get_ref() {
            DeValue::Table(table) => self.table(table, schema, value.span()),
            DeValue::Array(items) => {
                let outer = std::mem::replace(&mut self.in_array, true);
                for item in items.iter() {
                    self.value(item, &schema["items"], key);
                }
                self.in_array = outer;
            }
            _ => {}
        }
    }

    /// A value of any type that JSON has too.
    fn json(&mut self, value: &Spanned<DeValue<'_>>, key: &str) {
        match value.get_ref() {
            DeValue::Datetime(_) => self.no_json(value, key, "write it as a string"),
            DeValue::Float(number)
                if matches!(number.as_str().trim_start_matches(['+', '-']), "inf" | "nan") =>
            {
                self.no_json(value, key, "write a number");
            }
            DeValue::Array(items) => items.iter().for_each(|item| self.json(item, key)),
            DeValue::Table(table) => table.iter().for_each(|(key, value)| self.json(value, key.get_ref())),
            _ => {}
        }
    }

    fn no_json(&mut self, value: &Spanned<DeValue<'_>>, key: &str, help: &str) {
        self.problems.push(Problem {
            span: Some(value.span()),
            title: format!("`{key}` is nothing that JSON can say"),
            label: format!("this is {}", article(value.get_ref().type_str())),
            help: vec![help.to_owned()],
        });
    }

    /// A table that stands for a value: `{ from-env = "NAME" }`, or `{ unset = true }`.
    fn stands_in(&mut self, value: &Spanned<DeValue<'_>>, schema: &'s Json) -> bool {
        let DeValue::Table(table) = value.get_ref() else { return false };
        if self.part == Part::Overlay && !self.in_array && layers::is_unset(table) {
            return true;
        }
        let reference = self.part != Part::Whole
            && table.contains_key(from_env::KEY)
            && Scalars::in_schema(self.root, schema).any();
        if reference {
            let form = &self.root["$defs"][FROM_ENV];
            self.table(table, form, value.span());
            self.required(table, form, value.span());
        }
        reference
    }

    fn resolve(&self, schema: &'s Json) -> &'s Json {
        match schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
            Some(pointer) => self.root.pointer(pointer).map_or(schema, |target| self.resolve(target)),
            None => schema,
        }
    }

    /// Of `anyOf` (an optional or an untagged enum), the first one whose type fits.
    fn choose(&self, value: &DeValue<'_>, schema: &'s Json) -> Option<&'s Json> {
        let choices = schema["anyOf"].as_array()?;
        choices.iter().find(|choice| {
            let choice = self.resolve(choice);
            let nested = choice["anyOf"].is_array() && self.choose(value, choice).is_some();
            nested
                || self.words(choice).is_some() && matches!(value, DeValue::String(_))
                || types(choice).iter().any(|kind| fits(value, kind))
        })
    }

    /// The JSON types of a schema and of all that it chooses from.
    fn all_types(&self, schema: &'s Json) -> Vec<&'s str> {
        let choices = schema["anyOf"].as_array();
        let nested = choices.into_iter().flatten().flat_map(|choice| self.all_types(self.resolve(choice)));
        types(schema).into_iter().chain(nested).collect()
    }

    /// The words of a closed set of strings.
    fn words(&self, schema: &'s Json) -> Option<Vec<&'s str>> {
        if let Some(words) = schema["enum"].as_array() {
            return Some(words.iter().filter_map(Json::as_str).collect());
        }
        let words: Option<Vec<_>> =
            schema["oneOf"].as_array()?.iter().map(|one| one["const"].as_str()).collect();
        words
    }

    fn unknown(
        &mut self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        properties: Option<&serde_json::Map<String, Json>>,
    ) {
        let known: Vec<&str> = properties.into_iter().flat_map(|p| p.keys().map(String::as_str)).collect();
        let help = match nearest(key.get_ref(), known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        self.problems.push(Problem {
            span: Some(key.span()),
            title: format!("unknown key `{}`", key.get_ref()),
            label: String::new(),
            help: vec![help],
        });
    }

    fn missing(&mut self, name: &str, span: std::ops::Range<usize>) {
        // The whole document has no line to underline.
        let span = (span.start != 0).then_some(span);
        self.problems.push(Problem {
            span,
            title: format!("`{name}` is missing"),
            label: String::from("here"),
            help: Vec::new(),
        });
    }

    fn wrong_type(&mut self, value: &Spanned<DeValue<'_>>, schema: &'s Json, key: &str) {
        let mut wanted = self.all_types(schema);
        wanted.retain(|kind| *kind != "null");
        wanted.dedup();
        let wanted: Vec<_> = wanted.iter().map(|kind| toml_word(kind)).collect();
        self.problems.push(Problem {
            span: Some(value.span()),
            title: format!("`{key}` has the wrong type"),
            label: format!("this is {}", article(value.get_ref().type_str())),
            help: vec![format!("expected {}", wanted.join(" or "))],
        });
    }

    fn word(&mut self, value: &Spanned<DeValue<'_>>, words: &[&str], key: &str) {
        let typed = value.get_ref().as_str().unwrap_or_default();
        if words.contains(&typed) {
            return;
        }
        let mut help =
            vec![format!("one of {}", words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", "))];
        let upper = typed.to_uppercase();
        if let Some(meant) = words
            .iter()
            .find(|word| word.to_uppercase() == upper)
            .copied()
            .or_else(|| nearest(typed, words.iter().copied()))
        {
            help.insert(0, format!("did you mean `{meant}`?"));
        }
        self.problems.push(Problem {
            span: Some(value.span()),
            title: format!("`{typed}` is not a value of `{key}`"),
            label: String::new(),
            help,
        });
    }
}

fn is_choice(schema: &Json) -> bool {
    schema["anyOf"].is_array()
}

/// The JSON types that a schema allows; closed sets of strings are strings.
fn types(schema: &Json) -> Vec<&str> {
    match &schema["type"] {
        Json::String(one) => vec![one],
        Json::Array(many) => many.iter().filter_map(Json::as_str).collect(),
        _ if schema["oneOf"].is_array() => vec!["string"],
        _ => Vec::new(),
    }
}

fn fits(value: &DeValue<'_>, kind: &str) -> bool {
    match value {
        DeValue::String(_) => kind == "string",
        DeValue::Integer(_) => kind == "integer" || kind == "number",
        DeValue::Float(_) => kind == "number",
        DeValue::Boolean(_) => kind == "boolean",
        DeValue::Array(_) => kind == "array",
        DeValue::Table(_) => kind == "object",
        DeValue::Datetime(_) => false,
    }
}

fn toml_word(kind: &str) -> &str {
    match kind {
        "string" => "a string",
        "integer" => "an integer",
        "number" => "a number",
        "boolean" => "`true` or `false`",
        "array" => "an array",
        "object" => "a table",
        other => other,
    }
}

fn article(kind: &str) -> String {
    let vowel = kind.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}
