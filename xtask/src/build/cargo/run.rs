//! Running cargo: its output streams, its artifacts come back, nothing of the cargo that runs us leaks in.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use xshell::{Cmd, Shell, cmd};

use super::Group;
use crate::error::{Error, Kind, Result};
use crate::event::{Done, Events, Phase, Running};

/// How much of a failed build's output the error itself holds; all of it was streamed.
const TAIL: usize = 40;

/// Package ID and binary -> its executable.
pub(super) type Built = BTreeMap<(String, String), PathBuf>;

/// The cargo that runs us, so that the toolchain is the user's choice (`cargo +beta xtask …`).
pub(super) fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// A command without the variables that cargo sets for the program it runs (documented: "Environment
/// variables cargo sets for crates"). Build scripts may watch them, and would then run again each time
/// we are called another way. `RUSTUP_TOOLCHAIN` stays: rustc must be the cargo's own.
pub(super) fn clean(command: Cmd<'_>) -> std::process::Command {
    let mut command: std::process::Command = command.into();
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_cargos)) {
        command.env_remove(name);
    }
    command
}

fn is_cargos(name: &str) -> bool {
    const NAMES: [&str; 7] = [
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_MANIFEST_LINKS",
        "CARGO_CRATE_NAME",
        "CARGO_BIN_NAME",
        "CARGO_PRIMARY_PACKAGE",
        "OUT_DIR",
    ];
    const PREFIXES: [&str; 4] = ["CARGO_PKG_", "CARGO_BIN_EXE_", "CARGO_CFG_", "CARGO_FEATURE_"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Runs a short command to its end; what it printed.
pub(super) async fn output(command: std::process::Command, what: &str) -> Result<Vec<u8>> {
    let output = Command::from(command).stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = output.map_err(|e| not_started(what, e))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(Error::new(Kind::Build, format!("`{what}` failed ({})", output.status))
        .detail(String::from_utf8_lossy(&output.stderr).trim_end().to_owned()))
}

fn not_started(what: &str, e: std::io::Error) -> Error {
    Error::new(Kind::Build, format!("`{what}` could not be started"))
        .caused_by(e)
        .hint("is Rust installed, and on the PATH?")
}

/// Builds a group's binaries.
pub(super) async fn build(group: &Group, root: &Path, color: bool, events: &Events) -> Result<Built> {
    let step = events.start(Phase::Compile, group.subject());
    let command = command(group, root, color)?;
    let mut child = Command::from(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| not_started("cargo build", e))?;
    let (messages, diagnostics) = (child.stdout.take(), child.stderr.take());
    let (artifacts, tail) = tokio::join!(artifacts(messages), stream(diagnostics, &step));
    let status = child.wait().await.map_err(|e| not_started("cargo build", e))?;
    if !status.success() {
        return Err(failed(group, &tail));
    }
    let (built, fresh) = artifacts;
    let done = if fresh { Done::Unchanged } else { Done::Changed };
    step.finish(done, format!("{} ({})", group.link.triple, group.key.profile));
    Ok(built)
}

fn command(group: &Group, root: &Path, color: bool) -> Result<std::process::Command> {
    let shell = Shell::new().map_err(|e| Error::new(Kind::Build, "no shell").caused_by(e))?;
    shell.change_dir(root);
    let (cargo, arguments) = (cargo(), group.arguments());
    let mut command = clean(cmd!(shell, "{cargo} {arguments...}"));
    command.env("CARGO_TERM_COLOR", if color { "always" } else { "never" });
    if let Some((name, value)) = &group.link.env {
        command.env(name, OsString::from(value));
    }
    Ok(command)
}

/// A message of `--message-format=json`; only artifacts are of interest.
#[derive(Deserialize)]
struct Message {
    reason: String,
    package_id: Option<String>,
    target: Option<MessageTarget>,
    executable: Option<PathBuf>,
    fresh: Option<bool>,
}

#[derive(Deserialize)]
struct MessageTarget {
    name: String,
}

/// The executables, and whether all of them were up to date.
async fn artifacts(output: Option<impl AsyncRead + Unpin>) -> (Built, bool) {
    let mut built = Built::new();
    let mut fresh = true;
    if let Some(output) = output {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            artifact(&line, &mut built, &mut fresh);
        }
    }
    (built, fresh)
}

/// Lines that are no such message (a build script may print anything) are not an error.
fn artifact(line: &str, built: &mut Built, fresh: &mut bool) {
    let Ok(message) = serde_json::from_str::<Message>(line) else {
        return;
    };
    if message.reason != "compiler-artifact" {
        return;
    }
    if let (Some(package), Some(target), Some(path)) =
        (message.package_id, message.target, message.executable)
    {
        *fresh &= message.fresh.unwrap_or(false);
        built.insert((package, target.name), path);
    }
}

/// Passes on what cargo says; the last lines are kept for the error.
async fn stream(output: Option<impl AsyncRead + Unpin>, step: &Running) -> VecDeque<String> {
    let mut tail = VecDeque::new();
    let Some(output) = output else { return tail };
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(activity) = activity(&line) {
            step.progress(activity);
        }
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(line.clone());
        step.output(line);
    }
    tail
}

/// `Compiling x v1.0`, `Blocking waiting for …`, without colours.
fn activity(line: &str) -> Option<String> {
    const VERBS: [&str; 6] = ["Compiling", "Building", "Downloading", "Downloaded", "Updating", "Blocking"];
    let plain = without_escapes(line);
    let text = plain.trim();
    let (verb, _) = text.split_once(' ')?;
    VERBS.contains(&verb).then(|| text.to_owned())
}

/// Removes the colour sequences that cargo writes: `ESC [ … letter`.
fn without_escapes(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\x1b' {
            chars.by_ref().skip(1).find(char::is_ascii_alphabetic);
        } else {
            plain.push(c);
        }
    }
    plain
}

fn failed(group: &Group, tail: &VecDeque<String>) -> Error {
    let text = tail.iter().map(|line| without_escapes(line)).collect::<Vec<_>>().join("\n");
    let error = Error::new(Kind::Build, format!("`cargo build` failed for {}", group.subject()));
    hints(&text, &group.link.triple)
        .into_iter()
        .fold(error, Error::hint)
        .detail(tail.iter().map(String::as_str).collect::<Vec<_>>().join("\n"))
}

/// What helps against failures of linking, which the compiler's text alone does not tell.
fn hints(text: &str, triple: &str) -> Vec<String> {
    let mut hints = Vec::new();
    let has = |needles: &[&str]| needles.iter().any(|needle| text.contains(needle));
    if has(&["linker `cc` not found", "linker `gcc` not found"]) {
        hints.push(
            "install a C toolchain: `apt install gcc libc6-dev`, `dnf install gcc glibc-static`".to_owned(),
        );
    }
    if has(&["cannot find -lc", "unable to find library -lc"]) {
        hints.push(
            "install the static C library: `apt install libc6-dev`, `dnf install glibc-static`".to_owned(),
        );
    }
    if triple.ends_with("musl") && has(&["musl-gcc", "failed to find tool"]) {
        hints.push(
            "a dependency compiles C code for musl: `apt install musl-tools`, `dnf install musl-gcc`"
                .to_owned(),
        );
    }
    if has(&["have you installed the static version"]) {
        hints.push(
            "a native library has no static version here: build the image from a Dockerfile".to_owned(),
        );
    }
    if hints.is_empty() {
        hints.push("nothing was changed: fix the error above and run it again".to_owned());
    }
    hints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifacts_are_found_among_other_lines() {
        let lines = [
            "a build script wrote this",
            r#"{"reason":"compiler-artifact","package_id":"p","target":{"name":"lib"},"executable":null,"fresh":false}"#,
            r#"{"reason":"compiler-artifact","package_id":"p","target":{"name":"server"},"executable":"/t/server","fresh":true}"#,
            r#"{"reason":"build-finished","success":true}"#,
        ];
        let (mut built, mut fresh) = (Built::new(), true);
        lines.iter().for_each(|line| artifact(line, &mut built, &mut fresh));
        let expected = (("p".to_owned(), "server".to_owned()), PathBuf::from("/t/server"));
        assert_eq!(built, Built::from([expected]));
        assert!(fresh, "a library is not what was asked for");
    }

    #[test]
    fn progress_is_read_through_colours() {
        let line = "\x1b[0m\x1b[0m\x1b[1m\x1b[32m   Compiling\x1b[0m serde v1.0.229";
        assert_eq!(activity(line).as_deref(), Some("Compiling serde v1.0.229"));
        assert_eq!(activity("error[E0308]: mismatched types"), None);
    }

    #[test]
    fn variables_of_the_outer_cargo_go_and_the_users_stay() {
        for gone in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_BIN_NAME", "OUT_DIR"] {
            assert!(is_cargos(gone), "{gone}");
        }
        for kept in
            ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_BUILD_JOBS", "RUSTFLAGS", "RUSTUP_TOOLCHAIN", "CARGO"]
        {
            assert!(!is_cargos(kept), "{kept}");
        }
    }

    #[test]
    fn link_failures_get_their_own_hint() {
        insta::assert_snapshot!(hints("/usr/bin/ld: cannot find -lc: No such file", "x86_64-unknown-linux-gnu")[0], @"install the static C library: `apt install libc6-dev`, `dnf install glibc-static`");
        insta::assert_snapshot!(hints("error occurred: Failed to find tool. Is `x86_64-linux-musl-gcc` installed?", "x86_64-unknown-linux-musl")[0], @"a dependency compiles C code for musl: `apt install musl-tools`, `dnf install musl-gcc`");
        insta::assert_snapshot!(hints("error[E0308]: mismatched types", "x86_64-unknown-linux-gnu")[0], @"nothing was changed: fix the error above and run it again");
    }
}
