//! What comes after: looks again and again, less often while nothing comes.

use std::time::{Duration, Instant};

use super::fresh::Fresh;
use super::read::Search;
use super::sources::{self, Found};
use super::{Line, Options, Sink};
use crate::aws::Aws;
use crate::error::Result;
use crate::event::Events;

/// Between two looks while lines come, a while after, and then; times the calls that a look takes.
/// FilterLogEvents takes 5 calls a second in most regions.
/// Source: Amazon CloudWatch Logs User Guide, "CloudWatch Logs quotas".
const BUSY: Duration = Duration::from_millis(500);
const IDLE: Duration = Duration::from_secs(1);
const QUIET: Duration = Duration::from_secs(2);

/// How often to ask whether a new deployment logs elsewhere.
const REFRESH: Duration = Duration::from_secs(10);

/// Looks that fail one after the other, each with its own retries, before this gives up.
const PATIENCE: u32 = 5;

/// Where to look from if nothing was shown: the clocks of this machine and of AWS may differ by minutes.
const CLOCKS_MS: i64 = 5 * 60 * 1000;

/// Shows what comes until nobody reads any more. Unless one task was asked for, tasks that start from
/// now on are shown too.
pub(super) async fn follow(
    aws: &Aws,
    options: &Options,
    mut found: Found,
    shown: Vec<Line>,
    events: &Events,
    sink: &mut Sink<'_>,
) -> Result<()> {
    if options.task.is_none() {
        found.tasks = None;
    }
    let mut fresh = Fresh::after(&shown, options.since_ms.unwrap_or(options.now_ms - CLOCKS_MS));
    if options.lines == Some(0) {
        // From now on: what is there is known.
        fresh.take(look(aws, options, &found, fresh.start_ms()).await?);
    }
    let (mut last_line, mut refreshed, mut failures) = (Instant::now(), Instant::now(), 0);
    loop {
        match look(aws, options, &found, fresh.start_ms()).await {
            Ok(lines) => {
                failures = 0;
                let new = fresh.take(lines);
                if !new.is_empty() {
                    last_line = Instant::now();
                    if !sink(&new) {
                        return Ok(());
                    }
                }
            }
            Err(error) if failures < PATIENCE => {
                failures += 1;
                events.warn(format!("{}; tried again", error.message));
            }
            Err(error) => return Err(error),
        }
        let calls = u32::try_from(found.sources.len()).unwrap_or(u32::MAX);
        tokio::time::sleep(pause(last_line.elapsed()).saturating_mul(calls)).await;
        if refreshed.elapsed() > REFRESH {
            refreshed = Instant::now();
            // Best effort: the places known go on to be looked at.
            drop(sources::find_new(aws, options, &mut found).await);
        }
    }
}

fn pause(silent: Duration) -> Duration {
    match silent.as_secs() {
        0..5 => BUSY,
        5..60 => IDLE,
        _ => QUIET,
    }
}

async fn look(aws: &Aws, options: &Options, found: &Found, start_ms: i64) -> Result<Vec<Line>> {
    let mut search = Search::new(&found.sources, start_ms, options.filter.as_deref());
    let mut lines = Vec::new();
    while let Some(page) = search.next(aws).await? {
        lines.extend(page.into_iter().filter(|line| found.shows(line)));
    }
    Ok(lines)
}
