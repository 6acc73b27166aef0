//! The real programs: settings, log lines, signals and exit codes.

use std::process::Stdio;

use hyper::{Method, StatusCode};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::{Duration, timeout},
};

use crate::client::{Result, call};

struct Program {
    child: Child,
    log: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Program {
    /// Starts a program on a free port and waits until it listens.
    async fn start(path: &str, env: &[(&str, &str)]) -> Result<Self> {
        let mut command = Command::new(path);
        command.env("PORT", "0").envs(env.iter().copied()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let mut log = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
        let line: Value = serde_json::from_str(&log.next_line().await?.ok_or("no log line")?)?;
        assert_eq!((&line["message"], &line["level"]), (&"listening".into(), &"INFO".into()), "{line}");
        let address = line["address"].as_str().ok_or("no address")?.replace("0.0.0.0", "127.0.0.1");
        Ok(Self { child, log, url: format!("http://{address}") })
    }

    /// Sends a signal; gives the exit code and the rest of the log.
    async fn signal(mut self, name: &str) -> Result<(Option<i32>, Vec<Value>)> {
        let pid = self.child.id().ok_or("it has exited")?.to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().await?.success());
        let mut lines = Vec::new();
        while let Some(line) = self.log.next_line().await? {
            lines.push(serde_json::from_str(&line)?);
        }
        let status = timeout(Duration::from_secs(15), self.child.wait()).await??;
        Ok((status.code(), lines))
    }
}

#[tokio::test]
async fn both_programs_work_together_and_exit_0_when_told_to_stop() -> Result {
    let store = Program::start(env!("CARGO_BIN_EXE_data-store"), &[]).await?;
    let server = Program::start(env!("CARGO_BIN_EXE_server"), &[("DATA_STORE_URL", &store.url)]).await?;
    let item = format!("{}/items/a", server.url);
    assert_eq!(call(Method::PUT, &item, r#"{"n":1}"#).await?.status, StatusCode::CREATED);
    assert_eq!(call(Method::GET, &item, "").await?.body, r#"{"n":1}"#);

    let (code, log) = server.signal("TERM").await?;
    assert_eq!(code, Some(0));
    let requests: Vec<_> = log.iter().filter(|line| line["message"] == "request").collect();
    assert_eq!((&requests[0]["method"], &requests[0]["status"]), (&"PUT".into(), &201.into()));
    assert_eq!(requests[1]["path"], "/items/a");
    assert!(log.iter().all(|line| line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z'))));
    assert_eq!(log.last().map(|line| &line["message"]), Some(&"stopped".into()));
    assert_eq!(store.signal("INT").await?.0, Some(0));
    Ok(())
}

#[tokio::test]
async fn wrong_settings_are_told_in_the_log() -> Result {
    for (name, value) in [("PORT", "http"), ("DATA_STORE_URL", "https://store")] {
        let program = Command::new(env!("CARGO_BIN_EXE_server")).env(name, value).output().await?;
        assert_eq!(program.status.code(), Some(1));
        let line: Value = serde_json::from_slice(&program.stdout)?;
        assert_eq!(line["level"], "ERROR");
        assert!(line["reason"].as_str().is_some_and(|reason| reason.starts_with(name)), "{line}");
    }
    Ok(())
}
