//! The image of a `bin`: around the compiled program, minimal or on a base.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::context::Sent;
use super::kit::{Files, Kit, Source};
use super::minimal::content::{self, Layer, NONROOT};
use super::minimal::layer::{LayerWriter, Measure};
use super::minimal::{self, Minimal};
use super::{BuildContext, Recipe, blocking, elf};
use crate::config::image::{BinImage, Image};
use crate::error::{Error, Kind, Result};
use crate::event::Events;

/// Reads the program and the files.
pub(super) async fn read(
    context: &BuildContext,
    image: &Image,
    bin: &BinImage,
    program: PathBuf,
    events: &Events,
) -> Result<Recipe> {
    check(image, bin, &program)?;
    match &bin.base {
        None => {
            let (bin, platform, root) = (bin.clone(), image.platform, context.root.clone());
            let measured = blocking(move || Minimal::new(&bin, platform, &program, &root)).await?;
            Ok(Recipe::Minimal(measured))
        }
        Some(base) => {
            let files = minimal::files(bin, &context.root)?;
            let text = dockerfile_text(bin, base, &files);
            let on_base = OnBase { text: text.clone(), time_zones: bin.time_zones, files, program };
            let source = Source {
                files: Arc::new(on_base),
                dockerfile: ("Dockerfile".to_owned(), &text),
                target: None,
                args: &BTreeMap::new(),
                platform: image.platform,
            };
            Ok(Recipe::Kit(Kit::read(context, source, events).await?))
        }
    }
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

/// The context of an image on a base: its tar has no times, so its digest is that of its files.
struct OnBase {
    text: String,
    time_zones: bool,
    files: Vec<(PathBuf, String)>,
    program: PathBuf,
}

impl Files for OnBase {
    fn write(&self, out: &mut dyn io::Write) -> Result<Sent> {
        let mut measured = Measured { out, measure: Measure::default() };
        let written = self.tar(&mut measured);
        written.map_err(|e| {
            Error::new(Kind::Build, "the image's files could not be read and sent").caused_by(e)
        })?;
        Ok(Sent { digest: measured.measure.hex(), caches: Vec::new() })
    }
}

impl OnBase {
    fn tar(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let mut tar = LayerWriter::new(out);
        tar.bytes("Dockerfile", 0o644, self.text.as_bytes())?;
        if self.time_zones {
            content::time_zones(&mut tar, "zoneinfo")?;
        }
        for (index, (source, target)) in self.files.iter().enumerate() {
            let name = target.rsplit('/').next().unwrap_or(target);
            let path =
                if source.is_dir() { format!("files/{index}") } else { format!("files/{index}/{name}") };
            Layer::Files(vec![(source.clone(), path)]).entries(&mut tar)?;
        }
        let name = self.program.file_name().and_then(|name| name.to_str()).unwrap_or("program");
        Layer::Program(self.program.clone(), format!("program/{name}")).entries(&mut tar)?;
        tar.finish()
    }
}

/// Writes, and hashes what it writes.
struct Measured<'a> {
    out: &'a mut dyn io::Write,
    measure: Measure,
}

impl io::Write for Measured<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.measure.write_all(&bytes[..count])?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
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
