//! Volumes and mounts, as ECS JSON.
//!
//! Member names and shapes: Amazon ECS API Reference, Volume, EFSVolumeConfiguration, MountPoint.

use serde_json::{Value, json};

use super::object;
use crate::config::service::{Efs, Mount, Volume};

pub(super) fn volume(volume: &Volume) -> Value {
    object([("name", Some(json!(volume.name))), ("efsVolumeConfiguration", volume.efs.as_ref().map(efs))])
}

fn efs(efs: &Efs) -> Value {
    let switch = |on: bool| json!(if on { "ENABLED" } else { "DISABLED" });
    let authorized = efs.access_point.is_some() || efs.iam.is_some();
    let authorization = || {
        object([
            ("accessPointId", efs.access_point.as_ref().map(|point| json!(point))),
            ("iam", efs.iam.map(switch)),
        ])
    };
    object([
        ("fileSystemId", Some(json!(efs.file_system))),
        ("rootDirectory", efs.root.as_ref().map(|root| json!(root))),
        ("transitEncryption", efs.encrypted.map(switch)),
        ("authorizationConfig", authorized.then(authorization)),
    ])
}

pub(super) fn mount(mount: &Mount) -> Value {
    json!({ "sourceVolume": mount.volume, "containerPath": mount.path, "readOnly": mount.read_only })
}
