//! Calls as forms hold them, against a state directory of their own.

use serde_json::{Value, json};

use super::Ec2Request;
use crate::api::Request;
use crate::cloud::{Cloud, Options};
use crate::error::ApiError;
use crate::wire::form;

struct Account {
    cloud: Cloud,
    dir: tempfile::TempDir,
}

impl Account {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        Self { cloud: open(&dir), dir }
    }

    async fn call(&self, operation: &str, form: &str) -> Result<Value, ApiError> {
        let input = form::tree(&form::decode(form.as_bytes()));
        let request = Ec2Request::parse(operation, input).expect("the input is of the operation's shape");
        Request::Ec2(request).handle(&self.cloud).await
    }

    async fn ok(&self, operation: &str, form: &str) -> Value {
        self.call(operation, form).await.expect("the call succeeds")
    }

    async fn refused(&self, operation: &str, form: &str) -> String {
        let vpc = self.cloud.ec2().read(|ec2| ec2.vpc.id.clone());
        let error = self.call(operation, form).await.expect_err("the call is refused");
        error.to_string().replace(&vpc, "vpc-0")
    }

    async fn group(&self, name: &str) -> String {
        let created = self.ok("CreateSecurityGroup", &format!("GroupName={name}&GroupDescription=d")).await;
        created["groupId"].as_str().expect("an ID").to_owned()
    }
}

fn open(dir: &tempfile::TempDir) -> Cloud {
    let options = Options { state_dir: dir.path().into(), region: "eu-west-1".into(), instance: "t".into() };
    Cloud::open(options, std::sync::Arc::new(|| 1000.0)).expect("the state directory can be read")
}

const TCP_3000: &str = "IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=3000&IpPermissions.1.ToPort=3000\
                        &IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0&IpPermissions.1.IpRanges.1.Description=d";

#[tokio::test]
async fn a_fresh_account_has_a_default_vpc_with_a_way_out() {
    let account = Account::new();
    let vpcs = account.ok("DescribeVpcs", "Filter.1.Name=isDefault&Filter.1.Value.1=true").await;
    let vpc = vpcs["vpcSet"][0]["vpcId"].as_str().expect("an ID").to_owned();
    let filter = format!("Filter.1.Name=vpc-id&Filter.1.Value.1={vpc}");
    let subnets = account.ok("DescribeSubnets", &filter).await["subnetSet"].clone();
    let mut zones: Vec<&Value> =
        subnets.as_array().expect("a list").iter().map(|s| &s["availabilityZone"]).collect();
    zones.sort_by_key(|zone| zone.to_string());
    assert_eq!(json!(zones), json!(["eu-west-1a", "eu-west-1b", "eu-west-1c"]));
    let tables = account.ok("DescribeRouteTables", &filter).await;
    let gateways = account.ok("DescribeInternetGateways", "").await;
    let gateway = &gateways["internetGatewaySet"][0]["internetGatewayId"];
    assert_eq!(&tables["routeTableSet"][0]["routeSet"][1]["gatewayId"], gateway);
    assert_eq!(account.ok("DescribeNatGateways", "").await, json!({"natGatewaySet": []}));
    assert_eq!(
        account.ok("DescribeSubnets", "Filter.1.Name=tag:a&Filter.1.Value.1=*").await,
        json!({"subnetSet": []})
    );
}

#[tokio::test]
async fn a_group_is_there_after_a_restart() {
    let account = Account::new();
    let id = account.group("web").await;
    account.ok("AuthorizeSecurityGroupIngress", &format!("GroupId={id}&{TCP_3000}")).await;
    let again = Account { cloud: open(&account.dir), dir: account.dir };
    let described = again.ok("DescribeSecurityGroups", &format!("GroupId.1={id}")).await;
    assert_eq!(
        described["securityGroupInfo"][0]["ipPermissions"],
        json!([{
            "ipProtocol": "tcp", "fromPort": 3000, "toPort": 3000,
            "ipRanges": [{"cidrIp": "0.0.0.0/0", "description": "d"}],
            "ipv6Ranges": [], "groups": [], "prefixListIds": [],
        }])
    );
}

#[tokio::test]
async fn what_is_refused_is_refused_in_ec2s_words() {
    let account = Account::new();
    let id = account.group("web").await;
    insta::assert_snapshot!(
        account.refused("CreateSecurityGroup", "GroupName=web&GroupDescription=d").await,
        @"InvalidGroup.Duplicate: The security group 'web' already exists for VPC 'vpc-0'"
    );
    insta::assert_snapshot!(
        account.refused("CreateSecurityGroup", "GroupName=web").await,
        @"MissingParameter: The request must contain the parameter GroupDescription"
    );
    let flat = format!("GroupId={id}&IpProtocol=tcp&FromPort=3000&ToPort=3000&CidrIp=0.0.0.0/0");
    account.ok("AuthorizeSecurityGroupIngress", &flat).await;
    insta::assert_snapshot!(
        account.refused("AuthorizeSecurityGroupIngress", &format!("GroupId={id}&{TCP_3000}")).await,
        @r#"InvalidPermission.Duplicate: the specified rule "peer: 0.0.0.0/0, TCP, from port: 3000, to port: 3000, ALLOW" already exists"#
    );
    insta::assert_snapshot!(
        account.refused("AuthorizeSecurityGroupIngress", "GroupId=sg-0&CidrIp=x").await,
        @"InvalidGroup.NotFound: The security group 'sg-0' does not exist"
    );
    insta::assert_snapshot!(
        account.refused("DeleteSecurityGroup", "GroupId=web").await,
        @r#"InvalidGroupId.Malformed: Invalid id: "web" (expecting "sg-...")"#
    );
    insta::assert_snapshot!(
        account.refused("AuthorizeSecurityGroupIngress", &format!("GroupId={id}&{}", TCP_3000.replace("0.0/0", "0.0/33"))).await,
        @"InvalidParameterValue: CIDR block 0.0.0.0/33 is malformed"
    );
    insta::assert_snapshot!(
        account.refused("DescribeSubnets", "SubnetId.1=subnet-0").await,
        @"InvalidSubnetID.NotFound: The subnet ID 'subnet-0' does not exist"
    );
    insta::assert_snapshot!(
        account.refused("DescribeVpcs", "Filter.1.Name=colour&Filter.1.Value.1=red").await,
        @"InvalidParameterValue: The filter 'colour' is invalid"
    );
    insta::assert_snapshot!(
        account.refused("DescribeSecurityGroups", "GroupName.1=no").await,
        @"InvalidGroup.NotFound: The security group 'no' does not exist in default VPC 'vpc-0'"
    );
    insta::assert_snapshot!(
        account.refused("DeleteSecurityGroup", "GroupName=default").await.split(" name:").last().unwrap_or_default(),
        @r#" "default" cannot be deleted by a user"#
    );
}

#[tokio::test]
async fn a_rule_goes_by_its_properties_or_its_id() {
    let account = Account::new();
    let id = account.group("web").await;
    let both = format!("GroupId={id}&{TCP_3000}&IpPermissions.1.Ipv6Ranges.1.CidrIpv6=::/0");
    let rules = account.ok("AuthorizeSecurityGroupIngress", &both).await["securityGroupRuleSet"].clone();
    assert_eq!((&rules[0]["cidrIpv4"], &rules[1]["cidrIpv6"]), (&json!("0.0.0.0/0"), &json!("::/0")));
    let rule = rules[1]["securityGroupRuleId"].as_str().expect("an ID");
    account.ok("RevokeSecurityGroupIngress", &format!("GroupId={id}&SecurityGroupRuleId.1={rule}")).await;
    let revoked = account.ok("RevokeSecurityGroupIngress", &both).await;
    assert_eq!(revoked["revokedSecurityGroupRuleSet"][0]["cidrIpv4"], "0.0.0.0/0");
    assert_eq!(revoked["unknownIpPermissionSet"][0]["ipv6Ranges"], json!([{"cidrIpv6": "::/0"}]));
    let left = account
        .ok("DescribeSecurityGroupRules", &format!("Filter.1.Name=group-id&Filter.1.Value.1={id}"))
        .await;
    assert_eq!(left["securityGroupRuleSet"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_group_that_another_names_stays() {
    let account = Account::new();
    let (web, db) = (account.group("web").await, account.group("db").await);
    let from_web =
        format!("GroupId={db}&IpPermissions.1.IpProtocol=-1&IpPermissions.1.Groups.1.GroupId={web}");
    account.ok("AuthorizeSecurityGroupIngress", &from_web).await;
    let refused = account.refused("DeleteSecurityGroup", &format!("GroupId={web}")).await;
    assert_eq!(refused, format!("DependencyViolation: resource {web} has a dependent object"));
    account.ok("DeleteSecurityGroup", &format!("GroupId={db}")).await;
    assert_eq!(account.ok("DeleteSecurityGroup", &format!("GroupId={web}")).await["groupId"], web.as_str());
}

#[tokio::test]
async fn tags_are_set_filtered_by_and_removed() {
    let account = Account::new();
    let tagged = "GroupName=web&GroupDescription=d&TagSpecification.1.ResourceType=security-group\
                  &TagSpecification.1.Tag.1.Key=owner&TagSpecification.1.Tag.1.Value=me";
    let id = account.ok("CreateSecurityGroup", tagged).await["groupId"].as_str().expect("an ID").to_owned();
    account.ok("CreateTags", &format!("ResourceId.1={id}&Tag.1.Key=env&Tag.1.Value=dev")).await;
    let by = |filter: &str| format!("Filter.1.Name={filter}");
    let found = account.ok("DescribeSecurityGroups", &by("tag:owner&Filter.1.Value.1=m?")).await;
    assert_eq!(found["securityGroupInfo"][0]["groupId"], id.as_str());
    account.ok("DeleteTags", &format!("ResourceId.1={id}&Tag.1.Key=owner")).await;
    let tags = account.ok("DescribeTags", &by(&format!("resource-id&Filter.1.Value.1={id}"))).await;
    assert_eq!(
        tags,
        json!({"tagSet": [{"resourceId": id, "resourceType": "security-group", "key": "env", "value": "dev"}]})
    );
    insta::assert_snapshot!(
        account.refused("CreateTags", "ResourceId.1=vpc-0&Tag.1.Key=a").await,
        @"InvalidVpcID.NotFound: The vpc ID 'vpc-0' does not exist"
    );
}

#[tokio::test]
async fn groups_come_in_pages() {
    let account = Account::new();
    for n in 0..6 {
        account.group(&format!("g{n}")).await;
    }
    let first = account.ok("DescribeSecurityGroups", "MaxResults=5").await;
    let token = first["nextToken"].as_str().expect("there is more");
    let second = account.ok("DescribeSecurityGroups", &format!("MaxResults=5&NextToken={token}")).await;
    let count = |answer: &Value| answer["securityGroupInfo"].as_array().map(Vec::len);
    assert_eq!((count(&first), count(&second)), (Some(5), Some(2)));
    insta::assert_snapshot!(
        account.refused("DescribeSecurityGroups", "MaxResults=4").await,
        @"InvalidParameterValue: Value ( 4 ) for parameter maxResults is invalid. Expecting a value greater than 5."
    );
}

/// Runs a task, whose interface that is; the answer's only entry.
async fn interface_of_a_task(assign_public_ip: &str) -> (Account, Value) {
    let account = Account::new();
    let group = account.group("web").await;
    {
        let mut ecs = account.cloud.ecs();
        let members = |value: Value| value.as_object().cloned().unwrap_or_default();
        ecs.create_cluster(None, members(json!({})), Vec::new()).expect("a cluster");
        let definition = json!({
            "family": "f", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
            "memory": "512", "containerDefinitions": [{"name": "a", "image": "a"}],
        });
        ecs.register(members(definition), 1.0).expect("a definition");
        let network = json!({
            "subnets": ["subnet-1"], "securityGroups": [group], "assignPublicIp": assign_public_ip,
        });
        let run = json!({
            "taskDefinition": "f", "launchType": "FARGATE", "networkConfiguration": {"awsvpcConfiguration": network},
        });
        ecs.run_task(members(run), 2.0).expect("a task");
    }
    let answer = account.ok("DescribeNetworkInterfaces", "").await;
    let all = answer["networkInterfaceSet"].as_array().expect("a list").clone();
    assert_eq!(all.len(), 1);
    (account, all[0].clone())
}

#[tokio::test]
async fn a_task_that_asked_for_a_public_address_shows_one() {
    let (account, interface) = interface_of_a_task("ENABLED").await;
    let association = &interface["association"];
    let ip = association["publicIp"].as_str().expect("an address");
    assert!(ip.starts_with("203.0.113."));
    assert_eq!(
        association["publicDnsName"],
        format!("ec2-{}.eu-west-1.compute.amazonaws.com", ip.replace('.', "-"))
    );
    assert_eq!(interface["privateIpAddressesSet"][0]["association"], *association);
    let filter = format!("Filter.1.Name=association.public-ip&Filter.1.Value.1={ip}");
    let found = account.ok("DescribeNetworkInterfaces", &filter).await;
    assert_eq!(found["networkInterfaceSet"][0], interface);
}

#[tokio::test]
async fn a_task_that_did_not_ask_shows_none() {
    let (_, interface) = interface_of_a_task("DISABLED").await;
    assert!(interface.get("association").is_none());
    assert!(interface["privateIpAddressesSet"][0].get("association").is_none());
}

#[tokio::test]
async fn the_groups_of_a_task_that_somebody_runs_are_in_use() {
    let (account, interface) = interface_of_a_task("DISABLED").await;
    assert_eq!(interface["groupSet"][0]["groupName"], "web");
    let id = interface["groupSet"][0]["groupId"].as_str().expect("an ID");
    let refused = account.refused("DeleteSecurityGroup", &format!("GroupId={id}")).await;
    assert!(refused.starts_with("DependencyViolation: "), "{refused}");
}
