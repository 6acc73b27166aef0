//! NDJSON: one object a line, the last one the outcome. What the members mean, and what stays as it
//! is, stands in `docs/events.md`.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::aws::fault::chain;
use crate::error::{Error, Kind};
use crate::event::Stamped;

const SCHEMA: u32 = 1;

/// How a run ended.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Outcome<'o> {
    Outcome(Box<Ended<'o>>),
}

/// Well, or not.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum Ended<'o> {
    Well(Well<'o>),
    Failed(FailedRun<'o>),
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct Well<'o> {
    ok: bool,
    exit_code: u8,
    command: &'o str,
    result: &'o Value,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct FailedRun<'o> {
    #[serde(flatten)]
    failure: Failure<'o>,
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    services: &'o [Value],
}

/// A failure's own members.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct Failure<'o> {
    ok: bool,
    exit_code: u8,
    kind: Kind,
    message: &'o str,
    cause: Option<String>,
    detail: Option<&'o str>,
    hints: &'o [String],
    card: Option<&'o Value>,
}

/// Renders events until their last sender is gone.
pub(super) async fn lines(mut events: UnboundedReceiver<Stamped>) {
    while let Some(stamped) = events.recv().await {
        super::write_out(&event(&stamped));
    }
}

fn event(Stamped { at, event }: &Stamped) -> String {
    line(serde_json::to_value(event).unwrap_or_default(), *at)
}

/// Any object of ours, now.
pub(super) fn object(value: &Value) -> String {
    line(value.clone(), SystemTime::now())
}

pub(super) fn failure(error: &Error) -> String {
    let failed = FailedRun { failure: failure_of(error), services: &error.services };
    outcome(Ended::Failed(failed))
}

/// A failure as one of several.
pub(super) fn failed(error: &Error) -> Value {
    json!(failure_of(error))
}

fn failure_of(error: &Error) -> Failure<'_> {
    Failure {
        ok: false,
        exit_code: error.kind.exit_code(),
        kind: error.kind,
        message: &error.message,
        cause: error.source.as_ref().map(|source| chain(source.as_ref())),
        detail: error.detail.as_deref(),
        hints: &error.hints,
        card: error.facts.as_deref(),
    }
}

pub(super) fn success(command: &str, result: &Value) -> String {
    outcome(Ended::Well(Well { ok: true, exit_code: 0, command, result }))
}

fn outcome(ended: Ended<'_>) -> String {
    object(&json!(Outcome::Outcome(Box::new(ended))))
}

fn line(mut value: Value, at: SystemTime) -> String {
    value["schema"] = json!(SCHEMA);
    value["time"] = json!(rfc3339(at));
    format!("{value}\n")
}

/// UTC with milliseconds, always of the same length.
fn rfc3339(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = DateTime::from_secs(i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
    let whole = seconds.fmt(Format::DateTime).unwrap_or_default();
    format!("{}.{:03}Z", whole.trim_end_matches('Z'), since.subsec_millis())
}
