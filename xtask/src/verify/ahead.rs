//! What `deploy` verifies before its first side effect, at the same time as the build.
//!
//! A service that runs as the file says proves by its tasks that its roles, secrets, subnets and security groups are
//! there and fit, so an unchanged deploy asks nothing here, and neither does one of a new image alone. What is looked at is what is new
//! to it: of a service that is not there yet, whose last rollout did not succeed, or that refers to something else now.

use aws_sdk_ecs::types::{AssignPublicIp, DeploymentRolloutState};

use super::identity;
use super::references::References;
use super::{Subject, network, roles, secrets, subjects, targets, within};
use crate::aws::Aws;
use crate::config::Config;
use crate::config::service::{GroupRef, Service};
use crate::error::{Error, Kind, Result};
use crate::event::{Done, Events, Phase};
use crate::finding::{self, Finding, Look, State};
use crate::world::{CurrentService, Network, World};

/// Verifies what no running task proves. What is unknown is told only to those who want to know everything.
///
/// # Errors
/// Something is refuted: [`Kind::Preflight`], with all of it.
pub async fn ahead(aws: &Aws, config: &Config, world: &World, events: &Events) -> Result<()> {
    let services: Vec<&Service> = config.services.iter().collect();
    let mut due = subjects(aws, config, &world.account, &services);
    due.retain(|subject| !proven(subject, world));
    if due.is_empty() {
        return Ok(());
    }
    let step = events.start(Phase::Read, "what is referred to");
    let of_account = async {
        let needs_identity = due.iter().any(|subject| has_roles(&subject.refers));
        if !needs_identity {
            return Vec::new();
        }
        let identity = identity::read(aws).await;
        roles::check(aws, &identity, &due).await
    };
    let placed = network::known(&world.networks);
    let (roles, secrets, network, targets) = tokio::join!(
        of_account,
        secrets::check(aws, &world.account, &due),
        within("network", network::check(aws, &due, &placed)),
        targets::check(aws, &due, &placed),
    );
    let found: Vec<Finding> = [roles, secrets, network, targets].into_iter().flatten().collect();
    if let Some(error) = refused(&found) {
        return Err(error);
    }
    let unknown: Vec<&Finding> = found.iter().filter(|finding| finding.state == State::Unknown).collect();
    for Finding { subject, message, .. } in &unknown {
        events
            .start(Phase::Read, subject.as_str())
            .finish(Done::Unchanged, format!("is not known: {message}"));
    }
    let verified = found.len() - unknown.len();
    step.finish(Done::Unchanged, format!("{verified} verified, {} unknown", unknown.len()));
    Ok(())
}

const fn has_roles(refers: &References) -> bool {
    refers.execution_role.is_some() || refers.task_role.is_some()
}

fn refused(found: &[Finding]) -> Option<Error> {
    let count = found.iter().filter(|finding| finding.state.is_bad()).count();
    let message = match count {
        0 => return None,
        1 => "something that deploy.toml refers to is not as it has to be, nothing was changed".to_owned(),
        _ => format!(
            "{count} things that deploy.toml refers to are not as they have to be, nothing was changed"
        ),
    };
    let look = Look { columns: None, color: false, all: false };
    Some(
        Error::new(Kind::Preflight, message)
            .detail(finding::render(found, look))
            .hint("`cargo xtask verify` shows everything that is looked at"),
    )
}

/// Whether tasks that run refer to the same.
fn proven(subject: &Subject<'_>, world: &World) -> bool {
    let name = &subject.service.name;
    let (Some(current), Some(network)) = (world.services.get(name), world.networks.get(name)) else {
        return false;
    };
    let Some(definition) = &current.task_definition else { return false };
    let registry = world.registry.endpoint.rsplit('/').next().unwrap_or_default();
    runs(current)
        && covers(&References::of(definition), &subject.refers, registry)
        && placed(current, subject.service, network, world)
}

/// Whether the last rollout succeeded and tasks run.
fn runs(current: &CurrentService) -> bool {
    let primary =
        current.service.deployments().iter().find(|deployment| deployment.status() == Some("PRIMARY"));
    current.service.running_count() > 0
        && primary.is_some_and(|it| it.rollout_state() == Some(&DeploymentRolloutState::Completed))
}

/// Whether what runs refers to all that is wanted. The account's registry may have another name than ECR's.
fn covers(running: &References, wanted: &References, registry: &str) -> bool {
    running.execution_role == wanted.execution_role
        && running.task_role == wanted.task_role
        && wanted.secrets.is_subset(&running.secrets)
        && wanted.log_groups.is_subset(&running.log_groups)
        && wanted.other_registries().is_subset(&running.other_registries())
        && (!wanted.pulls_from_ecr()
            || running.pulls_from_ecr()
            || running.other_registries().contains(registry))
}

/// Whether the tasks are where the file wants them.
fn placed(current: &CurrentService, service: &Service, network: &Network, world: &World) -> bool {
    let Some(now) = current.service.network_configuration().and_then(|it| it.awsvpc_configuration()) else {
        return false;
    };
    let all = |wanted: &[String], there: &[String]| wanted.iter().all(|id| there.contains(id));
    let subnets: Vec<String> = network.subnets.iter().map(|subnet| subnet.id.clone()).collect();
    let public = now.assign_public_ip() == Some(&AssignPublicIp::Enabled);
    all(&subnets, now.subnets())
        && all(&network.groups, now.security_groups())
        && service.assign_public_ip.is_none_or(|wanted| wanted == public)
        && attached(current, service, world)
}

/// Whether the service is in all the target groups that are wanted.
fn attached(current: &CurrentService, service: &Service, world: &World) -> bool {
    service.target_groups.iter().flatten().all(|target| {
        let arn = match &target.group {
            GroupRef::Arn(arn) => Some(arn),
            GroupRef::Name(name) => world.target_groups.get(name),
        };
        arn.is_some_and(|arn| {
            current.service.load_balancers().iter().any(|lb| lb.target_group_arn() == Some(arn))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn references(role: &str, secret: &str, image: &str) -> References {
        References::of(&json!({
            "executionRoleArn": role,
            "containerDefinitions": [{ "image": image, "secrets": [{ "name": "K", "valueFrom": secret }] }],
        }))
    }

    #[test]
    fn a_new_image_alone_is_proven_and_a_new_reference_is_not() {
        let ecr = "1.dkr.ecr.r.amazonaws.com/a@sha256:1";
        let running = references("role", "/k", ecr);
        let covers = |wanted: &References| covers(&running, wanted, "127.0.0.1:4510");
        assert!(covers(&references("role", "/k", &ecr.replace("256:1", "256:2"))));
        assert!(!covers(&references("other", "/k", ecr)));
        assert!(!covers(&references("role", "/other", ecr)));
        assert!(!covers(&references("role", "/k", "ghcr.io/a/b:1")));
        let local = references("role", "/k", "127.0.0.1:4510/a@sha256:1");
        assert!(super::covers(&local, &running, "127.0.0.1:4510"));
        assert!(
            !super::covers(&local, &running, "127.0.0.1:9"),
            "another registry proves nothing of this one"
        );
    }

    #[test]
    fn all_that_is_refuted_ends_the_run_at_once() {
        let found = [
            Finding::refuted("role a", "is not there").fix("make it"),
            Finding::unknown("b", "c"),
            Finding::refuted("secret d", "e"),
        ];
        let error = refused(&found).expect("two are refuted");
        assert_eq!(error.kind, Kind::Preflight);
        let detail = error.detail.unwrap_or_default();
        assert!(
            detail.contains("role a") && detail.contains("make it") && detail.contains("secret d"),
            "{detail}"
        );
        assert!(refused(&found[1..2]).is_none());
    }
}
