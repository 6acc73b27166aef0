//! A target, and how its checks move it between the states.

use serde::{Deserialize, Serialize};

use super::check::{Answer, HealthCheck};

/// `TargetHealth.State`, with what is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Registered, no verdict yet.
    Initial,
    /// Its checks pass.
    Healthy,
    /// Its checks fail, the last one like this.
    Unhealthy(Answer),
    /// Deregistered; connections may be left.
    Draining,
}

impl State {
    /// AWS's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Healthy => "healthy",
            Self::Unhealthy(_) => "unhealthy",
            Self::Draining => "draining",
        }
    }

    /// Reason code and description, which a healthy target does not have (documented: `TargetHealth`,
    /// and "Health checks for your target groups" for the sentences).
    pub fn reason(self) -> Option<(&'static str, String)> {
        match self {
            Self::Initial => Some(("Elb.InitialHealthChecking", "Initial health checks in progress".into())),
            Self::Healthy => None,
            Self::Unhealthy(answer) => Some((answer.reason(), answer.description())),
            Self::Draining => {
                Some(("Target.DeregistrationInProgress", "Target deregistration is in progress".into()))
            }
        }
    }
}

/// A registered target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// An IPv4 address.
    pub id: String,
    /// The port that it receives traffic on.
    pub port: u16,
    /// Availability zone, if it is of the VPC.
    pub zone: Option<String>,
    /// The task that ECS registered, whose ports the host reaches elsewhere.
    pub task: Option<String>,
    /// State.
    pub state: State,
    /// Checks in a row that passed.
    #[serde(skip)]
    passed: u32,
    /// Checks in a row that failed.
    #[serde(skip)]
    failed: u32,
    /// Not before this; infinite while one is under way.
    #[serde(skip)]
    pub next_check: f64,
}

impl Target {
    /// One that was just registered.
    pub fn new(id: impl Into<String>, port: u16) -> Self {
        Self {
            id: id.into(),
            port,
            zone: None,
            task: None,
            state: State::Initial,
            passed: 0,
            failed: 0,
            next_check: 0.0,
        }
    }

    /// The same in this availability zone.
    #[must_use]
    pub fn in_zone(self, zone: Option<String>) -> Self {
        Self { zone, ..self }
    }

    /// The same as a port of this task.
    #[must_use]
    pub fn of_task(self, task: &str) -> Self {
        Self { task: Some(task.to_owned()), ..self }
    }

    /// Whether it is this one.
    pub fn is(&self, id: &str, port: u16) -> bool {
        self.id == id && self.port == port
    }

    /// A check was made; whether that changed the state. A new target is healthy after one check that
    /// passes, an unhealthy one after as many in a row as the threshold says (documented: "Health
    /// checks for your target groups").
    pub fn checked(&mut self, answer: Answer, check: &HealthCheck) -> bool {
        let before = self.state;
        let passes = check.passes(answer);
        (self.passed, self.failed) = if passes { (self.passed + 1, 0) } else { (0, self.failed + 1) };
        let enough = if before == State::Initial { 1 } else { check.healthy };
        self.state = match before {
            State::Draining => before,
            _ if passes && self.passed >= enough => State::Healthy,
            State::Unhealthy(_) if !passes => State::Unhealthy(answer),
            _ if !passes && self.failed >= check.unhealthy => State::Unhealthy(answer),
            _ => before,
        };
        self.state != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(answers: &[Answer]) -> Vec<State> {
        let check = HealthCheck { healthy: 2, ..HealthCheck::of("HTTP", None) };
        let mut target = Target::new("10.0.0.4", 80);
        let after = |answer: &Answer| {
            target.checked(*answer, &check);
            target.state
        };
        answers.iter().map(after).collect()
    }

    #[test]
    fn thresholds() {
        use Answer::{Failed, Status};
        use State::{Healthy, Initial, Unhealthy};
        assert_eq!(after(&[Status(200)]), [Healthy], "the first one is enough");
        let (bad, worse) = (Unhealthy(Status(500)), Unhealthy(Failed));
        assert_eq!(
            after(&[Status(500), Status(500), Failed, Status(200), Status(200)]),
            [Initial, bad, worse, worse, Healthy],
        );
        assert_eq!(after(&[Status(500), Status(200), Status(500)]), [Initial, Healthy, Healthy]);
    }

    #[test]
    fn a_draining_target_drains_whatever_it_answers() {
        let mut target = Target { state: State::Draining, ..Target::new("10.0.0.4", 80) };
        assert!(!target.checked(Answer::Status(200), &HealthCheck::of("HTTP", None)));
        assert_eq!(target.state.reason().map(|(code, _)| code), Some("Target.DeregistrationInProgress"));
    }
}
