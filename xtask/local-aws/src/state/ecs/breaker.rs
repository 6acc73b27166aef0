//! The deployment circuit breaker's threshold.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::bake::Alarms;

/// `deploymentConfiguration`, with its defaults (documented: `DeploymentConfiguration`).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentConfiguration {
    /// Upper limit of tasks, percent of the desired count, rounded down.
    pub maximum_percent: u64,
    /// Lower limit of healthy tasks, percent of the desired count, rounded up.
    pub minimum_healthy_percent: u64,
    /// Circuit breaker.
    pub deployment_circuit_breaker: CircuitBreaker,
    /// Alarms.
    pub alarms: Alarms,
    /// Minutes that a deployment is watched for when it is steady.
    pub bake_time_in_minutes: u32,
}

impl Default for DeploymentConfiguration {
    fn default() -> Self {
        Self {
            maximum_percent: 200,
            minimum_healthy_percent: 100,
            deployment_circuit_breaker: CircuitBreaker::default(),
            alarms: Alarms::default(),
            bake_time_in_minutes: 0,
        }
    }
}

/// `deploymentCircuitBreaker`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CircuitBreaker {
    /// Whether it watches.
    pub enable: bool,
    /// Whether a failed deployment is rolled back.
    pub rollback: bool,
    /// Whether a task that becomes healthy sets the count back to 0.
    pub reset_on_healthy_task: bool,
    /// How many failures.
    pub threshold_configuration: Threshold,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        let threshold_configuration = Threshold::default();
        Self { enable: false, rollback: false, reset_on_healthy_task: true, threshold_configuration }
    }
}

/// `thresholdConfiguration`: the defaults are documented at its members.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
pub struct Threshold {
    /// `COUNT`, `BOUNDED_PERCENT` or `UNBOUNDED_PERCENT`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A count, or percent of the desired count.
    pub value: u64,
}

impl Default for Threshold {
    fn default() -> Self {
        Self { kind: "BOUNDED_PERCENT".into(), value: 50 }
    }
}

impl DeploymentConfiguration {
    /// Reads it from a service's settings.
    pub fn of(settings: &Map<String, Value>) -> Self {
        settings.get("deploymentConfiguration").and_then(|v| Self::deserialize(v).ok()).unwrap_or_default()
    }

    /// The most tasks there may be, wanted ones (documented: rounded down).
    pub fn maximum(&self, desired: u64) -> u64 {
        desired * self.maximum_percent / 100
    }

    /// The fewest healthy tasks there may be (documented: rounded up).
    pub fn minimum(&self, desired: u64) -> u64 {
        (desired * self.minimum_healthy_percent).div_ceil(100)
    }
}

impl CircuitBreaker {
    /// Failures at which a deployment fails. Half the desired count rounded up, between 3 and 200
    /// (documented: "How the Amazon ECS deployment circuit breaker detects failures"); the other
    /// types are not clamped (documented: `DeploymentCircuitBreaker.thresholdConfiguration`).
    pub fn threshold(&self, desired: u64) -> u64 {
        let Threshold { kind, value } = &self.threshold_configuration;
        let percent = (desired * value).div_ceil(100);
        match kind.as_str() {
            "COUNT" => *value,
            "UNBOUNDED_PERCENT" => percent.max(1), // a threshold of 0 would fail before the first task
            _ => percent.clamp(3, 200),
        }
    }
}

/// What a new service gets for the members that were not given (observed: `CreateService` answers).
pub fn with_defaults(given: Option<&Value>) -> Value {
    let mut all = json!({
        "maximumPercent": 200,
        "minimumHealthyPercent": 100,
        "deploymentCircuitBreaker": {"enable": false, "rollback": false},
        "strategy": "ROLLING",
        "bakeTimeInMinutes": 0,
    });
    merge(&mut all, given);
    all
}

/// Overwrites the members that were given; the others keep their values.
pub fn merge(all: &mut Value, given: Option<&Value>) {
    if let (Value::Object(all), Some(Value::Object(given))) = (all, given) {
        all.extend(given.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds() {
        let bounded = CircuitBreaker::default();
        assert_eq!([0, 1, 6, 7, 20, 1000].map(|d| bounded.threshold(d)), [3, 3, 3, 4, 10, 200]);
        let with = |kind: &str, value| CircuitBreaker {
            threshold_configuration: Threshold { kind: kind.into(), value },
            ..CircuitBreaker::default()
        };
        assert_eq!(with("COUNT", 1).threshold(100), 1);
        assert_eq!(with("UNBOUNDED_PERCENT", 50).threshold(2), 1);
        assert_eq!(with("UNBOUNDED_PERCENT", 100).threshold(1000), 1000);
    }

    #[test]
    fn limits_round_away_from_danger() {
        let c = DeploymentConfiguration {
            maximum_percent: 150,
            minimum_healthy_percent: 50,
            ..DeploymentConfiguration::default()
        };
        assert_eq!((c.minimum(3), c.maximum(3)), (2, 4));
    }
}
