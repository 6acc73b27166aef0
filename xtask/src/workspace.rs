//! Where things lie: the workspace, its deploy.toml, its target directory.

use std::path::{Path, PathBuf};

use crate::config::{self, Choice, Config, Input, Purpose, problem};
use crate::error::{Error, Kind, Result};

/// The workspace that is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// The directory of deploy.toml.
    pub root: PathBuf,
    /// deploy.toml.
    pub file: PathBuf,
    /// What the flags say about it.
    pub choice: Choice,
}

impl Workspace {
    /// The workspace of `file`: a relative path is looked up from the working directory upwards,
    /// as Cargo looks up Cargo.toml.
    #[must_use]
    pub fn of(file: &Path, choice: Choice) -> Self {
        let here = std::env::current_dir().unwrap_or_default();
        let found = here.ancestors().map(|dir| dir.join(file)).find(|path| path.is_file());
        let file = found.unwrap_or_else(|| home().join(file));
        let root = file.parent().map(Path::to_owned).unwrap_or_default();
        Self { root, file, choice }
    }

    /// Reads and checks deploy.toml, with the environment and the values that were chosen, to deploy it.
    ///
    /// # Errors
    /// [`Kind::Config`], with every problem shown in place.
    pub fn config(&self, color: bool) -> Result<Config> {
        self.load(Purpose::Deploy, color)
    }

    /// The same to look at what was deployed.
    ///
    /// # Errors
    /// See [`Self::config`].
    pub fn config_to_look(&self, color: bool) -> Result<Config> {
        self.load(Purpose::Look, color)
    }

    fn load(&self, purpose: Purpose, color: bool) -> Result<Config> {
        let input = self.input()?;
        let lookup = |name: &str| std::env::var_os(name);
        config::load(&input, purpose, &lookup, &self.root).map_err(|problems| {
            let count = problems.len();
            let plural = if count == 1 { "problem" } else { "problems" };
            let name = &input.file().name;
            Error::new(Kind::Config, format!("{count} {plural} in `{name}`, nothing was changed"))
                .detail(problem::render(&problems, &input, color))
        })
    }

    /// What a key of deploy.toml is, and which of file, environment and flags says it.
    ///
    /// # Errors
    /// [`Kind::Config`]: syntax, an environment that is not in the file, a key that nothing can have.
    pub fn explain(&self, key: &str, color: bool) -> Result<String> {
        let input = self.input()?.asking(key);
        let lookup = |name: &str| std::env::var_os(name);
        config::explain(&input, &lookup).map_err(|problems| {
            Error::new(Kind::Config, format!("`{key}` cannot be explained"))
                .detail(problem::render(&problems, &input, color))
        })
    }

    fn input(&self) -> Result<Input> {
        let text = std::fs::read_to_string(&self.file).map_err(|error| self.unreadable(&error))?;
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        Ok(Input::new(&name, &text, &self.choice))
    }

    fn unreadable(&self, error: &std::io::Error) -> Error {
        let path = self.file.display();
        if error.kind() == std::io::ErrorKind::NotFound {
            return Error::new(Kind::Config, format!("there is no `{path}`"))
                .hint("run this inside the workspace, or name the file: `--file PATH`")
                .hint("the README's guide shows what goes into a deploy.toml");
        }
        Error::new(Kind::Config, format!("`{path}` cannot be read: {error}"))
    }

    /// Where the local control plane keeps its state: below Cargo's target directory, which is
    /// nobody's to commit and not in anybody's build context.
    #[must_use]
    pub fn local_dir(&self) -> PathBuf {
        target_dir().unwrap_or_else(|| self.root.join("target")).join("local-aws")
    }
}

/// The workspace that this program belongs to: Cargo tells it on `cargo run`.
fn home() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    manifest
        .and_then(|dir| dir.parent().map(Path::to_owned))
        .or_else(|| std::env::current_dir().ok())
        .unwrap_or_default()
}

/// Cargo marks its target directory with a CACHEDIR.TAG; this program lies in it.
pub(crate) fn target_dir() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    program.ancestors().skip(1).find(|dir| dir.join("CACHEDIR.TAG").is_file()).map(Path::to_owned)
}
