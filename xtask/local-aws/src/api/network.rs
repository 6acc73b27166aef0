//! What ECS asks of EC2.

use std::collections::BTreeMap;

use super::ec2::errors::{group_not_found, subnet_not_found};
use crate::cloud::Cloud;
use crate::error::ApiError;
use crate::state::ecs::network::{Subnet, Vpc};

/// The subnets of a configuration, all of which must exist, as must its security groups.
pub(super) fn check(cloud: &Cloud, vpc: &Vpc) -> Result<BTreeMap<String, Subnet>, ApiError> {
    cloud.ec2().read(|ec2| {
        if let Some(id) = vpc
            .security_groups
            .iter()
            .find(|id| ec2.security_group(id).is_none())
        {
            return Err(retrieving("security group", id, &group_not_found(id)));
        }
        let subnet = |id: &String| {
            let found = ec2
                .subnet(id)
                .ok_or_else(|| retrieving("subnet", id, &subnet_not_found(id)))?;
            Ok((
                id.clone(),
                Subnet {
                    cidr: found.cidr.clone(),
                    zone: found.zone.clone(),
                },
            ))
        };
        vpc.subnets.iter().map(subnet).collect()
    })
}

/// Observed: ECS passes EC2's error on in these words.
fn retrieving(what: &str, id: &str, error: &ApiError) -> ApiError {
    let (code, message) = (&error.code, &error.message);
    ApiError::new(
        "InvalidParameterException",
        format!("Error retrieving {what} information for [{id}]: {message} (ErrorCode: {code})"),
    )
}
