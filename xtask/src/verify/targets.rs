//! Target groups that tasks are put into: there, of the tasks' VPC, taking addresses, behind a load balancer.

use aws_sdk_elasticloadbalancingv2::types::{TargetGroup, TargetTypeEnum};
use futures_util::future::join_all;

use super::network::Placed;
use super::{Subject, unseen, within};
use crate::aws::{Aws, fault};
use crate::config::service::GroupRef;
use crate::finding::Finding;

/// Those of each service.
pub(super) async fn check(aws: &Aws, subjects: &[Subject<'_>], placed: &Placed) -> Vec<Finding> {
    let wanted = subjects.iter().flat_map(|subject| {
        let vpc = placed
            .get(&subject.service.name)
            .and_then(|place| place.as_ref().ok())
            .map(|place| place.vpc.as_str());
        subject.service.target_groups.iter().flatten().map(move |target| (&target.group, vpc))
    });
    let checks = wanted.map(|(group, vpc)| async move {
        within(&subject(group), async { vec![one(aws, group, vpc).await] }).await
    });
    join_all(checks).await.into_iter().flatten().collect()
}

fn subject(group: &GroupRef) -> String {
    match group {
        GroupRef::Name(name) => format!("target group {name}"),
        GroupRef::Arn(arn) => format!("target group {}", arn.split('/').nth(1).unwrap_or(arn)),
    }
}

async fn one(aws: &Aws, group: &GroupRef, vpc: Option<&str>) -> Finding {
    let subject = subject(group);
    let call = aws.elb.describe_target_groups();
    let call = match group {
        GroupRef::Name(name) => call.names(name),
        GroupRef::Arn(arn) => call.target_group_arns(arn),
    };
    match call.send().await {
        Ok(answer) => match answer.target_groups().first() {
            Some(found) => judge(subject, found, vpc, aws.played),
            None => absent(subject, &aws.region),
        },
        Err(error) if fault::is(&error, "TargetGroupNotFound") => absent(subject, &aws.region),
        Err(error) => unseen(subject, "elasticloadbalancing:DescribeTargetGroups", error),
    }
}

fn absent(subject: String, region: &str) -> Finding {
    Finding::refuted(subject, format!("is not in {region}"))
        .fix("`aws elbv2 describe-target-groups` lists those of the region")
}

/// Source: Amazon ECS Developer Guide, "Use load balancing to distribute Amazon ECS service traffic" (awsvpc: target type
/// `ip`). Observed: `InvalidParameterException: The target group with targetGroupArn … does not have an associated load
/// balancer.`
fn judge(subject: String, group: &TargetGroup, vpc: Option<&str>, played: bool) -> Finding {
    let port = group.port().map(|port| format!(", port {port}")).unwrap_or_default();
    match (group.target_type(), group.vpc_id(), vpc) {
        (Some(other), ..) if *other != TargetTypeEnum::Ip => {
            let said = format!("takes targets of type `{}`, and tasks are addresses", other.as_str());
            Finding::refuted(subject, said)
                .fix("make one with `--target-type ip`; the type cannot be changed")
        }
        (_, Some(of_group), Some(of_tasks)) if of_group != of_tasks => {
            Finding::refuted(subject, format!("is in {of_group}, and the tasks are in {of_tasks}"))
                .fix("name a target group of the tasks' VPC, or subnets of the group's")
        }
        _ if group.load_balancer_arns().is_empty() && !played => {
            Finding::refuted(subject, "no load balancer forwards to it, so ECS refuses it")
                .fix("give a listener a rule that forwards to it: `aws elbv2 create-rule`")
        }
        _ => Finding::verified(subject, format!("takes addresses of the tasks' VPC{port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::State;

    #[test]
    fn a_target_group_has_to_take_tasks() {
        let group = |kind: TargetTypeEnum, vpc: &str, balancers: &[&str]| {
            let arns = balancers.iter().map(|arn| (*arn).to_owned()).collect();
            TargetGroup::builder().target_type(kind).vpc_id(vpc).set_load_balancer_arns(Some(arns)).build()
        };
        let state = |group: &TargetGroup, played| {
            judge("target group t".to_owned(), group, Some("vpc-1"), played).state
        };
        assert_eq!(state(&group(TargetTypeEnum::Ip, "vpc-1", &["arn"]), false), State::Verified);
        assert_eq!(state(&group(TargetTypeEnum::Instance, "vpc-1", &["arn"]), false), State::Refuted);
        assert_eq!(state(&group(TargetTypeEnum::Ip, "vpc-2", &["arn"]), false), State::Refuted);
        assert_eq!(state(&group(TargetTypeEnum::Ip, "vpc-1", &[]), false), State::Refuted);
        assert_eq!(state(&group(TargetTypeEnum::Ip, "vpc-1", &[]), true), State::Verified);
    }
}
