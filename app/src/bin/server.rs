//! The items API, on port 3000. Its data lives in `data-store`.

use std::process::ExitCode;

use app::{lifecycle::Drain, program, server};

/// What `/` greets with. Change it and deploy again to see a rolling update.
const MESSAGE: &str = "Hello from the items API";

fn main() -> ExitCode {
    program::run(3000, Drain::SERVER, || server::from_env(MESSAGE))
}
