//! The key-value store, on port 4000. It keeps everything in memory.

use std::process::ExitCode;

use app::{data_store, lifecycle::Drain, program, store::Limits};

fn main() -> ExitCode {
    program::run(4000, Drain::DATA_STORE, || Ok(data_store::router(Limits::DEFAULT)))
}
