//! From AWS's words to a user's.

use aws_sdk_ecs::types::{Attachment, KeyValuePair};
use insta::assert_snapshot;

use super::*;

const ARN: &str = "arn:aws:elasticloadbalancing:r:1:targetgroup/web/0";

fn group(targets: Vec<Target>) -> TargetGroup {
    let check = Check {
        protocol: "HTTP".into(),
        port: "traffic-port".into(),
        path: Some("/health".into()),
        matcher: Some("200".into()),
        timeout: Some(5),
    };
    TargetGroup { check: Some(check), targets, ..TargetGroup::of(ARN) }
}

fn target(address: &str, state: &str, reason: &str, description: &str) -> Target {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Target {
        address: some(address),
        port: Some(80),
        task: None,
        state: state.into(),
        reason: some(reason),
        description: some(description),
    }
}

fn task(id: &str, address: &str) -> Task {
    let detail = KeyValuePair::builder().name("privateIPv4Address").value(address).build();
    let attachment = Attachment::builder().details(detail).build();
    Task::builder().task_arn(format!("arn:x:task/c/{id}")).attachments(attachment).build()
}

fn event(task: &str, group: &str, reason: &str) -> String {
    format!(
        "(service s) (task {task}) (port 80) is unhealthy in (target-group {group}) due to (reason {reason})"
    )
}

#[test]
fn events_tell_of_targets_that_are_gone() {
    let mut groups = [group(vec![
        target("10.0.0.4", "healthy", "", ""),
        target(
            "10.0.0.6",
            "draining",
            "Target.DeregistrationInProgress",
            "Target deregistration is in progress",
        ),
    ])];
    let failed = "Health checks failed with these codes: [500]";
    let events = [
        event("b", ARN, failed),
        event("a", "web", failed),
        event("a", ARN, failed),
        event("c", "other", failed),
        "(service s) has reached a steady state.".to_owned(),
    ];
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    remember(&mut groups, &events, &[task("b", "10.0.0.6"), task("a", "10.0.0.5")]);
    assert_snapshot!(lines(&groups).join("\n"), @r"
    target group web (health check: GET /health on the traffic port, expects 200):
      10.0.0.4:80 healthy
      10.0.0.6:80 (task b) and 1 other unhealthy: Health checks failed with these codes: [500] (Target.ResponseCodeMismatch)
    ");
}

#[test]
fn what_the_api_still_shows_is_not_told_twice() {
    let shown = target("10.0.0.5", "unhealthy", "Target.Timeout", "Request timed out");
    let mut groups = [group(vec![shown.clone()])];
    remember(&mut groups, &[&event("a", ARN, "Request timed out")], &[task("a", "10.0.0.5")]);
    assert_eq!(groups[0].targets, [shown]);
}

#[test]
fn a_group_that_is_well_is_not_shown() {
    assert!(lines(&[group(vec![target("10.0.0.4", "healthy", "", "")])]).is_empty());
    assert_eq!(
        likely(&[group(vec![target("10.0.0.4", "initial", "Elb.InitialHealthChecking", "")])], 0),
        None
    );
}

fn told(reason: &str, description: &str) -> String {
    let groups = [group(vec![target("10.0.0.5", "unhealthy", reason, description)])];
    let cause = likely(&groups, 0).expect("a cause");
    [&[cause.cause][..], &cause.next].concat().join("\n  ")
}

#[test]
fn causes_and_next_steps() {
    let codes = |code: &str| {
        told("Target.ResponseCodeMismatch", &format!("Health checks failed with these codes: [{code}]"))
    };
    let all = [
        codes("500"),
        codes("404"),
        codes("401"),
        codes("302"),
        told("Target.Timeout", "Request timed out"),
        told("Target.FailedHealthChecks", "Health checks failed"),
        told("Elb.InternalError", "Health checks failed due to an internal error"),
        told("Target.NotInUse", "Target group is not configured to receive traffic"),
        told("Target.NotRegistered", "Target is not registered"),
    ];
    assert_snapshot!(all.join("\n"), @r"
    the load balancer's health check `GET /health` is answered with 500; it expects 200
      why does the program answer /health with 500? its log may say
      if it is only slow to start: `health-check-grace-period` (now 0 s)
    the load balancer's health check `GET /health` is answered with 404; it expects 200
      serve /health, or let target group `web` check a path that is served:
      aws elbv2 modify-target-group --target-group-arn arn:aws:elasticloadbalancing:r:1:targetgroup/web/0 --health-check-path /…
    the load balancer's health check `GET /health` is answered with 401; it expects 200
      let /health be answered without a login
    the load balancer's health check `GET /health` is answered with 302; it expects 200
      /health redirects: check where it leads to, or let the matcher accept 302:
      aws elbv2 modify-target-group --target-group-arn arn:aws:elasticloadbalancing:r:1:targetgroup/web/0 --matcher HttpCode=200-399
    the load balancer's health check gets no answer from port 80 of the task in time
      may the load balancer reach the task? its security group needs an ingress rule for port 80 from the load balancer's
      if it is only slow to start: `health-check-grace-period` (now 0 s)
    the load balancer cannot connect to port 80 of the task, or what answers there is not what it expects
      does the program listen on port 80, at 0.0.0.0 and not only at 127.0.0.1?
      if it is only slow to start: `health-check-grace-period` (now 0 s)
    the health check of target group `web` failed inside Elastic Load Balancing
      deploy again; if it stays so, see the AWS Health Dashboard
    target group `web` gets no traffic
      is a listener of a load balancer forwarding to it?
      are the availability zones of the tasks' subnets enabled on the load balancer?
    a task is not in service in target group `web`: Target.NotRegistered
      Target is not registered
    ");
}

#[test]
fn another_port_than_that_of_the_traffic_is_named() {
    let mut one =
        group(vec![target("10.0.0.5", "unhealthy", "Target.FailedHealthChecks", "Health checks failed")]);
    one.check = one.check.map(|check| Check { port: "9000".into(), ..check });
    let cause = likely(&[one], 0).expect("a cause");
    assert_snapshot!(cause.next[0], @"target group `web` checks port 9000, traffic goes to port 80: does the program listen on both?");
}
