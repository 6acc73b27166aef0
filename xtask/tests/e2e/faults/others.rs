//! Other clients change the service while it is rolled out.

use std::time::Instant;

use aws_sdk_ecs::types::DeploymentRolloutState::Completed;
use aws_sdk_ecs::types::ServiceDeploymentStatus::{self, RollbackSuccessful};
use aws_sdk_ecs::types::StopServiceDeploymentStopType::Rollback;

use super::{Ended, Process, Scene, UNDECIDED, at_once};
use crate::proxy::Fate;
use crate::support::eventually;

#[test]
fn what_others_do_to_a_rollout_is_told_as_what_it_is() {
    at_once(&[taken_over_stopped_deleted, in_the_way, rescaled]);
}

/// What another client does.
impl Scene {
    pub(super) fn other_deploys(&self, revision: &str) -> Instant {
        let call = self.aws.ecs.update_service().cluster(self.name()).service(self.name());
        self.proxy.block_on(call.task_definition(revision).send()).expect("it is updated");
        Instant::now()
    }

    fn other_scales(&self, count: i32) {
        let call = self.aws.ecs.update_service().cluster(self.name()).service(self.name());
        self.proxy.block_on(call.desired_count(count).send()).expect("it is updated");
    }

    fn other_stops(&self) {
        let latest = self.rollouts().into_iter().next().expect("a rollout");
        let call = self.aws.ecs.stop_service_deployment().service_deployment_arn(latest).stop_type(Rollback);
        self.proxy.block_on(call.send()).expect("it is stopped");
    }

    /// Waits until the last rollout has this status.
    fn is(&self, status: ServiceDeploymentStatus) -> Instant {
        let latest = self.rollouts().into_iter().next().expect("a rollout");
        eventually(status.as_str(), || {
            let call = self.aws.ecs.describe_service_deployments().service_deployment_arns(&latest);
            let answer = self.proxy.block_on(call.send()).expect("it is described");
            answer.service_deployments().first().and_then(|one| one.status()) == Some(&status)
        });
        Instant::now()
    }

    fn other_deletes(&self) -> Instant {
        let call = self.aws.ecs.delete_service().cluster(self.name()).service(self.name()).force(true);
        self.proxy.block_on(call.send()).expect("it is deleted");
        Instant::now()
    }

    /// Begins a rollout that only others end.
    pub(super) fn undecided(&self, version: &str) -> Process {
        self.version(version, UNDECIDED);
        let mut run = self.start(&["deploy"]);
        run.until("it moves", |event| event["event"] == "rollout");
        run
    }

    /// Begins a rollout, lets others end it, and waits for the verdict.
    fn interfered(&self, version: &str, fact: impl FnOnce(&Self) -> Instant) -> (Ended, Instant) {
        let run = self.undecided(version);
        let fact = fact(self);
        (run.end(), fact)
    }

    /// Waits until no rollout is in progress.
    fn settled(&self) {
        eventually("the service is settled", || {
            let call = self.aws.ecs.describe_services().cluster(self.name()).services(self.name());
            let answer = self.proxy.block_on(call.send()).expect("it is described");
            let deployments = answer.services().first().expect("it is there").deployments();
            deployments.len() == 1 && deployments[0].rollout_state() == Some(&Completed)
        });
    }

    pub(super) fn first_revision(&self) -> String {
        format!("{}:1", self.name())
    }
}

fn taken_over_stopped_deleted() {
    let scene = Scene::new("others");
    let (run, fact) = scene.interfered("v2", |scene| scene.other_deploys(&scene.first_revision()));
    run.assert(10, "was superseded by", fact);
    scene.settled();
    assert_eq!(scene.serves(), "v1");

    let (run, fact) = scene.interfered("v3", |scene| {
        scene.other_stops();
        scene.is(RollbackSuccessful)
    });
    run.assert(7, "another client stopped the rollout", fact);
    assert!(run.said("`others-") && run.said(":1` serves"), "{run:#?}");
    assert_eq!(scene.serves(), "v1");

    // AWS's enumeration has a stop without a rollback, which nobody can ask for yet. It would look so.
    let (run, fact) = scene.interfered("v4", |scene| {
        scene.proxy.decide(|call| match call.operation.as_str() {
            "DescribeServiceDeployments" => Fate::Reword(&[(
                "\"status\":\"IN_PROGRESS\"",
                "\"status\":\"STOPPED\",\"statusReason\":\"Service deployment stopped by a user.\"",
            )]),
            "DescribeServices" => Fate::Reword(&[("\"IN_PROGRESS\"", "\"FAILED\"")]),
            _ => Fate::Pass,
        });
        Instant::now()
    });
    run.assert(8, "Service deployment stopped by a user.", fact);
    assert!(run.said("nothing was rolled back"), "{run:#?}");
    scene.proxy.pass();

    scene.other_stops();
    scene.settled();
    let (run, fact) = scene.interfered("v5", Scene::other_deletes);
    run.assert(10, "was deleted", fact);
}

fn in_the_way() {
    let scene = Scene::new("in-the-way");
    let (theirs, _) = scene.interfered("v2", |scene| scene.other_deploys(&scene.first_revision()));
    assert_eq!(theirs.code, Some(10), "{theirs:#?}");
    scene.settled();
    let undecided = format!("{}:2", scene.name());

    // By default it is left alone.
    scene.version("v3", "");
    scene.other_deploys(&undecided);
    let rollouts = scene.rollouts();
    let run = scene.start(&["deploy"]).end();
    assert_eq!(run.code, Some(10), "{run:#?}");
    assert!(run.said(&format!("a rollout of `{undecided}` is in progress")), "{run:#?}");
    assert_eq!((scene.serves(), scene.rollouts()), ("v1".to_owned(), rollouts));

    // Or waited for.
    let mut run = scene.start(&["deploy", "--on-conflict", "wait"]);
    run.until("it waits", |event| event["message"].as_str().is_some_and(|text| text.contains("waiting for")));
    scene.other_stops();
    let run = run.end();
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(scene.serves(), "v3");

    // Or taken over.
    scene.other_deploys(&undecided);
    scene.version("v4", "");
    let run = scene.start(&["deploy", "--on-conflict", "supersede"]).end();
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(scene.serves(), "v4");
}

/// The count that somebody else asks for is what the rollout is brought to.
fn rescaled() {
    let scene = Scene::new("rescaled");
    scene.version("v2", "");
    let mut run = scene.start(&["deploy"]);
    run.until_started("rollout");
    scene.other_scales(3);
    let run = run.end();
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(run.outcome["result"]["services"][0]["running"], 3, "{run:#?}");
    assert_eq!(scene.serves(), "v2");
}
