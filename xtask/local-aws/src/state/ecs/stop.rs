//! Why tasks stop, in AWS's words.

use serde::{Deserialize, Serialize};

/// `Task.stopCode` (documented).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopCode {
    /// It never ran.
    TaskFailedToStart,
    /// An essential container exited.
    EssentialContainerExited,
    /// `StopTask`.
    UserInitiated,
    /// The service did not need it any more, or it was unhealthy.
    ServiceSchedulerInitiated,
}

/// Why a task is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Code.
    pub code: StopCode,
    /// `Task.stoppedReason`.
    pub reason: String,
}

impl Stop {
    /// The service scheduler takes it away (documented: "Stopped task error codes").
    pub fn scaling(deployment: &str) -> Self {
        let reason = format!("Scaling activity initiated by (deployment {deployment})");
        Self { code: StopCode::ServiceSchedulerInitiated, reason }
    }

    /// A health check failed (observed: `DescribeTasks` output in public).
    pub fn unhealthy() -> Self {
        let reason = "Task failed container health checks".into();
        Self { code: StopCode::ServiceSchedulerInitiated, reason }
    }

    /// The health check of a target group failed (observed: `DescribeTasks` output in public).
    pub fn unhealthy_target(group: &str) -> Self {
        let reason = format!("Task failed ELB health checks in (target-group {group})");
        Self { code: StopCode::ServiceSchedulerInitiated, reason }
    }

    /// Whether a health check failed.
    pub fn is_unhealthy(&self) -> bool {
        *self == Self::unhealthy()
            || (self.code == StopCode::ServiceSchedulerInitiated
                && self.reason.starts_with("Task failed ELB health checks"))
    }

    /// `StopTask`, without a reason (observed: EventBridge filters in public match on it).
    pub fn by_user(reason: Option<String>) -> Self {
        let reason = reason.unwrap_or_else(|| "Task stopped by user".into());
        Self { code: StopCode::UserInitiated, reason }
    }

    /// An essential container exited (documented: as above).
    pub fn essential() -> Self {
        Self { code: StopCode::EssentialContainerExited, reason: "Essential container in task exited".into() }
    }

    /// It could not be started.
    pub fn failed_to_start(reason: impl Into<String>) -> Self {
        Self { code: StopCode::TaskFailedToStart, reason: reason.into() }
    }
}
