//! Tags of ECS resources.

use serde::{Deserialize, Serialize};

use super::reference::{name, parts};
use super::{Ecs, service_key};
use crate::error::ApiError;

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Up to 128 characters.
    pub key: String,
    /// Up to 256 characters.
    #[serde(default)]
    pub value: String,
}

/// Adds tags; a key that is there gets the new value.
pub fn merge(tags: &mut Vec<Tag>, new: Vec<Tag>) {
    for tag in new {
        match tags.iter_mut().find(|t| t.key == tag.key) {
            Some(there) => there.value = tag.value,
            None => tags.push(tag),
        }
    }
}

/// The limits on tags (documented: "Tag restrictions"; messages assumed but for their sense).
pub fn validate(tags: &[Tag]) -> Result<(), ApiError> {
    let invalid = |why: String| Err(ApiError::new("InvalidParameterException", why));
    if tags.len() > 50 {
        return invalid("The maximum number of tags that can be applied to a resource is 50.".into());
    }
    for (i, tag) in tags.iter().enumerate() {
        if tag.key.is_empty() || tag.key.chars().count() > 128 || tag.value.chars().count() > 256 {
            return invalid(
                "Tags can not have keys longer than 128 or values longer than 256 characters.".into(),
            );
        }
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            return invalid(format!("Tag keys starting with aws: are reserved: {}", tag.key));
        }
        if tags[..i].iter().any(|t| t.key == tag.key) {
            return invalid(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.".into(),
            );
        }
    }
    Ok(())
}

impl Ecs {
    /// The tags of the resource with this ARN.
    pub fn tags_mut(&mut self, arn: &str) -> Result<&mut Vec<Tag>, ApiError> {
        let kind = arn.splitn(6, ':').nth(5).and_then(|r| r.split_once('/')).map_or("", |(kind, _)| kind);
        let tags = match (kind, parts(arn).as_slice()) {
            ("cluster", [name]) => self.clusters.get_mut(*name).filter(|c| c.active).map(|c| &mut c.tags),
            ("service", [cluster, name]) => {
                self.services.get_mut(&service_key(cluster, name)).map(|s| &mut s.tags)
            }
            ("task", [_, id]) => self.tasks.get_mut(*id).map(|t| &mut t.tags),
            ("task-definition", _) => self.definition_tags_mut(name(arn)),
            _ => {
                return Err(ApiError::new("InvalidParameterException", "Invalid resource ARN."));
            }
        };
        tags.ok_or_else(|| {
            let message = "The specified resource is not found. Specify a valid resource and try again.";
            ApiError::new(missing_code(kind), message)
        })
    }

    fn definition_tags_mut(&mut self, reference: &str) -> Option<&mut Vec<Tag>> {
        let (family, revision) = reference.split_once(':')?;
        let revision: u32 = revision.parse().ok()?;
        self.families.get_mut(family)?.revisions.get_mut(&revision).map(|d| &mut d.tags)
    }
}

/// Declared errors of `TagResource`; which one for which kind is assumed.
fn missing_code(kind: &str) -> &'static str {
    match kind {
        "cluster" => "ClusterNotFoundException",
        _ => "InvalidParameterException",
    }
}
