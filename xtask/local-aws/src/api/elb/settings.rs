//! How a health check is set up, and what AWS refuses of it. Ranges documented: `CreateTargetGroup`; the
//! messages are assumed but for their sense.

use serde::Deserialize;

use super::errors::{invalid, unsupported};
use crate::error::ApiError;
use crate::state::elb::check::{HealthCheck, TRAFFIC_PORT, matches};

/// Members of a health check, all of them optional.
#[derive(Debug, Default)]
pub(super) struct Settings<'a> {
    pub(super) protocol: Option<&'a str>,
    pub(super) port: Option<&'a str>,
    pub(super) path: Option<&'a str>,
    pub(super) interval: Option<u32>,
    pub(super) timeout: Option<u32>,
    pub(super) healthy: Option<u32>,
    pub(super) unhealthy: Option<u32>,
    pub(super) matcher: Option<&'a Matcher>,
}

/// The codes that a healthy target answers with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Matcher {
    pub(super) http_code: Option<String>,
    pub(super) grpc_code: Option<String>,
}

impl Settings<'_> {
    /// The check with what was given instead of what it has.
    pub(super) fn on(&self, mut check: HealthCheck) -> Result<HealthCheck, ApiError> {
        if self.matcher.is_some_and(|matcher| matcher.grpc_code.is_some()) {
            return Err(unsupported("A gRPC health check"));
        }
        let matcher = self.matcher.and_then(|matcher| matcher.http_code.as_deref());
        let text = |to: &mut String, given: Option<&str>| {
            given.map(str::to_owned).into_iter().for_each(|given| *to = given);
        };
        text(&mut check.protocol, self.protocol);
        text(&mut check.port, self.port);
        check.path = self.path.map(str::to_owned).or(check.path);
        check.matcher = matcher.map(str::to_owned).or(check.matcher);
        check.interval = self.interval.unwrap_or(check.interval);
        check.timeout = self.timeout.unwrap_or(check.timeout);
        check.healthy = self.healthy.unwrap_or(check.healthy);
        check.unhealthy = self.unhealthy.unwrap_or(check.unhealthy);
        validate(&check, self.path.is_some() || matcher.is_some())?;
        Ok(check)
    }
}

fn validate(check: &HealthCheck, http_asked: bool) -> Result<(), ApiError> {
    let http = matches!(check.protocol.as_str(), "HTTP" | "HTTPS");
    if !http && check.protocol != "TCP" {
        return Err(invalid(format!("Health check protocol '{}' is not supported", check.protocol)));
    }
    if !http && http_asked {
        return Err(invalid("Health check path and matcher are for HTTP and HTTPS health checks"));
    }
    for (what, value, range) in [
        ("interval", check.interval, 5..=300),
        ("timeout", check.timeout, 2..=120),
        ("healthy threshold count", check.healthy, 2..=10),
        ("unhealthy threshold count", check.unhealthy, 2..=10),
    ] {
        if !range.contains(&value) {
            let (low, high) = (range.start(), range.end());
            return Err(invalid(format!("Health check {what} must be between {low} and {high}")));
        }
    }
    if http && check.timeout >= check.interval {
        return Err(invalid("Health check timeout must be smaller than the interval"));
    }
    let port = check.port == TRAFFIC_PORT || check.port.parse::<u16>().is_ok_and(|port| port > 0);
    if !port {
        return Err(invalid(format!("Health check port '{}' must be in the range 1-65535", check.port)));
    }
    if check.path.as_ref().is_some_and(|path| !path.starts_with('/') || path.len() > 1024) {
        return Err(invalid("Health check path must begin with '/' and be at most 1024 characters long"));
    }
    match check.matcher.as_deref().map(|matcher| matches(matcher, 0)) {
        Some(None) => Err(invalid("Health check matcher HTTP code must be codes or ranges of them")),
        _ => Ok(()),
    }
}
