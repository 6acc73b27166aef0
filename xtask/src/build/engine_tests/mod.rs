//! Builds on the Docker Engine of this machine, looked at through the engine.

mod bases;
mod bench;

use std::collections::BTreeMap;
use std::path::Path;

use bollard::query_parameters as query;

pub(crate) use bench::{Bench, on_bench};

use super::*;
use crate::event::{Done, Event};
use crate::git::Commit;

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
            Event::Abandoned { step } => Some((step.phase, None)),
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
        &[("Cargo.toml", MANIFEST), ("src/main.rs", PROGRAM), ("app.toml", "configured")],
        async |bench| {
            let image = || bench.bin(|bin| bin.files = vec![("app.toml".into(), "/etc/app.toml".to_owned())]);
            let first = bench.one(image()).await;
            assert_eq!(bench.run(&first).await, format!("{} /home/nonroot configured\n", bench.name));

            let (again, events) = bench.build(&[image()]).await;
            assert_eq!(again.expect("builds"), std::slice::from_ref(&first));
            let unchanged = Some(Done::Unchanged);
            assert_eq!(endings(&events), [(Phase::Compile, unchanged), (Phase::Build, unchanged)]);
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
            let tag = query::TagImageOptionsBuilder::default().repo(&bench.name).tag("base").build();
            bench.engine.docker().tag_image(&base.id, Some(tag)).await.expect("tags");
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
            assert!(listing.contains(&format!("755 0 usr/local/bin/{}", bench.name)), "{listing}");
        },
    )
    .await;
}

#[tokio::test]
async fn the_compilers_words_reach_the_user_and_the_error() {
    on_bench(
        &[("Cargo.toml", MANIFEST), ("src/main.rs", "fn main() { let x: u8 = \"UNIQUE\"; }")],
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
    assert_eq!(endings(&events), [(Phase::Build, Some(Done::Unchanged))]);
    assert!(outputs(&events).contains("COPY . /app/: cached"), "{}", outputs(&events));
    }).await;
}

#[tokio::test]
async fn another_commit_alone_makes_no_other_image() {
    let files = [
        ("Cargo.toml", MANIFEST),
        ("src/main.rs", PROGRAM),
        ("Dockerfile", "FROM scratch\nCOPY a /a\n"),
        (".dockerignore", "*\n!a\n"),
        ("a", "UNIQUE"),
    ];
    on_bench(&files, async |bench| {
        let mut seen = Vec::new();
        for hash in ["0123", "4567"] {
            *bench.commit.lock().expect("not poisoned") =
                Some(Commit { hash: hash.to_owned(), dirty: false });
            let (built, events) = bench.build(&[bench.bin(|_| {}), bench.dockerfile()]).await;
            let done: Vec<_> =
                endings(&events).into_iter().filter(|(phase, _)| *phase == Phase::Build).collect();
            seen.push((built.expect("builds"), done));
        }
        let [(first, made), (second, kept)] = seen.as_slice() else { panic!("two builds") };
        assert_eq!(*made, [(Phase::Build, Some(Done::Changed)); 2]);
        assert_eq!(*kept, [(Phase::Build, Some(Done::Unchanged)); 2]);
        let addresses =
            |built: &[BuiltImage]| built.iter().map(|one| one.address.clone()).collect::<Vec<_>>();
        assert_eq!(addresses(first), addresses(second));
        for image in first {
            let found = bench.engine.docker().inspect_image(&image.id).await.expect("is there");
            let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
            assert_eq!(labels["org.opencontainers.image.revision"], "0123");
            assert_eq!(labels["git-dirty"], "false");
        }
    })
    .await;
}

#[tokio::test]
async fn a_failed_step_is_named() {
    on_bench(&[("Dockerfile", "FROM scratch\nCOPY a /\nCOPY UNIQUE /b\n"), ("a", "")], async |bench| {
        let (result, events) = bench.build(&[bench.dockerfile()]).await;
        let error = result.expect_err("fails");
        assert_eq!(error.kind, Kind::Build);
        let step = format!("[3/3] COPY {} /b", bench.name);
        let cause = error.source.as_ref().map(ToString::to_string).unwrap_or_default();
        assert!(error.message.contains(&step) || cause.contains(&bench.name), "{error}: {cause}");
        assert!(cause.contains("not found"), "{cause}");
        assert_eq!(endings(&events), [(Phase::Build, None)]);
    })
    .await;
}

#[tokio::test]
async fn a_dockerfile_that_cannot_be_read_is_the_engines_message() {
    on_bench(&[("Dockerfile", "FROM scratch\nCOPPY a /UNIQUE\n")], async |bench| {
        let (result, _) = bench.build(&[bench.dockerfile()]).await;
        let error = result.expect_err("fails");
        let cause = error.source.as_ref().map(ToString::to_string).unwrap_or_default();
        assert!(cause.contains("unknown instruction: COPPY"), "{error}: {cause}");
    })
    .await;
}

#[tokio::test]
async fn another_cpus_image_is_built_and_checked() {
    on_bench(&[("Dockerfile", "FROM scratch\nCOPY a /UNIQUE\n"), ("a", "")], async |bench| {
        let mut image = bench.dockerfile();
        image.platform = Platform::LinuxArm64;
        let built = bench.one(image).await;
        assert_eq!(built.platform, Platform::LinuxArm64);
    })
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
                named(bench.bin(|bin| bin.files = vec![("gone".into(), "/gone".to_owned())]), "files"),
                named(bench.dockerfile(), "docker"),
                named(bench.bin(|bin| bin.bin = "nothing-like-it".to_owned()), "bin"),
            ];
            let (result, _) = bench.build(&images).await;
            let error = result.expect_err("fails");
            insta::assert_snapshot!(error, @"3 builds failed: `files`, `docker`, `bin`");
            let detail = error.detail.unwrap_or_default();
            for text in ["`files` names `gone`", "building `docker` failed", "has a binary `nothing-like-it`"]
            {
                assert!(detail.contains(text), "{detail}");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_large_context_goes_through() {
    on_bench(&[("Dockerfile", "FROM scratch\nCOPY big /UNIQUE\n")], async |bench| {
        let path: &Path = &bench.dir.path().join("big");
        let file = std::fs::File::create(path).expect("creates");
        file.set_len(64 << 20).expect("grows");
        let built = bench.one(bench.dockerfile()).await;
        assert_eq!(built.size, 64 << 20);
    })
    .await;
}
