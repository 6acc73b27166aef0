//! What `main` of both programs does: settings, log, listener, signals, exit code.

use std::{future::Future, io, net::Ipv4Addr, process::ExitCode};

use axum::Router;
use tokio::net::TcpListener;

use crate::{
    lifecycle::{self, Drain},
    log,
};

/// Runs a program until SIGTERM or SIGINT. Listens on `PORT` or `default_port`,
/// on all addresses; 0 takes a free port, which the log tells.
///
/// Exits with 0 after a stop, 1 when the program could not start.
pub fn run(default_port: u16, drain: Drain, router: impl FnOnce() -> Result<Router, String>) -> ExitCode {
    log::init(std::env::var("LOG_LEVEL").ok().as_deref());
    match start(default_port, drain, router) {
        Ok(()) => {
            tracing::info!("stopped");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            tracing::error!(reason, "cannot run");
            ExitCode::FAILURE
        }
    }
}

fn start(
    default_port: u16,
    drain: Drain,
    router: impl FnOnce() -> Result<Router, String>,
) -> Result<(), String> {
    let port = port(std::env::var("PORT").ok().as_deref(), default_port)?;
    let router = router()?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("no runtime: {error}"))?;
    let result = runtime.block_on(async {
        // Before anything else: PID 1 has no default action for signals, so
        // one that comes before its handler would be lost.
        let stop = signalled().map_err(|error| format!("no signal handlers: {error}"))?;
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
            .await
            .map_err(|error| format!("cannot listen on port {port}: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");
        lifecycle::serve(listener, router, stop, drain).await.map_err(|error| error.to_string())
    });
    // Not dropped: that would wait for name lookups under way.
    runtime.shutdown_background();
    result
}

fn port(setting: Option<&str>, default: u16) -> Result<u16, String> {
    setting.map_or(Ok(default), |text| text.parse().map_err(|_| format!("PORT: `{text}` is not a port")))
}

/// Ready when the process is told to stop. The handlers are in place when this
/// function returns.
#[cfg(unix)]
fn signalled() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}

/// Ready when the process is told to stop.
#[cfg(not(unix))]
fn signalled() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::warn!(%error, "Ctrl-C will not be seen");
            std::future::pending::<()>().await;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::port;

    #[test]
    fn the_port_can_be_set() {
        assert_eq!(port(None, 3000), Ok(3000));
        assert_eq!(port(Some("0"), 3000), Ok(0));
        assert_eq!(port(Some("http"), 3000), Err("PORT: `http` is not a port".to_owned()));
        assert!(port(Some("65536"), 3000).is_err());
    }
}
