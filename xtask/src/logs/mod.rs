//! `cargo xtask logs`: lines of all tasks of a service as one sequence in time, and what comes after.
//!
//! Where to look is what the task definitions in use say (`sources`), not deploy.toml alone: the stream of a
//! container is `PREFIX/CONTAINER/TASK`. Calls are in `read`; order (`merge`) and repetition (`fresh`) are pure.

mod follow;
mod fresh;
mod line;
mod merge;
mod read;
mod since;
mod sources;
mod text;

use std::collections::VecDeque;

use crate::aws::Aws;
use crate::error::{Error, Kind, Result};
use crate::event::Events;

pub use line::Line;
pub use since::Since;
pub use text::Painter;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Cluster name.
    pub cluster: String,
    /// Service names.
    pub services: Vec<String>,
    /// Milliseconds since 1970 to begin at.
    pub since_ms: Option<i64>,
    /// A text that the lines must hold.
    pub filter: Option<String>,
    /// A task's ID, or how it begins.
    pub task: Option<String>,
    /// A container's name.
    pub container: Option<String>,
    /// Stopped tasks too.
    pub previous: bool,
    /// The last so many lines; `None`: 100, or all since a moment that was given.
    pub lines: Option<usize>,
    /// Go on with what comes.
    pub follow: bool,
    /// Milliseconds since 1970.
    pub now_ms: i64,
}

/// Takes lines in order; `false`: nobody reads them any more.
pub type Sink<'s> = dyn FnMut(&[Line]) -> bool + Send + 's;

/// How many lines are shown unless said otherwise.
const LINES: usize = 100;

/// How far back a search for a text goes unless said otherwise.
const SEARCHED_MS: i64 = 60 * 60 * 1000;

/// Shows what was logged and, if asked, what comes after, until nobody reads any more.
///
/// # Errors
/// No such service, task or container; nothing of it logs to CloudWatch Logs; a call failed.
pub async fn logs(aws: &Aws, options: &Options, events: &Events, sink: &mut Sink<'_>) -> Result<()> {
    let found = sources::find(aws, options).await?;
    found.notes.iter().for_each(|note| events.note(note.as_str()));
    if found.sources.is_empty() {
        return Err(Error::new(Kind::Preflight, "no container of these services logs to CloudWatch Logs")
            .hint(
                "`log` of the container in deploy.toml names the driver; leave it out for CloudWatch Logs",
            ));
    }
    let backlog = backlog(aws, options, &found, sink).await?;
    match backlog {
        Some(shown) if options.follow => follow::follow(aws, options, found, shown, events, sink).await,
        _ => Ok(()),
    }
}

/// What is there already; the lines that were shown last, or `None` if nobody reads any more.
async fn backlog(
    aws: &Aws,
    options: &Options,
    found: &sources::Found,
    sink: &mut Sink<'_>,
) -> Result<Option<Vec<Line>>> {
    let searched = || options.filter.as_ref().map(|_| options.now_ms - SEARCHED_MS);
    match options.since_ms.or_else(searched) {
        Some(since_ms) => since(aws, options, found, since_ms, sink).await,
        None => {
            let most = options.lines.unwrap_or(LINES);
            let lines = read::tails(aws, &found.streams, most).await?;
            Ok(sink(&lines).then_some(lines))
        }
    }
}

/// How many of the lines that were shown `follow` needs to know again.
const REMEMBERED: usize = 20_000;

async fn since(
    aws: &Aws,
    options: &Options,
    found: &sources::Found,
    since_ms: i64,
    sink: &mut Sink<'_>,
) -> Result<Option<Vec<Line>>> {
    let mut search = read::Search::new(&found.sources, since_ms, options.filter.as_deref());
    let mut last = VecDeque::new();
    let kept = options.lines.unwrap_or(REMEMBERED);
    while let Some(mut lines) = search.next(aws).await? {
        lines.retain(|line| found.shows(line));
        if options.lines.is_none() && !sink(&lines) {
            return Ok(None);
        }
        last.extend(lines);
        let over = last.len().saturating_sub(kept);
        last.drain(..over);
    }
    let last = Vec::from(last);
    Ok((options.lines.is_none() || sink(&last)).then_some(last))
}
