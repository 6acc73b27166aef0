//! A throw-away workspace with a tiny server, and the program run in it.

use std::hash::{Hash as _, Hasher as _};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::file::File;

/// See there.
pub(crate) const SERVER: &str = include_str!("tiny/main.rs");

/// A workspace in a temporary directory, and the control plane that belongs to it.
pub(crate) struct Workspace {
    dir: tempfile::TempDir,
    /// Unique on this machine, so that tests can run twice at once.
    pub(crate) name: String,
    /// What deploy.toml is made of.
    file: Mutex<File>,
    target: Mutex<PathBuf>,
}

/// How a run ended.
pub(crate) struct Run {
    /// The exit code.
    pub(crate) code: i32,
    /// The last line of the JSON output.
    pub(crate) outcome: Value,
    /// Every line of it.
    pub(crate) events: Vec<Value>,
    /// When each of them came, in seconds since 1970.
    pub(crate) at: Vec<f64>,
    /// What was said beside the JSON.
    stderr: String,
}

impl Workspace {
    /// With a service of two tasks.
    pub(crate) fn new(test: &str) -> Self {
        containers("none"); // ends the run at once where no engine answers
        let package = shared_package();
        let dir = tempfile::Builder::new().prefix("run-").tempdir_in(&package);
        let dir = dir.expect("a temporary directory");
        let name = format!("{test}-{}", std::process::id());
        let target = Mutex::new(package.join("target"));
        let workspace = Self { dir, name, file: Mutex::new(File::new(free_port())), target };
        workspace.change(|_| {});
        workspace
    }

    /// The path of a file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) {
        self.write_bytes(name, text.as_bytes());
    }

    fn write_bytes(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a file lies in a directory")).expect("a directory");
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    /// Changes the server itself, which is then compiled apart from the other tests'.
    pub(crate) fn source(&self, change: impl FnOnce(&str) -> String) {
        *lock(&self.target) = self.path("target");
        write_package(self.dir.path(), &change(SERVER));
    }

    /// Writes the server as it was compiled.
    pub(crate) fn write_program(&self, name: &str) {
        self.write_executable(name, &self.program());
    }

    /// The same, but for a CPU that nobody has or emulates.
    pub(crate) fn write_foreign_program(&self, name: &str) {
        let mut program = self.program();
        program[18..20].copy_from_slice(&0x7fff_u16.to_le_bytes()); // ELF's `e_machine`
        self.write_executable(name, &program);
    }

    fn program(&self) -> Vec<u8> {
        let built = std::fs::read_dir(&*lock(&self.target)).expect("a target directory");
        let mut built = built.flatten().map(|triple| triple.path().join("debug/tiny"));
        let built = built.find(|path| exists(path)).expect("it was built");
        std::fs::read(built).expect("it can be read")
    }

    fn write_executable(&self, name: &str, program: &[u8]) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.write_bytes(name, program);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("its mode is set");
    }

    /// Makes the server answer with this version.
    pub(crate) fn version(&self, version: &str) {
        self.change(|file| file.version = version.to_owned());
    }

    /// Writes deploy.toml, with keys added to the container.
    pub(crate) fn config(&self, container: &str) {
        self.change(|file| file.container = container.to_owned());
    }

    /// Writes deploy.toml, changed.
    pub(crate) fn change(&self, change: impl FnOnce(&mut File)) {
        let mut file = lock(&self.file);
        change(&mut file);
        self.write("deploy.toml", &file.text(&self.name));
    }

    /// Where the server listens.
    pub(crate) fn port(&self) -> u16 {
        self.file.lock().expect("not poisoned").port
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
        command.env("CARGO_TARGET_DIR", &*lock(&self.target));
        // The repository that the tests are of is not theirs.
        command.env("GIT_CEILING_DIRECTORIES", self.dir.path().parent().expect("it lies in a directory"));
        command
    }

    /// Runs the program and returns what it printed.
    pub(crate) fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the program starts")
    }

    /// Runs the program with JSON output.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        Run::of(self.command(&[args, &["--format", "json"]].concat()))
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

/// As the run told it, each line with the seconds since the first.
impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "exit code {}", self.code)?;
        let began = self.at.first().copied().unwrap_or_default();
        for (at, event) in self.at.iter().zip(&self.events) {
            writeln!(f, "{:8.3} {event}", at - began)?;
        }
        writeln!(f, "began {began:.3}; {}", self.stderr)
    }
}

impl Run {
    /// Of a command that prints JSON.
    pub(crate) fn of(mut command: std::process::Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let mut errors = child.stderr.take().expect("it is piped");
        let stderr = std::thread::spawn(move || {
            let mut text = Vec::new();
            errors.read_to_end(&mut text).map(|_| String::from_utf8_lossy(&text).into_owned())
        });
        let (mut events, mut at) = (Vec::new(), Vec::new());
        for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
            let line = line.expect("the program writes UTF-8");
            events.push(serde_json::from_str(&line).expect("a JSON object"));
            at.push(now());
        }
        let stderr = stderr.join().expect("the reader does not panic").expect("it can be read");
        Run {
            code: child.wait().expect("it ends").code().unwrap_or(-1),
            outcome: events.last().cloned().unwrap_or_default(),
            events,
            at,
            stderr,
        }
    }

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

/// The server's package, which cargo finds above the directory of every test and every run of them: what is compiled
/// depends on where the sources lie, so they lie in one place. Cargo itself lets one build at a time.
fn shared_package() -> PathBuf {
    let mut hasher = std::hash::DefaultHasher::new();
    SERVER.hash(&mut hasher);
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let package = shared.join(format!("tiny-{:016x}", hasher.finish())).join("package");
    if !exists(&package) {
        let parent = package.parent().expect("it lies in a directory");
        std::fs::create_dir_all(parent).expect("a directory");
        let made = tempfile::tempdir_in(parent).expect("a temporary directory");
        write_package(made.path(), SERVER);
        // Another test may have been first.
        assert!(std::fs::rename(made.path(), &package).is_ok() || exists(&package), "nobody made it");
    }
    package
}

/// Writes a package of this program, a workspace of its own.
pub(crate) fn write_package(dir: &Path, program: &str) {
    let package = "[package]\nname = \"tiny\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    let lock = "version = 4\n\n[[package]]\nname = \"tiny\"\nversion = \"0.0.0\"\n";
    std::fs::create_dir_all(dir.join("src")).expect("a directory");
    for (name, text) in [("Cargo.toml", package), ("Cargo.lock", lock), ("src/main.rs", program)] {
        std::fs::write(dir.join(name), text).expect("a file");
    }
}

/// Says what was measured: seen with `--nocapture`, and where a test fails.
pub(crate) fn measured(text: &str) {
    #[expect(clippy::print_stdout, reason = "the test harness keeps it unless it is wanted")]
    {
        println!("{}: {text}", std::thread::current().name().unwrap_or_default());
    }
}

/// Seconds since 1970: the clock of the control plane, which runs on this machine.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("the clock is set").as_secs_f64()
}

/// A test that failed elsewhere is not this one's matter.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
