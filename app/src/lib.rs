//! The sample application: an items API (`server`) that keeps its data in a
//! key-value store (`data-store`), the two containers of one task.
//!
//! ```text
//! client --HTTP 3000--> server --HTTP localhost:4000--> data-store
//! ```
//!
//! What a program on Fargate has to get right is here once for both:
//! [`program`] (start, signals, exit code), [`lifecycle`] (stopping without
//! losing a request), [`log`] (one JSON object a line) and [`http_client`].

pub mod data_store;
pub mod failure;
pub mod http_client;
pub mod items;
pub mod lifecycle;
pub mod log;
pub mod program;
pub mod server;
pub mod store;
pub mod store_client;
pub mod task;
