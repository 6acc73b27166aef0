//! Builds on the Docker Engine of this machine, looked at through the engine.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use bollard::models::ContainerCreateBody;
use bollard::query_parameters as query;
use futures_util::{FutureExt, StreamExt, TryStreamExt};

use super::*;
use crate::engine;
use crate::event::Event;

/// An engine, a directory, and every image made on the way.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    dir: tempfile::TempDir,
    pub(crate) name: String,
    images: Mutex<Vec<String>>,
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

impl Bench {
    async fn new(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (events, _) = Events::channel();
        let engine = engine::connect(&events)
            .await
            .unwrap_or_else(|e| panic!("{e}: {:?}", e.hints));
        let name = format!(
            "xt-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let dir = tempfile::tempdir().expect("tempdir");
        let bench = Self {
            engine,
            dir,
            name,
            images: Mutex::default(),
        };
        // What is unique in the content makes the image nobody else's.
        for (path, text) in files {
            bench.write(path, &text.replace("UNIQUE", &bench.name));
        }
        bench
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("has a parent")).expect("mkdir");
        std::fs::write(path, text).expect("write");
    }

    async fn build(&self, images: &[Image]) -> (Result<Vec<BuiltImage>>, Vec<Event>) {
        let (events, mut receiver) = Events::channel();
        let root = self.dir.path().to_owned();
        let context = BuildContext {
            root,
            engine: self.engine.clone(),
            color: false,
        };
        let result = build_all(&context, images, &events).await;
        drop(events);
        let ids = result.iter().flatten().map(|image| image.id.clone());
        self.images.lock().expect("not poisoned").extend(ids);
        let mut seen = Vec::new();
        while let Some(event) = receiver.recv().await {
            seen.push(event);
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

    fn bin(&self, change: impl FnOnce(&mut BinImage)) -> Image {
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

    fn image(&self, source: ImageSource) -> Image {
        Image {
            name: self.name.clone(),
            repository: self.name.clone(),
            platform: Platform::LinuxAmd64,
            source,
        }
    }

    /// The image's files as a container has them: `mode uid path`.
    async fn listing(&self, image: &BuiltImage) -> String {
        let body = ContainerCreateBody {
            image: Some(image.id.clone()),
            entrypoint: Some(vec!["/none".to_owned()]),
            ..ContainerCreateBody::default()
        };
        let docker = self.engine.docker();
        let none = None::<query::CreateContainerOptions>;
        let container = docker.create_container(none, body).await.expect("creates").id;
        let tar: Vec<bytes::Bytes> = docker
            .export_container(&container)
            .try_collect()
            .await
            .expect("exports");
        self.remove_container(&container).await;
        let tar = tar.concat();
        let mut archive = tar::Archive::new(tar.as_slice());
        let mut lines: Vec<String> = archive
            .entries()
            .expect("is a tar")
            .map(|entry| {
                let entry = entry.expect("is an entry");
                let (mode, uid) = (
                    entry.header().mode().expect("mode"),
                    entry.header().uid().expect("uid"),
                );
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
    async fn run(&self, image: &BuiltImage) -> String {
        let docker = self.engine.docker();
        let body = ContainerCreateBody {
            image: Some(image.id.clone()),
            ..ContainerCreateBody::default()
        };
        let none = None::<query::CreateContainerOptions>;
        let container = docker.create_container(none, body).await.expect("creates").id;
        docker
            .start_container(&container, None::<query::StartContainerOptions>)
            .await
            .expect("starts");
        let waited = docker.wait_container(&container, None::<query::WaitContainerOptions>);
        let _ended: Vec<_> = waited.collect().await;
        let options = query::LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .build();
        let lines: Vec<String> = docker
            .logs(&container, Some(options))
            .map(|line| line.expect("a line").to_string())
            .collect()
            .await;
        self.remove_container(&container).await;
        lines.concat()
    }

    async fn remove_container(&self, id: &str) {
        let options = query::RemoveContainerOptionsBuilder::default()
            .force(true)
            .build();
        self.engine
            .docker()
            .remove_container(id, Some(options))
            .await
            .expect("removes");
    }

    async fn clear(&self) {
        let ids = std::mem::take(&mut *self.images.lock().expect("not poisoned"));
        for id in ids.iter().rev() {
            let options = query::RemoveImageOptionsBuilder::default().force(true).build();
            // A second build of the same content is the same image.
            self.engine
                .docker()
                .remove_image(id, Some(options), None)
                .await
                .ok();
        }
        if self.dir.path().join("Cargo.toml").exists() {
            let mut clean =
                tokio::process::Command::new(std::env::var_os("CARGO").expect("cargo runs tests"));
            clean.args([
                "clean",
                "--quiet",
                "--package",
                &self.name,
                "--target",
                "x86_64-unknown-linux-gnu",
            ]);
            clean.current_dir(self.dir.path()).status().await.ok();
        }
    }
}

fn outputs(events: &[Event]) -> String {
    let lines = events.iter().filter_map(|event| match event {
        Event::Output { line, .. } => Some(line.as_str()),
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn endings(events: &[Event]) -> Vec<(Phase, Option<Done>)> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Finished { step, done, .. } => Some((step.phase, Some(*done))),
            Event::Failed { step } => Some((step.phase, None)),
            _ => None,
        })
        .collect()
}

const MANIFEST: &str = "[package]\nname = \"UNIQUE\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n";
const PROGRAM: &str = r#"fn main() {
    std::fs::write("/tmp/probe", "x").expect("/tmp is writable");
    let home = std::env::var("HOME").unwrap_or_default();
    println!("UNIQUE {home} {}", std::fs::read_to_string("/etc/app.toml").unwrap_or_default());
}"#;

#[tokio::test]
async fn a_binary_becomes_an_image_that_runs_and_stays_the_same() {
    on_bench(
        &[
            ("Cargo.toml", MANIFEST),
            ("src/main.rs", PROGRAM),
            ("app.toml", "configured"),
        ],
        async |bench| {
            let image = || bench.bin(|bin| bin.files = vec![("app.toml".into(), "/etc/app.toml".to_owned())]);
            let first = bench.one(image()).await;
            assert_eq!(
                bench.run(&first).await,
                format!("{} /home/nonroot configured\n", bench.name)
            );

            let (again, events) = bench.build(&[image()]).await;
            assert_eq!(again.expect("builds"), std::slice::from_ref(&first));
            let unchanged = Some(Done::Unchanged);
            assert_eq!(
                endings(&events),
                [(Phase::Compile, unchanged), (Phase::Build, unchanged)]
            );
        },
    )
    .await;
}

#[tokio::test]
async fn a_base_gets_the_program_its_files_and_the_time_zones() {
    on_bench(
        &[
            ("Cargo.toml", MANIFEST),
            ("src/main.rs", PROGRAM),
            ("Dockerfile", "FROM scratch\nCOPY base.txt /tmp/base.txt\n"),
            ("base.txt", "UNIQUE"),
            ("assets/index.html", "x"),
        ],
        async |bench| {
            let base = bench.one(bench.dockerfile()).await;
            let tag = query::TagImageOptionsBuilder::default()
                .repo(&bench.name)
                .tag("base")
                .build();
            bench
                .engine
                .docker()
                .tag_image(&base.id, Some(tag))
                .await
                .expect("tags");
            let image = bench
                .one(bench.bin(|bin| {
                    bin.base = Some(format!("{}:base", bench.name));
                    bin.files = vec![
                        ("assets".into(), "/srv/www".to_owned()),
                        ("base.txt".into(), "/etc/conf/".to_owned()),
                    ];
                    bin.time_zones = true;
                }))
                .await;
            let listing = bench.listing(&image).await;
            for line in [
                "644 0 tmp/base.txt",
                "644 0 srv/www/index.html",
                "644 0 etc/conf/base.txt",
                "644 0 usr/share/zoneinfo/Asia/Seoul",
            ] {
                assert!(listing.lines().any(|l| l == line), "{line} in\n{listing}");
            }
            assert!(
                listing.contains(&format!("755 0 usr/local/bin/{}", bench.name)),
                "{listing}"
            );
        },
    )
    .await;
}

#[tokio::test]
async fn the_compilers_words_reach_the_user_and_the_error() {
    on_bench(
        &[
            ("Cargo.toml", MANIFEST),
            ("src/main.rs", "fn main() { let x: u8 = \"UNIQUE\"; }"),
        ],
        async |bench| {
            let (result, events) = bench.build(&[bench.bin(|_| {})]).await;
            let error = result.expect_err("does not compile");
            assert_eq!((error.kind, error.kind.exit_code()), (Kind::Build, 4));
            assert_eq!(error.message, format!("`cargo build` failed for {}", bench.name));
            for text in [error.detail.unwrap_or_default(), outputs(&events)] {
                assert!(text.contains("error[E0308]: mismatched types"), "{text}");
            }
            assert_eq!(endings(&events), [(Phase::Compile, None)]);
        },
    )
    .await;
}

#[tokio::test]
async fn a_dockerfile_gets_its_context_arguments_and_target() {
    on_bench(&[
        ("Dockerfile", "FROM scratch AS wanted\nARG VERSION=none\nLABEL version=$VERSION\nCOPY . /app/\nFROM wanted AS other\nCOPY missing /\n"),
        (".dockerignore", "*.md\n!keep.md\ntarget\nDockerfile\n"),
        ("keep.md", "UNIQUE"),
        ("drop.md", ""),
        ("target/big", ""),
        ("sub/a", ""),
    ], async |bench| {
    let mut image = bench.dockerfile();
    if let ImageSource::Dockerfile(file) = &mut image.source {
        file.target = Some("wanted".to_owned());
        file.args = BTreeMap::from([("VERSION".to_owned(), "1.2".to_owned())]);
    }
    let built = bench.one(image.clone()).await;
    insta::assert_snapshot!(bench.listing(&built).await, @r"
    755 0 app/
    644 0 app/.dockerignore
    644 0 app/Dockerfile
    644 0 app/keep.md
    755 0 app/sub/
    644 0 app/sub/a
    ");
    let found = bench.engine.docker().inspect_image(&built.id).await.expect("is there");
    let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
    assert_eq!(labels.get("version").map(String::as_str), Some("1.2"));

    let (again, events) = bench.build(&[image]).await;
    assert_eq!(again.expect("builds")[0].id, built.id);
    assert!(outputs(&events).contains("COPY . /app/: cached"), "{}", outputs(&events));
    }).await;
}

#[tokio::test]
async fn a_failed_step_is_named() {
    on_bench(
        &[
            ("Dockerfile", "FROM scratch\nCOPY a /\nCOPY UNIQUE /b\n"),
            ("a", ""),
        ],
        async |bench| {
            let (result, events) = bench.build(&[bench.dockerfile()]).await;
            let error = result.expect_err("fails");
            assert_eq!(error.kind, Kind::Build);
            let step = format!("[3/3] COPY {} /b", bench.name);
            let cause = error.source.as_ref().map(ToString::to_string).unwrap_or_default();
            assert!(
                error.message.contains(&step) || cause.contains(&bench.name),
                "{error}: {cause}"
            );
            assert!(cause.contains("not found"), "{cause}");
            assert_eq!(endings(&events), [(Phase::Build, None)]);
        },
    )
    .await;
}

#[tokio::test]
async fn a_dockerfile_that_cannot_be_read_is_the_engines_message() {
    on_bench(
        &[("Dockerfile", "FROM scratch\nCOPPY a /UNIQUE\n")],
        async |bench| {
            let (result, _) = bench.build(&[bench.dockerfile()]).await;
            let error = result.expect_err("fails");
            let cause = error.source.as_ref().map(ToString::to_string).unwrap_or_default();
            assert!(cause.contains("unknown instruction: COPPY"), "{error}: {cause}");
        },
    )
    .await;
}

#[tokio::test]
async fn another_cpus_image_is_built_and_checked() {
    on_bench(
        &[("Dockerfile", "FROM scratch\nCOPY a /UNIQUE\n"), ("a", "")],
        async |bench| {
            let mut image = bench.dockerfile();
            image.platform = Platform::LinuxArm64;
            let built = bench.one(image).await;
            assert_eq!(built.platform, Platform::LinuxArm64);
        },
    )
    .await;
}

#[tokio::test]
async fn all_failures_are_told_and_what_can_be_built_is() {
    on_bench(
        &[
            ("Cargo.toml", MANIFEST),
            ("src/main.rs", "fn main() {}"),
            ("Dockerfile", "FROM scratch\nCOPY UNIQUE /b\n"),
        ],
        async |bench| {
            let named = |mut image: Image, name: &str| {
                image.name = name.to_owned();
                image
            };
            let images = [
                named(
                    bench.bin(|bin| bin.files = vec![("gone".into(), "/gone".to_owned())]),
                    "files",
                ),
                named(bench.dockerfile(), "docker"),
                named(bench.bin(|bin| bin.bin = "nothing-like-it".to_owned()), "bin"),
            ];
            let (result, _) = bench.build(&images).await;
            let error = result.expect_err("fails");
            insta::assert_snapshot!(error, @"3 builds failed: `files`, `docker`, `bin`");
            let detail = error.detail.unwrap_or_default();
            for text in [
                "`files` names `gone`",
                "building `docker` failed",
                "has a binary `nothing-like-it`",
            ] {
                assert!(detail.contains(text), "{detail}");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_large_context_goes_through() {
    on_bench(
        &[("Dockerfile", "FROM scratch\nCOPY big /UNIQUE\n")],
        async |bench| {
            let path: &Path = &bench.dir.path().join("big");
            let file = std::fs::File::create(path).expect("creates");
            file.set_len(64 << 20).expect("grows");
            let built = bench.one(bench.dockerfile()).await;
            assert_eq!(built.size, 64 << 20);
        },
    )
    .await;
}
