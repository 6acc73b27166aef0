//! `cargo xtask deploy`: from the working tree to a steady Fargate service.

pub mod aws;
pub mod build;
pub mod cli;
pub mod config;
pub mod deploy;
pub mod diff;
pub mod engine;
pub mod ensure;
pub mod error;
pub mod event;
pub mod local;
pub mod plan;
pub mod push;
pub mod reach;
pub mod register;
pub mod render;
pub mod report;
pub mod rollout;
pub mod run;
pub mod service;
pub mod target;
pub mod workspace;
pub mod world;
