use super::addressed::check_platform;
use super::*;
use crate::config::image::DockerfileImage;

fn image(name: &str) -> Image {
    Image {
        name: name.to_owned(),
        repository: name.to_owned(),
        platform: Platform::LinuxAmd64,
        source: ImageSource::Dockerfile(DockerfileImage {
            dockerfile: PathBuf::from("/Dockerfile"),
            context: PathBuf::from("/"),
            target: None,
            args: <_>::default(),
        }),
    }
}

#[test]
fn another_platform_is_an_error_that_names_both() {
    let error = check_platform(&image("web"), "linux/arm64").expect_err("differs");
    insta::assert_snapshot!(error, @"the image `web` was built for `linux/arm64`, not for `linux/amd64`");
    assert!(check_platform(&image("web"), "linux/amd64").is_ok());
}

#[test]
fn every_failure_is_told_and_the_first_decides() {
    let images = [image("a"), image("b"), image("c")];
    let failures = [
        Err((2, Error::new(Kind::Build, "third").hint("do x"))),
        Err((0, Error::new(Kind::Config, "first").caused_by("why").detail("line").hint("do x"))),
    ];
    let error = collect::<()>(&images, failures.into_iter()).expect_err("failed");
    assert_eq!(error.kind, Kind::Config);
    insta::assert_snapshot!(error, @"2 builds failed: `a`, `c`");
    insta::assert_snapshot!(error.detail.unwrap_or_default(), @r"
    first: why
    line

    third
    ");
    assert_eq!(error.hints, ["do x"]);
}

#[test]
fn a_failure_of_aws_stands_for_itself() {
    let images = [image("a"), image("b")];
    let failures = [0, 1].map(|at| Err((at, Error::new(Kind::Aws, "no answer"))));
    let error = collect::<()>(&images, failures.into_iter()).expect_err("failed");
    assert_eq!((error.kind, error.message.as_str()), (Kind::Aws, "no answer"));
}
