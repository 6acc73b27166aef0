//! A real program for tests that run real containers: nothing can be pulled, so it is compiled
//! here from `testing/probe.rs`, statically, with the Rust toolchain that runs the tests, and
//! loaded into the engine as an image `FROM scratch`. Its arguments say what it does; see there.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use bollard::query_parameters::RemoveImageOptions;
use tokio::process::Command;

use crate::engine::archive::{File, Image, sha256_hex};
use crate::engine::docker::{DockerEngine, RegistryAccess};
use crate::engine::{EngineError, endpoint};

const SOURCE: &str = include_str!("testing/probe.rs");

/// A name that no other test has, in this process or another.
pub fn unique(prefix: &str) -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// The engine that tests run on. Without one, the whole test run ends here, with the one error
/// that says how to get one: fifty failures would say no more, and a skipped test would lie.
pub async fn engine(instance: &str, registry: Option<RegistryAccess>) -> DockerEngine {
    match DockerEngine::connect(instance, registry).await {
        Ok(engine) => engine,
        Err(error) => no_engine(&error),
    }
}

#[expect(clippy::disallowed_methods, reason = "the other tests of this process could only repeat the error")]
fn no_engine(error: &EngineError) -> ! {
    // Once: whoever comes second waits for the end.
    static FIRST: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _held = FIRST.lock();
    // Past the test harness, which keeps back what the print macros write.
    let text = format!("\nerror: the tests run real containers and need a Docker Engine: {error}\n\n");
    drop(std::io::Write::write_all(&mut std::io::stderr().lock(), text.as_bytes()));
    std::process::exit(101)
}

/// The probe as an image of its own on the engine. `remove` it when done.
pub struct ProbeImage {
    /// `local-aws-test/probe:…`.
    pub name: String,
}

impl ProbeImage {
    /// Compiles the program if this source was not compiled before, and loads it.
    /// The image's entry point is the program, its command `print 1`.
    pub async fn load(engine: &DockerEngine) -> Result<Self, EngineError> {
        let name = format!("local-aws-test/probe:{}", unique("t"));
        let architecture = engine.architecture().to_owned();
        let path = program(&architecture).await.map_err(EngineError::Other)?;
        let content = std::fs::read(&path).map_err(|e| EngineError::Other(e.to_string()))?;
        let config = serde_json::json!({
            "Entrypoint": ["/probe"], "Cmd": ["print", "1"], "Env": ["FROM_IMAGE=yes"],
            "Healthcheck": { "Test": ["CMD", "/probe", "exit", "1"], "Interval": 1_000_000_000 },
        });
        let files = [File { path: "probe", mode: 0o755, content: &content }];
        let image = Image { name: &name, architecture: &architecture, config, files: &files };
        engine.load_image(image.to_archive()).await?;
        Ok(Self { name })
    }

    /// Removes the image from the engine.
    pub async fn remove(self) -> Result<(), EngineError> {
        let docker = endpoint::from_process()?.connect().await?;
        let removed = docker.remove_image(&self.name, None::<RemoveImageOptions>, None).await;
        removed.map(drop).map_err(|e| EngineError::Other(e.to_string()))
    }
}

/// Path of the compiled program for an architecture (Docker's word: `amd64`, `arm64`).
pub async fn program(architecture: &str) -> Result<PathBuf, String> {
    let directory = build_directory()?;
    let path = directory.join(format!("probe-{architecture}-{}", &sha256_hex(SOURCE.as_bytes())[..16]));
    if !path.exists() {
        // Tests in other threads and processes do the same: each builds aside, the last rename wins.
        let aside = tempfile::tempdir_in(&directory).map_err(|e| e.to_string())?;
        let built = compile(architecture, aside.path()).await?;
        std::fs::rename(built, &path).map_err(|e| e.to_string())?;
    }
    Ok(path)
}

/// A directory in the target directory that runs this test.
fn build_directory() -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|e| e.to_string())?;
    let profile = test.parent().and_then(Path::parent).ok_or("the test program has no directory")?;
    let directory = profile.join("local-aws-probe");
    std::fs::create_dir_all(&directory).map_err(|e| format!("`{}`: {e}", directory.display()))?;
    Ok(directory)
}

/// The musl target links statically on every host; the GNU one does where the host has a static
/// C library (Debian's `libc6-dev`, Fedora's `glibc-static`).
async fn compile(architecture: &str, directory: &Path) -> Result<PathBuf, String> {
    let cpu = match architecture {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        other => other,
    };
    let musl = format!("{cpu}-unknown-linux-musl");
    let gnu = format!("{cpu}-unknown-linux-gnu");
    let attempts = [
        (&musl, vec!["-Clinker=rust-lld", "-Clink-self-contained=yes"]),
        (&gnu, vec!["-Ctarget-feature=+crt-static"]),
    ];
    let mut failures = Vec::new();
    for (target, flags) in attempts {
        match rustc(target, &flags, directory).await {
            Ok(built) => return Ok(built),
            Err(output) => failures.push(format!("{target}: {output}")),
        }
    }
    Err(format!(
        "no static program could be linked; `rustup target add {musl}` is enough.\n{}",
        failures.join("\n")
    ))
}

async fn rustc(target: &str, flags: &[&str], directory: &Path) -> Result<PathBuf, String> {
    let source = directory.join("probe.rs");
    let output = directory.join("probe");
    std::fs::write(&source, SOURCE).map_err(|e| e.to_string())?;
    let common =
        ["--edition=2024", "--crate-name=probe", "-Copt-level=s", "-Cpanic=abort", "-Cstrip=symbols"];
    let run = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(common)
        .args(flags)
        .args(["--target", target, "-o"])
        .args([&output, &source])
        .output()
        .await
        .map_err(|e| format!("rustc: {e}"))?;
    if run.status.success() { Ok(output) } else { Err(String::from_utf8_lossy(&run.stderr).into_owned()) }
}
