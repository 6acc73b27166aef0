//! The whole way, with real containers: the program itself is run, as a user runs it.
//!
//! Every test has a control plane, a workspace and names of its own, and removes all of it.

mod bad_input;
mod commands;
mod deploy;
mod ecs;
mod environments;
mod faults;
mod file;
mod images;
mod interrupt;
mod load;
mod matrix;
mod moments;
mod plan;
mod proxy;
mod recovery;
mod support;
mod target_group;
mod verify;
