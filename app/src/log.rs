//! The log: one JSON object a line on stdout, where the container's log driver
//! picks it up.
//!
//! ```json
//! {"timestamp":"2026-01-02T03:04:05.678901Z","level":"INFO","message":"request","method":"GET","path":"/","status":200}
//! ```

use tracing::Level;

/// Starts the log. `level` is `error`, `warn`, `info` (the default), `debug` or
/// `trace`. Panics are logged too, as errors.
pub fn init(level: Option<&str>) {
    let known = level.map(str::parse).transpose();
    let started = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_max_level(known.as_ref().ok().copied().flatten().unwrap_or(Level::INFO))
        .try_init();
    if started.is_err() {
        tracing::warn!("there is a log already");
    }
    if known.is_err() {
        tracing::warn!(level, "LOG_LEVEL is not a level");
    }
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
}
