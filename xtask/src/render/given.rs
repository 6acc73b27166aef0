//! The team's own task definition: as it is, but for the images that are built here, and tags.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Context, image, tags};
use crate::config::service::{ContainerImage, Service};
use crate::push::PushedImage;

/// `given` with the service's family, the digests of what was pushed, and this tool's tags.
pub(super) fn rendered(
    service: &Service,
    given: &Map<String, Value>,
    context: Context<'_>,
) -> Map<String, Value> {
    let mut body = given.clone();
    body.insert("family".to_owned(), json!(service.family));
    for container in body.get_mut("containerDefinitions").and_then(Value::as_array_mut).into_iter().flatten()
    {
        pin(container, service, context.images);
    }
    let ours = tags(service, context.commit);
    body.insert("tags".to_owned(), with_given(ours, given.get("tags")));
    body
}

/// A reference stays as the JSON, or deploy.toml over it, says.
fn pin(container: &mut Value, service: &Service, images: &BTreeMap<String, PushedImage>) {
    let known = service.containers.iter().find(|known| container["name"] == known.name.as_str());
    let reference = known.map(|known| &known.image).map(|declared: &ContainerImage| image(declared, images));
    if let Some(reference) = reference {
        container["image"] = json!(reference);
    }
}

/// Tags of the JSON go behind this tool's; deploy.toml says the last word.
fn with_given(mut ours: Value, given: Option<&Value>) -> Value {
    let taken: Vec<Value> = ours.as_array().into_iter().flatten().map(|tag| tag["key"].clone()).collect();
    let given = given.and_then(Value::as_array).into_iter().flatten();
    if let Some(ours) = ours.as_array_mut() {
        ours.extend(given.filter(|tag| !taken.contains(&tag["key"])).cloned());
    }
    ours
}
