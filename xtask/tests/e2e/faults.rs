//! The scenario matrix, rows of everything around the rollout: the API fails, the network is cut,
//! credentials expire, others interfere, the program is interrupted.
//!
//! The program runs as it runs against AWS (no `--local`), with AWS_ENDPOINT_URL pointing at a proxy
//! before the control plane. Rows that mostly wait run at once, each in a thread.

mod api;
mod credentials;
mod interruption;
mod others;
mod trips;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::Value;
use xtask::aws::Aws;
use xtask::target::Target;

use crate::proxy::Proxy;
use crate::support::{Workspace, get};

/// Within this time a fact has to be told, once the program can know it.
const PROMPTLY: Duration = Duration::from_secs(3);
/// A rollout that goes on until somebody ends it: its tasks run, and never become healthy.
const UNDECIDED: &str = "health-check = { command = [\"CMD\", \"/nothing\"], start-period = 120 }";

/// A workspace, its control plane, and the proxy before it.
struct Scene {
    workspace: Workspace,
    proxy: Proxy,
    /// Another client, which does not go through the proxy.
    aws: Aws,
}

impl Scene {
    /// With nothing deployed.
    fn empty(test: &str) -> Self {
        let workspace = Workspace::new(test);
        let started = workspace.run(&["local", "start"]);
        let endpoint = started.outcome["result"]["endpoint"].as_str().expect("an endpoint").to_owned();
        let proxy = Proxy::before(&endpoint);
        let target = Target { local: Some(endpoint), profile: None, region: Some("eu-west-1".to_owned()) };
        let aws = proxy.block_on(target.connect()).expect("clients");
        Self { workspace, proxy, aws }
    }

    /// With `v1` deployed, whose tasks take so many seconds to stop: so long an update lasts.
    fn slow(test: &str, seconds: u64) -> Self {
        let scene = Self::empty(test);
        scene.version("v1", "");
        let text = std::fs::read_to_string(scene.workspace.path("deploy.toml")).expect("it is there");
        let slow = format!("stop-timeout = {seconds}");
        scene.workspace.write("deploy.toml", &text.replace("stop-timeout = 2", &slow));
        scene.deploy();
        scene
    }

    /// With `v1` deployed.
    fn new(test: &str) -> Self {
        let scene = Self::empty(test);
        scene.version("v1", "");
        scene.deploy();
        scene
    }

    fn name(&self) -> &str {
        &self.workspace.name
    }

    /// What the next deploy brings, with more keys of the container.
    fn version(&self, version: &str, container: &str) {
        self.workspace.change(|file| {
            file.version = version.to_owned();
            // Its tasks stop when their time is up, not before: a rollout takes a moment.
            file.command(&["stubborn"]);
            file.container.push_str(&format!("\n{container}"));
        });
    }

    /// The program, with keys that do not expire.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.workspace.command(&[args, &["--format", "json"]].concat());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command
            .env("AWS_ENDPOINT_URL", self.proxy.endpoint())
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("AWS_CONFIG_FILE", self.workspace.path("aws-config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", self.workspace.path("aws-credentials"));
        command
    }

    fn start(&self, args: &[&str]) -> Process {
        Process::of(self.command(args))
    }

    /// Deploys, which has to succeed.
    fn deploy(&self) -> Ended {
        let ended = self.start(&["deploy"]).end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        ended
    }

    /// What a request is answered with.
    fn serves(&self) -> String {
        get(&self.workspace.address()).expect("an answer")
    }

    /// ARNs of the service's rollouts, the latest first.
    fn rollouts(&self) -> Vec<String> {
        let call = self.aws.ecs.list_service_deployments().cluster(self.name()).service(self.name());
        let listed = self.proxy.block_on(call.send()).expect("they are listed");
        let arns = listed.service_deployments().iter().filter_map(|one| one.service_deployment_arn());
        arns.map(str::to_owned).collect()
    }

    /// ARNs of the registered revisions, the latest first.
    fn revisions(&self) -> Vec<String> {
        let call = self.aws.ecs.list_task_definitions().family_prefix(self.name()).sort("DESC".into());
        let listed = self.proxy.block_on(call.send()).expect("they are listed");
        listed.task_definition_arns().to_vec()
    }

    /// How many clusters, repositories and security groups of ours there are.
    fn made(&self) -> (usize, usize, usize) {
        let Aws { ecs, ecr, ec2, .. } = &self.aws;
        self.proxy.block_on(async {
            let clusters = ecs.list_clusters().send().await.expect("they are listed");
            let repositories = ecr.describe_repositories().send().await.expect("they are listed");
            let groups = ec2.describe_security_groups().send().await.expect("they are listed");
            let ours =
                groups.security_groups().iter().filter(|group| group.group_name() == Some(self.name()));
            (clusters.cluster_arns().len(), repositories.repositories().len(), ours.count())
        })
    }
}

/// The program, as it runs.
struct Process {
    child: Child,
    lines: Receiver<(Instant, Value)>,
    seen: Vec<Value>,
    /// When the rollout moved last.
    moved: Option<Instant>,
}

/// The program, once it has ended.
#[derive(Debug)]
struct Ended {
    /// None after a signal.
    code: Option<i32>,
    /// The last line of the JSON output.
    outcome: Value,
    events: Vec<Value>,
    at: Instant,
    #[expect(dead_code, reason = "read by `Debug` when a test fails")]
    stderr: String,
}

impl Process {
    fn of(mut command: Command) -> Self {
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).expect("a JSON object");
                drop(sender.send((Instant::now(), event)));
            }
        });
        Self { child, lines, seen: Vec::new(), moved: None }
    }

    /// Waits for an event.
    fn until(&mut self, what: &str, mut so: impl FnMut(&Value) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.see(line);
                    if self.seen.last().is_some_and(&mut so) {
                        return;
                    }
                }
                Err(end @ (RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected)) => {
                    panic!("{what}: never ({end}): {:#?}", self.seen)
                }
            }
        }
    }

    fn see(&mut self, (at, event): (Instant, Value)) {
        if event["event"] == "rollout" {
            self.moved = Some(at);
        }
        self.seen.push(event);
    }

    /// Waits until the rollout has not moved for so long.
    fn until_idle(&mut self, seconds: u64) {
        loop {
            match self.lines.recv_timeout(Duration::from_secs(seconds)) {
                Ok(line) => self.see(line),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => panic!("it ended: {:#?}", self.seen),
            }
        }
    }

    /// Waits for the start of a step.
    fn until_started(&mut self, phase: &str) {
        self.until(phase, |event| event["event"] == "started" && event["step"]["phase"] == phase);
    }

    fn signal(&self, signal: &str) -> Instant {
        let pid = self.child.id().to_string();
        #[expect(clippy::disallowed_methods, reason = "there is no signal in std")]
        let status = Command::new("kill").args([signal, &pid]).status();
        assert!(status.expect("kill is there").success());
        Instant::now()
    }

    /// Waits for its end.
    fn end(mut self) -> Ended {
        let mut stderr = String::new();
        let mut pipe = self.child.stderr.take().expect("it is piped");
        pipe.read_to_string(&mut stderr).expect("it is text");
        let status = self.child.wait().expect("it ends");
        let at = Instant::now();
        while let Ok(line) = self.lines.recv() {
            self.see(line);
        }
        let outcome = self.seen.last().cloned().unwrap_or_default();
        Ended { code: status.code(), outcome, events: self.seen, at, stderr }
    }
}

impl Ended {
    /// Asserts exit code and message, and that it came promptly after `fact`.
    fn assert(&self, code: i32, message: &str, fact: Instant) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(self.said(message), "`{message}` is not in {self:#?}");
        let took = self.at.saturating_duration_since(fact);
        assert!(took <= PROMPTLY, "{took:?} from fact to verdict: {self:#?}");
    }

    /// Whether message or hints of the outcome hold the text.
    fn said(&self, text: &str) -> bool {
        self.outcome.to_string().contains(text)
    }

    /// Whether a note of the run holds the text.
    fn noted(&self, text: &str) -> bool {
        let notes = self.events.iter().filter(|event| event["event"] == "note");
        notes.filter_map(|note| note["message"].as_str()).any(|note| note.contains(text))
    }
}

/// Lets time pass: what is tested is how long something lasts.
fn pass_time(seconds: u64) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while let Some(rest) = end.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero()) {
        std::thread::park_timeout(rest);
    }
}

/// Runs all at once, and fails with the first that fails.
fn at_once(rows: &[fn()]) {
    std::thread::scope(|scope| {
        let threads: Vec<_> = rows.iter().map(|row| scope.spawn(row)).collect();
        let failed: Vec<_> = threads.into_iter().filter_map(|thread| thread.join().err()).collect();
        if let Some(first) = failed.into_iter().next() {
            std::panic::resume_unwind(first);
        }
    });
}
