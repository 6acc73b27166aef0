//! What the last deploy set, kept at the service itself: only so can a value that somebody changed by hand be
//! told from one that changed in deploy.toml.
//!
//! One tag holds them: `desired-count=2 maximum-percent=200`. A tag's value has at most 256 characters, of
//! letters, digits, spaces and `+ - = . _ : / @`.
//! Source: Amazon ECS API Reference, Tag.

use std::collections::BTreeMap;

use crate::config::service::{CircuitBreaker, Service, Threshold};

/// The tag's key.
pub const TAG: &str = "deployed-settings";

/// The settings that the file declares and that ECS changes in place, in a tag's words.
#[must_use]
pub fn record(wanted: &Service) -> String {
    declared(wanted).iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
}

/// Key of deploy.toml to value.
pub(super) fn declared(wanted: &Service) -> BTreeMap<String, String> {
    let deployment = &wanted.deployment;
    let numbers = [
        ("desired-count", wanted.desired_count),
        ("health-check-grace-period", wanted.health_check_grace_period),
        ("deployment.minimum-healthy-percent", deployment.minimum_healthy_percent),
        ("deployment.maximum-percent", deployment.maximum_percent),
    ];
    let numbers = numbers.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.to_string())));
    let breaker = deployment.circuit_breaker.as_ref();
    numbers.chain(breaker.map(|one| ("deployment.circuit-breaker".to_owned(), words(one)))).collect()
}

/// Settings as a tag holds them; what does not read so is left out.
pub(super) fn recorded(tag: &str) -> BTreeMap<String, String> {
    let pairs = tag.split(' ').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// A circuit breaker in one word.
pub(super) fn words(breaker: &CircuitBreaker) -> String {
    let threshold = match breaker.threshold {
        Some(Threshold::Count(count)) => format!(":{count}"),
        Some(Threshold::Percent(percent)) => format!(":{percent}-percent"),
        Some(Threshold::UnboundedPercent(percent)) => format!(":{percent}-percent-unbounded"),
        None => String::new(),
    };
    let reset = if breaker.reset_on_healthy_task == Some(false) { ":no-reset" } else { "" };
    let rollback = if breaker.enable && !breaker.rollback { ":no-rollback" } else { "" };
    format!("{}{threshold}{reset}{rollback}", if breaker.enable { "on" } else { "off" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn wanted(extra: &str) -> Service {
        let text = format!(
            "cluster = \"c\"\n[service.web]\ncpu = 256\nmemory = 512\nexecution-role = \"r\"\n{extra}\n\
             container.app = {{ image = \"a/b\" }}\n"
        );
        crate::config::parse(&text, Path::new("/nowhere")).expect("the file is valid").services.remove(0)
    }

    #[test]
    fn what_is_recorded_is_read_back_and_fits_a_tag() {
        let all = wanted(
            "desired-count = 5000\ndeployment = { minimum-healthy-percent = 100, maximum-percent = 200, \
             circuit-breaker = { threshold-unbounded-percent = 1000, rollback = false, reset-on-healthy-task = false } }",
        );
        let tag = record(&all);
        insta::assert_snapshot!(tag, @r#"deployment.circuit-breaker=on:1000-percent-unbounded:no-reset:no-rollback deployment.maximum-percent=200 deployment.minimum-healthy-percent=100 desired-count=5000"#);
        assert!(tag.len() <= 256 - "health-check-grace-period=2147483647 ".len());
        assert!(tag.chars().all(|c| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c)));
        assert_eq!(recorded(&tag), declared(&all));
    }

    #[test]
    fn what_is_not_declared_is_not_recorded() {
        assert_eq!(record(&wanted("")), "");
    }
}
