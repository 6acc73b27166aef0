use super::*;

/// A context from `path -> content`; a path that ends in `/` is an empty directory.
fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("tempdir");
    for (name, content) in files {
        let path = dir.path().join(name);
        if name.ends_with('/') {
            std::fs::create_dir_all(path).expect("mkdir");
        } else {
            std::fs::create_dir_all(path.parent().expect("has a parent")).expect("mkdir");
            std::fs::write(path, content).expect("write");
        }
    }
    dir
}

fn listed(context: &Context) -> String {
    let mut bytes = Vec::new();
    context.write(&mut bytes).expect("writes");
    let mut archive = tar::Archive::new(bytes.as_slice());
    let entries = archive.entries().expect("is a tar");
    let lines = entries.map(|entry| {
        let entry = entry.expect("is an entry");
        let header = entry.header();
        assert_eq!((header.uid().expect("uid"), header.gid().expect("gid")), (0, 0));
        let path = entry.path().expect("path").display().to_string();
        match entry.link_name().expect("link") {
            Some(target) => format!("{path} -> {}", target.display()),
            None => path,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn everything_is_sent_in_order_of_names() {
    let dir = tree(&[("b/c", "1"), ("a", "2"), ("Dockerfile", "FROM scratch"), ("empty/", "")]);
    let context = Context::new(dir.path(), &dir.path().join("Dockerfile")).expect("context");
    assert_eq!(context.dockerfile_name, "Dockerfile");
    insta::assert_snapshot!(listed(&context), @r"
    Dockerfile
    a
    b/
    b/c
    empty/
    ");
}

#[test]
fn excluded_directories_are_walked_for_a_negation_only() {
    let dir = tree(&[
        (".dockerignore", "target\nnode_modules\n!target/release/app\n"),
        ("target/debug/big", ""),
        ("target/release/app", ""),
        ("target/release/app.d", ""),
        ("node_modules/x", ""),
        ("docker/Dockerfile", ""),
    ]);
    let context = Context::new(dir.path(), &dir.path().join("docker/Dockerfile")).expect("context");
    assert_eq!(context.dockerfile_name, "docker/Dockerfile");
    insta::assert_snapshot!(listed(&context), @r"
    .dockerignore
    docker/
    docker/Dockerfile
    target/
    target/release/
    target/release/app
    ");
}

#[test]
fn an_ignored_dockerfile_is_sent_all_the_same() {
    let dir = tree(&[(".dockerignore", "*\n!a"), ("Dockerfile", ""), ("a", "")]);
    let context = Context::new(dir.path(), &dir.path().join("Dockerfile")).expect("context");
    insta::assert_snapshot!(listed(&context), @r"
    a
    Dockerfile
    ");
}

#[test]
fn a_dockerfile_outside_brings_its_own_ignore_file() {
    let outside = tree(&[("web.Dockerfile", ""), ("web.Dockerfile.dockerignore", "*.md")]);
    let dir = tree(&[(".dockerignore", "a"), ("a", ""), ("b.md", "")]);
    let context = Context::new(dir.path(), &outside.path().join("web.Dockerfile")).expect("context");
    insta::assert_snapshot!(listed(&context), @r"
    .dockerignore
    a
    .xtask.Dockerfile
    ");
}

#[cfg(unix)]
#[test]
fn symlinks_stay_symlinks_and_sockets_stay_out() {
    let dir = tree(&[("Dockerfile", ""), ("real/file", "")]);
    std::os::unix::fs::symlink("real", dir.path().join("link")).expect("symlink");
    std::os::unix::fs::symlink("/nowhere", dir.path().join("dangling")).expect("symlink");
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).expect("socket");
    let context = Context::new(dir.path(), &dir.path().join("Dockerfile")).expect("context");
    insta::assert_snapshot!(listed(&context), @r"
    Dockerfile
    dangling -> /nowhere
    link -> real
    real/
    real/file
    ");
}

#[test]
fn long_paths_survive() {
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(150));
    let dir = tree(&[("Dockerfile", ""), (&long, "x")]);
    let context = Context::new(dir.path(), &dir.path().join("Dockerfile")).expect("context");
    assert!(listed(&context).ends_with(&long));
}

#[test]
fn what_is_not_there_is_named() {
    let dir = tree(&[("a", "")]);
    let error = Context::new(dir.path(), &dir.path().join("Dockerfile")).expect_err("no Dockerfile");
    assert!(error.message.contains("Dockerfile` cannot be read"), "{error}");
    assert_eq!(error.kind, Kind::Build);
    let error = Context::new(&dir.path().join("gone"), &dir.path().join("a")).expect_err("no context");
    assert!(error.message.starts_with("the context `"), "{error}");
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_an_error() {
    let mut out = Vec::new();
    let error = Exactly::new(&b"abc"[..], 5).read_to_end(&mut out).expect_err("too short");
    assert!(error.to_string().contains("became shorter"));
    assert_eq!(Exactly::new(&b"abcdef"[..], 3).read_to_end(&mut Vec::new()).expect("enough"), 3);
}

fn digest(dir: &tempfile::TempDir) -> String {
    let context = Context::new(dir.path(), &dir.path().join("Dockerfile")).expect("context");
    context.write(&mut io::sink()).expect("writes").digest
}

const FILES: [(&str, &str); 5] =
    [("Dockerfile", "FROM scratch"), (".dockerignore", "*.log"), ("b/c", "1"), ("a", "2"), ("empty/", "")];

#[test]
fn the_digest_does_not_depend_on_when_and_in_which_order_files_were_written() {
    let (one, mut files) = (tree(&FILES), FILES);
    files.reverse();
    let other = tree(&files);
    let file = File::options().write(true).open(other.path().join("a")).expect("opens");
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("a time of the past");
    std::fs::write(other.path().join("ignored.log"), "x").expect("writes");
    assert_eq!(digest(&one), digest(&other));
}

#[test]
fn directories_of_caches_are_told_of_unless_they_are_ignored() {
    let files = [
        ("Dockerfile", ""),
        ("target/CACHEDIR.TAG", ""),
        ("other/CACHEDIR.TAG", ""),
        (".dockerignore", "other"),
    ];
    let dir = tree(&files);
    let context = Context::new(dir.path(), &dir.path().join("Dockerfile")).expect("context");
    assert_eq!(context.write(&mut io::sink()).expect("writes").caches, ["target"]);
}

#[cfg(unix)]
#[test]
fn the_digest_depends_on_everything_that_is_sent() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let changes: [fn(&Path) -> io::Result<()>; 8] = [
        |root| std::fs::write(root.join("a"), "3"),
        |root| std::fs::rename(root.join("a"), root.join("d")),
        |root| std::fs::set_permissions(root.join("a"), std::fs::Permissions::from_mode(0o755)),
        |root| std::fs::set_permissions(root.join("b"), std::fs::Permissions::from_mode(0o700)),
        |root| std::fs::write(root.join("Dockerfile"), "FROM scratch\nCOPY a /\n"),
        |root| std::fs::remove_dir(root.join("empty")),
        |root| symlink("a", root.join("link")),
        |root| symlink("b", root.join("link")),
    ];
    let mut digests = std::collections::BTreeSet::from([digest(&tree(&FILES))]);
    for (at, change) in changes.iter().enumerate() {
        let dir = tree(&FILES);
        change(dir.path()).expect("changes");
        assert!(digests.insert(digest(&dir)), "change {at} makes no other digest");
    }
}
