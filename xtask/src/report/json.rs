//! NDJSON: one object a line, the last one the outcome. `schema` grows when a member changes its
//! meaning or goes; members may be added.

use serde_json::{Value, json};

use crate::aws::fault::chain;
use crate::error::Error;
use crate::event::Event;

const SCHEMA: u32 = 1;

pub(super) fn event(event: &Event) -> String {
    object(&serde_json::to_value(event).unwrap_or_default())
}

/// Any object of ours, with the schema's number.
pub(super) fn object(value: &Value) -> String {
    let mut value = value.clone();
    value["schema"] = json!(SCHEMA);
    line(&value)
}

pub(super) fn failure(error: &Error) -> String {
    let mut value = failed(error);
    value["schema"] = json!(SCHEMA);
    value["event"] = json!("outcome");
    if !error.services.is_empty() {
        value["services"] = json!(error.services);
    }
    line(&value)
}

/// A failure's own members.
pub(super) fn failed(error: &Error) -> Value {
    let cause = error.source.as_ref().map(|source| chain(source.as_ref()));
    json!({
        "ok": false,
        "exit-code": error.kind.exit_code(),
        "kind": format!("{:?}", error.kind),
        "message": error.message,
        "cause": cause,
        "detail": error.detail,
        "hints": error.hints,
        "card": error.facts,
    })
}

pub(super) fn success(command: &str, summary: &Value) -> String {
    line(
        &json!({ "schema": SCHEMA, "event": "outcome", "ok": true, "exit-code": 0, "command": command, "result": summary }),
    )
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}
