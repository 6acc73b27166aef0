//! BuildKit's trace: vertexes (steps) that start, are cached, end or fail, and what they write.

use std::collections::{HashMap, VecDeque};

use bollard::moby::buildkit::v1::{StatusResponse, Vertex};

/// How many of a step's last lines are kept for its error.
const TAIL: usize = 20;
/// A line longer than this is cut in the error; `RUN cat big.json` would fill the screen.
const LINE: usize = 2000;

/// Everything known about a running build.
#[derive(Debug, Default)]
pub(super) struct Trace {
    steps: HashMap<String, Step>,
    /// Digest of the step that failed first by itself, not because another one did.
    failed: Option<String>,
}

/// One vertex.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// `[stage 2/3] COPY a b`
    pub(super) name: String,
    started: bool,
    completed: bool,
    cached: bool,
    tail: VecDeque<String>,
    /// The beginning of a line whose end has not come yet.
    open: Vec<u8>,
}

/// What an update tells the user.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Lines, in order.
    pub(super) lines: Vec<String>,
    /// What runs now, if that changed.
    pub(super) now: Option<String>,
}

impl Trace {
    /// Takes in one message.
    pub(super) fn update(&mut self, status: StatusResponse) -> News {
        let mut news = News::default();
        for vertex in &status.vertexes {
            self.vertex(vertex, &mut news);
        }
        for log in status.logs {
            let step = self.steps.entry(log.vertex).or_default();
            news.lines.extend(step.write(&log.msg));
        }
        // A step's end is told after its last lines, which come in the same message.
        for vertex in &status.vertexes {
            self.ended(vertex, &mut news);
        }
        news
    }

    /// The step to blame.
    pub(super) fn failed_step(&self) -> Option<&Step> {
        self.steps.get(self.failed.as_ref()?)
    }

    /// Whether nothing had to be run; the export comes each time.
    pub(super) fn all_cached(&self) -> bool {
        let counts = |step: &&Step| !is_internal(&step.name) && !step.name.starts_with("exporting to ");
        let mut steps = self.steps.values().filter(counts).peekable();
        steps.peek().is_some() && steps.all(|step| step.cached)
    }

    fn vertex(&mut self, vertex: &Vertex, news: &mut News) {
        let step = self.steps.entry(vertex.digest.clone()).or_default();
        step.name.clone_from(&vertex.name);
        if vertex.started.is_some() && !step.started && !is_internal(&vertex.name) {
            news.now = Some(vertex.name.clone());
            news.lines.push(vertex.name.clone());
        }
        step.started |= vertex.started.is_some();
    }

    fn ended(&mut self, vertex: &Vertex, news: &mut News) {
        let Some(step) = self.steps.get_mut(&vertex.digest) else {
            return;
        };
        let first = !step.completed && vertex.completed.is_some();
        step.completed |= vertex.completed.is_some();
        step.cached |= vertex.cached;
        if !vertex.error.is_empty() && !is_cancelled(&vertex.error) && self.failed.is_none() {
            self.failed = Some(vertex.digest.clone());
        }
        if first {
            news.lines.extend(step.rest());
            if !is_internal(&vertex.name) {
                news.lines.push(format!("{}: {}", vertex.name, verdict(vertex)));
            }
        }
    }
}

impl Step {
    /// The last lines, for the error.
    pub(super) fn log(&self) -> String {
        self.tail.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    fn write(&mut self, bytes: &[u8]) -> Vec<String> {
        self.open.extend_from_slice(bytes);
        let Some(end) = self.open.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };
        let rest = self.open.split_off(end + 1);
        let complete = std::mem::replace(&mut self.open, rest);
        let lines: Vec<String> = String::from_utf8_lossy(&complete).lines().map(last_state).collect();
        lines.iter().for_each(|line| self.keep(line));
        lines
    }

    fn rest(&mut self) -> Option<String> {
        let open = std::mem::take(&mut self.open);
        let line = (!open.is_empty()).then(|| last_state(&String::from_utf8_lossy(&open)))?;
        self.keep(&line);
        Some(line)
    }

    fn keep(&mut self, line: &str) {
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line.chars().take(LINE).collect());
    }
}

/// What a terminal would show of a line that rewrites itself with carriage returns.
fn last_state(line: &str) -> String {
    let line = line.trim_end_matches('\r');
    line.rsplit('\r').next().unwrap_or(line).to_owned()
}

/// Steps of the machinery: reading the Dockerfile, unpacking the context.
fn is_internal(name: &str) -> bool {
    name.starts_with("[internal]") || name.starts_with("copy /context")
}

/// Other steps are stopped when one fails, and say so as if they had failed.
fn is_cancelled(error: &str) -> bool {
    error.contains("context canceled")
}

fn verdict(vertex: &Vertex) -> String {
    if !vertex.error.is_empty() {
        return if is_cancelled(&vertex.error) { "cancelled".to_owned() } else { "failed".to_owned() };
    }
    if vertex.cached {
        return "cached".to_owned();
    }
    match (&vertex.started, &vertex.completed) {
        (Some(from), Some(to)) => {
            let seconds = (to.seconds - from.seconds) as f64 + f64::from(to.nanos - from.nanos) / 1e9;
            format!("done in {seconds:.1} s")
        }
        _ => "done".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::moby::buildkit::v1::VertexLog;

    fn status(json: serde_json::Value) -> StatusResponse {
        let text = |value: &serde_json::Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let vertexes = json["vertexes"].as_array().into_iter().flatten().map(|v| {
            let mut vertex = Vertex {
                digest: text(v, "digest"),
                name: text(v, "name"),
                cached: v["cached"].as_bool().unwrap_or_default(),
                error: text(v, "error"),
                ..Vertex::default()
            };
            vertex.started = v["started"].as_i64().map(|_| <_>::default());
            vertex.completed = v["completed"].as_i64().map(|_| <_>::default());
            if let (Some(at), Some(seconds)) = (&mut vertex.completed, v["completed"].as_i64()) {
                at.seconds = seconds;
            }
            vertex
        });
        let logs = json["logs"].as_array().into_iter().flatten().map(|log| VertexLog {
            vertex: text(log, "vertex"),
            msg: text(log, "msg").into_bytes(),
            ..VertexLog::default()
        });
        StatusResponse { vertexes: vertexes.collect(), logs: logs.collect(), ..StatusResponse::default() }
    }

    fn lines(updates: Vec<serde_json::Value>) -> (Trace, String) {
        let mut trace = Trace::default();
        let lines: Vec<String> = updates.into_iter().flat_map(|u| trace.update(status(u)).lines).collect();
        (trace, lines.join("\n"))
    }

    #[test]
    fn steps_are_told_when_they_begin_and_end() {
        let (trace, lines) = lines(vec![
            serde_json::json!({ "vertexes": [
                { "digest": "0", "name": "[internal] load remote build context", "started": 0, "completed": 1 },
                { "digest": "1", "name": "[1/2] FROM base", "started": 0, "completed": 0, "cached": true },
                { "digest": "2", "name": "[2/2] RUN make" },
            ]}),
            serde_json::json!({ "vertexes": [{ "digest": "2", "name": "[2/2] RUN make", "started": 0 }],
                "logs": [{ "vertex": "2", "msg": "one\ntw" }] }),
            serde_json::json!({ "logs": [{ "vertex": "2", "msg": "o\n10%\r50%\r100%\r\nend" }] }),
            serde_json::json!({ "vertexes": [{ "digest": "2", "name": "[2/2] RUN make", "started": 0, "completed": 2 }] }),
        ]);
        insta::assert_snapshot!(lines, @r"
        [1/2] FROM base
        [1/2] FROM base: cached
        [2/2] RUN make
        one
        two
        100%
        end
        [2/2] RUN make: done in 2.0 s
        ");
        assert!(trace.failed_step().is_none());
    }

    #[test]
    fn the_step_that_failed_is_not_one_that_was_cancelled() {
        let log: String = (0..30).map(|n| format!("line {n}\n")).collect();
        let (trace, _) = lines(vec![
            serde_json::json!({ "vertexes": [{ "digest": "a", "name": "RUN a", "started": 0 }, { "digest": "b", "name": "RUN b", "started": 0 }],
                "logs": [{ "vertex": "b", "msg": log }] }),
            serde_json::json!({ "vertexes": [
                { "digest": "a", "name": "RUN a", "started": 0, "completed": 1, "error": "context canceled" },
                { "digest": "b", "name": "RUN b", "started": 0, "completed": 1, "error": "exit code: 1" },
            ]}),
        ]);
        let step = trace.failed_step().expect("failed");
        assert_eq!(step.name, "RUN b");
        assert_eq!(step.log().lines().count(), TAIL);
        assert!(step.log().ends_with("line 29"));
    }
}
