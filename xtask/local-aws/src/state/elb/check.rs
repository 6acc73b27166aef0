//! How targets are checked, and what a check meets.

use serde::{Deserialize, Serialize};

/// The port that a target receives traffic on (documented: `HealthCheckPort`).
pub const TRAFFIC_PORT: &str = "traffic-port";

/// A target group's health check, its defaults those of `CreateTargetGroup` (documented).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// `HTTP`, `HTTPS` or `TCP`.
    pub protocol: String,
    /// A port, or `traffic-port`.
    pub port: String,
    /// Of HTTP checks.
    pub path: Option<String>,
    /// Codes of HTTP checks that pass: `200`, `200,202`, `200-299`.
    pub matcher: Option<String>,
    /// Seconds between two checks of a target.
    pub interval: u32,
    /// Seconds without an answer that make a check fail.
    pub timeout: u32,
    /// Checks in a row that must pass until an unhealthy target is healthy.
    pub healthy: u32,
    /// Checks in a row that must fail until a target is unhealthy.
    pub unhealthy: u32,
}

impl HealthCheck {
    /// What a target group of this protocol gets where nothing is said; `checked` is the protocol of
    /// the check, if that was said.
    pub fn of(protocol: &str, checked: Option<&str>) -> Self {
        let application = matches!(protocol, "HTTP" | "HTTPS");
        let checked = checked.unwrap_or(if application { "HTTP" } else { "TCP" });
        let http = matches!(checked, "HTTP" | "HTTPS");
        let timeout = match checked {
            _ if application => 5,
            "HTTP" => 6,
            _ => 10,
        };
        Self {
            protocol: checked.to_owned(),
            port: TRAFFIC_PORT.to_owned(),
            path: http.then(|| "/".to_owned()),
            matcher: http.then(|| if application { "200" } else { "200-399" }.to_owned()),
            interval: 30,
            timeout,
            healthy: 5,
            unhealthy: 2,
        }
    }

    /// The port that a target is checked at.
    pub fn port_of(&self, target: u16) -> u16 {
        self.port.parse().unwrap_or(target)
    }

    /// Whether this is what a healthy target answers.
    pub fn passes(&self, answer: Answer) -> bool {
        match (answer, &self.matcher) {
            (Answer::Status(code), Some(matcher)) => matches(matcher, code).unwrap_or(false),
            (Answer::Open, None) => true,
            _ => false,
        }
    }
}

/// Whether the code is one of `200,202` or `200-299`; `None` if that is neither.
pub fn matches(matcher: &str, code: u16) -> Option<bool> {
    let mut found = false;
    for part in matcher.split(',') {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let (low, high): (u16, u16) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
        found |= (low..=high).contains(&code);
    }
    Some(found)
}

/// What a health check met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// An HTTP status.
    Status(u16),
    /// The connection was accepted, which is all that a TCP check asks.
    Open,
    /// Nothing within the timeout.
    Timeout,
    /// No connection, or no HTTP.
    Failed,
}

impl Answer {
    /// The reason code of a target that is unhealthy with it (documented: `TargetHealth.Reason`).
    pub fn reason(self) -> &'static str {
        match self {
            Self::Status(_) => "Target.ResponseCodeMismatch",
            Self::Timeout => "Target.Timeout",
            Self::Failed | Self::Open => "Target.FailedHealthChecks",
        }
    }

    /// The sentence that goes with it (documented: "Health checks for your target groups", reason codes).
    pub fn description(self) -> String {
        match self {
            Self::Status(code) => format!("Health checks failed with these codes: [{code}]"),
            Self::Timeout => "Request timed out".to_owned(),
            Self::Failed | Self::Open => "Health checks failed".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_match_lists_and_ranges() {
        assert_eq!(matches("200", 200), Some(true));
        assert_eq!(matches("200,302", 302), Some(true));
        assert_eq!(matches("200-299", 300), Some(false));
        assert_eq!(matches("2xx", 200), None);
    }

    #[test]
    fn a_network_group_is_checked_by_a_connection_unless_http_is_asked_for() {
        let check = HealthCheck::of("TCP", None);
        assert_eq!((check.protocol.as_str(), check.timeout, check.path.as_deref()), ("TCP", 10, None));
        assert!(check.passes(Answer::Open) && !check.passes(Answer::Failed));
        let check = HealthCheck::of("TCP", Some("HTTP"));
        assert_eq!((check.timeout, check.matcher.as_deref()), (6, Some("200-399")));
        assert!(check.passes(Answer::Status(302)) && !check.passes(Answer::Status(500)));
        assert!(!HealthCheck::of("HTTP", None).passes(Answer::Status(302)));
    }
}
