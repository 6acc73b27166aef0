//! The escape hatch: ECS JSON written as TOML.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Members of ECS JSON by their own names, such as `pidMode = "task"`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(in crate::config) struct Extra(pub(in crate::config) Map<String, Value>);
