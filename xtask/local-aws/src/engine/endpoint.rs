//! Where the container engine listens, found the way the `docker` command finds it.
//!
//! `DOCKER_HOST`, then the context (`DOCKER_CONTEXT`, then `currentContext` of Docker's
//! configuration), then the sockets that engines make by default. Nothing here starts or
//! changes an engine.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use bollard::Docker;
use serde::Deserialize;

use super::EngineError;
use super::archive::sha256_hex;

/// Request timeout towards the engine. A call that may take longer says so itself.
const TIMEOUT_SECONDS: u64 = 120;

/// What to name when nothing is there.
const DEFAULT_URL: &str =
    if cfg!(windows) { "npipe:////./pipe/docker_engine" } else { "unix:///var/run/docker.sock" };

/// The oldest engine API that is understood: Docker Engine 20.10's.
const OLDEST_API: (u32, u32) = (1, 41);

/// Where an engine listens, and why we think so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `unix:///var/run/docker.sock`, `tcp://host:2376`, `npipe:////./pipe/docker_engine`.
    pub url: String,
    /// What named it, for error messages: "`DOCKER_HOST`", "the Docker context `colima`".
    pub source: String,
    /// Directory with `ca.pem`, `cert.pem`, `key.pem`, when the context has one.
    pub tls: Option<PathBuf>,
}

/// What the answer depends on; a value, so that it can be tested.
pub struct Surroundings<'a> {
    /// Environment variables.
    pub var: &'a dyn Fn(&str) -> Option<String>,
    /// The user's home directory.
    pub home: Option<PathBuf>,
}

/// The process's own surroundings.
pub fn from_process() -> Result<Endpoint, EngineError> {
    let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    resolve(&Surroundings { var: &var, home: std::env::home_dir() })
}

/// The endpoint that `docker` would use.
pub fn resolve(around: &Surroundings<'_>) -> Result<Endpoint, EngineError> {
    if let Some(url) = (around.var)("DOCKER_HOST") {
        return Ok(Endpoint { url, source: "`DOCKER_HOST`".to_owned(), tls: None });
    }
    match context_name(around) {
        Some(name) => context(around, &name),
        None => Ok(default_endpoint(around)),
    }
}

fn config_dir(around: &Surroundings<'_>) -> Option<PathBuf> {
    let configured = (around.var)("DOCKER_CONFIG").map(PathBuf::from);
    configured.or_else(|| around.home.as_ref().map(|home| home.join(".docker")))
}

fn context_name(around: &Surroundings<'_>) -> Option<String> {
    #[derive(Deserialize)]
    struct Config {
        #[serde(rename = "currentContext")]
        current_context: Option<String>,
    }
    let configured = || {
        let text = std::fs::read_to_string(config_dir(around)?.join("config.json")).ok()?;
        serde_json::from_str::<Config>(&text).ok()?.current_context
    };
    let name = (around.var)("DOCKER_CONTEXT").or_else(configured)?;
    (!name.is_empty() && name != "default").then_some(name)
}

/// Docker keeps a context under the hash of its name.
fn context(around: &Surroundings<'_>, name: &str) -> Result<Endpoint, EngineError> {
    let missing = |why: String| {
        EngineError::Unreachable(format!(
            "the Docker context `{name}` cannot be used: {why}; `docker context ls` lists the contexts"
        ))
    };
    let contexts = config_dir(around).unwrap_or_default().join("contexts");
    let id = sha256_hex(name.as_bytes());
    let meta = contexts.join("meta").join(&id).join("meta.json");
    let text = std::fs::read(&meta).map_err(|e| missing(format!("`{}`: {e}", meta.display())))?;
    let url = context_host(&text).ok_or_else(|| missing("it names no Docker endpoint".to_owned()))?;
    let tls = contexts.join("tls").join(&id).join("docker");
    Ok(Endpoint {
        url,
        source: format!("the Docker context `{name}`"),
        tls: tls.join("ca.pem").exists().then_some(tls),
    })
}

fn context_host(meta: &[u8]) -> Option<String> {
    let meta: serde_json::Value = serde_json::from_slice(meta).ok()?;
    let host = meta.pointer("/Endpoints/docker/Host")?.as_str()?;
    (!host.is_empty()).then(|| host.to_owned())
}

/// The first default socket that exists; rootless, Desktop and Podman engines have their own.
fn default_endpoint(around: &Surroundings<'_>) -> Endpoint {
    let found = default_sockets(around).into_iter().find(|path| path.exists());
    let url = match found {
        Some(path) => format!("unix://{}", path.display()),
        None => DEFAULT_URL.to_owned(),
    };
    Endpoint { url, source: "the default".to_owned(), tls: None }
}

fn default_sockets(around: &Surroundings<'_>) -> Vec<PathBuf> {
    if cfg!(windows) {
        return Vec::new();
    }
    let runtime = (around.var)("XDG_RUNTIME_DIR").map(PathBuf::from);
    let mut sockets = vec![PathBuf::from("/var/run/docker.sock")];
    sockets.extend(runtime.iter().map(|dir| dir.join("docker.sock")));
    for below_home in [".docker/run/docker.sock", ".docker/desktop/docker.sock"] {
        sockets.extend(around.home.iter().map(|home| home.join(below_home)));
    }
    sockets.extend(runtime.iter().map(|dir| dir.join("podman/podman.sock")));
    sockets.push(PathBuf::from("/run/podman/podman.sock"));
    sockets
}

impl Endpoint {
    /// The host whose published ports we can reach: `None` for an engine of this machine.
    pub fn remote_host(&self) -> Option<&str> {
        let rest =
            ["tcp://", "http://", "https://"].iter().find_map(|scheme| self.url.strip_prefix(scheme))?;
        let authority = rest.split('/').next()?;
        let host = match authority.strip_prefix('[') {
            Some(v6) => v6.split(']').next()?,
            None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
        };
        let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        (!loopback && !host.is_empty()).then_some(host)
    }

    /// A client for this endpoint, after the engine has answered.
    pub async fn connect(&self) -> Result<Docker, EngineError> {
        let docker = self.client().map_err(|e| self.silent(&e.to_string()))?;
        let version = docker.version().await.map_err(|e| self.silent(&super::docker::error::text(&e)))?;
        let api = version.api_version.unwrap_or_default();
        if parse_version(&api).is_some_and(|api| api < OLDEST_API) {
            let (major, minor) = OLDEST_API;
            return Err(EngineError::Unreachable(format!(
                "the container engine at `{}` speaks API {api}; {major}.{minor} (Docker Engine 20.10) is the oldest that works",
                self.url
            )));
        }
        Ok(docker)
    }

    fn client(&self) -> Result<Docker, bollard::errors::Error> {
        match &self.tls {
            None => Docker::connect_with_host(&self.url),
            Some(dir) => Docker::connect_with_ssl(
                &self.url,
                &dir.join("key.pem"),
                &dir.join("cert.pem"),
                &dir.join("ca.pem"),
                TIMEOUT_SECONDS,
                bollard::API_DEFAULT_VERSION,
            ),
        }
    }

    /// The one error for "no engine", whatever it was that asked.
    fn silent(&self, why: &str) -> EngineError {
        let hint = if self.url.starts_with("ssh://") {
            "an engine over ssh is not supported: forward its socket (`ssh -L /tmp/docker.sock:/var/run/docker.sock HOST`) and set DOCKER_HOST to it"
        } else if why.to_ascii_lowercase().contains("permission denied") {
            "this user may not use it: `sudo usermod -aG docker $USER`, then log in again"
        } else if Path::new("/run/systemd/system").exists() {
            "start it with `sudo systemctl start docker`, or name another with DOCKER_HOST or `docker context use`"
        } else {
            "start Docker Desktop, `colima start` or `podman machine start`, or name another with DOCKER_HOST or `docker context use`"
        };
        EngineError::Unreachable(format!(
            "no container engine answers at `{}` ({}): {why}; {hint}",
            self.url, self.source
        ))
    }
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(vars: &[(&str, &str)], home: &Path) -> Result<Endpoint, EngineError> {
        let var =
            |name: &str| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        resolve(&Surroundings { var: &var, home: Some(home.to_owned()) })
    }

    fn write(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().expect("has a parent")).expect("create");
        std::fs::write(path, text).expect("write");
    }

    fn home_with_context() -> tempfile::TempDir {
        let home = tempfile::tempdir().expect("tempdir");
        let id = sha256_hex(b"colima");
        write(&home.path().join(".docker/config.json"), r#"{"auths":{},"currentContext":"colima"}"#);
        write(
            &home.path().join(format!(".docker/contexts/meta/{id}/meta.json")),
            r#"{"Name":"colima","Endpoints":{"docker":{"Host":"unix:///tmp/colima.sock","SkipTLSVerify":false}}}"#,
        );
        home
    }

    #[test]
    fn docker_host_wins_over_the_context() {
        let home = home_with_context();
        let found = endpoint(&[("DOCKER_HOST", "tcp://10.0.0.7:2375")], home.path()).expect("resolves");
        assert_eq!(found.url, "tcp://10.0.0.7:2375");
        assert_eq!(found.remote_host(), Some("10.0.0.7"));
    }

    #[test]
    fn the_current_context_names_the_socket() {
        let home = home_with_context();
        let found = endpoint(&[], home.path()).expect("resolves");
        assert_eq!(found.url, "unix:///tmp/colima.sock");
        assert_eq!(found.source, "the Docker context `colima`");
        assert_eq!(found.remote_host(), None);
    }

    #[test]
    fn the_default_context_is_the_default_socket() {
        let home = home_with_context();
        let found = endpoint(&[("DOCKER_CONTEXT", "default")], home.path()).expect("resolves");
        assert_eq!(found.source, "the default");
    }

    #[test]
    fn a_context_that_is_gone_says_how_to_list_them() {
        let home = tempfile::tempdir().expect("tempdir");
        let error = endpoint(&[("DOCKER_CONTEXT", "gone")], home.path()).expect_err("is missing");
        assert!(error.to_string().contains("`docker context ls`"), "{error}");
    }

    #[test]
    fn hosts_of_this_machine_are_not_remote() {
        let host = |url: &str| {
            let found = Endpoint { url: url.to_owned(), source: String::new(), tls: None };
            found.remote_host().map(str::to_owned)
        };
        assert_eq!(host("tcp://localhost:2375"), None);
        assert_eq!(host("tcp://127.0.0.1:2375/"), None);
        assert_eq!(host("tcp://[::1]:2375"), None);
        assert_eq!(host("https://build.example:2376/x"), Some("build.example".to_owned()));
        assert_eq!(host("tcp://[fd00::7]:2375"), Some("fd00::7".to_owned()));
    }

    #[tokio::test]
    async fn silence_is_one_error_that_names_the_endpoint_and_the_way_out() {
        let home = tempfile::tempdir().expect("tempdir");
        let url = format!("unix://{}/none.sock", home.path().display());
        let found = Endpoint { url: url.clone(), source: "`DOCKER_HOST`".to_owned(), tls: None };
        let error = found.connect().await.expect_err("nothing listens");
        assert!(matches!(error, EngineError::Unreachable(_)));
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("no container engine answers at `{url}` (`DOCKER_HOST`)")),
            "{text}"
        );
        assert!(text.contains("DOCKER_HOST or `docker context use`"), "{text}");
    }
}
