//! UpdateService, carried out once, whatever becomes of its answer.

use std::time::{Duration, Instant};

use aws_sdk_ecs::config::Config;
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::operation::update_service::builders::UpdateServiceFluentBuilder;
use aws_sdk_ecs::types::Service;

use crate::aws::{Aws, LASTING, fault};
use crate::error::{Result, bug};
use crate::world;

/// Between two calls of which nothing was heard.
const PAUSE: Duration = Duration::from_secs(1);

/// Sends the call; `before` is the service as it was. The same values again change nothing, so most
/// calls are simply retried. One that forces a deployment starts another each time that it gets
/// through: without an answer, the service is looked at first.
/// Source: Amazon ECS API Reference, UpdateService (`forceNewDeployment`).
///
/// # Errors
/// The call failed, for longer than an outage is waited out if it is one.
pub async fn update(
    aws: &Aws,
    cluster: &str,
    name: &str,
    before: Option<&Service>,
    call: UpdateServiceFluentBuilder,
) -> Result<Service> {
    let service = if call.get_force_new_deployment() == &Some(true) {
        forced(aws, cluster, name, before, call).await?
    } else {
        let answer = call.send().await.map_err(|error| fault("ecs:UpdateService", name, error))?;
        answer.service().cloned()
    };
    service.ok_or_else(|| bug("UpdateService answered without a service"))
}

async fn forced(
    aws: &Aws,
    cluster: &str,
    name: &str,
    before: Option<&Service>,
    call: UpdateServiceFluentBuilder,
) -> Result<Option<Service>> {
    let began = Instant::now();
    loop {
        let once = Config::builder().retry_config(RetryConfig::disabled());
        match call.clone().customize().config_override(once).send().await {
            Ok(answer) => return Ok(answer.service().cloned()),
            Err(error) if fault::may_pass(&error) && began.elapsed() < LASTING => {
                let now = world::current(aws, cluster, name).await?.map(|current| current.service);
                if now.as_ref().and_then(primary) != before.and_then(primary) {
                    return Ok(now);
                }
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(fault("ecs:UpdateService", name, error)),
        }
    }
}

/// ID of the deployment that the service is brought to.
fn primary(service: &Service) -> Option<&str> {
    service.deployments().iter().find(|deployment| deployment.status() == Some("PRIMARY"))?.id()
}
