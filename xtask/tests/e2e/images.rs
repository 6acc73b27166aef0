//! Images by what they are made of: what the registry has is neither built nor pushed.

use std::collections::HashMap;
use std::path::Path;

use aws_sdk_ecr::types::ImageIdentifier;
use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptions};
use local_aws::engine::endpoint;

use crate::support::{Run, SERVER, Workspace, block_on, get, write_package};

/// A workspace whose service runs an image made of a Dockerfile: the server, as it was compiled.
fn with_dockerfile(test: &str) -> Workspace {
    let workspace = Workspace::new(test);
    workspace.deploy();
    workspace.write_program("docker/tiny");
    workspace.write("docker/name", &workspace.name); // no other test's image
    workspace.write("docker/Dockerfile", "FROM scratch\nCOPY tiny name /\nENTRYPOINT [\"/tiny\"]\n");
    workspace.change(|file| {
        file.images = "[image.docker]\ndockerfile = \"docker/Dockerfile\"\ncontext = \"docker\"".to_owned();
        file.image = Some("docker".to_owned());
    });
    workspace
}

fn changed(run: &Run) -> bool {
    assert_eq!(run.code, 0, "{run:#?}");
    run.outcome["result"]["services"][0]["changed"] == true
}

/// The tags of a repository's images, in order.
fn tags(workspace: &Workspace, repository: &str) -> Vec<String> {
    let answer = block_on(ecr(workspace).list_images().repository_name(repository).send());
    let answer = answer.expect("images are listed");
    let mut tags: Vec<_> =
        answer.image_ids().iter().filter_map(|id| id.image_tag().map(str::to_owned)).collect();
    tags.sort();
    tags
}

fn ecr(workspace: &Workspace) -> aws_sdk_ecr::Client {
    let endpoint = workspace.status()["endpoint"].as_str().map(str::to_owned);
    let target =
        xtask::target::Target { local: endpoint, profile: None, region: Some("eu-west-1".to_owned()) };
    block_on(target.connect()).expect("a client").ecr
}

/// Takes from the engine what it has of the control plane's registry.
fn forget(workspace: &Workspace) -> usize {
    let endpoint = workspace.status()["endpoint"].as_str().expect("an endpoint").to_owned();
    let host = endpoint.trim_start_matches("http://").to_owned();
    block_on(async {
        let engine = endpoint::from_process().expect("an engine").connect().await.expect("it answers");
        let filters = HashMap::from([("reference", vec![format!("{host}/*")])]);
        let options = ListImagesOptionsBuilder::default().filters(&filters).build();
        let images = engine.list_images(Some(options)).await.expect("images are listed");
        let names: Vec<_> = images.into_iter().flat_map(|image| image.repo_tags).collect();
        for name in &names {
            let options = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
            engine.remove_image(name, Some(options), None).await.expect("its name is removed");
        }
        names.len()
    })
}

#[test]
fn what_the_registry_has_needs_no_build_no_push_and_no_image_on_the_engine() {
    let workspace = with_dockerfile("known");
    let first = workspace.deploy();
    assert_eq!(first.done("build"), ["unchanged", "changed"], "{first:#?}");

    // As on another machine: other times, and an engine that knows nothing.
    let program = std::fs::File::options().write(true).open(workspace.path("docker/tiny"));
    program.expect("it is there").set_modified(std::time::SystemTime::UNIX_EPOCH).expect("its time is set");
    assert_eq!(forget(&workspace), 2);
    workspace.version("v2");
    let second = workspace.deploy();
    assert!(changed(&second));
    for phase in ["build", "push"] {
        assert_eq!(second.done(phase), ["unchanged"; 2], "{phase}: {second:#?}");
    }
    let outputs = second.of_kind("output").filter(|event| event["step"]["phase"] == "build").count();
    assert_eq!(outputs, 0, "BuildKit was asked: {second:#?}");
    assert_eq!(get(&workspace.address()).expect("an answer"), "v2", "its image was pulled");
}

#[test]
fn an_image_that_a_lifecycle_rule_took_is_made_again() {
    let workspace = with_dockerfile("expired");
    workspace.deploy();
    let before = tags(&workspace, "docker");
    let gone = ImageIdentifier::builder().image_tag(&before[0]).build();
    let delete = ecr(&workspace).batch_delete_image().repository_name("docker").image_ids(gone).send();
    block_on(delete).expect("it is deleted");
    assert_eq!(tags(&workspace, "docker"), Vec::<String>::new());
    let again = workspace.deploy();
    assert_eq!(tags(&workspace, "docker"), before, "{again:#?}");
    assert!(!changed(&workspace.deploy()));
}

#[test]
fn what_was_built_anew_stays() {
    let workspace = with_dockerfile("anew");
    workspace.deploy();
    let first = tags(&workspace, "docker");
    let anew = workspace.run(&["deploy", "--local", "--no-cache"]);
    assert!(changed(&anew), "{anew:#?}");
    let second = tags(&workspace, "docker");
    assert_eq!(second, [first[0].clone(), format!("{}-2", first[0])]);
    let run = workspace.deploy();
    assert!(!changed(&run), "the first build is not what runs: {run:#?}");
    assert_eq!(tags(&workspace, "docker"), second);
    assert_eq!(tags(&workspace, &workspace.name).len(), 1, "a binary is what it is made of");
}

const BESIDE: &str = "pub fn fails(bytes: &[u8]) -> u8 { bytes.iter().copied().max().expect(file!()) }\n";
const SCRIPT: &str = r#"fn main() {
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").unwrap());
    std::fs::write(out.join("generated.rs"), "pub fn fails(bytes: &[u8]) -> u8 { bytes[bytes.len() + 1] }").unwrap();
}"#;
/// Code whose place is in the executable: of the package, of another one, generated.
const PLACES: &str = r#"
mod generated { include!(concat!(env!("OUT_DIR"), "/generated.rs")); }
fn fails(bytes: &[u8]) -> u8 { bytes.first().copied().expect(file!()) }
#[used]
static PLACES: [fn(&[u8]) -> u8; 3] = [fails, generated::fails, beside::fails];
"#;

/// As somebody has it: of two packages and a build script.
fn clone_at(dir: &Path, deploy: &str) {
    write_package(dir, &format!("{SERVER}{PLACES}"));
    let manifest = std::fs::read_to_string(dir.join("Cargo.toml")).expect("it is there");
    let manifest = format!("{manifest}[dependencies]\nbeside = {{ path = \"beside\" }}\n");
    let beside = "[package]\nname = \"beside\"\nversion = \"0.0.0\"\nedition = \"2024\"\n";
    std::fs::create_dir_all(dir.join("beside/src")).expect("a directory");
    std::fs::remove_file(dir.join("Cargo.lock")).expect("it is of other dependencies");
    for (name, text) in [
        ("Cargo.toml", manifest.as_str()),
        ("build.rs", SCRIPT),
        ("deploy.toml", deploy),
        ("beside/Cargo.toml", beside),
        ("beside/src/lib.rs", BESIDE),
    ] {
        std::fs::write(dir.join(name), text).expect("a file");
    }
}

#[test]
fn another_clone_elsewhere_changes_nothing() {
    let workspace = Workspace::new("clone");
    workspace.change(|file| {
        file.images = "[image.release]\nbin = \"tiny\"\nprofile = \"release\"".to_owned();
    });
    let deploy = std::fs::read_to_string(workspace.path("deploy.toml")).expect("it is there");
    let (one, other) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let run = |dir: &Path| {
        clone_at(dir, &deploy);
        let mut command = workspace.command(&["deploy", "--local", "--format", "json"]);
        command.current_dir(dir).env("CARGO_TARGET_DIR", dir.with_extension("built here"));
        Run::of(command)
    };
    assert!(changed(&run(one.path())));
    let second = run(&other.path().join("much deeper/than the first"));
    assert!(!changed(&second), "{second:#?}");
    assert_eq!(second.done("compile"), ["changed"; 2], "it was compiled here, too: {second:#?}");
    for (phase, count) in [("build", 2), ("push", 2), ("register", 1)] {
        assert_eq!(second.done(phase), vec!["unchanged"; count], "{phase}: {second:#?}");
    }
}
