//! What ECS asks of EC2.

use std::collections::BTreeMap;

use crate::cloud::Cloud;
use crate::error::ApiError;
use crate::state::ecs::network::{Subnet, Vpc};

/// The subnets of a configuration, all of which must exist, as must its security groups (observed:
/// getmoto/moto's `ecs/models.py`, and public logs in which several IDs stand in the brackets).
pub(super) fn check(cloud: &Cloud, vpc: &Vpc) -> Result<BTreeMap<String, Subnet>, ApiError> {
    cloud.ec2().read(|ec2| {
        if let Some(id) = vpc.security_groups.iter().find(|id| ec2.security_group(id).is_none()) {
            return Err(invalid(format!(
                "Error retrieving security group information for [{}]: The security group '{id}' does not exist \
                 (ErrorCode: InvalidGroup.NotFound)",
                vpc.security_groups.join(", ")
            )));
        }
        vpc.subnets
            .iter()
            .map(|id| match ec2.subnet(id) {
                Some(subnet) => {
                    Ok((id.clone(), Subnet { cidr: subnet.cidr.clone(), zone: subnet.zone.clone() }))
                }
                None => Err(invalid(format!(
                    "Error retrieving subnet information for [{}]: The subnet ID '{id}' does not exist (ErrorCode: \
                     InvalidSubnetID.NotFound)",
                    vpc.subnets.join(", ")
                ))),
            })
            .collect()
    })
}

fn invalid(why: String) -> ApiError {
    ApiError::new("InvalidParameterException", why)
}
