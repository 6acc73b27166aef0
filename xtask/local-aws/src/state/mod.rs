//! What each service knows. Pure: no clock, no HTTP, no engine.

pub mod ec2;
pub mod ecr;
pub mod ecs;
pub mod elb;
pub mod log_sink;
pub mod logs;
