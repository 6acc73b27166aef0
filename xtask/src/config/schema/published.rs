//! The schema for editors: beside the typed keys, what stands in for a value, and environments.

use serde_json::{Map, Value as Json, json};

use super::{ENVIRONMENT, FROM_ENV, Scalars, Schema, forms, reference};

const UNSET: &str = "Unset";

/// The JSON Schema of a whole deploy.toml.
pub(in crate::config) fn published() -> schemars::Schema {
    let Schema { mut root } = Schema::new();
    add_overlays(&mut root);
    let allowed = root.clone();
    open(&allowed, &mut root);
    let definitions = root["$defs"].as_object_mut();
    for (_, definition) in
        definitions.into_iter().flatten().filter(|(name, _)| *name != FROM_ENV && *name != UNSET)
    {
        open(&allowed, definition);
    }
    prune(&mut root);
    schemars::Schema::try_from(root).unwrap_or_default()
}

/// Removes the definitions that nothing refers to.
fn prune(root: &mut Json) {
    loop {
        let text = root.to_string();
        let Some(definitions) = root["$defs"].as_object_mut() else { return };
        let before = definitions.len();
        definitions.retain(|name, _| text.contains(&format!("\"#/$defs/{name}\"")));
        if definitions.len() == before {
            return;
        }
    }
}

/// For each table a form in which nothing is required and each key may be unset.
fn add_overlays(root: &mut Json) {
    let tables = root["$defs"].as_object().cloned().unwrap_or_default();
    let allowed = root.clone();
    let has_keys = |table: &Json| forms(&allowed, table).iter().any(|form| form.get("properties").is_some());
    let is_table = |name: &str| name != FROM_ENV && tables.get(name).is_some_and(has_keys);
    for (name, table) in tables.iter().filter(|(name, _)| is_table(name)) {
        let mut overlay = table.clone();
        lay(&mut overlay, &is_table);
        let name = if name == ENVIRONMENT { name.clone() } else { format!("{name}Overlay") };
        root["$defs"][name] = overlay;
    }
    root["$defs"][UNSET] = json!({
        "description": "Removes the key.",
        "type": "object",
        "properties": { "unset": { "const": true } },
        "required": ["unset"],
        "additionalProperties": false,
    });
}

fn lay(schema: &mut Json, is_table: &impl Fn(&str) -> bool) {
    let Some(members) = schema.as_object_mut() else { return };
    members.remove("required");
    if let Some(target) =
        members.get("$ref").and_then(Json::as_str).and_then(|text| text.strip_prefix("#/$defs/"))
        && is_table(target)
    {
        members.insert("$ref".to_owned(), json!(format!("#/$defs/{target}Overlay")));
    }
    for one in choices(members) {
        lay(one, is_table);
    }
    for key in keys(members) {
        lay(key, is_table);
        choose(key, reference(UNSET));
    }
}

/// Lets a value from the environment stand wherever a scalar may.
fn open(root: &Json, schema: &mut Json) {
    let Some(members) = schema.as_object_mut() else { return };
    for key in keys(members) {
        open_value(root, key);
    }
    if let Some(items) = members.get_mut("items") {
        open_value(root, items);
    }
    for one in choices(members) {
        open(root, one);
    }
}

fn open_value(root: &Json, schema: &mut Json) {
    let scalar = Scalars::in_schema(root, schema).any() && *schema != json!(true);
    open(root, schema);
    if scalar {
        choose(schema, reference(FROM_ENV));
    }
}

/// The schemas of a table's keys.
fn keys(members: &mut Map<String, Json>) -> Vec<&mut Json> {
    let mut keys = Vec::new();
    for (name, member) in members {
        match (name.as_str(), member) {
            ("properties", Json::Object(properties)) => keys.extend(properties.values_mut()),
            ("additionalProperties", extra @ Json::Object(_)) => keys.push(extra),
            _ => {}
        }
    }
    keys
}

fn choices(members: &mut Map<String, Json>) -> impl Iterator<Item = &mut Json> {
    members.get_mut("anyOf").and_then(Json::as_array_mut).into_iter().flatten()
}

/// One more form of a value; what is said about the key stays at the key.
fn choose(schema: &mut Json, form: Json) {
    if let Some(forms) = schema.get_mut("anyOf").and_then(Json::as_array_mut) {
        forms.push(form);
        return;
    }
    let Json::Object(mut members) = schema.take() else { return };
    let description = members.remove("description");
    let mut chosen = json!({ "anyOf": [members, form] });
    if let Some(description) = description {
        chosen["description"] = description;
    }
    *schema = chosen;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(schema: &Json, into: &mut Vec<String>) {
        match schema {
            Json::Object(members) => {
                into.extend(members.get("$ref").and_then(Json::as_str).map(str::to_owned));
                members.values().for_each(|member| references(member, into));
            }
            Json::Array(items) => items.iter().for_each(|item| references(item, into)),
            _ => {}
        }
    }

    fn allows(schema: &Json, definition: &str) -> bool {
        schema["anyOf"].as_array().is_some_and(|forms| forms.contains(&reference(definition)))
    }

    #[test]
    fn every_definition_is_there_and_referred_to() {
        let published = published().to_value();
        let mut all = Vec::new();
        references(&published, &mut all);
        for reference in &all {
            let pointer = reference.trim_start_matches('#');
            assert!(published.pointer(pointer).is_some(), "{reference}");
        }
        for name in published["$defs"].as_object().expect("there are some").keys() {
            assert!(all.contains(&format!("#/$defs/{name}")), "{name}");
        }
    }

    #[test]
    fn a_variable_may_stand_for_a_scalar_and_for_nothing_else() {
        let published = published().to_value();
        let container = &published["$defs"]["Container"]["properties"];
        assert!(allows(&published["properties"]["cluster"], FROM_ENV));
        assert!(allows(&container["port"], FROM_ENV));
        assert!(allows(&container["command"]["items"], FROM_ENV));
        assert!(allows(&container["environment"]["additionalProperties"], FROM_ENV));
        assert!(!allows(&container["environment"], FROM_ENV));
        assert!(!allows(&container["command"], FROM_ENV));
    }

    #[test]
    fn in_an_environment_nothing_is_required_and_everything_may_be_unset() {
        let published = published().to_value();
        let overlay = &published["$defs"]["ServiceOverlay"];
        assert_eq!(overlay.get("required"), None);
        assert!(
            overlay["properties"].as_object().expect("it has keys").values().all(|key| allows(key, UNSET))
        );
        assert_eq!(published["$defs"]["Log"]["required"], json!(["driver"]));
        assert_eq!(published["$defs"]["LogOverlay"].get("required"), None);
        assert!(!allows(&published["$defs"]["Service"]["properties"]["desired-count"], UNSET));
        let ports = &published["$defs"]["ContainerOverlay"]["properties"]["ports"];
        assert!(ports.to_string().contains("#/$defs/Port\""), "what is in an array is whole: {ports}");
    }
}
