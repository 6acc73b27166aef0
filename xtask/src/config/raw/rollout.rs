//! How a rollout goes, and where logs go.

use schemars::JsonSchema;
use serde::Deserialize;

/// How a rollout goes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::config) struct Deployment {
    /// Tasks that stay healthy, in percent of the desired count. Default: 100.
    pub(in crate::config) minimum_healthy_percent: Option<i64>,
    /// Tasks that may run at once, in percent of the desired count. Default: 200.
    pub(in crate::config) maximum_percent: Option<i64>,
    /// Whether ECS stops a rollout whose tasks fail, and rolls back; or when it does. Default: true.
    pub(in crate::config) circuit_breaker: Option<CircuitBreaker>,
    /// CloudWatch alarms that stop a rollout and roll it back when they go off: names, or a table.
    pub(in crate::config) alarms: Option<Alarms>,
    /// Minutes for which the alarms are watched once the new tasks run, at most 1440.
    pub(in crate::config) bake_time_minutes: Option<i64>,
    /// Tasks that may start and die alike before the rollout is stopped and rolled back; 0 never stops it. Default: 3.
    pub(in crate::config) crash_limit: Option<i64>,
    /// Minutes to wait for the rollout. Default: 20.
    pub(in crate::config) timeout_minutes: Option<i64>,
}

/// Alarms that stop a rollout.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum Alarms {
    /// Names; with none, no alarm is watched.
    Names(Vec<String>),
    /// Names, and what then.
    Tuned(AlarmsTable),
}

/// Alarms that stop a rollout, and what then.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::config) struct AlarmsTable {
    /// Their names.
    pub(in crate::config) names: Vec<String>,
    /// Whether ECS goes back to the last revision that worked. Default: true.
    pub(in crate::config) rollback: Option<bool>,
}

/// The deployment circuit breaker.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum CircuitBreaker {
    /// On with rollback, or off.
    Switch(bool),
    /// On, and when it stops a rollout.
    Tuned(Breaker),
}

/// When the circuit breaker stops a rollout, and what then.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::config) struct Breaker {
    /// Whether it goes back to the last revision that worked. Default: true.
    pub(in crate::config) rollback: Option<bool>,
    /// At so many failed tasks.
    pub(in crate::config) threshold: Option<i64>,
    /// At so many failed tasks in percent of the desired count, at least 3 and at most 200 of them. Default: 50.
    pub(in crate::config) threshold_percent: Option<i64>,
    /// The same, with neither lower nor upper bound.
    pub(in crate::config) threshold_unbounded_percent: Option<i64>,
    /// Whether a task that becomes healthy sets the count back to 0. Default: true.
    pub(in crate::config) reset_on_healthy_task: Option<bool>,
}

/// CloudWatch Logs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::config) struct Logs {
    /// Log group, created if missing. Default: `/ecs/NAME`, with an environment `/ecs/NAME-ENVIRONMENT`.
    pub(in crate::config) group: Option<String>,
    /// Days that logs are kept. Default: 30.
    pub(in crate::config) retention_days: Option<i64>,
}
