//! `docs/events.md` and the code say the same: every kind, member and word of ours is in the document,
//! and what its tables name exists.

use std::collections::{BTreeMap, BTreeSet};

use schemars::schema_for;
use serde_json::Value;

use super::json::outcome_schemas;
use crate::deploy::Deployed;
use crate::event::{Event, Step};
use crate::finding::Finding;
use crate::logs::Line;
use crate::rollback::RolledBack;
use crate::rollout::card_schema;

const DOCUMENT: &str = include_str!("../../../docs/events.md");

/// Members and words that a section has to name.
#[derive(Debug, Default)]
struct Named {
    members: BTreeSet<String>,
    words: BTreeSet<String>,
}

impl Named {
    /// All that a schema names, and what it refers to; but for a step, which has a section of its own.
    fn add(&mut self, schema: &Value, definitions: &Value) {
        match schema {
            Value::Object(object) => {
                let properties = object.get("properties").and_then(Value::as_object);
                self.members.extend(properties.into_iter().flat_map(|all| all.keys().cloned()));
                let words = object.get("enum").and_then(Value::as_array).into_iter().flatten();
                let word = object.get("const");
                self.words.extend(words.chain(word).filter_map(Value::as_str).map(str::to_owned));
                if let Some(name) = object.get("$ref").and_then(Value::as_str) {
                    let name = name.trim_start_matches("#/$defs/");
                    if name != "Step" {
                        self.add(&definitions[name], definitions);
                    }
                }
                let below = object.iter().filter(|(key, _)| *key != "$defs");
                below.for_each(|(_, value)| self.add(value, definitions));
            }
            Value::Array(all) => all.iter().for_each(|value| self.add(value, definitions)),
            _ => {}
        }
    }

    fn of(schema: &Value) -> Self {
        let mut named = Self::default();
        named.add(schema, &schema["$defs"]);
        named
    }
}

/// Each kind of event by its name, then what else has a section.
fn expected() -> BTreeMap<String, Named> {
    let events = schema_for!(Event).to_value();
    let variants = events["oneOf"].as_array().expect("an enum is one of its variants");
    let mut all: BTreeMap<String, Named> = BTreeMap::new();
    for variant in variants {
        let kind = variant["properties"]["event"]["const"].as_str().expect("a tag").to_owned();
        let named = all.entry(kind).or_default();
        named.add(variant, &events["$defs"]);
    }
    let mut put = |name: &str, schema: &Value| {
        let named = all.entry(name.to_owned()).or_default();
        named.add(schema, &schema["$defs"]);
    };
    put("step", &schema_for!(Step).to_value());
    put("card", &card_schema().to_value());
    put("deploy", &schema_for!(Deployed).to_value());
    put("rollback", &schema_for!(RolledBack).to_value());
    put("log", &schema_for!(Line).to_value());
    put("finding", &schema_for!(Finding).to_value());
    outcome_schemas().iter().for_each(|schema| put("outcome", &schema.clone().to_value()));
    all
}

/// The document's sections that are headed by a name.
fn sections() -> BTreeMap<&'static str, &'static str> {
    let parts = DOCUMENT.split("\n### ").skip(1);
    let headed = parts.filter_map(|part| part.strip_prefix('`')?.split_once("`\n"));
    headed.map(|(name, text)| (name, text.split("\n## ").next().unwrap_or(text))).collect()
}

#[test]
fn every_kind_member_and_word_is_in_the_document() {
    let sections = sections();
    for (kind, named) in expected() {
        let text = sections.get(kind.as_str()).unwrap_or_else(|| panic!("no section `{kind}`"));
        for name in named.members.iter().chain(&named.words) {
            let common =
                DOCUMENT.split("\n## ").next().is_some_and(|head| head.contains(&format!("| `{name}` |")));
            assert!(
                common || *name == kind || text.contains(&format!("`{name}`")),
                "{kind}: `{name}` is missing"
            );
        }
    }
}

#[test]
fn what_the_document_names_exists() {
    let expected = expected();
    for (section, text) in sections() {
        let named = expected.get(section).unwrap_or_else(|| panic!("there is no `{section}`"));
        let known = |name: &str| {
            let object = [("log", "line"), ("finding", "finding")].contains(&(section, name));
            named.members.contains(name) || named.words.contains(name) || object
        };
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
        for name in rows.flat_map(|cell| cell.split("`, `")) {
            let name = name.trim_end_matches('`');
            assert!(known(name), "{section}: there is no `{name}`");
        }
    }
}

#[test]
fn what_a_schema_names_is_found_at_any_depth() {
    let named = Named::of(&schema_for!(Event).to_value());
    for name in ["elapsed-ms", "stopped-reason", "threshold", "question"] {
        assert!(named.members.contains(name), "{name}");
    }
    assert!(named.words.contains("unchanged"));
}
