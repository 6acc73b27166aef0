//! What a call started, read from its answer. Pure.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::{Deployment, DeploymentRolloutState, Service};

/// What is to be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// A deployment.
    Deployment {
        /// `ecs-svc/…`
        id: String,
        /// Milliseconds since 1970, by AWS's clock.
        created_ms: i64,
        /// ARN of its service deployment, if the answer told it.
        record: Option<String>,
        /// ARNs of what the service ran before: what a rollback goes back to.
        previous: BTreeSet<String>,
    },
    /// Nothing but a change of counts.
    InPlace {
        /// Tasks there are to be.
        desired: i32,
    },
}

/// Reads the answer of CreateService or UpdateService, or of DescribeServices if no call was made.
/// `before` is the service as it was before the call. A deployment of `definition` that is in
/// progress is watched even if the call did not start it: it is part of what was asked for.
#[must_use]
pub fn start(answer: &Service, before: Option<&Service>, definition: &str) -> Start {
    let in_place = Start::InPlace { desired: answer.desired_count() };
    let Some(primary) = primary(answer) else { return in_place };
    let fresh = before.and_then(self::primary).and_then(Deployment::id) != primary.id();
    let in_progress = primary.rollout_state() == Some(&DeploymentRolloutState::InProgress);
    if primary.task_definition() != Some(definition) || !(fresh || in_progress) {
        return in_place;
    }
    let known = before.and_then(Service::current_service_deployment);
    let record = answer.current_service_deployment().filter(|arn| !fresh || known != Some(arn));
    Start::Deployment {
        id: primary.id().unwrap_or_default().to_owned(),
        created_ms: primary.created_at().and_then(|at| at.to_millis().ok()).unwrap_or_default(),
        record: record.map(str::to_owned),
        previous: before
            .into_iter()
            .flat_map(Service::deployments)
            .filter_map(other_definition(primary.id()))
            .collect(),
    }
}

/// What a deployment runs, unless it is the one of this ID.
fn other_definition(id: Option<&str>) -> impl Fn(&Deployment) -> Option<String> {
    move |deployment| deployment.task_definition().filter(|_| deployment.id() != id).map(str::to_owned)
}

/// The deployment that the service is to run now.
#[must_use]
pub fn primary(service: &Service) -> Option<&Deployment> {
    service.deployments().iter().find(|deployment| deployment.status() == Some("PRIMARY"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(id: &str, state: DeploymentRolloutState, record: &str) -> Service {
        let primary =
            Deployment::builder().id(id).status("PRIMARY").task_definition("td:2").rollout_state(state);
        let service = Service::builder().desired_count(4).deployments(primary.build());
        service.current_service_deployment(record).build()
    }

    fn deployment(id: &str, record: Option<&str>, previous: &[&str]) -> Start {
        let previous = previous.iter().map(|&arn| arn.to_owned()).collect();
        Start::Deployment { id: id.to_owned(), created_ms: 0, record: record.map(str::to_owned), previous }
    }

    use DeploymentRolloutState::{Completed, InProgress};

    #[test]
    fn a_new_primary_is_what_the_call_started() {
        let before = service("1", Completed, "a");
        assert_eq!(
            start(&service("2", InProgress, "b"), Some(&before), "td:2"),
            deployment("2", Some("b"), &["td:2"])
        );
        assert_eq!(start(&service("2", InProgress, "b"), None, "td:2"), deployment("2", Some("b"), &[]));
    }

    #[test]
    fn a_record_that_was_there_before_is_not_ours() {
        let before = service("1", Completed, "a");
        assert_eq!(
            start(&service("2", InProgress, "a"), Some(&before), "td:2"),
            deployment("2", None, &["td:2"])
        );
    }

    #[test]
    fn a_primary_that_stays_is_a_change_in_place_or_one_to_follow() {
        let before = service("1", Completed, "a");
        assert_eq!(start(&before, Some(&before), "td:2"), Start::InPlace { desired: 4 });
        let running = service("1", InProgress, "a");
        assert_eq!(start(&running, Some(&running), "td:2"), deployment("1", Some("a"), &[]));
    }

    #[test]
    fn a_deployment_of_another_definition_is_not_ours() {
        let other = service("9", InProgress, "z");
        assert_eq!(start(&other, None, "td:7"), Start::InPlace { desired: 4 });
    }
}
