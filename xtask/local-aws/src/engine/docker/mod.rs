//! The engine interface on a Docker Engine (or what speaks its API).
//!
//! A holder is made the optimistic way, with one request; only when the engine says that the
//! holder's image or the instance's network is missing are they made. So the usual case pays
//! for neither, and an engine that was pruned or restarted behind our back heals by itself.

mod create;
pub(crate) mod error;
mod events;
mod image;
mod logs;
mod observe;
mod remove;
mod rfc3339;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::Docker;
use bollard::models::NetworkCreateRequest;
use bollard::query_parameters::{CreateContainerOptions, RemoveContainerOptions, StopContainerOptions};
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;

use super::endpoint::{self, Endpoint};
use super::source::ImageSource;
use super::{
    ContainerId, ContainerSpec, Engine, EngineError, EngineEvent, Holder, HolderSpec, ImageFacts, LogLine,
    Observed, holder, labels,
};
use create::{Place, TaskLimits};

/// How often a missing image or network is made anew before it is somebody else's fault:
/// another instance's reset may remove the shared image again.
const PREPARATIONS: usize = 5;

/// The control plane's own registry, as the engine reaches it.
#[derive(Clone)]
pub struct RegistryAccess {
    /// `127.0.0.1:PORT`, what image references start with.
    pub host: String,
    /// For Basic authentication.
    pub username: String,
    /// For Basic authentication. Never shown.
    pub password: String,
    /// The same images on this machine's disk, for an engine that does not reach `host`: in a
    /// virtual machine, rootless or remote, its loopback is not ours.
    pub source: Option<Arc<dyn ImageSource>>,
}

/// A Docker Engine, for one instance of the control plane. Cheap to clone.
#[derive(Clone)]
pub struct DockerEngine {
    docker: Docker,
    shared: Arc<Shared>,
}

struct Shared {
    instance: String,
    registry: Option<RegistryAccess>,
    /// Docker's word: `amd64`, `arm64`.
    architecture: String,
    cpus: u32,
    /// Where published ports are bound on the engine's host.
    publish_at: &'static str,
    /// Where we reach them.
    reach_at: IpAddr,
    /// One preparation at a time: engines before 25 make two networks of one name.
    preparing: tokio::sync::Mutex<()>,
    /// Reference -> image ID, as last ensured.
    images: Mutex<HashMap<String, String>>,
}

impl DockerEngine {
    /// Connects to the engine that `docker` would use; fails with one message that says how to
    /// start one. `instance` is the control plane's name and part of every name made here.
    pub async fn connect(instance: &str, registry: Option<RegistryAccess>) -> Result<Self, EngineError> {
        Self::connect_to(&endpoint::from_process()?, instance, registry).await
    }

    /// Connects to the engine at `endpoint`.
    pub async fn connect_to(
        endpoint: &Endpoint,
        instance: &str,
        registry: Option<RegistryAccess>,
    ) -> Result<Self, EngineError> {
        let docker = endpoint.connect().await?;
        let (version, info) =
            tokio::try_join!(docker.version(), docker.info()).map_err(|e| error::general(&e))?;
        let reach_at = reachable_address(endpoint).await?;
        let shared = Shared {
            instance: instance.to_owned(),
            registry,
            architecture: version.arch.unwrap_or_default(),
            cpus: info.ncpu.and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
            publish_at: if reach_at.is_loopback() { "127.0.0.1" } else { "0.0.0.0" },
            reach_at,
            preparing: tokio::sync::Mutex::new(()),
            images: Mutex::new(HashMap::new()),
        };
        Ok(Self { docker, shared: Arc::new(shared) })
    }

    /// Docker's word for the engine's architecture: `amd64`, `arm64`.
    pub fn architecture(&self) -> &str {
        &self.shared.architecture
    }

    fn place(&self) -> Place<'_> {
        Place {
            instance: &self.shared.instance,
            cpus: self.shared.cpus,
            publish_at: self.shared.publish_at,
            architecture: &self.shared.architecture,
        }
    }

    async fn create_holder(&self, spec: &HolderSpec) -> Result<ContainerId, EngineError> {
        let name = labels::container_name(&self.shared.instance, &spec.task_id, None);
        let mut last = None;
        for _ in 0..PREPARATIONS {
            match self.create(&name, create::holder_body(&self.place(), spec)).await {
                Err(e) if error::status(&e) == Some(404) => last = Some(e),
                done => return done.map_err(|e| error::create(&e)),
            }
            self.prepare().await?;
        }
        Err(last.map_or_else(|| EngineError::Other("no attempt was made".to_owned()), |e| error::create(&e)))
    }

    async fn create(
        &self,
        name: &str,
        body: bollard::models::ContainerCreateBody,
    ) -> Result<ContainerId, bollard::errors::Error> {
        let options = CreateContainerOptions { name: Some(name.to_owned()), ..Default::default() };
        let created = self.docker.create_container(Some(options), body).await?;
        Ok(ContainerId(created.id))
    }

    /// Starts a holder; a network that is not there is made first.
    async fn run_holder(&self, id: &ContainerId) -> Result<(), EngineError> {
        let started = match self.docker.start_container(&id.0, None).await {
            Err(e) if error::text(&e).contains("network") => {
                self.prepare().await?;
                self.docker.start_container(&id.0, None).await
            }
            other => other,
        };
        started.map_err(|e| error::start(&e))
    }

    async fn prepare(&self) -> Result<(), EngineError> {
        let _one_at_a_time = self.shared.preparing.lock().await;
        self.ensure_network().await?;
        self.ensure_holder_image().await
    }

    async fn ensure_network(&self) -> Result<(), EngineError> {
        let name = labels::network_name(&self.shared.instance);
        match self.docker.inspect_network(&name, None).await {
            Err(e) if error::status(&e) == Some(404) => {}
            other => return other.map(drop).map_err(|e| error::general(&e)),
        }
        let request = NetworkCreateRequest {
            name,
            driver: Some("bridge".to_owned()),
            labels: Some([(labels::INSTANCE.to_owned(), self.shared.instance.clone())].into()),
            ..Default::default()
        };
        match self.docker.create_network(request).await {
            Err(e) if error::status(&e) != Some(409) => Err(error::general(&e)),
            _ => Ok(()),
        }
    }

    async fn ensure_holder_image(&self) -> Result<(), EngineError> {
        let name = holder::image_name(&self.shared.architecture);
        match self.docker.inspect_image(&name).await {
            Err(e) if error::status(&e) == Some(404) => {}
            other => return other.map(drop).map_err(|e| error::general(&e)),
        }
        self.load_image(holder::image_archive(&self.shared.architecture)?).await
    }

    /// Loads an image archive as `docker save` writes it.
    pub async fn load_image(&self, archive: Vec<u8>) -> Result<(), EngineError> {
        let options = bollard::query_parameters::ImportImageOptions::default();
        let answers = self.docker.import_image(options, bollard::body_full(archive.into()), None);
        answers.try_for_each(|_| async { Ok(()) }).await.map_err(|e| error::general(&e))
    }

    /// Best effort: a container that did not start is no use, and `remove_task` would find it too.
    async fn discard(&self, id: &ContainerId) {
        let options = RemoveContainerOptions { force: true, v: true, link: false };
        self.docker.remove_container(&id.0, Some(options)).await.ok();
    }

    async fn task_limits(&self, holder: &ContainerId) -> Result<TaskLimits, EngineError> {
        let found = self.docker.inspect_container(&holder.0, None).await.map_err(|e| error::general(&e))?;
        let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
        Ok(TaskLimits::from_labels(&labels))
    }

    fn image_id(&self, reference: &str) -> Option<String> {
        self.shared.images.lock().unwrap_or_else(PoisonError::into_inner).get(reference).cloned()
    }

    fn remember_image(&self, reference: &str, id: String) {
        self.shared.images.lock().unwrap_or_else(PoisonError::into_inner).insert(reference.to_owned(), id);
    }
}

async fn reachable_address(endpoint: &Endpoint) -> Result<IpAddr, EngineError> {
    let Some(host) = endpoint.remote_host() else {
        return Ok(Ipv4Addr::LOCALHOST.into());
    };
    let unknown = |why: String| EngineError::Unreachable(format!("the engine's host `{host}`: {why}"));
    let mut found = tokio::net::lookup_host((host, 0)).await.map_err(|e| unknown(e.to_string()))?;
    found.next().map(|address| address.ip()).ok_or_else(|| unknown("has no address".to_owned()))
}

impl Engine for DockerEngine {
    async fn ensure_image(&self, reference: &str) -> Result<ImageFacts, EngineError> {
        image::ensure(self, reference).await
    }

    async fn start_holder(&self, spec: &HolderSpec) -> Result<Holder, EngineError> {
        let id = self.create_holder(spec).await?;
        let started = match self.run_holder(&id).await {
            Ok(()) => self.docker.inspect_container(&id.0, None).await.map_err(|e| error::general(&e)),
            Err(e) => Err(e),
        };
        match started.and_then(|found| observe::running_holder(&found, self.shared.reach_at)) {
            Ok(published) => Ok(Holder { id, published }),
            Err(e) => {
                self.discard(&id).await;
                Err(e)
            }
        }
    }

    async fn start_container(
        &self,
        holder: &ContainerId,
        spec: &ContainerSpec,
    ) -> Result<ContainerId, EngineError> {
        let limits = self.task_limits(holder).await?;
        let image = self.image_id(&spec.image).unwrap_or_else(|| spec.image.clone());
        let body = create::container_body(&self.place(), holder, limits, &image, spec);
        let name = labels::container_name(&self.shared.instance, &spec.task_id, Some(&spec.name));
        let id = self.create(&name, body).await.map_err(|e| error::create(&e))?;
        if let Err(e) = self.docker.start_container(&id.0, None).await {
            self.discard(&id).await;
            return Err(error::start(&e));
        }
        Ok(id)
    }

    async fn stop(&self, id: &ContainerId, timeout: Duration) -> Result<(), EngineError> {
        // The engine answers when the container has ended, so it gets longer than that.
        let patient = self.docker.clone().with_timeout(timeout + Duration::from_secs(60));
        let t = i32::try_from(timeout.as_secs()).ok();
        match patient.stop_container(&id.0, Some(StopContainerOptions { signal: None, t })).await {
            Err(e) if error::status(&e) != Some(404) => Err(error::general(&e)),
            _ => Ok(()),
        }
    }

    async fn remove_task(&self, task_id: &str) -> Result<(), EngineError> {
        let labels = labels::of_task(&self.shared.instance, task_id);
        remove::containers_and_volumes(&self.docker, &labels::filter(&labels)).await
    }

    async fn list(&self) -> Result<Vec<Observed>, EngineError> {
        let filter = labels::of_instance(&self.shared.instance);
        observe::list(&self.docker, filter, self.shared.reach_at).await
    }

    async fn events(&self) -> Result<BoxStream<'static, EngineEvent>, EngineError> {
        events::subscribe(self.docker.clone(), labels::of_instance(&self.shared.instance)).await
    }

    async fn logs(
        &self,
        id: &ContainerId,
        since_ms: Option<i64>,
    ) -> Result<BoxStream<'static, LogLine>, EngineError> {
        logs::follow(&self.docker, id, since_ms).await
    }

    async fn remove_all(&self) -> Result<(), EngineError> {
        let filter = labels::of_instance(&self.shared.instance);
        remove::containers_volumes_and_networks(&self.docker, &filter).await?;
        remove::unused_image(&self.docker, &holder::image_name(&self.shared.architecture)).await
    }
}
