//! From the API's answers to the text, without either.

use std::collections::BTreeMap;

use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::{
    Attachment, Container, Deployment, DeploymentRolloutState, HealthStatus, KeyValuePair, Service,
    ServiceEvent, Task, TaskStopCode,
};

use super::ServiceStatus;
use super::model::{Facts, status};
use super::text::{Look, render};
use crate::git::Commit;
use crate::live::{Definition, Record, Target, TargetGroup};

const NOW: i64 = 10_000_000_000;

fn ago(seconds: i64) -> DateTime {
    DateTime::from_millis(NOW - seconds * 1000)
}

fn arn(revision: u32) -> String {
    format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/web:{revision}")
}

fn deployment(revision: u32, role: &str, state: DeploymentRolloutState, running: i32) -> Deployment {
    Deployment::builder()
        .id(format!("ecs-svc/{revision}"))
        .status(role)
        .task_definition(arn(revision))
        .rollout_state(state)
        .rollout_state_reason("ECS deployment in AWS's words.")
        .desired_count(2)
        .running_count(running)
        .failed_tasks(i32::from(role == "ACTIVE"))
        .created_at(ago(300))
        .build()
}

fn service(running: i32, deployments: Vec<Deployment>) -> Service {
    let event =
        ServiceEvent::builder().created_at(ago(30)).message("(service web) has reached a steady state.");
    Service::builder()
        .service_name("web")
        .status("ACTIVE")
        .desired_count(2)
        .running_count(running)
        .set_deployments(Some(deployments))
        .events(event.build())
        .build()
}

fn running(id: &str, revision: u32) -> Task {
    let address = KeyValuePair::builder().name("privateIPv4Address").value("172.31.0.7").build();
    Task::builder()
        .task_arn(format!("arn:aws:ecs:eu-west-1:123456789012:task/c/{id}"))
        .task_definition_arn(arn(revision))
        .last_status("RUNNING")
        .health_status(HealthStatus::Healthy)
        .started_at(ago(120))
        .attachments(Attachment::builder().details(address).build())
        .build()
}

fn dead(id: &str, revision: u32, code: TaskStopCode, seconds: i64) -> Task {
    let container = Container::builder().name("app").exit_code(3).build();
    Task::builder()
        .task_arn(format!("arn:aws:ecs:eu-west-1:123456789012:task/c/{id}"))
        .task_definition_arn(arn(revision))
        .last_status("STOPPED")
        .stop_code(code)
        .stopped_reason("Essential container in task exited")
        .stopped_at(ago(seconds))
        .containers(container)
        .build()
}

fn definition(revision: u32) -> Definition {
    Definition {
        arn: arn(revision),
        active: true,
        commit: Some(Commit { hash: "0123456789abcdef0123".to_owned(), dirty: revision.is_multiple_of(2) }),
        images: vec![("app".to_owned(), format!("r/app@sha256:{revision:064}"))],
        logs: BTreeMap::new(),
    }
}

fn record(revision: u32, status: &str, reason: Option<&str>) -> Record {
    Record {
        arn: format!("arn:{revision}"),
        status: status.to_owned(),
        reason: reason.map(str::to_owned),
        task_definition: Some(arn(revision)),
        created_ms: NOW - 300_000,
        finished_ms: None,
    }
}

fn of(service: Option<&Service>, tasks: &[Task], rollouts: &[Record]) -> ServiceStatus {
    behind(&[], service, tasks, rollouts)
}

fn behind(
    target_groups: &[TargetGroup],
    service: Option<&Service>,
    tasks: &[Task],
    rollouts: &[Record],
) -> ServiceStatus {
    let definitions = [1, 2].map(|revision| (arn(revision), definition(revision))).into();
    let addresses = tasks
        .iter()
        .filter(|task| task.last_status() == Some("RUNNING"))
        .filter_map(|task| Some((task.task_arn()?.to_owned(), "203.0.113.5".to_owned())))
        .collect();
    status(&Facts {
        name: "web",
        cluster: "c",
        service,
        tasks,
        rollouts,
        definitions: &definitions,
        addresses: &addresses,
        target_groups,
        now_ms: NOW,
    })
}

fn plain(status: ServiceStatus, columns: Option<usize>) -> String {
    render(&[status], Look { columns, color: false, now_ms: NOW })
}

fn crashing() -> ServiceStatus {
    let service = service(1, vec![deployment(2, "PRIMARY", DeploymentRolloutState::Completed, 1)]);
    let tasks = [
        running("0123456789abcdef", 2),
        dead("aaaaaaaaaaaa", 2, TaskStopCode::EssentialContainerExited, 20),
        dead("bbbbbbbbbbbb", 2, TaskStopCode::EssentialContainerExited, 90),
        dead("cccccccccccc", 2, TaskStopCode::EssentialContainerExited, 3000),
        dead("dddddddddddd", 1, TaskStopCode::ServiceSchedulerInitiated, 60),
    ];
    let rollouts = [
        record(2, "SUCCESSFUL", None),
        record(
            3,
            "ROLLBACK_SUCCESSFUL",
            Some("Service deployment rolled back because the circuit breaker threshold was exceeded."),
        ),
    ];
    of(Some(&service), &tasks, &rollouts)
}

#[test]
fn a_completed_deployment_whose_tasks_crash() {
    insta::assert_snapshot!("crashing", plain(crashing(), None));
    insta::assert_json_snapshot!("crashing_json", crashing());
}

#[test]
fn a_narrow_window_folds_with_the_margin_kept() {
    insta::assert_snapshot!("narrow", plain(crashing(), Some(50)));
}

#[test]
fn a_rollout_in_progress_shows_both_revisions() {
    let deployments = vec![
        deployment(2, "PRIMARY", DeploymentRolloutState::InProgress, 1),
        deployment(1, "ACTIVE", DeploymentRolloutState::Completed, 2),
    ];
    let service = service(3, deployments);
    insta::assert_snapshot!("in_progress", plain(of(Some(&service), &[running("0123456789", 1)], &[]), None));
}

#[test]
fn targets_are_counted_and_told_why() {
    let target = |state: &str, description: Option<&str>| Target {
        state: state.to_owned(),
        description: description.map(str::to_owned),
        ..Target::default()
    };
    let failed = Some("Health checks failed with these codes: [500]");
    let targets = vec![
        target("healthy", None),
        target("unhealthy", failed),
        target("unhealthy", failed),
        target("draining", Some("Target deregistration is in progress")),
    ];
    let group =
        TargetGroup { targets, ..TargetGroup::of("arn:aws:elasticloadbalancing:r:1:targetgroup/web/0") };
    let service = service(2, vec![deployment(1, "PRIMARY", DeploymentRolloutState::Completed, 2)]);
    let text = plain(behind(&[group, TargetGroup::of("spare")], Some(&service), &[], &[]), None);
    let rows: Vec<&str> = text.lines().filter(|line| line.contains("targets")).collect();
    insta::assert_snapshot!(rows.join("\n"), @r"
    targets  web 1 draining, 1 healthy, 2 unhealthy: Health checks failed with these codes: [500]
    targets  spare none
    ");
}

#[test]
fn a_service_that_is_not_there() {
    assert_eq!(plain(of(None, &[], &[]), None), "c/web: not deployed\n");
}

#[test]
fn a_steady_service_has_no_warning() {
    let service = service(2, vec![deployment(1, "PRIMARY", DeploymentRolloutState::Completed, 2)]);
    let once = [dead("aaaa", 1, TaskStopCode::EssentialContainerExited, 20)];
    assert_eq!(of(Some(&service), &[], &[]).warnings, Vec::<String>::new());
    assert_eq!(of(Some(&service), &once, &[]).warnings, Vec::<String>::new(), "one death that was replaced");
}

#[test]
fn colour_is_only_where_it_is_asked_for() {
    let look = Look { columns: None, color: true, now_ms: NOW };
    assert!(render(&[crashing()], look).contains("\x1b["));
    assert!(!plain(crashing(), None).contains('\x1b'));
}
