//! `cargo xtask`: parses, dispatches, maps the exit code.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = xtask::cli::Cli::parse();
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(xtask::run::run(cli));
            // A blocked thread (a file lock, a slow disk) must not hold the exit.
            runtime.shutdown_background();
            ExitCode::from(code)
        }
        Err(_) => ExitCode::FAILURE,
    }
}
