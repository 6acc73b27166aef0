//! Room on disks.

use std::path::Path;

use super::words::size;
use crate::finding::Finding;
use crate::workspace::target_dir;

/// A release build of a small workspace and its images fit in; below that, a build ends with "no space left".
const ENOUGH: u64 = 2 << 30;

/// The disk that cargo builds on.
pub(super) fn of_target(root: &Path) -> Finding {
    let dir = target_dir().unwrap_or_else(|| root.join("target"));
    let fix = "`cargo clean` removes what was built; it is built again when it is needed";
    judge("target disk", &dir, fix)
}

/// The disk that the engine keeps images on, which has to be of this machine.
pub(super) fn of_engine(dir: &Path) -> Finding {
    let fix = "`docker system prune` removes stopped containers, dangling images and old build cache";
    judge("engine disk", dir, fix)
}

fn judge(subject: &str, dir: &Path, fix: &str) -> Finding {
    match room(dir) {
        Ok(room) if room < ENOUGH => {
            let said = format!("{} left at `{}`, and {} are needed", size(room), dir.display(), size(ENOUGH));
            Finding::problem(subject, said).fix(fix)
        }
        Ok(room) => Finding::ok(subject, format!("{} left at `{}`", size(room), dir.display())),
        Err(error) => Finding::unknown(subject, format!("`{}`: {error}", dir.display())),
    }
}

/// Bytes that this user may still write where the path is, or will be.
fn room(path: &Path) -> std::io::Result<u64> {
    let there = path.ancestors().find(|dir| dir.exists()).unwrap_or(path);
    let facts = rustix::fs::statvfs(there)?;
    Ok(facts.f_bavail.saturating_mul(facts.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::State;

    #[test]
    fn a_directory_that_is_not_there_yet_has_the_room_of_the_one_above() {
        let dir = tempfile::tempdir().expect("a directory");
        let below = room(&dir.path().join("not/yet")).expect("its disk is known");
        assert!(below > 0);
    }

    #[test]
    fn what_cannot_be_seen_is_unknown() {
        assert_eq!(judge("disk", Path::new("relative-and-missing"), "").state, State::Unknown);
    }
}
