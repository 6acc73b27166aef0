//! State that outlives the process: one JSON file per value, replaced atomically.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value in memory with its copy on disk. Changes are transactions: the file is
/// written first, then the value replaced, so a failed write changes nothing.
#[derive(Debug)]
pub struct Saved<T> {
    path: PathBuf,
    value: Mutex<T>,
}

impl<T: Serialize + DeserializeOwned> Saved<T> {
    /// Reads the file, or starts with the default value where there is none.
    pub fn open(path: PathBuf) -> io::Result<Self>
    where
        T: Default,
    {
        Self::open_or(path, T::default)
    }

    /// Reads the file, or starts with this value where there is none.
    pub fn open_or(path: PathBuf, fresh: impl FnOnce() -> T) -> io::Result<Self> {
        let value = read_json(&path)?.unwrap_or_else(fresh);
        Ok(Self { path, value: Mutex::new(value) })
    }
}

impl<T: Clone + Serialize> Saved<T> {
    /// Looks at the value.
    pub fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.lock())
    }

    /// Changes the value and saves it; an error of the closure leaves both as they were.
    pub fn change<R, E: From<io::Error>>(&self, change: impl FnOnce(&mut T) -> Result<R, E>) -> Result<R, E> {
        let mut current = self.lock();
        let mut next = current.clone();
        let result = change(&mut next)?;
        write_json(&self.path, &next)?;
        *current = next;
        Ok(result)
    }

    // The value is only ever replaced as a whole, so a panic elsewhere can't leave it half changed.
    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value in a JSON file, `None` where there is no file.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("`{}`: {e}", path.display())))
}

/// Writes the value to a temporary file beside `path` and renames it, so that a
/// reader, or the next start after a crash, sees the old value or the new one.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let bytes = serde_json::to_vec(value).map_err(io::Error::other)?;
    write_atomic(path, &bytes)
}

/// See [`write_json`].
pub fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(bytes)?;
    // Without it a crash of the machine may leave the new name with no content.
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_dir(dir)
}

/// Makes renames in a directory last. Directories can't be opened on Windows,
/// where a rename is journaled by itself.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_there_after_reopening_and_a_refused_one_is_not() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("deep/value.json");
        let saved: Saved<Vec<u32>> = Saved::open(path.clone())?;
        saved.change(|v| -> io::Result<()> {
            v.push(7);
            Ok(())
        })?;
        let refused = saved.change(|v| -> io::Result<()> {
            v.clear();
            Err(io::Error::other("no"))
        });
        assert!(refused.is_err());
        assert_eq!(Saved::<Vec<u32>>::open(path)?.read(Clone::clone), [7]);
        Ok(())
    }

    #[test]
    fn a_damaged_file_is_named() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("value.json");
        fs::write(&path, "{").expect("the file can be written");
        let error = Saved::<Vec<u32>>::open(path).expect_err("it is no JSON");
        assert!(error.to_string().contains("value.json"), "{error}");
    }
}
