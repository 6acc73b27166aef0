//! `cargo xtask deploy`: from the working tree to a steady Fargate service.

pub mod aws;
pub mod build;
pub mod config;
pub mod diff;
pub mod engine;
pub mod ensure;
pub mod error;
pub mod event;
pub mod plan;
pub mod push;
pub mod register;
pub mod render;
pub mod rollout;
pub mod service;
pub mod target;
pub mod world;
