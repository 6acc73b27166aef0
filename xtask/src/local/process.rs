//! The control plane's process.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;

use super::client::{self, Status};
use super::{Instance, images};
use crate::engine::Engine;
use crate::error::{Error, Kind, Result, bug};

/// The port it takes if it is free, the first time; later the one it had. Image references
/// in task definitions hold it.
pub(crate) const PREFERRED_PORT: u16 = 4510;

/// How a control plane came to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    /// It ran already.
    Running(Status),
    /// It was started.
    Now(Status),
    /// Another build of this program ran; it was replaced, its tasks go on.
    Replaced(Status),
}

impl Started {
    /// The control plane, however it came to be there.
    #[must_use]
    pub const fn status(&self) -> &Status {
        match self {
            Self::Running(status) | Self::Now(status) | Self::Replaced(status) => status,
        }
    }
}

/// What is written beside the state, to find the process again.
#[derive(Debug, Deserialize, Serialize)]
struct Card {
    endpoint: String,
    pid: u32,
    /// Which build of this program it is.
    build: String,
}

/// Options of the process itself.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Its state directory.
    pub dir: PathBuf,
    /// The region it plays.
    pub region: String,
}

/// The running control plane of an instance, if there is one.
pub async fn find(instance: &Instance) -> Option<Status> {
    let card = read_card(instance)?;
    client::status(&card.endpoint).await.filter(|status| status.instance == instance.id)
}

/// Whether the control plane that was started last is of this build: one of another is replaced by the next `start`.
#[must_use]
pub fn is_of_this_build(instance: &Instance) -> bool {
    read_card(instance).is_some_and(|card| card.build == build())
}

/// Finds the control plane or starts it; one of another build is replaced.
///
/// # Errors
/// It does not start: [`Kind::Preflight`], with the end of its log.
pub async fn start(instance: &Instance, region: &str) -> Result<Started> {
    std::fs::create_dir_all(&instance.dir).map_err(|error| unwritable(instance, error))?;
    // Two deploys at once must not start two.
    let _lock = tokio::task::spawn_blocking({
        let path = instance.dir.join("start.lock");
        move || -> std::io::Result<File> {
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            file.lock()?;
            Ok(file)
        }
    })
    .await
    .map_err(bug)?
    .map_err(|error| unwritable(instance, error))?;
    let current = is_of_this_build(instance);
    match find(instance).await {
        Some(status) if current => Ok(Started::Running(status)),
        Some(_) => {
            stop(instance).await?;
            spawn(instance, region).await.map(Started::Replaced)
        }
        None => spawn(instance, region).await.map(Started::Now),
    }
}

/// Stops the control plane and waits until it is gone; its tasks go on. `false` if none ran.
///
/// # Errors
/// It does not stop.
pub async fn stop(instance: &Instance) -> Result<bool> {
    let Some(status) = find(instance).await else {
        return Ok(false);
    };
    let answered = client::stop(&status.endpoint).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while client::status(&status.endpoint).await.is_some() {
        if Instant::now() > deadline {
            let said = if answered.is_some() {
                "was asked to stop and still answers"
            } else {
                "does not take the request"
            };
            let message = format!("the local control plane (process {}) {said}", status.pid);
            return Err(Error::new(Kind::Unexpected, message).hint(format!("`kill {}`", status.pid)));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(true)
}

/// Stops the control plane and removes everything that it made: containers, networks, volumes,
/// state, and the names of images in its registry.
///
/// # Errors
/// Something cannot be removed.
pub async fn reset(instance: &Instance, engine: &Engine) -> Result<()> {
    stop(instance).await?;
    let registry = read_card(instance).map(|card| card.endpoint.replace("http://", ""));
    let options = local_aws::cloud::Options {
        state_dir: instance.dir.clone(),
        region: String::new(),
        instance: instance.id.clone(),
    };
    local_aws::server::reset(&options).await.map_err(|error| {
        Error::new(Kind::Unexpected, "not everything of the local control plane could be removed")
            .caused_by(error)
    })?;
    if let Some(host) = registry {
        images::forget(engine.docker(), &host).await;
    }
    Ok(())
}

async fn spawn(instance: &Instance, region: &str) -> Result<Status> {
    let log = instance.dir.join("control-plane.log");
    let log_file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log)
        .map_err(|error| unwritable(instance, error))?;
    let program = std::env::current_exe().map_err(bug)?;
    let mut child = Command::new(program)
        .args(["local", "serve", "--region", region, "--state-dir"])
        .arg(&instance.dir)
        // It outlives the terminal's Ctrl-C, and the directory it was started from.
        .process_group(0)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log_file)
        .spawn()
        .map_err(|error| {
            Error::new(Kind::Unexpected, "the local control plane could not be started").caused_by(error)
        })?;
    let endpoint = announced(&mut child).await?;
    match ready(&endpoint).await {
        Some(status) => Ok(status),
        None => {
            // Half a control plane helps nobody; it may be gone by itself.
            drop(child.kill().await);
            Err(not_started(&log))
        }
    }
}

/// How long a control plane may take until it answers: the engine may be busy.
const START: Duration = Duration::from_secs(60);

/// The line that it prints when it listens; nothing if it died.
async fn announced(child: &mut tokio::process::Child) -> Result<String> {
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        let reading = tokio::time::timeout(START, BufReader::new(stdout).read_line(&mut line)).await;
        reading.ok().transpose().map_err(bug)?;
    }
    Ok(line.trim().to_owned())
}

/// Its first answer, which comes once it has looked at the engine.
async fn ready(endpoint: &str) -> Option<Status> {
    if endpoint.is_empty() {
        return None;
    }
    tokio::time::timeout(START, client::status_within(endpoint, START)).await.ok()?
}

fn not_started(log: &std::path::Path) -> Error {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let tail: Vec<_> = text.lines().rev().take(10).collect();
    let tail: Vec<_> = tail.into_iter().rev().collect();
    Error::new(Kind::Preflight, "the local control plane did not start")
        .detail(tail.join("\n"))
        .hint(format!("its log: {}", log.display()))
}

fn unwritable(instance: &Instance, error: std::io::Error) -> Error {
    Error::new(Kind::Preflight, format!("`{}` cannot be written", instance.dir.display())).caused_by(error)
}

fn card_path(instance: &Instance) -> PathBuf {
    instance.dir.join("control-plane.json")
}

fn read_card(instance: &Instance) -> Option<Card> {
    serde_json::from_slice(&std::fs::read(card_path(instance)).ok()?).ok()
}

fn write_card(instance: &Instance, card: &Card) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(&instance.dir)?;
    serde_json::to_writer(&mut file, card)?;
    file.flush()?;
    file.persist(card_path(instance))?;
    Ok(())
}

/// Names this build of the program: the control plane is the same program, and an old one must
/// not go on answering a new client.
fn build() -> String {
    let facts = std::env::current_exe().and_then(std::fs::metadata).ok();
    let modified = facts.as_ref().and_then(|facts| facts.modified().ok());
    let since = modified.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
    format!("{}-{}-{}", env!("CARGO_PKG_VERSION"), facts.map_or(0, |facts| facts.len()), since.as_nanos())
}

/// The process: serves until it is told to stop. Prints its endpoint once it listens.
///
/// # Errors
/// The port, the state directory or the Docker Engine is not to be had.
pub async fn serve(options: ServeOptions) -> Result<()> {
    let instance = Instance::at(&options.dir);
    std::fs::create_dir_all(&instance.dir).map_err(|error| unwritable(&instance, error))?;
    let _alone = alone(&instance).await?;
    let listener = listen(&instance).await?;
    let address = listener.local_addr().map_err(bug)?;
    let endpoint = format!("http://{address}");
    let card = Card { endpoint: endpoint.clone(), pid: std::process::id(), build: build() };
    write_card(&instance, &card).map_err(|error| unwritable(&instance, error))?;
    // Whoever connects from here on waits for the answer, not for the port.
    announce(&endpoint);
    let options = local_aws::cloud::Options {
        state_dir: instance.dir.clone(),
        region: options.region,
        instance: instance.id.clone(),
    };
    let served = local_aws::server::serve(listener, options, stop_signal(instance)).await;
    served.map_err(|error| Error::new(Kind::Preflight, error.to_string()))
}

/// Holds the instance for as long as this process lives. One that is about to end is waited for.
async fn alone(instance: &Instance) -> Result<File> {
    let path = instance.dir.join("serve.lock");
    let opened = OpenOptions::new().create(true).append(true).open(&path);
    let file = opened.map_err(|error| unwritable(instance, error))?;
    let deadline = Instant::now() + Duration::from_secs(15);
    while file.try_lock().is_err() {
        if Instant::now() > deadline {
            let message = format!("another control plane holds `{}`", path.display());
            return Err(
                Error::new(Kind::Preflight, message).hint("`cargo xtask local stop`, or end that process")
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(file)
}

#[expect(clippy::print_stdout, reason = "the parent reads this one line")]
fn announce(endpoint: &str) {
    println!("{endpoint}");
}

/// The port it had before, or the preferred one, or any.
async fn listen(instance: &Instance) -> Result<TcpListener> {
    let before = read_card(instance).and_then(|card| card.endpoint.rsplit(':').next()?.parse().ok());
    for port in [before.unwrap_or(PREFERRED_PORT), 0] {
        if let Ok(listener) = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await {
            return Ok(listener);
        }
    }
    Err(Error::new(Kind::Preflight, "no port on 127.0.0.1 can be listened on"))
}

/// SIGTERM or SIGINT, or the card names another process or is gone (`cargo clean`): nobody can find
/// this one any more. SIGHUP is taken and ignored: the terminal may go.
async fn stop_signal(instance: Instance) {
    use tokio::signal::unix::{SignalKind, signal};
    let streams =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = streams else {
        return std::future::pending().await;
    };
    let mut look = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = terminate.recv() => return,
            _ = interrupt.recv() => return,
            _ = hangup.recv() => {}
            _ = look.tick() => {
                if read_card(&instance).is_none_or(|card| card.pid != std::process::id()) {
                    return;
                }
            }
        }
    }
}
