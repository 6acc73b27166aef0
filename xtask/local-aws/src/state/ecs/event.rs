//! Service events, in AWS's words. Observed, all of them, in `DescribeServices` output that is quoted in
//! public; where AWS's guide ("Service event messages") has them too, they agree.

use serde::{Deserialize, Serialize};

/// An event of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// UUID.
    pub id: String,
    /// Seconds since 1970.
    #[serde(rename = "createdAt")]
    pub created_at: f64,
    /// The sentence.
    pub message: String,
}

fn list(tasks: &[String]) -> String {
    tasks.iter().map(|t| format!(" (task {t})")).collect()
}

/// Tasks were started, so many of them for unhealthy ones.
pub fn started(service: &str, tasks: &[String], replaced: usize) -> String {
    let started = format!("(service {service}) has started {} tasks:{}.", tasks.len(), list(tasks));
    match replaced.min(tasks.len()) {
        0 => started,
        n => format!("{started} Amazon ECS replaced {n} tasks due to an unhealthy status."),
    }
}

/// Tasks that ran were told to stop.
pub fn stopped(service: &str, tasks: &[String]) -> String {
    format!("(service {service}) has stopped {} running tasks:{}.", tasks.len(), list(tasks))
}

/// Tasks that did not run yet were told to stop.
pub fn stopped_pending(service: &str, count: usize) -> String {
    format!("(service {service}) stopped {count} pending tasks.")
}

/// A task could not be started on Fargate: its `stoppedReason`.
pub fn not_placed(service: &str, reason: &str) -> String {
    format!("(service {service}) was unable to place a task. Reason: {}.", reason.trim_end_matches('.'))
}

/// A health check failed.
pub fn unhealthy(service: &str, task: &str) -> String {
    format!("(service {service}) (task {task}) failed container health checks.")
}

/// The health check of a target group failed, of a task on Fargate.
pub fn unhealthy_target(service: &str, task: &str, port: u16, group: &str, reason: &str) -> String {
    format!(
        "(service {service}) (task {task}) (port {port}) is unhealthy in (target-group {group}) due to (reason {reason})"
    )
}

/// Tasks were put into a target group.
pub fn registered(service: &str, count: usize, group: &str) -> String {
    format!("(service {service}) registered {count} targets in (target-group {group})")
}

/// Tasks were taken out of a target group.
pub fn deregistered(service: &str, count: usize, group: &str) -> String {
    format!("(service {service}) deregistered {count} targets in (target-group {group})")
}

/// What tasks have left of connections ends.
pub fn draining(service: &str, count: usize) -> String {
    format!("(service {service}) has begun draining connections on {count} tasks.")
}

/// All is as desired.
pub fn steady(service: &str) -> String {
    format!("(service {service}) has reached a steady state.")
}

/// The deployment reached it.
pub fn completed(service: &str, deployment: &str) -> String {
    format!("(service {service}) (deployment {deployment}) deployment completed.")
}

/// The circuit breaker, or somebody, ended it.
pub fn failed(service: &str, deployment: &str, why: &str) -> String {
    format!("(service {service}) (deployment {deployment}) deployment failed: {why}.")
}

/// Back to another one.
pub fn rolling_back(service: &str, deployment: &str) -> String {
    format!("(service {service}) rolling back to deployment {deployment}.")
}

/// Throttled.
pub fn impaired(service: &str) -> String {
    format!(
        "(service {service}) is unable to consistently start tasks successfully. For more information, see the \
         Troubleshooting section of the Amazon ECS Developer Guide."
    )
}

/// The EC2 launch type, with no instances in the cluster.
pub fn no_instances(service: &str) -> String {
    format!(
        "(service {service}) was unable to place a task because no container instance met all of its requirements. \
         Reason: No Container Instances were found in your cluster. For more information, see the Troubleshooting \
         section of the Amazon ECS Developer Guide."
    )
}
