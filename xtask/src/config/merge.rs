//! ECS JSON over ECS JSON.

use serde_json::{Map, Value};

/// Puts `over` into `base`: objects member by member at any depth, everything else, lists too, as a whole.
pub fn merge(base: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (name, value) in over {
        match (base.get_mut(name), value) {
            (Some(Value::Object(base)), Value::Object(over)) => merge(base, over),
            _ => {
                base.insert(name.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_are_merged_and_lists_replaced() {
        let (mut base, over) = (
            json!({ "a": { "b": 1, "c": [1, 2], "d": { "e": 1 } }, "f": 1 }),
            json!({ "a": { "c": [3], "d": { "g": 2 } }, "f": { "h": 1 } }),
        );
        if let (Some(base), Some(over)) = (base.as_object_mut(), over.as_object()) {
            merge(base, over);
        }
        assert_eq!(base, json!({ "a": { "b": 1, "c": [3], "d": { "e": 1, "g": 2 } }, "f": { "h": 1 } }));
    }
}
