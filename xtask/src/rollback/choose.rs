//! Which revision to go back to. Pure.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::{DeploymentRolloutState, Service};

use crate::live::Record;
use crate::register::short;

/// What has to happen to get there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// One UpdateService; forced where the service names that revision already but its rollout failed.
    Update {
        /// Start a deployment although nothing differs.
        force: bool,
    },
    /// A rollout to it is in progress: ECS rolls back by itself, or somebody was quicker.
    Follow,
    /// It is what the service runs.
    None,
}

/// What is to be left: what the service is to run, but while ECS rolls back, what it rolls back from.
pub(super) fn leaving<'a>(current: &'a str, history: &'a [Record]) -> &'a str {
    let rolling_back =
        |record: &&Record| matches!(record.status.as_str(), "ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS");
    history
        .first()
        .filter(rolling_back)
        .and_then(|record| record.task_definition.as_deref())
        .unwrap_or(current)
}

/// Task definitions that were rolled out successfully, other than the one to be left; the last first.
/// `history` has the newest first.
pub(super) fn candidates(history: &[Record], leaving: &str) -> Vec<String> {
    let mut seen = BTreeSet::from([leaving]);
    let worked = history.iter().filter(|record| record.status == "SUCCESSFUL");
    let worked = worked.filter_map(|record| record.task_definition.as_deref());
    worked.filter(|definition| seen.insert(definition)).map(str::to_owned).collect()
}

/// What `--to` names: a number is a revision of the family that the service runs.
pub(super) fn named(to: &str, current: &str) -> Option<String> {
    let number = |text: &str| text.parse::<u32>().is_ok_and(|number| number > 0);
    if number(to) {
        let family = short(current).rsplit_once(':')?.0;
        return Some(format!("{family}:{to}"));
    }
    let revision = short(to).rsplit_once(':').filter(|(family, _)| !family.is_empty());
    revision.filter(|(_, revision)| number(revision)).map(|_| to.to_owned())
}

/// What has to happen to the service.
pub(super) fn change(service: &Service, target: &str) -> Change {
    let primary = service.deployments().iter().find(|one| one.status() == Some("PRIMARY"));
    if service.task_definition() != Some(target) {
        return Change::Update { force: false };
    }
    match primary.and_then(|primary| primary.rollout_state()) {
        Some(DeploymentRolloutState::InProgress) => Change::Follow,
        Some(DeploymentRolloutState::Failed) => Change::Update { force: true },
        _ => Change::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::types::Deployment;

    /// From words such as `3 SUCCESSFUL`, the newest first.
    fn history(words: &[&str]) -> Vec<Record> {
        let record = |words: &&str| {
            let (revision, status) = words.split_once(' ').expect("two words");
            let task_definition = (revision != "?").then(|| format!("web:{revision}"));
            Record { status: status.to_owned(), task_definition, ..Record::default() }
        };
        words.iter().map(record).collect()
    }

    fn chosen(current: u32, words: &[&str]) -> Option<String> {
        let history = history(words);
        let current = format!("web:{current}");
        candidates(&history, leaving(&current, &history)).into_iter().next()
    }

    fn some(revision: u32) -> Option<String> {
        Some(format!("web:{revision}"))
    }

    #[test]
    fn the_last_other_that_worked() {
        assert_eq!(chosen(2, &["2 SUCCESSFUL", "1 SUCCESSFUL"]), some(1));
        assert_eq!(chosen(3, &["3 SUCCESSFUL", "2 ROLLBACK_SUCCESSFUL", "1 SUCCESSFUL"]), some(1));
        assert_eq!(chosen(3, &["3 SUCCESSFUL", "2 STOPPED", "1 SUCCESSFUL"]), some(1), "superseded");
        assert_eq!(chosen(3, &["3 SUCCESSFUL", "2 ROLLBACK_FAILED", "1 SUCCESSFUL"]), some(1));
    }

    #[test]
    fn a_revision_deployed_twice_is_not_another_one() {
        assert_eq!(chosen(2, &["2 SUCCESSFUL", "2 SUCCESSFUL", "1 SUCCESSFUL"]), some(1));
        assert_eq!(chosen(2, &["2 SUCCESSFUL", "2 SUCCESSFUL"]), None);
    }

    #[test]
    fn after_a_rollback_it_leads_forward_again() {
        assert_eq!(chosen(1, &["1 SUCCESSFUL", "2 SUCCESSFUL", "1 SUCCESSFUL"]), some(2));
    }

    #[test]
    fn after_ecs_rolled_back_it_leads_to_the_one_before() {
        assert_eq!(chosen(2, &["3 ROLLBACK_SUCCESSFUL", "2 SUCCESSFUL", "1 SUCCESSFUL"]), some(1));
        assert_eq!(chosen(1, &["2 ROLLBACK_SUCCESSFUL", "1 SUCCESSFUL"]), None);
    }

    #[test]
    fn while_a_rollout_is_in_progress_it_is_what_is_left() {
        assert_eq!(chosen(3, &["3 IN_PROGRESS", "2 SUCCESSFUL", "1 SUCCESSFUL"]), some(2));
        assert_eq!(chosen(3, &["3 PENDING", "2 STOPPED", "1 SUCCESSFUL"]), some(1));
    }

    #[test]
    fn while_ecs_rolls_back_the_goal_is_not_left() {
        assert_eq!(chosen(2, &["3 ROLLBACK_IN_PROGRESS", "2 SUCCESSFUL", "1 SUCCESSFUL"]), some(2));
        assert_eq!(chosen(3, &["3 ROLLBACK_REQUESTED", "2 SUCCESSFUL", "1 SUCCESSFUL"]), some(2));
    }

    #[test]
    fn what_aws_has_forgotten_cannot_be_chosen() {
        assert_eq!(chosen(3, &["3 SUCCESSFUL", "? SUCCESSFUL", "1 SUCCESSFUL"]), some(1));
        assert_eq!(chosen(3, &["3 SUCCESSFUL", "? SUCCESSFUL"]), None);
        assert_eq!(chosen(1, &[]), None);
    }

    #[test]
    fn a_revision_is_named_in_three_ways() {
        let current = "arn:aws:ecs:eu-west-1:1:task-definition/web:9";
        let named = |to| named(to, current);
        assert_eq!(named("7").as_deref(), Some("web:7"));
        assert_eq!(named("other:7").as_deref(), Some("other:7"));
        let arn = "arn:aws:ecs:eu-west-1:1:task-definition/web:7";
        assert_eq!(named(arn).as_deref(), Some(arn));
        for wrong in ["", "web", "web:", ":7", "0", "web:x", "-1"] {
            assert_eq!(named(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_has_to_happen() {
        let service = |definition: &str, state| {
            let primary = Deployment::builder().status("PRIMARY").rollout_state(state).build();
            Service::builder().task_definition(definition).deployments(primary).build()
        };
        use DeploymentRolloutState as State;
        let update = |force| Change::Update { force };
        assert_eq!(change(&service("web:2", State::Completed), "web:1"), update(false));
        assert_eq!(change(&service("web:2", State::InProgress), "web:1"), update(false));
        assert_eq!(change(&service("web:1", State::Failed), "web:1"), update(true));
        assert_eq!(change(&service("web:1", State::InProgress), "web:1"), Change::Follow);
        assert_eq!(change(&service("web:1", State::Completed), "web:1"), Change::None);
    }
}
