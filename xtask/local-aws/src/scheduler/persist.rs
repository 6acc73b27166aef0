//! ECS's state on disk: one JSON file, replaced as a whole.

use std::io;
use std::path::{Path, PathBuf};

use crate::saved;
use crate::state::ecs::Ecs;

/// One file for each region: another region is another world.
fn file(state_dir: &Path, region: &str) -> PathBuf {
    state_dir.join(format!("ecs-{region}.json"))
}

/// Reads the state. A file that cannot be read is moved aside, not overwritten; without a state
/// everything on the engine that carries the instance's label is unknown, and removed.
pub fn load(state_dir: &Path, region: &str) -> io::Result<Option<Ecs>> {
    let path = file(state_dir, region);
    remove_unfinished(state_dir);
    match saved::read_json(&path) {
        Err(e) if e.kind() == io::ErrorKind::InvalidData => {
            std::fs::rename(&path, aside(&path))?;
            Ok(None)
        }
        read => read,
    }
}

/// Writes that a SIGKILL cut off. One that cannot be removed does no harm.
fn remove_unfinished(state_dir: &Path) {
    let entries = std::fs::read_dir(state_dir).into_iter().flatten().flatten();
    for entry in entries.filter(|e| e.file_name().to_string_lossy().starts_with(".tmp")) {
        std::fs::remove_file(entry.path()).unwrap_or_default();
    }
}

fn aside(path: &Path) -> PathBuf {
    let free = |n: &u32| !path.with_extension(format!("json.unreadable-{n}")).exists();
    let number = (1..).find(free).unwrap_or(0);
    path.with_extension(format!("json.unreadable-{number}"))
}

/// Writes the state: complete or not at all, whenever the process ends.
pub async fn save(state_dir: &Path, region: &str, text: Vec<u8>) -> io::Result<()> {
    let path = file(state_dir, region);
    let written = tokio::task::spawn_blocking(move || saved::write_atomic(&path, &text));
    written.await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Ids;
    use crate::state::ecs::Place;

    #[tokio::test]
    async fn there_and_back() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        assert!(load(dir.path(), "r")?.is_none());
        let mut ecs = Ecs::new(Place { region: "r".into() }, Ids::seeded(1));
        ecs.create_cluster(None, serde_json::Map::new(), Vec::new()).map_err(io::Error::other)?;
        save(dir.path(), "r", serde_json::to_vec(&ecs)?).await?;
        let back = load(dir.path(), "r")?.ok_or_else(|| io::Error::other("no state"))?;
        assert_eq!(back.clusters, ecs.clusters);
        Ok(())
    }

    #[test]
    fn what_cannot_be_read_is_moved_aside() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        std::fs::write(file(dir.path(), "r"), "{\"clus")?;
        assert!(load(dir.path(), "r")?.is_none());
        assert_eq!(std::fs::read(dir.path().join("ecs-r.json.unreadable-1"))?, b"{\"clus");
        assert!(!file(dir.path(), "r").exists());
        Ok(())
    }
}
