//! What the engine says of containers, in the scheduler's words.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};

use bollard::Docker;
use bollard::models::{ContainerInspectResponse, ContainerState, ContainerStateStatusEnum, HealthStatusEnum};
use bollard::query_parameters::ListContainersOptions;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::error;
use crate::engine::{ContainerId, EngineError, Health, Observed, Status, labels};

/// Questions to the engine at a time.
const AT_ONCE: usize = 16;

/// IDs of the containers that the filter lets through, running or not.
pub(super) async fn ids(
    docker: &Docker,
    filters: HashMap<String, Vec<String>>,
) -> Result<Vec<ContainerId>, EngineError> {
    let options = ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
    let found = docker.list_containers(Some(options)).await.map_err(|e| error::general(&e))?;
    Ok(found.into_iter().filter_map(|summary| summary.id).map(ContainerId).collect())
}

/// Containers in full: a listing alone has neither exit codes nor the reason of a kill.
pub(super) async fn list(
    docker: &Docker,
    filters: HashMap<String, Vec<String>>,
    reach_at: IpAddr,
) -> Result<Vec<Observed>, EngineError> {
    let ids = ids(docker, filters).await?;
    stream::iter(ids)
        .map(|id| async move { inspect(docker, &id).await })
        .buffer_unordered(AT_ONCE)
        .try_filter_map(|found| async move { Ok(found.and_then(|found| observed(&found, reach_at))) })
        .try_collect()
        .await
}

/// `None` when it is gone.
pub(super) async fn inspect(
    docker: &Docker,
    id: &ContainerId,
) -> Result<Option<ContainerInspectResponse>, EngineError> {
    match docker.inspect_container(&id.0, None).await {
        Ok(found) => Ok(Some(found)),
        Err(e) if error::status(&e) == Some(404) => Ok(None),
        Err(e) => Err(error::general(&e)),
    }
}

fn observed(found: &ContainerInspectResponse, reach_at: IpAddr) -> Option<Observed> {
    let labels = found.config.as_ref()?.labels.as_ref()?;
    let container = labels.get(labels::CONTAINER).cloned();
    let published = if container.is_none() { published(found, reach_at) } else { BTreeMap::new() };
    Some(Observed {
        id: ContainerId(found.id.clone()?),
        task_id: labels.get(labels::TASK)?.clone(),
        cluster: labels.get(labels::CLUSTER).cloned().unwrap_or_default(),
        container,
        status: status(found.state.as_ref()?),
        published,
    })
}

/// The state of a container.
pub(super) fn status(state: &ContainerState) -> Status {
    use ContainerStateStatusEnum as S;
    match state.status {
        Some(S::CREATED) => Status::Created,
        Some(S::RUNNING | S::PAUSED | S::RESTARTING | S::STOPPING) => Status::Running(health(state)),
        _ => Status::Exited {
            code: state.exit_code.unwrap_or_default(),
            oom_killed: state.oom_killed.unwrap_or_default(),
        },
    }
}

fn health(state: &ContainerState) -> Option<Health> {
    match state.health.as_ref()?.status? {
        HealthStatusEnum::STARTING => Some(Health::Starting),
        HealthStatusEnum::HEALTHY => Some(Health::Healthy),
        HealthStatusEnum::UNHEALTHY => Some(Health::Unhealthy),
        HealthStatusEnum::NONE | HealthStatusEnum::EMPTY => None,
    }
}

/// The ports of a holder that runs.
pub(super) fn running_holder(
    found: &ContainerInspectResponse,
    reach_at: IpAddr,
) -> Result<BTreeMap<u16, SocketAddr>, EngineError> {
    let state = found.state.clone().unwrap_or_default();
    match status(&state) {
        Status::Running(_) => Ok(published(found, reach_at)),
        other => Err(EngineError::CannotStart(format!(
            "the task's network holder does not run ({other:?}): {}",
            state.error.unwrap_or_default()
        ))),
    }
}

fn published(found: &ContainerInspectResponse, reach_at: IpAddr) -> BTreeMap<u16, SocketAddr> {
    let ports = found.network_settings.as_ref().and_then(|settings| settings.ports.as_ref());
    let bound = ports.into_iter().flatten().filter_map(|(port, bindings)| {
        let container_port = port.strip_suffix("/tcp")?.parse().ok()?;
        let host_port = bindings.as_ref()?.iter().find_map(|b| b.host_port.as_ref()?.parse().ok())?;
        Some((container_port, SocketAddr::new(reach_at, host_port)))
    });
    bound.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> ContainerInspectResponse {
        serde_json::from_str(text).expect("is an answer of the engine")
    }

    #[test]
    fn a_killed_container_has_its_code_and_reason() {
        let found = parsed(r#"{"State":{"Status":"exited","ExitCode":137,"OOMKilled":true}}"#);
        let state = found.state.expect("is there");
        assert_eq!(status(&state), Status::Exited { code: 137, oom_killed: true });
    }

    #[test]
    fn health_is_part_of_running() {
        let found = parsed(r#"{"State":{"Status":"running","Health":{"Status":"unhealthy"}}}"#);
        assert_eq!(status(&found.state.expect("is there")), Status::Running(Some(Health::Unhealthy)));
        let found = parsed(r#"{"State":{"Status":"running"}}"#);
        assert_eq!(status(&found.state.expect("is there")), Status::Running(None));
    }

    #[test]
    fn ports_that_are_only_exposed_are_not_published() {
        let found = parsed(
            r#"{"NetworkSettings":{"Ports":{"3000/tcp":[{"HostIp":"127.0.0.1","HostPort":"32768"}],"53/udp":null,"9/tcp":null}}}"#,
        );
        let ports = published(&found, IpAddr::from([127, 0, 0, 1]));
        assert_eq!(ports, BTreeMap::from([(3000, SocketAddr::from(([127, 0, 0, 1], 32768)))]));
    }
}
