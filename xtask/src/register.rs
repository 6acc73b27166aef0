//! Registers task definitions; one that says what is registered already is not registered again.

use serde_json::Value;

use crate::aws::json::{Answer, replace_body};
use crate::aws::{Aws, fault};
use crate::diff::{differs, dropped};
use crate::error::{Result, bug};
use crate::event::{Done, Events, Phase};
use crate::render::TaskDefinition;

/// A task definition that is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// `arn:aws:ecs:…:task-definition/FAMILY:REVISION`.
    pub arn: String,
}

impl Registered {
    /// `FAMILY:REVISION`.
    #[must_use]
    pub fn short(&self) -> &str {
        short(&self.arn)
    }
}

/// The part of an ARN after the last `/`.
#[must_use]
pub fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// The registered task definition that says the same, if one of `candidates` (what the service
/// runs, the family's newest) does.
#[must_use]
pub fn reusable(definition: &TaskDefinition, candidates: &[&Value]) -> Option<Registered> {
    let same = |candidate: &&&Value| candidate["status"] == "ACTIVE" && !differs(&definition.body, candidate);
    let arn = candidates.iter().find(same)?["taskDefinitionArn"].as_str()?;
    Some(Registered { arn: arn.to_owned() })
}

/// Registers it, unless `reuse` says the same.
///
/// # Errors
/// The call failed.
pub async fn register(
    aws: &Aws,
    definition: &TaskDefinition,
    reuse: Option<Registered>,
    events: &Events,
) -> Result<Registered> {
    let step = events.start(Phase::Register, definition.family.as_str());
    if let Some(registered) = reuse {
        step.finish(Done::Unchanged, registered.short());
        return Ok(registered);
    }
    let answer = Answer::default();
    let call = aws.ecs.register_task_definition().family(&definition.family);
    // The SDK insists on a typed container; what is sent is the rendered body.
    let call = call.container_definitions(aws_sdk_ecs::types::ContainerDefinition::builder().build());
    let call = call.customize().mutate_request(replace_body(&definition.body)).interceptor(answer.clone());
    aws.turn_to_register().await;
    call.send().await.map_err(|error| fault("ecs:RegisterTaskDefinition", &definition.family, error))?;
    let answer = answer.take().map(|mut answer| answer["taskDefinition"].take()).unwrap_or_default();
    let arn = answer["taskDefinitionArn"].as_str().map(str::to_owned);
    let arn = arn.ok_or_else(|| bug("RegisterTaskDefinition answered without an ARN"))?;
    step.finish(Done::Changed, short(&arn));
    for member in dropped(&definition.body, &answer) {
        let family = &definition.family;
        events.note(format!(
            "ECS does not know `{member}`: {family} was registered without it, as it will be again"
        ));
    }
    Ok(Registered { arn })
}
