//! What runs now, for the commands that look at it: services, tasks, task definitions, target groups
//! and the records of past rollouts. Changes nothing.

mod definition;
mod history;
mod service;
mod targets;
mod task;

pub use definition::{Awslogs, Definition, definitions};
pub use history::{Record, history};
pub use service::services;
pub use targets::{Check, Target, TargetGroup, target_groups};
pub use task::{private_address, public_addresses, tasks};

/// Milliseconds since 1970.
pub(crate) fn millis(at: Option<&aws_sdk_ecs::primitives::DateTime>) -> Option<i64> {
    at.and_then(|at| at.to_millis().ok())
}

/// ARNs of the target groups that a service is behind.
pub(crate) fn target_group_arns(service: &aws_sdk_ecs::types::Service) -> Vec<String> {
    let arns = service.load_balancers().iter().filter_map(|balancer| balancer.target_group_arn());
    arns.map(str::to_owned).collect()
}
