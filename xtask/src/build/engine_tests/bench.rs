//! An engine and a directory for one test, cleared whatever becomes of it.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use bollard::models::ContainerCreateBody;
use bollard::query_parameters as query;
use futures_util::{FutureExt, StreamExt, TryStreamExt};

use crate::build::{BuildContext, BuiltImage, build_all};
use crate::config::image::{BinImage, DockerfileImage, Image, ImageSource, Platform};
use crate::engine::{Engine, Lazy};
use crate::error::Result;
use crate::event::{Event, Events};
use crate::git::Commit;

/// An engine, a directory, and every image made on the way.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(super) lazy: Lazy,
    pub(super) dir: tempfile::TempDir,
    pub(crate) name: String,
    images: Mutex<Vec<String>>,
    /// What is checked out, as far as the builds know.
    pub(super) commit: Mutex<Option<Commit>>,
}

/// Runs a test on a bench of its own with these files, which is cleared whatever becomes of the test.
pub(crate) async fn on_bench(files: &[(&str, &str)], test: impl AsyncFnOnce(&Bench)) {
    let bench = Bench::new(files).await;
    let result = AssertUnwindSafe(test(&bench)).catch_unwind().await;
    bench.clear().await;
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

/// Without an engine the whole run ends, with the one error that says how to get one.
#[expect(clippy::disallowed_methods, reason = "the other tests could only repeat the error")]
fn no_engine(error: &crate::error::Error) -> ! {
    // Once: whoever comes second waits for the end.
    static FIRST: Mutex<()> = Mutex::new(());
    let _held = FIRST.lock();
    // Past the test harness, which keeps back what the print macros write.
    let text = format!("\nerror: the tests run real containers: {error}\n  {}\n\n", error.hints.join("\n  "));
    drop(std::io::Write::write_all(&mut std::io::stderr().lock(), text.as_bytes()));
    std::process::exit(101)
}

impl Bench {
    async fn new(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (events, _) = Events::channel();
        let lazy = Lazy::new(&events);
        let engine = lazy.get().await.unwrap_or_else(|error| no_engine(&error)).clone();
        let name = format!("xt-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = tempfile::tempdir().expect("tempdir");
        let bench = Self { engine, lazy, dir, name, images: Mutex::default(), commit: Mutex::default() };
        // What is unique in the content makes the image nobody else's.
        for (path, text) in files {
            bench.write(path, &text.replace("UNIQUE", &bench.name));
        }
        bench
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("has a parent")).expect("mkdir");
        std::fs::write(path, text).expect("write");
    }

    pub(super) async fn build(&self, images: &[Image]) -> (Result<Vec<BuiltImage>>, Vec<Event>) {
        let (events, mut receiver) = Events::channel();
        let root = self.dir.path().to_owned();
        let commit = self.commit.lock().expect("not poisoned").clone();
        let context = BuildContext {
            root,
            engine: self.lazy.clone(),
            color: false,
            afresh: false,
            commit: std::future::ready(commit).boxed().shared(),
        };
        let result = build_all(&context, images, &events, async |image| image.make().await).await;
        drop(events);
        let ids = result.iter().flatten().map(|image| image.id.clone());
        self.images.lock().expect("not poisoned").extend(ids);
        let mut seen = Vec::new();
        while let Some(event) = receiver.recv().await {
            seen.push(event.event);
        }
        (result, seen)
    }

    pub(crate) async fn one(&self, image: Image) -> BuiltImage {
        let (built, events) = self.build(&[image]).await;
        let mut built = built.unwrap_or_else(|e| panic!("{e}: {:?} {:?}\n{events:#?}", e.source, e.detail));
        built.remove(0)
    }

    pub(crate) fn dockerfile(&self) -> Image {
        self.image(ImageSource::Dockerfile(DockerfileImage {
            dockerfile: self.dir.path().join("Dockerfile"),
            context: self.dir.path().to_owned(),
            target: None,
            args: BTreeMap::new(),
        }))
    }

    pub(super) fn bin(&self, change: impl FnOnce(&mut BinImage)) -> Image {
        let mut bin = BinImage {
            bin: self.name.clone(),
            package: None,
            profile: "dev".to_owned(),
            features: Vec::new(),
            default_features: true,
            base: None,
            user: None,
            time_zones: false,
            files: Vec::new(),
        };
        change(&mut bin);
        self.image(ImageSource::Bin(bin))
    }

    pub(super) fn image(&self, source: ImageSource) -> Image {
        Image {
            name: self.name.clone(),
            repository: self.name.clone(),
            platform: Platform::LinuxAmd64,
            source,
        }
    }

    /// The image's files as a container has them: `mode uid path`.
    pub(super) async fn listing(&self, image: &BuiltImage) -> String {
        let body = ContainerCreateBody {
            image: Some(image.id.clone()),
            entrypoint: Some(vec!["/none".to_owned()]),
            ..ContainerCreateBody::default()
        };
        let docker = self.engine.docker();
        let none = None::<query::CreateContainerOptions>;
        let container = docker.create_container(none, body).await.expect("creates").id;
        let tar: Vec<bytes::Bytes> =
            docker.export_container(&container).try_collect().await.expect("exports");
        self.remove_container(&container).await;
        let tar = tar.concat();
        let mut archive = tar::Archive::new(tar.as_slice());
        let mut lines: Vec<String> = archive
            .entries()
            .expect("is a tar")
            .map(|entry| {
                let entry = entry.expect("is an entry");
                let (mode, uid) = (entry.header().mode().expect("mode"), entry.header().uid().expect("uid"));
                let mode = mode & 0o7777; // the engine puts the file's type there, too
                format!("{mode:o} {uid} {}", entry.path().expect("path").display())
            })
            .collect();
        lines.sort_by(|a, b| a.rsplit(' ').next().cmp(&b.rsplit(' ').next()));
        // What the engine adds to every container.
        let added = [
            "etc/",
            "dev",
            "proc",
            "sys",
            ".dockerenv",
            "etc/hosts",
            "etc/hostname",
            "etc/resolv.conf",
            "etc/mtab",
        ];
        lines.retain(|line| {
            !added.iter().any(|name| {
                let path = line.rsplit(' ').next().unwrap_or_default();
                path == *name
                    || path.trim_end_matches('/').starts_with(&format!("{name}/"))
                    || path.strip_suffix('/') == Some(name)
            })
        });
        lines.join("\n")
    }

    /// Runs the image to its end; what it wrote.
    pub(super) async fn run(&self, image: &BuiltImage) -> String {
        let docker = self.engine.docker();
        let body = ContainerCreateBody { image: Some(image.id.clone()), ..ContainerCreateBody::default() };
        let none = None::<query::CreateContainerOptions>;
        let container = docker.create_container(none, body).await.expect("creates").id;
        docker.start_container(&container, None::<query::StartContainerOptions>).await.expect("starts");
        let waited = docker.wait_container(&container, None::<query::WaitContainerOptions>);
        let _ended: Vec<_> = waited.collect().await;
        let options = query::LogsOptionsBuilder::default().stdout(true).stderr(true).build();
        let lines: Vec<String> = docker
            .logs(&container, Some(options))
            .map(|line| line.expect("a line").to_string())
            .collect()
            .await;
        self.remove_container(&container).await;
        lines.concat()
    }

    async fn remove_container(&self, id: &str) {
        let options = query::RemoveContainerOptionsBuilder::default().force(true).build();
        self.engine.docker().remove_container(id, Some(options)).await.expect("removes");
    }

    async fn clear(&self) {
        let ids = std::mem::take(&mut *self.images.lock().expect("not poisoned"));
        for id in ids.iter().rev() {
            let options = query::RemoveImageOptionsBuilder::default().force(true).build();
            // A second build of the same content is the same image.
            self.engine.docker().remove_image(id, Some(options), None).await.ok();
        }
        if self.dir.path().join("Cargo.toml").exists() {
            let mut clean =
                tokio::process::Command::new(std::env::var_os("CARGO").expect("cargo runs tests"));
            clean.args(["clean", "--quiet", "--package", &self.name, "--target", "x86_64-unknown-linux-gnu"]);
            clean.current_dir(self.dir.path()).status().await.ok();
        }
    }
}
