//! CloudWatch Logs.
//!
//! Error texts: "observed" ones are quoted in public threads of their operation's name; those
//! about a member's constraint follow the form of all of AWS's services (observed for
//! `logStreamName`: j256/cloudwatch-logback-appender issue 34).

mod events;
mod groups;
mod paging;
mod sink;
mod streams;
mod tags;

use serde_json::{Value, json};

use super::operations;
use crate::api::tags::{OneResource, UntagResource};
use crate::cloud::Cloud;
use crate::error::{ApiError, Fault};
use crate::state::logs::LogsError;

operations! {
    /// What CloudWatch Logs answers.
    pub enum LogsRequest {
        CreateLogGroup(groups::CreateLogGroup),
        DeleteLogGroup(groups::OneGroup),
        DescribeLogGroups(groups::DescribeLogGroups),
        PutRetentionPolicy(groups::PutRetentionPolicy),
        DeleteRetentionPolicy(groups::OneGroup),
        CreateLogStream(streams::OneStream),
        DeleteLogStream(streams::OneStream),
        DescribeLogStreams(streams::DescribeLogStreams),
        PutLogEvents(events::PutLogEvents),
        GetLogEvents(events::GetLogEvents),
        FilterLogEvents(events::FilterLogEvents),
        TagResource(tags::TagResource),
        UntagResource(UntagResource),
        ListTagsForResource(OneResource),
        TagLogGroup(tags::TagLogGroup),
        UntagLogGroup(tags::UntagLogGroup),
        ListTagsLogGroup(groups::OneGroup),
    }
}

/// Performs the operation, away from the tasks that must not wait for a disk.
pub async fn handle(cloud: &Cloud, request: LogsRequest) -> Result<Value, ApiError> {
    let cloud = cloud.clone();
    let done = tokio::task::spawn_blocking(move || perform(&cloud, request));
    done.await.map_err(|e| ApiError::server(e).with_fault(Fault::Server))?
}

fn perform(cloud: &Cloud, request: LogsRequest) -> Result<Value, ApiError> {
    use LogsRequest as R;
    match request {
        R::CreateLogGroup(input) => groups::create(cloud, input),
        R::DeleteLogGroup(input) => groups::delete(cloud, &input),
        R::DescribeLogGroups(input) => groups::describe(cloud, &input),
        R::PutRetentionPolicy(input) => groups::put_retention(cloud, &input),
        R::DeleteRetentionPolicy(input) => groups::delete_retention(cloud, &input),
        R::CreateLogStream(input) => streams::create(cloud, &input),
        R::DeleteLogStream(input) => streams::delete(cloud, &input),
        R::DescribeLogStreams(input) => streams::describe(cloud, input),
        R::PutLogEvents(input) => events::put(cloud, input),
        R::GetLogEvents(input) => events::get(cloud, &input),
        R::FilterLogEvents(input) => events::filter(cloud, &input),
        R::TagResource(input) => tags::tag(cloud, input),
        R::UntagResource(input) => tags::untag(cloud, &input),
        R::ListTagsForResource(input) => tags::list(cloud, &input),
        R::TagLogGroup(input) => tags::tag_group(cloud, input),
        R::UntagLogGroup(input) => tags::untag_group(cloud, &input),
        R::ListTagsLogGroup(input) => tags::list_group(cloud, &input),
    }
}

/// The answer of an operation without output.
fn nothing() -> Value {
    json!({})
}

fn now_ms(cloud: &Cloud) -> i64 {
    (cloud.now() * 1000.0) as i64
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterException", message)
}

/// A member that breaks a constraint of its shape.
fn constraint(member: &str, value: impl std::fmt::Display, rule: &str) -> ApiError {
    invalid(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must {rule}"
    ))
}

impl From<LogsError> for ApiError {
    /// Observed: aws-robotics/cloudwatchlogs-ros1#1, aws/amazon-cloudwatch-agent#679, mentum/lawgs#11.
    fn from(error: LogsError) -> Self {
        let exists = |message: &str| Self::new("ResourceAlreadyExistsException", message);
        let missing = |message: &str| Self::new("ResourceNotFoundException", message);
        match error {
            LogsError::GroupExists => exists("The specified log group already exists"),
            LogsError::GroupMissing => missing("The specified log group does not exist."),
            LogsError::StreamExists => exists("The specified log stream already exists"),
            LogsError::StreamMissing => missing("The specified log stream does not exist."),
            LogsError::Disk(error) => {
                Self::new("ServiceUnavailableException", error.to_string()).with_fault(Fault::Server)
            }
        }
    }
}

/// A log group, named or by identifier (its name or ARN); exactly one of the two.
fn group_of(name: Option<&String>, identifier: Option<&String>) -> Result<String, ApiError> {
    match (name, identifier) {
        (Some(name), None) => {
            groups::check_name("logGroupName", name)?;
            Ok(name.clone())
        }
        (None, Some(identifier)) => Ok(groups::name_in(identifier).unwrap_or(identifier).to_owned()),
        // Assumed: the rule is documented, its message is not.
        _ => Err(invalid("You must specify either logGroupName or logGroupIdentifier, but not both.")),
    }
}

#[cfg(test)]
mod tests;
