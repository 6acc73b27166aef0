//! What a plan says, for people, for programs, and to be held against another one: two plans that say the
//! same do the same.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the document's form.
pub(super) const SCHEMA: u32 = 1;

/// Everything that a deploy would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Document {
    /// The version of this form.
    pub schema: u32,
    /// 12 digits.
    pub account: String,
    /// `eu-west-1` …
    pub region: String,
    /// Its name.
    pub cluster: String,
    /// In the order in which they happen; empty if nothing would change.
    pub items: Vec<Item>,
    /// What is worth knowing and changes nothing.
    pub notes: Vec<String>,
}

/// One thing that would be made or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Item {
    /// What happens to it.
    pub action: Action,
    /// What it is.
    pub object: Object,
    /// Its name.
    pub name: String,
    /// Of a service: what the change means for its tasks.
    pub effect: Option<Effect>,
    /// Why, where the differences do not say it.
    pub why: Option<String>,
    /// Key by key.
    pub differences: Vec<Difference>,
}

/// What happens to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed.
    Change,
    /// It cannot be done: the deploy would end before its first side effect.
    Refuse,
}

/// What a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Object {
    /// An ECS cluster.
    Cluster,
    /// An ECR repository.
    Repository,
    /// A CloudWatch log group.
    LogGroup,
    /// A security group and its rules.
    SecurityGroup,
    /// An image, pushed to its repository.
    Image,
    /// A revision of a task definition.
    TaskDefinition,
    /// An ECS service.
    Service,
}

impl Object {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Repository => "repository",
            Self::LogGroup => "log group",
            Self::SecurityGroup => "security group",
            Self::Image => "image",
            Self::TaskDefinition => "task definition",
            Self::Service => "service",
        }
    }
}

/// What a change means for the tasks of a service.
/// Source: Amazon ECS API Reference, UpdateService.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// None of them is replaced for it.
    InPlace,
    /// All of them are replaced, by a rollout.
    NewDeployment,
    /// UpdateService cannot do it: another service has to take its place.
    Replace,
}

impl Effect {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::InPlace => "in place",
            Self::NewDeployment => "new deployment",
            Self::Replace => "replace",
        }
    }
}

/// A key whose value changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Difference {
    /// In deploy.toml's words, below the thing it belongs to.
    pub key: String,
    /// What is there; `None` if nothing is.
    pub from: Option<String>,
    /// What the file says; `None` if it goes.
    pub to: Option<String>,
    /// Whether somebody else set what is there since the last deploy.
    pub set_by_hand: bool,
}

impl Document {
    /// Whether a deploy would change anything.
    #[must_use]
    pub fn changes_nothing(&self) -> bool {
        self.items.is_empty()
    }

    /// What somebody else set and a deploy would set back, each in a sentence.
    pub fn set_by_hand(&self) -> impl Iterator<Item = String> {
        self.items.iter().flat_map(|item| {
            item.differences.iter().filter(|one| one.set_by_hand).map(|one| {
                let (from, to) =
                    (one.from.as_deref().unwrap_or("nothing"), one.to.as_deref().unwrap_or("nothing"));
                let what = format!("{} {}", item.object.words(), item.name);
                format!(
                    "{what}: {} was set to {from} by hand since the last deploy; deploy.toml says {to}",
                    one.key
                )
            })
        })
    }

    /// Whether both do the same in the same place; what changes nothing may differ.
    #[must_use]
    pub fn does_the_same(&self, other: &Self) -> bool {
        let told = |plan: &Self| Self { notes: Vec::new(), ..plan.clone() };
        told(self) == told(other)
    }
}

impl Item {
    pub(super) fn new(action: Action, object: Object, name: impl Into<String>) -> Self {
        Self { action, object, name: name.into(), effect: None, why: None, differences: Vec::new() }
    }
}

impl Difference {
    pub(super) fn new(key: impl Into<String>, from: Option<String>, to: Option<String>) -> Self {
        Self { key: key.into(), from, to, set_by_hand: false }
    }
}
