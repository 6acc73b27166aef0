//! `cargo xtask doctor`: whether this machine can build and deploy, each problem with its fix. Everything is only
//! looked at; the looks do not depend on each other and run at once.

mod aws;
mod disk;
mod engine;
mod repository;
mod rust;
mod words;

use crate::config::Config;
use crate::config::image::{Image, ImageSource, Platform};
use crate::error::Result;
use crate::event::Events;
use crate::finding::Finding;
use crate::local::Instance;
use crate::target::Target;
use crate::workspace::Workspace;

/// Where to look.
#[derive(Debug)]
pub struct Patient<'a> {
    /// The workspace.
    pub workspace: &'a Workspace,
    /// Its deploy.toml, or what is wrong with it.
    pub config: &'a Result<Config>,
    /// Its local control plane.
    pub instance: &'a Instance,
    /// Where to deploy to, but for the local control plane.
    pub target: Target,
    /// Whether it is deployed to the local control plane alone: AWS is not asked then.
    pub local: bool,
}

/// Looks at everything.
pub async fn examine(patient: &Patient<'_>, events: &Events) -> Vec<Finding> {
    let images = patient.config.as_ref().map_or(&[][..], |config| config.images.as_slice());
    let root = patient.workspace.root.as_path();
    let platforms = platforms(images);
    let (engine, rust, repository, plane, aws) = tokio::join!(
        engine::look(images, events),
        rust::look(root, &platforms),
        repository::look(root),
        engine::control_plane(patient.instance),
        async {
            if patient.local {
                Vec::new()
            } else {
                aws::look(&patient.target, patient.config.as_ref().ok()).await
            }
        },
    );
    let mut all = vec![file(patient)];
    all.extend(engine);
    all.extend(rust);
    all.push(disk::of_target(root));
    all.push(repository);
    all.push(plane);
    all.extend(aws);
    all
}

/// What binaries are linked for; where nothing says it, what an image is built for by default.
fn platforms(images: &[Image]) -> Vec<Platform> {
    let bins = images.iter().filter(|image| matches!(image.source, ImageSource::Bin(_)));
    let mut platforms: Vec<Platform> = bins.map(|image| image.platform).collect();
    platforms.sort();
    platforms.dedup();
    if images.is_empty() { vec![Platform::default()] } else { platforms }
}

fn file(patient: &Patient<'_>) -> Finding {
    match patient.config {
        Ok(config) => {
            let images = words::counted(config.images.len(), "image");
            let services = words::counted(config.services.len(), "service");
            Finding::ok("deploy.toml", format!("{images}, {services}"))
        }
        Err(error) => Finding::of_error("deploy.toml", error),
    }
}
