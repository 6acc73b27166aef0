//! `cargo xtask deploy`: from the working tree to a steady Fargate service.

pub mod build;
pub mod config;
pub mod error;
pub mod event;
pub mod push;
