//! Every operation that is answered, as a closed enum, one file or folder per
//! service. An operation's input is a serde struct; its answer is a JSON tree,
//! which the query protocols render as XML.

use serde_json::Value;

use crate::cloud::Cloud;
use crate::error::ApiError;

pub mod ec2;
pub mod ecr;
pub mod ecs;
pub mod elb;
pub mod iam;
pub mod logs;
mod network;
mod operations;
pub mod paging;
pub mod secrets;
pub mod sts;
mod tags;

pub(crate) use operations::operations;

/// A service that is spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Elastic Container Service.
    Ecs,
    /// Elastic Container Registry.
    Ecr,
    /// Elastic Compute Cloud.
    Ec2,
    /// Security Token Service.
    Sts,
    /// CloudWatch Logs.
    Logs,
    /// Elastic Load Balancing.
    Elb,
    /// Identity and Access Management.
    Iam,
    /// Secrets Manager.
    Secrets,
    /// Systems Manager, for its Parameter Store.
    Parameters,
}

/// A parsed call.
#[derive(Debug)]
pub enum Request {
    /// To ECS.
    Ecs(ecs::EcsRequest),
    /// To ECR.
    Ecr(ecr::EcrRequest),
    /// To EC2.
    Ec2(ec2::Ec2Request),
    /// To STS.
    Sts(sts::StsRequest),
    /// To CloudWatch Logs.
    Logs(logs::LogsRequest),
    /// To Elastic Load Balancing.
    Elb(elb::ElbRequest),
    /// To IAM.
    Iam(iam::IamRequest),
    /// To Secrets Manager.
    Secrets(secrets::SecretsRequest),
    /// To Systems Manager.
    Parameters(secrets::ParametersRequest),
}

/// Why a call is not a request.
#[derive(Debug)]
pub enum ParseError {
    /// No such operation, or none that is answered here.
    UnknownOperation,
    /// The input is not of the operation's shape; what serde says.
    Input(String),
}

impl Request {
    /// Parses the input of an operation.
    pub fn parse(service: Service, operation: &str, input: Value) -> Result<Self, ParseError> {
        Ok(match service {
            Service::Ecs => Self::Ecs(ecs::EcsRequest::parse(operation, input)?),
            Service::Ecr => Self::Ecr(ecr::EcrRequest::parse(operation, input)?),
            Service::Ec2 => Self::Ec2(ec2::Ec2Request::parse(operation, input)?),
            Service::Sts => Self::Sts(sts::StsRequest::parse(operation, input)?),
            Service::Logs => Self::Logs(logs::LogsRequest::parse(operation, input)?),
            Service::Elb => Self::Elb(elb::ElbRequest::parse(operation, input)?),
            Service::Iam => Self::Iam(iam::IamRequest::parse(operation, input)?),
            Service::Secrets => Self::Secrets(secrets::SecretsRequest::parse(operation, input)?),
            Service::Parameters => Self::Parameters(secrets::ParametersRequest::parse(operation, input)?),
        })
    }

    /// Performs it.
    pub async fn handle(self, cloud: &Cloud) -> Result<Value, ApiError> {
        match self {
            Self::Ecs(request) => ecs::handle(cloud, request).await,
            Self::Ecr(request) => ecr::handle(cloud, request).await,
            Self::Ec2(request) => ec2::handle(cloud, request).await,
            Self::Sts(request) => sts::handle(cloud, request).await,
            Self::Logs(request) => logs::handle(cloud, request).await,
            Self::Elb(request) => elb::handle(cloud, request).await,
            Self::Iam(request) => iam::handle(cloud, request).await,
            Self::Secrets(request) => secrets::secrets(cloud, request).await,
            Self::Parameters(request) => secrets::parameters(cloud, request).await,
        }
    }
}
