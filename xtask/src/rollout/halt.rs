//! The user has interrupted and wants the rollout rolled back.

use super::Watch;
use super::api::{Api, Stopped};
use super::failure::serves;
use super::look::Looker;
use super::snapshot::Snapshot;
use super::verdict::{Goal, Verdict};
use crate::error::{Error, Kind, Result};
use crate::event::Events;

/// Whether the rollout is to be rolled back, and what ECS said to that.
#[derive(Debug, Default)]
pub(super) enum Halt {
    /// Nobody wants that.
    #[default]
    Unwanted,
    /// ECS was asked and has agreed.
    Asked,
    /// It cannot be; why.
    Refused(String),
}

impl Halt {
    /// Asks ECS once; waits until the service deployment is known by its ARN.
    ///
    /// # Errors
    /// The call failed, and not because ECS refused it.
    pub(super) async fn ask(&mut self, api: &impl Api, looker: &Looker, events: &Events) -> Result<()> {
        if !matches!(self, Self::Unwanted) {
            return Ok(());
        }
        *self = match (&looker.goal, looker.pinned()) {
            (Goal::InPlace { .. }, _) => Self::Refused("its tasks were not replaced".to_owned()),
            (Goal::Deployment { records: false, .. }, None) => {
                Self::Refused("its service deployment cannot be read".to_owned())
            }
            (_, None) => return Ok(()),
            (_, Some(arn)) => {
                match api.stop(arn).await? {
                    Stopped::Yes => {
                        events.note("interrupted: the rollout is stopped and rolled back; Ctrl-C again leaves it to ECS");
                        Self::Asked
                    }
                    Stopped::Denied(reason) | Stopped::Refused(reason) => Self::Refused(reason),
                }
            }
        };
        Ok(())
    }

    /// Whether somebody wants it.
    pub(super) fn wanted(&self) -> bool {
        !matches!(self, Self::Unwanted)
    }

    /// With a rollout that goes on although it is to be rolled back, there is nothing to wait for.
    pub(super) fn ends(&self, verdict: &Verdict) -> bool {
        matches!((self, verdict), (Self::Refused(_), Verdict::Continue))
    }

    /// How an interrupted run ends: never well, whatever became of the rollout.
    pub(super) fn outcome(
        &self,
        watch: &Watch<'_>,
        verdict: &Verdict,
        goal: &Goal,
        snapshot: &Snapshot,
    ) -> Error {
        let (definition, service) = (watch.registered.short(), watch.service);
        let error = |text: String| Error::new(Kind::Interrupted, text);
        match (verdict, self) {
            (Verdict::RolledBack(_) | Verdict::Vanished, _) => {
                error(format!("interrupted: `{definition}` was rolled back on service `{service}`"))
                    .hint(serves(goal, snapshot))
            }
            (Verdict::Succeeded, _) => {
                error(format!("interrupted, but `{definition}` was up on service `{service}` already"))
                    .hint(format!("to go back: `cargo xtask rollback {service}`"))
            }
            (_, Self::Refused(reason)) => error(format!(
                "interrupted, but `{definition}` cannot be rolled back on service `{service}`: {reason}"
            ))
            .hint("its rollout goes on without this command: run again to follow it"),
            (Verdict::Failed(reason) | Verdict::Stalled(reason), _) => error(format!(
                "interrupted: `{definition}` was stopped on service `{service}` and cannot be rolled back: {reason}"
            ))
            .hint("ECS starts no more of its tasks: deploy a revision that works"),
            _ => error(format!("interrupted: `{definition}` on service `{service}` is not rolled back yet"))
                .hint(format!("ECS goes on with it: `cargo xtask status {service}` shows it")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::Registered;
    use crate::rollout::Start;

    fn outcome(halt: &Halt, verdict: &Verdict) -> String {
        let registered = Registered { arn: "arn:aws:ecs:r:1:task-definition/web:2".to_owned() };
        let error = halt.outcome(
            &Watch::new("c", "web", &registered, Start::InPlace { desired: 1 }),
            verdict,
            &Goal::InPlace { task_definition: String::new(), desired: 1 },
            &Snapshot::default(),
        );
        assert_eq!(error.kind, Kind::Interrupted);
        format!("{}\n{}", error.message, error.hints.join("\n"))
    }

    #[test]
    fn an_interrupted_run_says_what_became_of_the_rollout() {
        let refused = Halt::Refused("There is no service revision to roll back to.".to_owned());
        insta::assert_snapshot!(outcome(&Halt::Asked, &Verdict::RolledBack(String::new())), @r"
        interrupted: `web:2` was rolled back on service `web`
        the old revision serves
        ");
        insta::assert_snapshot!(outcome(&Halt::Asked, &Verdict::Succeeded), @r"
        interrupted, but `web:2` was up on service `web` already
        to go back: `cargo xtask rollback web`
        ");
        insta::assert_snapshot!(outcome(&refused, &Verdict::Continue), @r"
        interrupted, but `web:2` cannot be rolled back on service `web`: There is no service revision to roll back to.
        its rollout goes on without this command: run again to follow it
        ");
        let nowhere = Verdict::Failed("No rollback candidate was found to run the rollback.".to_owned());
        insta::assert_snapshot!(outcome(&Halt::Asked, &nowhere), @r"
        interrupted: `web:2` was stopped on service `web` and cannot be rolled back: No rollback candidate was found to run the rollback.
        ECS starts no more of its tasks: deploy a revision that works
        ");
        insta::assert_snapshot!(outcome(&Halt::Asked, &Verdict::Continue), @r"
        interrupted: `web:2` on service `web` is not rolled back yet
        ECS goes on with it: `cargo xtask status web` shows it
        ");
    }

    #[test]
    fn only_a_refusal_ends_a_rollout_that_goes_on() {
        let refused = Halt::Refused(String::new());
        assert!(refused.ends(&Verdict::Continue) && !refused.ends(&Verdict::Succeeded));
        assert!(!Halt::Asked.ends(&Verdict::Continue) && !Halt::Unwanted.ends(&Verdict::Continue));
    }
}
