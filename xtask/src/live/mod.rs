//! What runs now, for the commands that look at it: services, tasks, task definitions and the records
//! of past rollouts. Changes nothing.

mod definition;
mod history;
mod service;
mod task;

pub use definition::{Awslogs, Definition, definitions};
pub use history::{Record, history};
pub use service::services;
pub use task::{private_address, public_addresses, tasks};

/// Milliseconds since 1970.
pub(crate) fn millis(at: Option<&aws_sdk_ecs::primitives::DateTime>) -> Option<i64> {
    at.and_then(|at| at.to_millis().ok())
}
