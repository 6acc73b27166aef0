//! The image of a `bin`: around the compiled program, minimal or on a base.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use super::buildkit::{self, credentials, dockerfile};
use super::minimal::content::{self, Layer, NONROOT};
use super::minimal::layer::LayerWriter;
use super::minimal::{self, Minimal};
use super::{BuildContext, elf, label, load, pipe};
use crate::config::image::{BinImage, Image};
use crate::error::{Error, Kind, Result};
use crate::event::{Done, Events, Running};

/// Makes the image; its engine ID and whether the engine had it already.
pub(super) async fn build(
    context: &BuildContext,
    image: &Image,
    bin: &BinImage,
    program: PathBuf,
    step: &Running,
    events: &Events,
) -> Result<(String, Done)> {
    check(image, bin, &program)?;
    match &bin.base {
        None => {
            let (bin, platform, root) = (bin.clone(), image.platform, context.root.clone());
            let measured = blocking(move || Minimal::new(&bin, platform, &program, &root)).await?;
            load::load(&context.engine, measured, context.commit.clone(), step).await
        }
        Some(base) => on_base(context, image, bin, base, program, step, events).await,
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let result = tokio::task::spawn_blocking(work).await;
    result.unwrap_or_else(|e| Err(Error::new(Kind::Unexpected, "a blocking thread ended early").caused_by(e)))
}

fn check(image: &Image, bin: &BinImage, program: &Path) -> Result<()> {
    let verdict = elf::check(program, image.platform, bin.base.is_none());
    let verdict = verdict.map_err(|e| {
        Error::new(Kind::Build, format!("`{}` cannot be read", program.display())).caused_by(e)
    })?;
    verdict.map_err(|unfit| {
        let message =
            format!("the executable `{}` cannot run in the image `{}`: {unfit}", bin.bin, image.name);
        let error = Error::new(Kind::Build, message);
        match unfit {
            elf::Unfit::Dynamic(_) => error
                .hint(
                    "`-C target-feature=-crt-static` or `-C prefer-dynamic` in your rustflags would do this",
                )
                .hint("or set `base` to an image that has these libraries"),
            _ => error,
        }
    })
}

async fn on_base(
    context: &BuildContext,
    image: &Image,
    bin: &BinImage,
    base: &str,
    program: PathBuf,
    step: &Running,
    events: &Events,
) -> Result<(String, Done)> {
    let files = minimal::files(bin, &context.root)?;
    let text = dockerfile_text(bin, base, &files);
    let registries = BTreeSet::from([dockerfile::registry(base)]);
    let request = buildkit::Request {
        name: &image.name,
        dockerfile: "Dockerfile",
        target: None,
        args: &BTreeMap::new(),
        labels: label::of(context.commit.clone().await.as_ref()),
        platform: image.platform,
        credentials: credentials::for_registries(registries, events).await,
    };
    let time_zones = bin.time_zones;
    let (body, writing) = pipe::pipe(move |out| {
        base_context(out, &text, time_zones, &files, &program)
            .map_err(|e| Error::new(Kind::Build, "the image's files could not be sent").caused_by(e))
    });
    let built = buildkit::build(&context.engine, request, body, step).await;
    super::outcome(built, writing).await
}

/// Every file goes through a directory of its own: `COPY dir/ /there/` keeps symlinks, `COPY file /there` does not.
fn dockerfile_text(bin: &BinImage, base: &str, files: &[(PathBuf, String)]) -> String {
    let mut text = format!("FROM {base}\n");
    let mut copy = |from: &str, to: &str| {
        let arguments = serde_json::json!([from, to.replace('$', "\\$")]);
        writeln!(text, "COPY {arguments}").ok();
    };
    if bin.time_zones {
        copy("zoneinfo/", "/usr/share/zoneinfo/");
    }
    for (index, (source, target)) in files.iter().enumerate() {
        let directory = if source.is_dir() { target.as_str() } else { parent(target) };
        copy(&format!("files/{index}/"), &format!("/{directory}/"));
    }
    copy("program/", &format!("{}/", content::BIN_DIR));
    let user = bin.user.as_deref().unwrap_or(NONROOT);
    let entrypoint = serde_json::json!([minimal::program_path(bin)]);
    writeln!(text, "USER {user}\nENTRYPOINT {entrypoint}").ok();
    text
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn base_context(
    out: &mut dyn io::Write,
    dockerfile: &str,
    time_zones: bool,
    files: &[(PathBuf, String)],
    program: &Path,
) -> io::Result<()> {
    let mut tar = LayerWriter::new(out);
    tar.bytes("Dockerfile", 0o644, dockerfile.as_bytes())?;
    if time_zones {
        content::time_zones(&mut tar, "zoneinfo")?;
    }
    for (index, (source, target)) in files.iter().enumerate() {
        let name = target.rsplit('/').next().unwrap_or(target);
        let path = if source.is_dir() { format!("files/{index}") } else { format!("files/{index}/{name}") };
        Layer::Files(vec![(source.clone(), path)]).entries(&mut tar)?;
    }
    let name = program.file_name().and_then(|name| name.to_str()).unwrap_or("program");
    Layer::Program(program.to_owned(), format!("program/{name}")).entries(&mut tar)?;
    tar.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dockerfile_of_a_base() {
        let dir = tempfile::tempdir().expect("tempdir");
        let bin = BinImage {
            bin: "server".to_owned(),
            package: None,
            profile: "release".to_owned(),
            features: Vec::new(),
            default_features: true,
            base: Some("debian:12-slim".to_owned()),
            user: Some("www-data".to_owned()),
            time_zones: true,
            files: Vec::new(),
        };
        let files = [
            (dir.path().to_owned(), "srv/my assets".to_owned()),
            (dir.path().join("app.toml"), "etc/app.toml".to_owned()),
            (dir.path().join("top"), "$top".to_owned()),
        ];
        insta::assert_snapshot!(dockerfile_text(&bin, "debian:12-slim", &files), @r#"
        FROM debian:12-slim
        COPY ["zoneinfo/","/usr/share/zoneinfo/"]
        COPY ["files/0/","/srv/my assets/"]
        COPY ["files/1/","/etc/"]
        COPY ["files/2/","//"]
        COPY ["program/","/usr/local/bin/"]
        USER www-data
        ENTRYPOINT ["/usr/local/bin/server"]
        "#);
    }
}
