//! Both programs over real sockets, in this process and as processes.

mod client;
mod items;
mod processes;
mod stopping;
mod unreachable;
