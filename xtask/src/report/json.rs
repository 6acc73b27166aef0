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
    let failed = FailedRun {
        failure: failure_of(error),
        services: error.run.as_ref().map_or(&[], |run| &run.services),
    };
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

pub(super) fn success(command: &str, result: &Value, exit_code: u8) -> String {
    outcome(Ended::Well(Well { ok: true, exit_code, command, result }))
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

/// What an outcome is made of, to hold the document against it.
#[cfg(test)]
pub(super) fn outcome_schemas() -> [schemars::Schema; 2] {
    [schemars::schema_for!(Well<'_>), schemars::schema_for!(FailedRun<'_>)]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::{Event, Rollout};

    #[test]
    fn an_event_is_a_line_with_schema_and_time() {
        let at = UNIX_EPOCH + Duration::from_millis(1_769_860_800_040);
        let note = Event::Note { message: "two\nlines".to_owned() };
        insta::assert_snapshot!(event(&Stamped { at, event: note }), @r#"{"event":"note","message":"two\nlines","schema":1,"time":"2026-01-31T12:00:00.040Z"}"#);
        let rollout = Rollout { service: "web".to_owned(), ..Rollout::default() };
        let rollout = Event::Rollout(Box::new(rollout));
        insta::assert_snapshot!(event(&Stamped { at, event: rollout }), @r#"{"breaker":null,"counts":null,"deployment":null,"event":"rollout","others":[],"schema":1,"service":"web","service-deployment":null,"status":null,"task-definition":"","tasks":null,"time":"2026-01-31T12:00:00.040Z"}"#);
    }

    #[test]
    fn a_failure_is_an_outcome_with_all_its_members() {
        let error = Error::new(Kind::RolledBack, "`web:2` failed").caused_by("why").hint("what next");
        let mut value: Value = serde_json::from_str(&failure(&error)).expect("an object");
        let time = value["time"].take();
        assert_eq!(time.as_str().map(str::len), Some("2026-01-31T12:00:00.000Z".len()));
        insta::assert_snapshot!(value, @r#"{"card":null,"cause":"why","detail":null,"event":"outcome","exit-code":7,"hints":["what next"],"kind":"rolled-back","message":"`web:2` failed","ok":false,"schema":1,"time":null}"#);
    }

    #[test]
    fn a_run_that_went_well_is_an_outcome() {
        let mut value: Value =
            serde_json::from_str(&success("deploy", &json!({ "services": [] }), 0)).expect("an object");
        value["time"].take();
        insta::assert_snapshot!(value, @r#"{"command":"deploy","event":"outcome","exit-code":0,"ok":true,"result":{"services":[]},"schema":1,"time":null}"#);
    }
}
