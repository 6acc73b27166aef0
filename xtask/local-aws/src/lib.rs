//! An embedded control plane that speaks the AWS wire protocols and runs ECS
//! tasks as containers on a Docker Engine.
//!
//! ```text
//! HTTP -> wire -> closed Request enum -> api::{ecs,ecr,ec2,elb,sts,logs} -> state -> scheduler -> engine
//! ```
//!
//! What each layer may not know is what keeps it testable: `wire` knows no
//! state, `api` no HTTP and no Docker, `state` is pure (time is passed in) and
//! returns actions, `scheduler` reconciles desired with observed, and `engine`
//! is the only user of bollard.

pub mod api;
pub mod cloud;
pub mod engine;
pub mod error;
pub mod ids;
pub mod proxy;
pub mod registry;
pub mod routes;
pub mod saved;
pub mod scheduler;
pub mod server;
mod shared;
pub mod state;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod time;
mod wildcard;
pub mod wire;

/// The version of this control plane; a client of another version restarts it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
