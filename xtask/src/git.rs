//! Which commit the working tree stands at.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::process::Command;
use xshell::{Shell, cmd};

/// A commit, and whether the working tree differs from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The whole hash.
    pub hash: String,
    /// Whether something is changed, staged or untracked.
    pub dirty: bool,
}

/// The tag that holds the commit.
pub const COMMIT_TAG: &str = "git-commit";
/// The tag that says whether the working tree differed from it: `true` or `false`.
pub const DIRTY_TAG: &str = "git-dirty";

/// The commit, read once and only if somebody asks.
pub type Head = Shared<BoxFuture<'static, Option<Commit>>>;

/// Reads the commit as soon as it is asked for; see [`head`].
pub fn reading(root: PathBuf) -> Head {
    async move { head(&root).await }.boxed().shared()
}

/// The commit that is checked out in the repository of `root`; `None` where there is no repository,
/// no commit or no git: nothing of a deploy depends on it.
pub async fn head(root: &Path) -> Option<Commit> {
    let command: std::process::Command = {
        let shell = Shell::new().ok()?;
        shell.change_dir(root);
        // One call tells both; it must not hold the index against the user's own git.
        cmd!(shell, "git --no-optional-locks status --porcelain=v2 --branch").into()
    };
    let mut command = Command::from(command);
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.ok()?;
    output.status.success().then(|| parse(&String::from_utf8_lossy(&output.stdout))).flatten()
}

/// Headers begin with `#`, every other line is a difference.
/// Source: git-status(1), "Porcelain Format Version 2".
fn parse(status: &str) -> Option<Commit> {
    let hash = status.lines().find_map(|line| line.strip_prefix("# branch.oid "))?;
    let dirty = status.lines().any(|line| !line.starts_with('#'));
    (hash != "(initial)").then(|| Commit { hash: hash.to_owned(), dirty })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_tree_is_its_commit() {
        let commit = parse("# branch.oid 0123abcd\n# branch.head main\n").expect("a commit");
        assert_eq!(commit, Commit { hash: "0123abcd".to_owned(), dirty: false });
    }

    #[test]
    fn a_changed_or_untracked_file_makes_it_dirty() {
        let dirty = |line: &str| parse(&format!("# branch.oid 0\n{line}\n")).expect("a commit").dirty;
        assert!(dirty("1 .M N... 100644 100644 100644 a b src/main.rs"));
        assert!(dirty("? notes.txt"));
    }

    #[test]
    fn before_the_first_commit_there_is_none() {
        assert_eq!(parse("# branch.oid (initial)\n# branch.head main\n"), None);
    }

    #[tokio::test]
    async fn outside_a_repository_nothing_is_said() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(head(dir.path()).await, None);
        assert_eq!(head(&dir.path().join("missing")).await, None);
    }
}
