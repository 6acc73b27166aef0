//! The likely cause of a failure, and the next step. Pure: from AWS's words to a user's.
//!
//! Stop reasons: Amazon ECS Developer Guide, "Amazon ECS stopped tasks error messages".

use super::balanced;
use crate::config::role_recipe;
use crate::live::TargetGroup;

/// What is known of a way to fail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts<'a> {
    /// Why the task stopped, and what its containers say, in AWS's words.
    pub(super) reasons: Vec<&'a str>,
    /// The container that ended the task and its exit code, if one ran.
    pub(super) exit: Option<(&'a str, i32)>,
    /// The service's last events.
    pub(super) events: Vec<&'a str>,
    /// The target groups that the service is behind.
    pub(super) groups: &'a [TargetGroup],
    /// The grace period in seconds.
    pub(super) grace: i32,
}

/// A cause, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    /// In one sentence.
    pub(super) cause: String,
    /// What to do, most likely first.
    pub(super) next: Vec<String>,
}

/// The likely cause, if the facts point to one.
pub(super) fn likely(facts: &Facts<'_>) -> Option<Cause> {
    facts
        .reasons
        .iter()
        .find_map(|reason| by_target(reason, facts).or_else(|| by_reason(reason)))
        .or_else(|| by_exit(facts.exit?))
        .or_else(|| balanced::likely(facts.groups, facts.grace))
        .or_else(|| facts.events.iter().find_map(|event| by_event(event)))
}

fn cause(cause: impl Into<String>, next: &[&str]) -> Option<Cause> {
    Some(Cause { cause: cause.into(), next: next.iter().map(|&step| step.to_owned()).collect() })
}

/// What the target groups say of a task that failed in one.
fn by_target(reason: &str, facts: &Facts<'_>) -> Option<Cause> {
    reason.contains("failed ELB health checks").then(|| balanced::likely(facts.groups, facts.grace))?
}

/// One row for each kind of words, the particular before the general.
fn by_reason(reason: &str) -> Option<Cause> {
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if says(&["unable to assume the role"]) {
        let role = reason.split(":role/").nth(1).and_then(|rest| rest.split(['\'', ' ', '"']).next());
        let recipe = role_recipe(role.unwrap_or("ecsTaskExecutionRole"));
        return cause(
            "the role is missing, or does not trust ecs-tasks.amazonaws.com",
            &["to make it:", &recipe],
        );
    }
    if says(&["OutOfMemory"]) {
        return cause(
            "the container ran out of memory",
            &["raise `memory` of the container, or of the service"],
        );
    }
    if says(&[
        "exec format error",
        "no matching manifest",
        "does not match the specified platform",
        "image Manifest does not contain descriptor matching platform",
    ]) {
        return cause(
            "the image is for another CPU than the task",
            &["set `platform` of the image (or of the service) to what the task runs on"],
        );
    }
    if says(&["CannotStartContainer"]) && says(&["no such file or directory", "executable file not found"]) {
        return cause(
            "the program is not in the image",
            &["check `entrypoint` and `command`: is the path the image's?"],
        );
    }
    if says(&["CannotStartContainer"]) && says(&["permission denied"]) {
        return cause(
            "the program may not be executed by the container's user",
            &["check the file's mode, and `user`"],
        );
    }
    if says(&["ResourceInitializationError"]) && says(&["secret", "parameter"]) {
        return cause(
            "a secret cannot be read",
            &[
                "does it exist, in this region?",
                "may the execution role read it (secretsmanager:GetSecretValue, ssm:GetParameters, kms:Decrypt)?",
            ],
        );
    }
    if says(&["ResourceInitializationError"]) && says(&["log group", "log stream", "logger"]) {
        return cause(
            "the container cannot log",
            &[
                "does the log group exist, and may the execution role write to it (logs:CreateLogStream, logs:PutLogEvents)?",
            ],
        );
    }
    if says(&["CannotPull"])
        && says(&["i/o timeout", "connection refused", "dial tcp", "deadline exceeded", "request canceled"])
    {
        return cause(
            "the task has no way to the registry",
            &[
                "in a subnet without NAT: `assign-public-ip = true`",
                "or VPC endpoints for ecr.api, ecr.dkr, s3 and logs",
            ],
        );
    }
    if says(&["CannotPull"]) && says(&["not found", "manifest unknown", "does not exist", "No such image"]) {
        return cause(
            "the image is not in the registry",
            &["was it removed by hand, or by a lifecycle rule? deploying again pushes it"],
        );
    }
    if says(&["CannotPull"]) && says(&["denied", "no basic auth", "authorization", "unauthorized", "403"]) {
        return cause(
            "the image may not be pulled",
            &["may the execution role pull from ECR (AmazonECSTaskExecutionRolePolicy)?"],
        );
    }
    if says(&["failed container health checks"]) {
        return cause(
            "the container's health check fails",
            &["run its command in the container; give a slow start a `start-period`"],
        );
    }
    if says(&["failed ELB health checks"]) {
        return cause(
            "the load balancer's health check fails",
            &["check its path and port, and the security group between them"],
        );
    }
    None
}

fn by_exit((container, code): (&str, i32)) -> Option<Cause> {
    match code {
        0 => cause(
            format!("`{container}` ended by itself"),
            &["a service's program has to go on: or set `essential = false`"],
        ),
        137 => cause(
            format!("`{container}` was killed (SIGKILL)"),
            &["out of memory, or slower to stop than its `stop-timeout`"],
        ),
        139 => cause(format!("`{container}` crashed (SIGSEGV)"), &["its log says more"]),
        134 => cause(
            format!("`{container}` aborted (SIGABRT), as a panic does with `panic = \"abort\"`"),
            &["its log says more"],
        ),
        101 => cause(
            format!("`{container}` panicked: 101 is the exit code of a Rust panic"),
            &["its log says where"],
        ),
        143 => cause(format!("`{container}` was stopped (SIGTERM)"), &[]),
        code => cause(format!("`{container}` exited with code {code}"), &["its log says more"]),
    }
}

fn by_event(event: &str) -> Option<Cause> {
    let says = |word: &str| event.contains(word);
    if says("unable to assume the role") {
        return by_reason(event);
    }
    if says("Capacity is unavailable") || says("RESOURCE:") {
        return cause(
            "AWS has no capacity for the task there now",
            &["try again, or add subnets of other availability zones"],
        );
    }
    if says("unable to place a task") {
        return cause("ECS cannot place a task", &["the event says why"]);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(reason: &str) -> String {
        let facts = Facts { reasons: vec![reason], ..Facts::default() };
        likely(&facts).map(|cause| cause.cause).unwrap_or_default()
    }

    #[test]
    fn aws_words_in_a_users_words() {
        let cases = [
            ("OutOfMemoryError: Container killed due to memory usage", "out of memory"),
            ("CannotPullContainerError: x: no matching manifest for linux/arm64", "another CPU"),
            (
                "CannotStartContainerError: exec: \"/x\": stat /x: no such file or directory",
                "not in the image",
            ),
            (
                "CannotPullContainerError: pull image manifest: dial tcp 1.2.3.4:443: i/o timeout",
                "no way to the registry",
            ),
            ("CannotPullContainerError: docker.io/x: not found", "not in the registry"),
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: access denied",
                "a secret",
            ),
            (
                "ResourceInitializationError: failed to validate logger args: The specified log group does not exist",
                "cannot log",
            ),
            ("Task failed container health checks", "health check fails"),
            (
                "ECS was unable to assume the role 'arn:aws:iam::1:role/nope' that was provided",
                "role is missing",
            ),
        ];
        for (reason, wanted) in cases {
            assert!(of(reason).contains(wanted), "{reason}: {}", of(reason));
        }
        assert_eq!(of("Essential container in task exited"), "");
    }

    #[test]
    fn the_recipe_is_for_the_role_that_is_missing() {
        let facts = Facts {
            reasons: vec!["unable to assume the role 'arn:aws:iam::1:role/mine' that"],
            ..Facts::default()
        };
        assert!(likely(&facts).expect("a cause").next[1].contains("--role-name mine "));
    }

    #[test]
    fn exit_codes_in_words() {
        let of = |code| {
            let facts = Facts {
                reasons: vec!["Essential container in task exited"],
                exit: Some(("app", code)),
                ..Facts::default()
            };
            likely(&facts).expect("a cause").cause
        };
        assert_eq!(of(101), "`app` panicked: 101 is the exit code of a Rust panic");
        assert_eq!(of(0), "`app` ended by itself");
        assert_eq!(of(7), "`app` exited with code 7");
    }
}
