//! Removing what was made, and nothing else. Every function succeeds when there is nothing
//! (left) to remove.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::{
    ListNetworksOptions, ListVolumesOptions, RemoveContainerOptions, RemoveImageOptions, RemoveVolumeOptions,
    WaitContainerOptions,
};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{error, observe};
use crate::engine::{ContainerId, EngineError};

/// Removals at a time.
const AT_ONCE: usize = 8;
/// How long an engine takes at most to finish what it was making, and between two looks.
const ENDPOINTS: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(100);

type Filter = HashMap<String, Vec<String>>;

pub(super) async fn containers_and_volumes(docker: &Docker, filter: &Filter) -> Result<(), EngineError> {
    let ids = observe::ids(docker, filter.clone()).await?;
    stream::iter(ids.into_iter().map(Ok))
        .try_for_each_concurrent(AT_ONCE, |id| async move { container(docker, &id).await })
        .await?;
    volumes(docker, filter.clone()).await
}

/// A network that still has an endpoint is that of a container that the engine was making when the others
/// were listed: it is listed now.
pub(super) async fn containers_volumes_and_networks(
    docker: &Docker,
    filter: &Filter,
) -> Result<(), EngineError> {
    let end = tokio::time::Instant::now() + ENDPOINTS;
    loop {
        containers_and_volumes(docker, filter).await?;
        match networks(docker, filter.clone()).await {
            Err(in_use)
                if in_use.to_string().contains("active endpoints") && tokio::time::Instant::now() < end =>
            {
                tokio::time::sleep(AGAIN).await;
            }
            other => return other,
        }
    }
}

async fn container(docker: &Docker, id: &ContainerId) -> Result<(), EngineError> {
    let options = RemoveContainerOptions { force: true, v: true, link: false };
    match docker.remove_container(&id.0, Some(options)).await {
        // Somebody else is removing it: gone is when they are done.
        Err(e) if error::status(&e) == Some(409) => removed(docker, id).await,
        other => missing_is_fine(other),
    }
}

async fn removed(docker: &Docker, id: &ContainerId) -> Result<(), EngineError> {
    let options = WaitContainerOptions { condition: "removed".to_owned() };
    let mut waiting = docker.wait_container(&id.0, Some(options)).boxed();
    match waiting.next().await {
        None | Some(Ok(_) | Err(Error::DockerContainerWaitError { .. })) => Ok(()),
        Some(Err(e)) => missing_is_fine(Err(e)),
    }
}

async fn volumes(docker: &Docker, filter: Filter) -> Result<(), EngineError> {
    let options = ListVolumesOptions { filters: Some(filter) };
    let found = docker.list_volumes(Some(options)).await.map_err(|e| error::general(&e))?;
    for volume in found.volumes.unwrap_or_default() {
        let gone = docker.remove_volume(&volume.name, None::<RemoveVolumeOptions>).await;
        missing_is_fine(gone)?;
    }
    Ok(())
}

async fn networks(docker: &Docker, filter: Filter) -> Result<(), EngineError> {
    let options = ListNetworksOptions { filters: Some(filter) };
    let found = docker.list_networks(Some(options)).await.map_err(|e| error::general(&e))?;
    for id in found.into_iter().filter_map(|network| network.id) {
        missing_is_fine(docker.remove_network(&id).await)?;
    }
    Ok(())
}

/// Leaves an image that a container uses, which the engine refuses to remove unless forced.
pub(super) async fn unused_image(docker: &Docker, name: &str) -> Result<(), EngineError> {
    match docker.remove_image(name, None::<RemoveImageOptions>, None).await {
        Err(e) if error::status(&e) == Some(409) => Ok(()),
        other => missing_is_fine(other.map(drop)),
    }
}

fn missing_is_fine(result: Result<(), Error>) -> Result<(), EngineError> {
    match result {
        Err(e) if error::status(&e) != Some(404) => Err(error::general(&e)),
        _ => Ok(()),
    }
}
