use super::*;

fn image(bin: &str) -> BinImage {
    BinImage {
        bin: bin.to_owned(),
        package: None,
        profile: "release".to_owned(),
        features: Vec::new(),
        default_features: true,
        base: None,
        user: None,
        time_zones: false,
        files: Vec::new(),
    }
}

fn toolchain() -> Toolchain {
    Toolchain {
        host: "x86_64-unknown-linux-gnu".to_owned(),
        targets: ["x86_64-unknown-linux-musl".to_owned()].into(),
        ..Toolchain::default()
    }
}

fn planned(images: &[BinImage]) -> (Vec<Group>, Vec<(usize, Error)>) {
    let workspace = Workspace::of(&[("app", &["server", "data-store"]), ("tools", &["server", "migrate"])]);
    let images: Vec<_> =
        images.iter().enumerate().map(|(i, image)| (i, image, Platform::LinuxAmd64)).collect();
    group(&workspace, &toolchain(), &[], &images)
}

#[test]
fn binaries_share_one_invocation() {
    let mut server = image("server");
    server.package = Some("app".to_owned());
    let (groups, failures) = planned(&[server, image("data-store"), image("migrate")]);
    assert!(failures.is_empty());
    assert_eq!(groups.len(), 1);
    insta::assert_snapshot!(groups[0].arguments().join(" "), @"build --package app --package tools --bin data-store --bin migrate --bin server --profile release --target x86_64-unknown-linux-musl --message-format=json-render-diagnostics");
    assert_eq!(groups[0].subject(), "data-store, migrate, server");
}

#[test]
fn features_and_profiles_make_their_own() {
    let mut first = image("data-store");
    first.features = vec!["tls".to_owned(), "serde/rc".to_owned()];
    first.default_features = false;
    let mut second = image("migrate");
    second.profile = "dist".to_owned();
    let (groups, _) = planned(&[first, second]);
    let lines: Vec<String> = groups.iter().map(|group| group.arguments().join(" ")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    build --package app --bin data-store --profile release --target x86_64-unknown-linux-musl --features serde/rc --features app/tls --no-default-features --message-format=json-render-diagnostics
    build --package tools --bin migrate --profile dist --target x86_64-unknown-linux-musl --message-format=json-render-diagnostics
    ");
}

#[test]
fn a_binary_that_cannot_be_found_is_said_with_a_way_out() {
    let (groups, failures) = planned(&[image("server"), image("data-stor"), image("migrate")]);
    assert_eq!(groups.len(), 1, "the others are built all the same");
    let text: Vec<String> = failures
        .iter()
        .map(|(index, error)| format!("{index}: {error}: {}", error.hints.join("; ")))
        .collect();
    insta::assert_snapshot!(text.join("\n"), @r"
    0: the binary `server` is in several packages: `app`, `tools`: say which one with `package`
    1: no package of this workspace has a binary `data-stor`: did you mean `data-store`?
    ");
    let mut wrong = image("migrate");
    wrong.package = Some("app".to_owned());
    let (_, failures) = planned(&[wrong]);
    insta::assert_snapshot!(failures[0].1, @"the package `app` has no binary `migrate`");
}
