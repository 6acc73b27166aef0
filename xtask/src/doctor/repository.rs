//! git, of which images and task definitions get the commit. Nothing depends on it.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::finding::Finding;
use crate::git::{self, Commit};

pub(super) async fn look(root: &Path) -> Finding {
    let Some(version) = version().await else {
        return Finding::unknown(
            "git",
            "there is no `git`: images and task definitions do not tell their commit",
        )
        .fix("`apt install git`, `dnf install git`, `brew install git`");
    };
    match git::head(root).await {
        Some(Commit { hash, dirty }) => {
            let tree = if dirty { "with changes" } else { "clean" };
            Finding::ok("git", format!("{version}; commit {}, {tree}", hash.get(..12).unwrap_or(&hash)))
        }
        None => Finding::ok(
            "git",
            format!("{version}; no commit here: images and task definitions do not tell one"),
        ),
    }
}

/// `git version 2.39.5`
async fn version() -> Option<String> {
    let mut command = Command::new("git");
    command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::State;

    #[tokio::test]
    async fn a_directory_without_a_repository_is_no_problem() {
        let dir = tempfile::tempdir().expect("a directory");
        let finding = look(dir.path()).await;
        assert!(!finding.state.is_bad());
        if finding.state == State::Ok {
            assert!(finding.message.contains("no commit here"), "{}", finding.message);
        }
    }
}
