//! The container engine, and the local control plane, which needs it.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use bollard::models::SystemInfo;
use local_aws::engine::endpoint::{self, Endpoint};

use super::disk;
use crate::config::image::{Image, ImageSource};
use crate::engine::{self, Engine, text};
use crate::event::Events;
use crate::finding::Finding;
use crate::local::{self, Instance, PREFERRED_PORT};

/// Engine, BuildKit, and the engine's disk.
pub(super) async fn look(images: &[Image], events: &Events) -> Vec<Finding> {
    let engine = match engine::connect(events).await {
        Ok(engine) => engine,
        Err(error) => return vec![Finding::of_error("engine", &error)],
    };
    let endpoint = endpoint::from_process().ok();
    let info = engine.docker().info().await;
    let at = endpoint.as_ref().map(|it| format!(" at `{}` ({})", it.url, it.source)).unwrap_or_default();
    let mut found = vec![Finding::ok("engine", format!("{}, API {}{at}", engine.version(), engine.api()))];
    match info {
        Ok(info) => {
            let count = images.iter().filter(|image| needs_buildkit(&image.source)).count();
            found.push(buildkit(&engine, &info, count));
            found.push(disk(endpoint.as_ref(), &info));
        }
        Err(error) => found.push(Finding::unknown("buildkit", text(&error))),
    }
    found
}

/// A Dockerfile, or a base that a binary is put on.
fn needs_buildkit(source: &ImageSource) -> bool {
    match source {
        ImageSource::Dockerfile(_) => true,
        ImageSource::Bin(bin) => bin.base.is_some(),
    }
}

/// Every engine that is new enough to be used here has BuildKit, but for those whose API never had it.
/// Source: Docker's manual, "BuildKit" (since 18.09; Linux containers only); Podman's API has no `/session`.
fn buildkit(engine: &Engine, info: &SystemInfo, needing: usize) -> Finding {
    let lacks = if engine.is_podman() {
        "Podman's API does not have it"
    } else if info.os_type.as_deref() == Some("windows") {
        "engines for Windows containers do not have it"
    } else {
        return Finding::ok("buildkit", "part of this engine");
    };
    if needing == 0 {
        return Finding::ok("buildkit", format!("{lacks}; a `bin` without a `base` does without"));
    }
    Finding::problem("buildkit", format!("{lacks}, and {needing} of deploy.toml's images need it"))
        .fix("start a Docker Engine, and name it: `export DOCKER_HOST=unix:///PATH/TO/ITS.sock`")
        .fix("or build them from a `bin` without a `base`")
}

fn disk(endpoint: Option<&Endpoint>, info: &SystemInfo) -> Finding {
    let dir = info.docker_root_dir.as_deref().unwrap_or_default();
    let desktop = info.operating_system.as_deref().is_some_and(|name| name.contains("Docker Desktop"));
    let elsewhere = desktop || endpoint.is_none_or(|it| it.remote_host().is_some());
    if elsewhere || dir.is_empty() || !Path::new(dir).exists() {
        return Finding::unknown("engine disk", "the engine's disk is not one of this machine's");
    }
    disk::of_engine(Path::new(dir))
}

/// It need not run.
pub(super) async fn control_plane(instance: &Instance) -> Finding {
    const SUBJECT: &str = "local control plane";
    let Some(status) = local::find(instance).await else {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, PREFERRED_PORT)).is_ok();
        let port = if free { "is free" } else { "is taken, so another will do" };
        return Finding::ok(
            SUBJECT,
            format!("does not run, `deploy --local` starts it; port {PREFERRED_PORT} {port}"),
        );
    };
    let said = format!("{} at {}, process {}", status.version, status.endpoint, status.pid);
    if local::is_of_this_build(instance) {
        return Finding::ok(SUBJECT, said);
    }
    Finding::ok(
        SUBJECT,
        format!("{said}; of another build: the next `deploy --local` replaces it, its tasks go on"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::State;

    #[test]
    fn the_disk_of_an_engine_elsewhere_is_unknown() {
        let here = Endpoint { url: "unix:///s".to_owned(), source: String::new(), tls: None };
        let there = Endpoint { url: "tcp://10.0.0.7:2375".to_owned(), ..here.clone() };
        let info = |system: &str| SystemInfo {
            docker_root_dir: Some(std::env::temp_dir().display().to_string()),
            operating_system: Some(system.to_owned()),
            ..SystemInfo::default()
        };
        assert_ne!(disk(Some(&here), &info("Debian")).state, State::Unknown);
        assert_eq!(disk(Some(&there), &info("Debian")).state, State::Unknown);
        assert_eq!(disk(Some(&here), &info("Docker Desktop")).state, State::Unknown);
    }

    #[tokio::test]
    async fn a_control_plane_that_does_not_run_is_no_problem() {
        let dir = tempfile::tempdir().expect("a directory");
        let finding = control_plane(&Instance::at(dir.path())).await;
        assert_eq!(finding.state, State::Ok);
        assert!(finding.message.starts_with("does not run"), "{}", finding.message);
    }
}
