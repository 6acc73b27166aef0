//! Deployment alarms and the time that a deployment is watched by them after it is steady.
//!
//! Alarms are never in ALARM here: there are no metrics. What they change is when a deployment completes (documented:
//! "How CloudWatch alarms detect Amazon ECS deployment failures"): steady first, COMPLETED once the bake time is over.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Timing;
use super::breaker::DeploymentConfiguration;
use super::deployment::{Rollout, ServiceDeployment, Status};
use super::service::Service;

/// `deploymentConfiguration.alarms`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Alarms {
    /// Names.
    pub alarm_names: Vec<String>,
    /// Whether they are looked at.
    pub enable: bool,
    /// Whether a failed deployment is rolled back.
    pub rollback: bool,
}

/// What is described of a service deployment's alarms.
pub(super) fn described(it: &ServiceDeployment) -> Value {
    let alarms = DeploymentConfiguration::deserialize(&*it.configuration).unwrap_or_default().alarms;
    let status = match (alarms.enable, it.status.is_open()) {
        (false, _) => "DISABLED",
        (true, true) => "MONITORING",
        (true, false) => "MONITORING_COMPLETE",
    };
    json!({"status": status, "alarmNames": alarms.alarm_names, "triggeredAlarmNames": []})
}

/// Whether the primary deployment, which is steady, is still watched. The time begins with the first steady state. A
/// rollback is not watched (assumed).
pub(super) fn goes_on(service: &mut Service, timing: &Timing, now: f64) -> bool {
    let time = time(&DeploymentConfiguration::of(&service.settings), timing);
    let watched = service.history.last().is_some_and(|d| d.status == Status::InProgress);
    if time <= 0.0 || !watched {
        return false;
    }
    now < *service.baked_at.get_or_insert(now + time)
}

/// That of the alarms, or what is configured, if that is more (assumed: that it is accepted of rolling updates too, for
/// which AWS has no use of it without alarms).
fn time(config: &DeploymentConfiguration, timing: &Timing) -> f64 {
    let alarms = if config.alarms.enable { timing.bake } else { 0.0 };
    alarms.max(f64::from(config.bake_time_in_minutes) * timing.bake_minute)
}

/// Whether the steady state was told, and the deployment waits for nothing but the end of that time.
pub(super) fn is_over(service: &Service, now: f64) -> bool {
    let open = service.deployments.first().is_some_and(|d| d.rollout == Rollout::InProgress);
    open && service.steady && service.baked_at.is_some_and(|at| at <= now)
}
