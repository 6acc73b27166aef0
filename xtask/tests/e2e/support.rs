//! A throw-away workspace with a tiny server, and the program run in it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A server without dependencies: it compiles in about a second. It answers any request with
/// its version, and stops when it is told to. As `sick`, it answers `/health` with 500.
const SERVER: &str = r#"
use std::io::{Read, Write};

fn main() {
    if std::env::args().nth(1).as_deref() == Some("crash") {
        eprintln!("cannot go on");
        std::process::exit(3);
    }
    let listener = std::net::TcpListener::bind(("0.0.0.0", PORT)).expect("the port is free");
    println!("listening");
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        std::thread::spawn(move || {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let body = "VERSION";
            let sick = body == "sick" && request.starts_with(b"GET /health");
            let status = if sick { "500 Internal Server Error" } else { "200 OK" };
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all((head + body).as_bytes());
        });
    }
}
"#;

/// A workspace in a temporary directory, and the control plane that belongs to it.
pub(crate) struct Workspace {
    dir: tempfile::TempDir,
    /// Unique on this machine, so that tests can run twice at once.
    pub(crate) name: String,
    pub(crate) port: u16,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    /// The exit code.
    pub(crate) code: i32,
    /// The last line of the JSON output.
    pub(crate) outcome: Value,
    /// Every line of it.
    pub(crate) events: Vec<Value>,
    /// What was said beside the JSON.
    #[expect(dead_code, reason = "read by `Debug` when a test fails")]
    stderr: String,
}

impl Workspace {
    /// With a service of two tasks.
    pub(crate) fn new(test: &str) -> Self {
        containers("none"); // ends the run at once where no engine answers
        let dir = tempfile::Builder::new().prefix("xtask-e2e-").tempdir().expect("a temporary directory");
        let name = format!("{test}-{}", std::process::id());
        let workspace = Self { dir, name, port: free_port() };
        workspace.write(
            "Cargo.toml",
            "[package]\nname = \"tiny\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n",
        );
        workspace.write("Cargo.lock", "version = 4\n\n[[package]]\nname = \"tiny\"\nversion = \"0.0.0\"\n");
        workspace.version("v1");
        workspace.config("");
        workspace
    }

    /// The path of a file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a file lies in a directory")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }

    /// Makes the server answer with this version.
    pub(crate) fn version(&self, version: &str) {
        self.write(
            "src/main.rs",
            &SERVER.replace("VERSION", version).replace("PORT", &self.port.to_string()),
        );
    }

    /// Writes deploy.toml, with keys added to the container.
    pub(crate) fn config(&self, container: &str) {
        let name = &self.name;
        let port = self.port;
        self.write(
            "deploy.toml",
            &format!(
                "region = \"eu-west-1\"\ncluster = \"{name}\"\n\
                 [image.{name}]\nbin = \"tiny\"\nprofile = \"dev\"\n\
                 [service.{name}]\ncpu = 256\nmemory = 512\ndesired-count = 2\nexecution-role = \"role\"\n\
                 deployment = {{ timeout-minutes = 2 }}\n\
                 [service.{name}.security-group]\nname = \"{name}\"\ningress = [{{ port = {port}, cidr = \"0.0.0.0/0\" }}]\n\
                 [service.{name}.container.app]\nimage = \"{name}\"\nport = {port}\nstop-timeout = 2\n{container}\n"
            ),
        );
    }

    /// Where the control plane keeps its state.
    pub(crate) fn local_dir(&self) -> PathBuf {
        self.path("local")
    }

    /// The program, to be run in it.
    pub(crate) fn command(&self, args: &[&str]) -> std::process::Command {
        #[expect(clippy::disallowed_methods, reason = "a test waits for the program")]
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(args).arg("--local-dir").arg(self.local_dir()).current_dir(self.dir.path());
        for (name, _) in std::env::vars_os() {
            // What cargo tells this test is not meant for the build of the workspace.
            if name.to_string_lossy().starts_with("CARGO_PKG") || name == "CARGO_MANIFEST_DIR" {
                command.env_remove(name);
            }
        }
        command.env("CARGO_TARGET_DIR", self.path("target"));
        command
    }

    /// Runs the program and returns what it printed.
    pub(crate) fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the program starts")
    }

    /// Runs the program with JSON output.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        let output = self.output(&[args, &["--format", "json"]].concat());
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let events: Vec<Value> =
            stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect();
        Run {
            code: output.status.code().unwrap_or(-1),
            outcome: events.last().cloned().unwrap_or_default(),
            events,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// `deploy --local`, which has to succeed.
    pub(crate) fn deploy(&self) -> Run {
        let run = self.run(&["deploy", "--local"]);
        assert_eq!(run.code, 0, "{run:#?}");
        run
    }

    /// What `local status` says.
    pub(crate) fn status(&self) -> Value {
        self.run(&["local", "status"]).outcome["result"].clone()
    }

    /// Where the service is reached, `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> String {
        let status = self.status();
        let url =
            status["services"][0]["ports"][0]["url"].as_str().expect("the service has a port").to_owned();
        url.trim_start_matches("http://").to_owned()
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let reset = self.output(&["local", "reset"]);
        if !reset.status.success() && !std::thread::panicking() {
            panic!("reset failed: {}", String::from_utf8_lossy(&reset.stderr));
        }
    }
}

impl Run {
    /// The events of this kind.
    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter(move |event| event["event"] == kind)
    }

    /// How a phase ended: `changed` or `unchanged`, once for each step of it.
    pub(crate) fn done(&self, phase: &str) -> Vec<&str> {
        let steps = self.of_kind("finished").filter(|event| event["step"]["phase"] == phase);
        steps.filter_map(|event| event["done"].as_str()).collect()
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has an address").port()
}

/// One request, one answer's body.
pub(crate) fn get(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
        _ => Err(std::io::Error::other(format!("no good answer: {answer:?}"))),
    }
}

/// Containers that carry this instance's label, as the engine lists them.
pub(crate) fn containers(instance: &str) -> Vec<String> {
    block_on(async {
        use local_aws::engine::Engine as _;
        let found = engine(instance).await.list().await.expect("the engine lists");
        found.into_iter().map(|container| container.id.0).collect()
    })
}

/// Removes them, as if the machine had been started anew.
pub(crate) fn remove_containers(instance: &str) {
    block_on(async {
        use local_aws::engine::Engine as _;
        engine(instance).await.remove_all().await.expect("the engine removes");
    });
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// The engine. Without one, the whole run ends here, with the one error that says how to get one.
async fn engine(instance: &str) -> local_aws::engine::docker::DockerEngine {
    match local_aws::engine::docker::DockerEngine::connect(instance, None).await {
        Ok(engine) => engine,
        Err(error) => {
            // Once: whoever comes second waits for the end.
            static FIRST: std::sync::Mutex<()> = std::sync::Mutex::new(());
            let _held = FIRST.lock();
            // Past the test harness, which keeps back what the print macros write.
            let text =
                format!("\nerror: the tests run real containers and need a Docker Engine: {error}\n\n");
            drop(std::io::stderr().lock().write_all(text.as_bytes()));
            #[expect(clippy::disallowed_methods, reason = "the other tests could only repeat the error")]
            std::process::exit(101)
        }
    }
}

/// Waits until it is so; a bounded time.
pub(crate) fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// Whether the file is there.
pub(crate) fn exists(path: &Path) -> bool {
    path.try_exists().unwrap_or(false)
}
