//! What an AWS operation fails with. No protocol is known here: `wire` renders
//! the same error as JSON, EC2 XML or STS XML.

use std::fmt;

/// Whose fault it is, which each protocol turns into a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request is wrong.
    Client,
    /// The request is not signed, or not by one who may.
    Denied,
    /// Nothing is wrong, but the request asked for nothing to be done.
    DryRun,
    /// This control plane failed.
    Server,
}

/// An AWS error: code and message as AWS has them.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    /// The error's code, `ClusterNotFoundException`, `InvalidSubnetID.NotFound`.
    pub code: String,
    /// AWS's own sentence where it is known.
    pub message: String,
    /// Whose fault it is.
    pub fault: Fault,
}

impl ApiError {
    /// A client error.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), fault: Fault::Client }
    }

    /// The same error as another's fault.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    /// Something failed that is no fault of the caller, such as a full disk.
    pub fn server(message: impl fmt::Display) -> Self {
        Self::new("ServerException", message.to_string()).with_fault(Fault::Server)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ApiError {}

impl From<std::io::Error> for ApiError {
    fn from(error: std::io::Error) -> Self {
        Self::server(error)
    }
}
