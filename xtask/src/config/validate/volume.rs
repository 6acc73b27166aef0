//! `[service.NAME.volumes]` and the `mounts` of containers.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::config::problem::nearest;
use crate::config::raw;
use crate::config::service::{Efs, Mount, Volume};
use crate::config::source::Path;

pub(super) fn volumes(
    check: &mut Check<'_>,
    at: &Path,
    tables: BTreeMap<String, raw::Volume>,
    platform_version: Option<&str>,
) -> Vec<Volume> {
    let tables = check.in_order(&at.at("volumes"), tables);
    let volumes: Vec<_> =
        tables.into_iter().map(|(at, name, table)| volume(check, &at, name, table)).collect();
    if let (Some("1.3.0"), Some(with_efs)) = (platform_version, volumes.iter().find(|one| one.efs.is_some()))
    {
        // Source: Amazon ECS Developer Guide, "Use Amazon EFS volumes with Amazon ECS".
        let help = "`platform-version = \"1.4.0\"`, or leave it out".to_owned();
        let title = format!("EFS, as `{}` is, needs platform version 1.4.0", with_efs.name);
        check.value(&at.at("platform-version"), title, "", [help]);
    }
    volumes
}

fn volume(check: &mut Check<'_>, at: &Path, name: String, table: raw::Volume) -> Volume {
    check.name(at, &name, "a volume name");
    let Some(file_system) = table.file_system_id.clone() else {
        let others = check.spans.keys_in(at).next().map(str::to_owned);
        if let Some(key) = others {
            let help = "add `file-system-id`, or leave the table empty for a volume that ends with the task"
                .to_owned();
            check.key(&at.at(&key), format!("`{key}` is for EFS volumes"), "", [help]);
        }
        return Volume { name, efs: None };
    };
    if !file_system.starts_with("fs-") {
        let help = "IDs begin with `fs-`".to_owned();
        check.value(
            &at.at("file-system-id"),
            format!("`{file_system}` is not a file system's ID"),
            "",
            [help],
        );
    }
    let efs = efs(check, at, file_system, table);
    Volume { name, efs: Some(efs) }
}

/// Source: Amazon ECS API Reference, EFSVolumeConfiguration and EFSAuthorizationConfig.
fn efs(check: &mut Check<'_>, at: &Path, file_system: String, table: raw::Volume) -> Efs {
    if let Some(point) = table.access_point.as_deref().filter(|point| !point.starts_with("fsap-")) {
        let help = "IDs begin with `fsap-`".to_owned();
        check.value(&at.at("access-point"), format!("`{point}` is not an access point's ID"), "", [help]);
    }
    let root = table.root_directory.filter(|root| root != "/");
    if root.is_some() && table.access_point.is_some() {
        let help = "leave it out: the access point says what the root is".to_owned();
        check.key(&at.at("root-directory"), "an access point has a root of its own", "", [help]);
    }
    let asked = table.access_point.is_some() || table.iam == Some(true);
    if asked && table.transit_encryption == Some(false) {
        let help = "leave it out: an access point and `iam` need it".to_owned();
        check.value(&at.at("transit-encryption"), "the way to this volume has to be encrypted", "", [help]);
    }
    Efs {
        file_system,
        root,
        access_point: table.access_point,
        encrypted: table.transit_encryption.or(asked.then_some(true)),
        iam: table.iam,
    }
}

pub(super) fn mounts(
    check: &mut Check<'_>,
    at: &Path,
    tables: Vec<raw::Mount>,
    volumes: &[Volume],
) -> Vec<Mount> {
    let at = at.at("mounts");
    let mut paths = BTreeSet::new();
    for (index, table) in tables.iter().enumerate() {
        let at = at.at(index);
        if !volumes.iter().any(|volume| volume.name == table.volume) {
            let help = match nearest(&table.volume, volumes.iter().map(|volume| volume.name.as_str())) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("declare it: `[service.NAME.volumes.{}]`", table.volume),
            };
            check.value(&at.at("volume"), format!("there is no volume `{}`", table.volume), "", [help]);
        }
        if !table.path.starts_with('/') {
            let help = format!("`/{}`", table.path);
            check.value(&at.at("path"), "a mount's path is absolute", "", [help]);
        }
        if !paths.insert(table.path.as_str()) {
            check.value(&at.at("path"), format!("`{}` is mounted twice", table.path), "", []);
        }
    }
    let mount = |table: raw::Mount| Mount {
        volume: table.volume,
        path: table.path,
        read_only: table.read_only.unwrap_or(false),
    };
    tables.into_iter().map(mount).collect()
}
