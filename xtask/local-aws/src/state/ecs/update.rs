//! `UpdateService`, `DeleteService`, `StopServiceDeployment`.

use serde_json::{Map, Value};

use super::create::{IN_PLACE, REVISION, desired_count, invalid, pick, validate_configuration};
use super::deployment::{Revision, Status};
use super::service::{Lifecycle, Service};
use super::{Ecs, balance, breaker, network, reference, supported};
use crate::error::ApiError;

impl Ecs {
    /// Updates a service: in place, or by a new deployment if a member of its revision changed or one
    /// was asked for (documented: `UpdateService`). Omitted members keep their values.
    pub fn update_service(
        &mut self,
        input: &Map<String, Value>,
        now: f64,
    ) -> Result<(String, String), ApiError> {
        let text = |m: &str| input.get(m).and_then(Value::as_str);
        let cluster = self.cluster_name(text("cluster"))?;
        let name = reference::name(text("service").unwrap_or_default()).to_owned();
        let mut service = self.service_mut(&cluster, &name)?.clone();
        if !service.is_active() {
            return Err(ApiError::new("ServiceNotActiveException", "Service was not ACTIVE."));
        }
        supported::members(input)?;
        let current = service.current_revision().cloned().ok_or_else(|| ApiError::server("no revision"))?;
        let revision = self.next_revision(&cluster, &current, input, now)?;
        balance::check_grace(input, &revision.config)?;
        supported::placement(&revision.config, input)?;
        update_settings(&mut service, input)?;
        if let Some(desired) = desired_count(input)? {
            service.steady &= service.desired == desired;
            service.desired = desired;
        }
        let changed = revision.definition != current.definition
            || without_strategy(&revision.config) != without_strategy(&current.config);
        if !changed {
            service
                .revisions
                .iter_mut()
                .filter(|r| r.id == current.id)
                .for_each(|r| r.config = revision.config.clone());
        }
        if changed || input.get("forceNewDeployment") == Some(&Value::Bool(true)) {
            service.deploy(&mut self.ids, &self.rules, revision, now);
        }
        *self.service_mut(&cluster, &name)? = service;
        self.touch();
        Ok((cluster, name))
    }

    fn next_revision(
        &mut self,
        cluster: &str,
        current: &Revision,
        input: &Map<String, Value>,
        now: f64,
    ) -> Result<Revision, ApiError> {
        let definition = match input.get("taskDefinition").and_then(Value::as_str) {
            Some(definition) => self.runnable_definition(definition)?.clone(),
            // The one in use goes on, even if it was deregistered since (documented: `DeregisterTaskDefinition`).
            None => self
                .definition(&current.definition)
                .cloned()
                .ok_or_else(|| ApiError::new("ClientException", "TaskDefinition not found."))?,
        };
        let mut config = current.config.clone();
        // The launch type is not a parameter of UpdateService: what can't be changed isn't accepted.
        let changeable: Vec<&str> = REVISION.into_iter().filter(|m| *m != "launchType").collect();
        config.extend(pick(input, &changeable));
        match config.get("capacityProviderStrategy").and_then(Value::as_array) {
            // Back to the launch type (documented: `UpdateService.capacityProviderStrategy`); here that is Fargate.
            Some(none) if none.is_empty() => {
                config.remove("capacityProviderStrategy");
                config.entry("launchType").or_insert_with(|| "FARGATE".into());
            }
            Some(_) => {
                config.remove("launchType");
            }
            None => {}
        }
        self.place_on_fargate(cluster, &definition, &mut config)?;
        network::validate(&definition, &mut config)?;
        self.check_balancers(&definition, &mut config)?;
        Ok(Revision { id: self.ids.digits(19), definition: definition.name(), config, created_at: now })
    }

    /// Deletes a service: `DRAINING` until its tasks are being stopped.
    pub fn delete_service(&mut self, cluster: &str, name: &str, force: bool) -> Result<(), ApiError> {
        let service = self.service_mut(cluster, name)?;
        match service.lifecycle {
            Lifecycle::Inactive => {
                return Err(ApiError::new("ServiceNotFoundException", "Service not found."));
            }
            Lifecycle::Active if !force && service.desired > 0 => {
                // observed: getmoto/moto's `ecs/models.py`, and public logs
                return Err(invalid("The service cannot be stopped while it is scaled above 0."));
            }
            _ => {}
        }
        service.lifecycle = Lifecycle::Draining;
        service.desired = 0;
        self.touch();
        Ok(())
    }

    /// Asks a service deployment to go back, whatever its configuration says of rollbacks (documented: "Stopping
    /// Amazon ECS service deployments", where the states are too; the messages are assumed).
    pub fn stop_service_deployment(
        &mut self,
        arn: &str,
        kind: Option<&str>,
        now: f64,
    ) -> Result<(), ApiError> {
        let not_found = || {
            ApiError::new(
                "ServiceDeploymentNotFoundException",
                "The service deployment ARN that you specified doesn't exist.",
            )
        };
        let conflict = |why: &str| Err(ApiError::new("ConflictException", why));
        // The enum has ABORT too, but "the valid values are ROLLBACK" (documented: `StopServiceDeployment.stopType`).
        if kind.is_some_and(|k| k != "ROLLBACK") {
            return Err(invalid("The only supported stop type is ROLLBACK."));
        }
        let parts = reference::parts(arn);
        let &[cluster, name, id] = parts.as_slice() else {
            return Err(not_found());
        };
        let refuses = self.rules.refuses_stop;
        let service = self.service_mut(cluster, name).map_err(|_| not_found())?;
        let stuck = refuses && service.last_completed.is_none();
        let found = service.history.iter_mut().find(|d| d.id == id).ok_or_else(not_found)?;
        match found.status {
            Status::Pending | Status::InProgress if stuck => {
                return conflict("There is no service revision to roll back to.");
            }
            Status::Pending | Status::InProgress => {
                found.set(Status::RollbackRequested, now);
                found.stopped_at = Some(now);
            }
            // It goes on with what it does.
            status if status.is_open() => {}
            _ => return conflict("The service deployment is not in a state that can be stopped."),
        }
        self.touch();
        Ok(())
    }
}

fn update_settings(service: &mut Service, input: &Map<String, Value>) -> Result<(), ApiError> {
    let mut settings = service.settings.clone();
    let mut configuration = settings.get("deploymentConfiguration").cloned().unwrap_or_default();
    breaker::merge(&mut configuration, input.get("deploymentConfiguration"));
    settings.extend(pick(input, &IN_PLACE));
    settings.insert("deploymentConfiguration".into(), configuration.clone());
    validate_configuration(&settings)?;
    service.settings = settings;
    // What is under way goes on by the new one (assumed).
    if let Some(open) = service.history.last_mut().filter(|d| d.status.is_open()) {
        open.configuration = configuration.into();
    }
    Ok(())
}

/// The one member of a revision that changes in place (documented: "This parameter doesn't trigger a
/// new service deployment").
fn without_strategy(config: &Map<String, Value>) -> Map<String, Value> {
    let members = ["capacityProviderStrategy", "launchType"];
    config
        .iter()
        .filter(|(m, _)| !members.contains(&m.as_str()))
        .map(|(m, v)| (m.clone(), v.clone()))
        .collect()
}
