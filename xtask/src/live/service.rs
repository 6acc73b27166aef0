//! Services.

use aws_sdk_ecs::types::Service;
use futures_util::future::try_join_all;

use crate::aws::{Aws, fault};
use crate::error::Result;

/// How many services DescribeServices takes at once.
/// Source: Amazon ECS API Reference, DescribeServices.
const SERVICES_A_CALL: usize = 10;

/// Those of the named services that exist; a deleted one does not, though AWS still tells of it.
///
/// # Errors
/// A call failed.
pub async fn services(aws: &Aws, cluster: &str, names: &[String]) -> Result<Vec<Service>> {
    let found = try_join_all(names.chunks(SERVICES_A_CALL).map(|names| chunk(aws, cluster, names))).await?;
    Ok(found.into_iter().flatten().filter(|service| service.status() != Some("INACTIVE")).collect())
}

async fn chunk(aws: &Aws, cluster: &str, names: &[String]) -> Result<Vec<Service>> {
    match aws.ecs.describe_services().cluster(cluster).set_services(Some(names.to_vec())).send().await {
        Ok(answer) => Ok(answer.services().to_vec()),
        Err(error) if fault::is(&error, "ClusterNotFoundException") => Ok(Vec::new()),
        Err(error) => Err(fault("ecs:DescribeServices", &names.join(", "), error)),
    }
}
