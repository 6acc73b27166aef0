//! Tasks behind target groups that failed their health checks: what is left of them, and what it means.
//! A task that failed is soon deregistered, and then only the service's events tell of it. Pure.
//!
//! Reason codes: Elastic Load Balancing API Reference, TargetHealth. The event's words: Amazon ECS Developer
//! Guide, "Service unhealthy event messages".

use std::collections::BTreeMap;

use aws_sdk_ecs::types::Task;

use super::cause::Cause;
use crate::live::{Check, Target, TargetGroup, private_address};
use crate::register::short;

/// What an event tells of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unhealthy<'a> {
    task: &'a str,
    port: Option<i32>,
    group: &'a str,
    description: &'a str,
}

/// `(service s) (task t) (port p) is unhealthy in (target-group g) due to (reason r)`.
fn unhealthy(event: &str) -> Option<Unhealthy<'_>> {
    let (whom, why) = event.split_once(" is unhealthy in (target-group ")?;
    let (group, description) = why.split_once(") due to (reason ")?;
    let part = |name: &str| whom.split(name).nth(1).and_then(|rest| rest.split(')').next());
    Some(Unhealthy {
        task: part("(task ").unwrap_or_default(),
        port: part("(port ").and_then(|port| port.parse().ok()),
        group,
        description: description.trim_end_matches('.').strip_suffix(')').unwrap_or(description),
    })
}

/// The reason code that these words go with.
fn reason(description: &str) -> Option<&'static str> {
    match description {
        said if said.contains("failed with these codes") => Some("Target.ResponseCodeMismatch"),
        "Request timed out" => Some("Target.Timeout"),
        "Health checks failed" => Some("Target.FailedHealthChecks"),
        _ => None,
    }
}

/// Adds what the events tell of targets that are gone: `tasks` are those that failed, the events those
/// of this rollout, the newest first.
pub(super) fn remember(groups: &mut [TargetGroup], events: &[&str], tasks: &[Task]) {
    let addresses: BTreeMap<&str, &str> =
        tasks.iter().filter_map(|task| Some((short(task.task_arn()?), private_address(task)?))).collect();
    for told in events.iter().filter_map(|event| unhealthy(event)) {
        let address = addresses.get(told.task).copied();
        // AWS's guide says that the name stands there; what is seen is the ARN.
        let group = groups.iter_mut().find(|group| group.arn == told.group || group.name == told.group);
        let Some(group) = group else { continue };
        let known = |target: &Target| {
            target.task.as_deref() == Some(told.task)
                || (address.is_some() && target.address.as_deref() == address && target.state == "unhealthy")
        };
        if !group.targets.iter().any(known) {
            // What still shows of it is only that it goes.
            group.targets.retain(|target| address.is_none() || target.address.as_deref() != address);
            group.targets.push(Target {
                address: address.map(str::to_owned),
                port: told.port,
                task: Some(told.task.to_owned()),
                state: "unhealthy".to_owned(),
                reason: reason(told.description).map(str::to_owned),
                description: Some(told.description.to_owned()),
            });
        }
    }
}

/// Whether there is something to explain.
fn is_bad(target: &Target) -> bool {
    !matches!(target.state.as_str(), "healthy" | "draining" | "initial")
}

/// The facts in lines: nothing of a group whose targets are all well.
pub(super) fn lines(groups: &[TargetGroup]) -> Vec<String> {
    groups
        .iter()
        .filter(|group| group.targets.iter().any(|one| one.state != "healthy"))
        .flat_map(of_group)
        .collect()
}

fn of_group(group: &TargetGroup) -> Vec<String> {
    let check = group.check.as_ref().map(|check| format!(" (health check: {})", in_full(check)));
    let mut lines = vec![format!("target group {}{}:", group.name, check.unwrap_or_default())];
    let mut alike: Vec<(&Target, usize)> = Vec::new();
    for target in &group.targets {
        let same = |known: &&mut (&Target, usize)| {
            known.0.state == target.state && known.0.description == target.description
        };
        match alike.iter_mut().find(same) {
            Some(known) => known.1 += 1,
            None => alike.push((target, 1)),
        }
    }
    lines.extend(alike.iter().map(|(target, count)| format!("  {}", of_target(target, *count))));
    lines
}

fn of_target(target: &Target, count: usize) -> String {
    let address = target.address.as_deref().map(|address| match target.port {
        Some(port) => format!("{address}:{port}"),
        None => address.to_owned(),
    });
    let task = target.task.as_deref().map(|task| format!("task {task}"));
    let who = match (address, task) {
        (Some(address), Some(task)) => format!("{address} ({task})"),
        (address, task) => address.or(task).unwrap_or_default(),
    };
    let others = match count {
        0 | 1 => String::new(),
        2 => " and 1 other".to_owned(),
        many => format!(" and {} others", many - 1),
    };
    let code = target.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let why = target.description.as_ref().map(|words| format!(": {words}")).unwrap_or_default();
    format!("{who}{others} {}{why}{code}", target.state)
}

/// `GET /health on port 8080, expects 200`.
fn in_full(check: &Check) -> String {
    let port = match check.port.as_str() {
        "traffic-port" => "on the traffic port".to_owned(),
        port => format!("on port {port}"),
    };
    let expects = check.matcher.as_ref().map(|codes| format!(", expects {codes}")).unwrap_or_default();
    format!("{} {port}{expects}", what(check))
}

fn what(check: &Check) -> String {
    match &check.path {
        Some(path) => format!("GET {path}"),
        None => format!("a connection by {}", check.protocol),
    }
}

/// The likely cause, of the target that tells most. `grace` is the grace period in seconds.
pub(super) fn likely(groups: &[TargetGroup], grace: i32) -> Option<Cause> {
    let bad = || groups.iter().flat_map(|group| group.targets.iter().map(move |target| (group, target)));
    let of = |code: &str| bad().find(|(_, target)| is_bad(target) && target.reason.as_deref() == Some(code));
    let codes = [
        "Target.ResponseCodeMismatch",
        "Target.Timeout",
        "Target.FailedHealthChecks",
        "Elb.InternalError",
        "Target.IpUnusable",
        "Target.NotInUse",
        "Target.NotRegistered",
        "Target.HealthCheckDisabled",
        "Target.InvalidState",
    ];
    let (code, (group, target)) = codes.iter().find_map(|code| Some((*code, of(code)?)))?;
    let (cause, next) = words(code, group, target, &slow(grace));
    Some(Cause { cause, next })
}

fn slow(grace: i32) -> String {
    format!("if it is only slow to start: `health-check-grace-period` (now {grace} s)")
}

fn words(code: &str, group: &TargetGroup, target: &Target, slow: &str) -> (String, Vec<String>) {
    let port = target.port.map(|port| port.to_string()).unwrap_or_default();
    let checked =
        group.check.as_ref().map(|check| check.port.as_str()).filter(|port| *port != "traffic-port");
    let checked = checked.unwrap_or(&port);
    match code {
        "Target.ResponseCodeMismatch" => mismatch(group, target, slow),
        "Target.Timeout" => timeout(checked, slow),
        "Target.FailedHealthChecks" => (
            format!(
                "the load balancer cannot connect to port {checked} of the task, or what answers there is not \
                 what it expects"
            ),
            vec![wrong_port(checked, &port, &group.name), slow.to_owned()],
        ),
        code => by_code(code, &group.name, target),
    }
}

fn timeout(port: &str, slow: &str) -> (String, Vec<String>) {
    let rule = format!(
        "may the load balancer reach the task? its security group needs an ingress rule for port {port} from the \
         load balancer's"
    );
    let cause =
        format!("the load balancer's health check gets no answer from port {port} of the task in time");
    (cause, vec![rule, slow.to_owned()])
}

/// What is wrong with the group rather than with the program.
fn by_code(code: &str, group: &str, target: &Target) -> (String, Vec<String>) {
    let with = |cause: String, next: &[&str]| (cause, next.iter().map(|&step| step.to_owned()).collect());
    match code {
        "Elb.InternalError" => with(
            format!("the health check of target group `{group}` failed inside Elastic Load Balancing"),
            &["deploy again; if it stays so, see the AWS Health Dashboard"],
        ),
        "Target.NotInUse" => with(
            format!("target group `{group}` gets no traffic"),
            &[
                "is a listener of a load balancer forwarding to it?",
                "are the availability zones of the tasks' subnets enabled on the load balancer?",
            ],
        ),
        "Target.IpUnusable" => with(
            format!("a task has an address that the load balancer of target group `{group}` uses itself"),
            &["put the tasks into subnets of their own"],
        ),
        _ => (
            format!("a task is not in service in target group `{group}`: {code}"),
            target.description.iter().cloned().collect(),
        ),
    }
}

fn wrong_port(checked: &str, port: &str, group: &str) -> String {
    if checked == port {
        format!("does the program listen on port {port}, at 0.0.0.0 and not only at 127.0.0.1?")
    } else {
        format!(
            "target group `{group}` checks port {checked}, traffic goes to port {port}: does the program listen on both?"
        )
    }
}

fn mismatch(group: &TargetGroup, target: &Target, slow: &str) -> (String, Vec<String>) {
    let code = target.description.as_deref().unwrap_or_default();
    let code = code.split_once('[').and_then(|(_, rest)| rest.split(']').next()).unwrap_or("another code");
    let (check, path, expected) = match &group.check {
        Some(check) => (
            format!(" `{}`", what(check)),
            check.path.as_deref().unwrap_or("/"),
            check.matcher.as_deref().map(|codes| format!("; it expects {codes}")),
        ),
        None => (String::new(), "its path", None),
    };
    let arn = &group.arn;
    let name = &group.name;
    let other = format!("aws elbv2 modify-target-group --target-group-arn {arn} --health-check-path /…");
    let next = match code {
        "404" => {
            vec![format!("serve {path}, or let target group `{name}` check a path that is served:"), other]
        }
        "401" | "403" => vec![format!("let {path} be answered without a login")],
        "301" | "302" | "307" | "308" => vec![
            format!("{path} redirects: check where it leads to, or let the matcher accept {code}:"),
            format!("aws elbv2 modify-target-group --target-group-arn {arn} --matcher HttpCode=200-399"),
        ],
        _ => {
            vec![format!("why does the program answer {path} with {code}? its log may say"), slow.to_owned()]
        }
    };
    (
        format!(
            "the load balancer's health check{check} is answered with {code}{}",
            expected.unwrap_or_default()
        ),
        next,
    )
}

#[cfg(test)]
mod tests;
