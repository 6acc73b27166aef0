//! The likely cause of a failure, and the next step. Pure: from AWS's words to a user's.
//!
//! Stop reasons: Amazon ECS Developer Guide, "Amazon ECS stopped tasks error messages".

mod exit;
#[cfg(test)]
mod tests;

use super::balanced;
use super::declared::Declared;
use crate::config::role_recipe;
use crate::live::TargetGroup;

/// What is known of a way to fail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts<'a> {
    /// Why the task stopped, and what its containers say, in AWS's words; with the container it is said of.
    pub(super) reasons: Vec<(Option<&'a str>, &'a str)>,
    /// The container that ended the task and its exit code, if one ran.
    pub(super) exit: Option<(&'a str, i32)>,
    /// Containers that are said to be unhealthy.
    pub(super) unhealthy: Vec<&'a str>,
    /// The last lines that the container wrote.
    pub(super) log: &'a [String],
    /// The service's last events.
    pub(super) events: Vec<&'a str>,
    /// The target groups that the service is behind.
    pub(super) groups: &'a [TargetGroup],
    /// The grace period in seconds.
    pub(super) grace: i32,
    /// What the task definition says.
    pub(super) declared: Declared,
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
        .find_map(|(container, reason)| {
            by_target(reason, facts).or_else(|| by_reason(*container, reason, facts))
        })
        .or_else(|| exit::by_log(facts))
        .or_else(|| exit::by_dependency(facts))
        .or_else(|| exit::by_exit(facts))
        .or_else(|| balanced::likely(facts.groups, facts.grace))
        .or_else(|| facts.events.iter().find_map(|event| by_event(event, facts)))
}

fn cause(cause: impl Into<String>, next: &[&str]) -> Cause {
    Cause { cause: cause.into(), next: next.iter().map(|&step| step.to_owned()).collect() }
}

/// What the target groups say of a task that failed in one.
fn by_target(reason: &str, facts: &Facts<'_>) -> Option<Cause> {
    reason.contains("failed ELB health checks").then(|| balanced::likely(facts.groups, facts.grace))?
}

/// The words' kind decides, the particular before the general.
fn by_reason(container: Option<&str>, reason: &str, facts: &Facts<'_>) -> Option<Cause> {
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if says(&["unable to assume the role"]) {
        return Some(role_missing(reason));
    }
    if says(&["OutOfMemory"]) {
        return Some(out_of_memory(container, &facts.declared));
    }
    if says(&["CannotPull"]) {
        return pull(container, reason, facts);
    }
    if says(&["CannotStartContainer"]) {
        return start(container, reason, facts);
    }
    if says(&["ResourceInitializationError"]) {
        return resources(reason);
    }
    if says(&["failed container health checks"]) {
        return Some(unhealthy(facts));
    }
    if says(&["failed ELB health checks"]) {
        return Some(cause(
            "the load balancer's health check fails",
            &["check its path and port, and the security group between them"],
        ));
    }
    None
}

fn role_missing(reason: &str) -> Cause {
    let role = reason.split(":role/").nth(1).and_then(|rest| rest.split(['\'', ' ', '"']).next());
    let recipe = role_recipe(role.unwrap_or("ecsTaskExecutionRole"));
    cause("the role is missing, or does not trust ecs-tasks.amazonaws.com", &["to make it:", &recipe])
}

/// `app`, or what it is where its name is not known.
fn named(container: Option<&str>) -> String {
    container.map_or_else(|| "the container".to_owned(), |name| format!("`{name}`"))
}

/// Its own limit, or else the task's, which its containers share.
fn out_of_memory(container: Option<&str>, declared: &Declared) -> Cause {
    let name = named(container);
    let own = container.and_then(|name| declared.container(name)?.memory);
    match (own, declared.memory) {
        (Some(limit), _) => cause(
            format!("{name} ran out of memory: it may use {limit} MiB and wanted more"),
            &[&format!("give it more than {limit} MiB: `memory` of the container")],
        ),
        (None, Some(limit)) => cause(
            format!("{name} ran out of memory: the task has {limit} MiB, which its containers share"),
            &[&format!("give it more than {limit} MiB: `memory` of the service")],
        ),
        (None, None) => cause(
            format!("{name} ran out of memory"),
            &["raise `memory` of the container, or of the service"],
        ),
    }
}

fn pull(container: Option<&str>, reason: &str, facts: &Facts<'_>) -> Option<Cause> {
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    let image = container.and_then(|name| facts.declared.container(name)).map(|one| one.image.as_str());
    let of = image.map_or_else(|| "the image".to_owned(), |image| format!("the image `{image}`"));
    let of = container.map_or_else(|| of.clone(), |name| format!("{of} of `{name}`"));
    if says(&OTHER_PLATFORM) {
        return Some(exit::wrong_cpu(container.unwrap_or("the container"), facts));
    }
    if says(&["i/o timeout", "connection refused", "dial tcp", "deadline exceeded", "request canceled"]) {
        return Some(cause(
            "the task has no way to the registry",
            &[
                "in a subnet without NAT: `assign-public-ip = true`",
                "or VPC endpoints for ecr.api, ecr.dkr, s3 and logs",
            ],
        ));
    }
    if says(&["not found", "manifest unknown", "does not exist", "No such image"]) {
        return Some(cause(
            format!("{of} is not in the registry"),
            &[
                "was it removed by hand, or by a lifecycle rule? an image of deploy.toml is pushed again by deploying again",
            ],
        ));
    }
    if says(&["denied", "no basic auth", "authorization", "unauthorized", "403"]) {
        return Some(cause(
            format!("{of} may not be pulled"),
            &["may the execution role pull from ECR (AmazonECSTaskExecutionRolePolicy)?"],
        ));
    }
    None
}

/// Words of containerd and Docker, where an index, or a manifest, has no such platform.
const OTHER_PLATFORM: [&str; 4] = [
    "no matching manifest",
    "does not match the specified platform",
    "does not contain descriptor matching platform",
    "failed to find a descriptor for platform", // observed: aws/containers-roadmap#1120
];

fn start(container: Option<&str>, reason: &str, facts: &Facts<'_>) -> Option<Cause> {
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    let name = named(container);
    // runc: `exec: "PROGRAM": stat PROGRAM: no such file or directory`
    let program = reason.split("exec: \"").nth(1).and_then(|rest| rest.split('"').next());
    let program = program.map_or_else(|| "the program".to_owned(), |program| format!("`{program}`"));
    if says(&["exec format error"]) {
        return Some(exit::wrong_cpu(container.unwrap_or("the container"), facts));
    }
    if says(&["no such file or directory", "executable file not found"]) {
        return Some(cause(
            format!("{program} is not in the image of {name}"),
            &["check `entrypoint` and `command`: is the path the image's?"],
        ));
    }
    if says(&["permission denied"]) {
        return Some(cause(
            format!("{program} may not be executed by the user of {name}"),
            &["check the file's mode, and `user`"],
        ));
    }
    None
}

fn resources(reason: &str) -> Option<Cause> {
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if says(&["secret", "parameter"]) {
        return Some(cause(
            "a secret cannot be read",
            &[
                "does it exist, in this region?",
                "may the execution role read it (secretsmanager:GetSecretValue, ssm:GetParameters, kms:Decrypt)?",
            ],
        ));
    }
    if says(&["log group", "log stream", "logger"]) {
        return Some(cause(
            "the container cannot log",
            &[
                "does the log group exist, and may the execution role write to it (logs:CreateLogStream, logs:PutLogEvents)?",
            ],
        ));
    }
    None
}

/// Those that are said to be, or else those that have a check.
fn unhealthy(facts: &Facts<'_>) -> Cause {
    let containers = &facts.declared.containers;
    let mut failing: Vec<_> =
        facts.unhealthy.iter().filter_map(|name| facts.declared.container(name)).collect();
    if failing.is_empty() {
        failing = containers.iter().filter(|one| one.check.is_some()).collect();
    }
    let [one] = failing.as_slice() else {
        return cause(
            "the container's health check fails",
            &["run its command in the container; give a slow start a `start-period`"],
        );
    };
    let command = one.check.as_ref().map(|command| format!(" (`{command}`)")).unwrap_or_default();
    let waiting = facts.declared.waiting_for(&one.name, "HEALTHY");
    let waiting = waiting.map(|other| format!(", and `{other}` waits for it")).unwrap_or_default();
    cause(
        format!("the health check of `{}` fails{command}{waiting}", one.name),
        &["run its command in the container; give a slow start a `start-period`"],
    )
}

fn by_event(event: &str, facts: &Facts<'_>) -> Option<Cause> {
    let says = |word: &str| event.contains(word);
    if says("unable to assume the role") {
        return by_reason(None, event, facts);
    }
    if says("Capacity is unavailable") || says("RESOURCE:") {
        return Some(cause(
            "AWS has no capacity for the task there now",
            &["try again, or add subnets of other availability zones"],
        ));
    }
    says("unable to place a task").then(|| cause("ECS cannot place a task", &["the event says why"]))
}
