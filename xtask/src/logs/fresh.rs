//! Which lines of a look were not there at the last one. Pure.
//!
//! CloudWatch Logs shows a line some time after it was written, and lines of one task later than those of another:
//! each look begins some time before the newest line, and what was shown already is taken out. The same
//! text may be logged twice in a millisecond, so lines are counted rather than compared.

use std::collections::BTreeMap;

use super::Line;

/// How far each look goes back before the newest line.
const OVERLAP_MS: i64 = 15_000;

/// What was shown.
#[derive(Clone, Debug)]
pub(super) struct Fresh {
    start_ms: i64,
    shown: BTreeMap<Line, usize>,
}

impl Fresh {
    /// After these lines were shown; `start_ms` is where to look from if there are none.
    pub(super) fn after(shown: &[Line], start_ms: i64) -> Self {
        let newest = shown.iter().map(|line| line.timestamp_ms).max();
        let oldest = shown.iter().map(|line| line.timestamp_ms).min();
        // Nothing older than what was shown: those lines were left out on purpose.
        let start_ms =
            newest.zip(oldest).map_or(start_ms, |(newest, oldest)| oldest.max(newest - OVERLAP_MS));
        let mut fresh = Self { start_ms, shown: BTreeMap::new() };
        fresh.remember(shown);
        fresh
    }

    /// Where the next look begins.
    pub(super) const fn start_ms(&self) -> i64 {
        self.start_ms
    }

    /// Takes all lines of a look and leaves those that are new, in order.
    pub(super) fn take(&mut self, mut look: Vec<Line>) -> Vec<Line> {
        let mut seen: BTreeMap<Line, usize> = BTreeMap::new();
        let shown = &self.shown;
        look.retain(|line| {
            let count = seen.entry(line.clone()).or_default();
            *count += 1;
            *count > shown.get(line).copied().unwrap_or_default()
        });
        look.sort_by_key(|line| line.timestamp_ms);
        self.remember(&look);
        if let Some(newest) = look.last() {
            self.start_ms = self.start_ms.max(newest.timestamp_ms - OVERLAP_MS);
        }
        let start_ms = self.start_ms;
        self.shown.retain(|line, _| line.timestamp_ms >= start_ms);
        look
    }

    fn remember(&mut self, lines: &[Line]) {
        for line in lines.iter().filter(|line| line.timestamp_ms >= self.start_ms) {
            *self.shown.entry(line.clone()).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(words: &[(i64, &str)]) -> Vec<Line> {
        let line = |(at, text): &(i64, &str)| Line {
            timestamp_ms: *at,
            message: (*text).to_owned(),
            ..Line::default()
        };
        words.iter().map(line).collect()
    }

    fn taken(fresh: &mut Fresh, look: &[(i64, &str)]) -> String {
        let taken = fresh.take(lines(look));
        taken.iter().map(|line| line.message.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_line_is_shown_once() {
        let mut fresh = Fresh::after(&lines(&[(1, "a")]), 0);
        assert_eq!(taken(&mut fresh, &[(1, "a"), (2, "b")]), "b");
        assert_eq!(taken(&mut fresh, &[(1, "a"), (2, "b"), (3, "c")]), "c");
    }

    #[test]
    fn the_same_text_in_the_same_millisecond_counts() {
        let mut fresh = Fresh::after(&lines(&[(1, "a")]), 0);
        assert_eq!(taken(&mut fresh, &[(1, "a"), (1, "a"), (1, "a")]), "a a");
        assert_eq!(taken(&mut fresh, &[(1, "a"), (1, "a"), (1, "a")]), "");
    }

    #[test]
    fn a_late_line_is_shown_and_a_look_does_not_go_back_further() {
        let mut fresh = Fresh::after(&[], 0);
        assert_eq!(taken(&mut fresh, &[(100_000, "new")]), "new");
        assert_eq!(fresh.start_ms(), 85_000);
        assert_eq!(taken(&mut fresh, &[(90_000, "late"), (100_000, "new")]), "late");
        assert_eq!(fresh.start_ms(), 85_000);
    }

    #[test]
    fn lines_older_than_the_last_that_were_asked_for_are_not_looked_for() {
        assert_eq!(Fresh::after(&lines(&[(99_000, "x"), (100_000, "y")]), 5).start_ms(), 99_000);
        assert_eq!(Fresh::after(&[], 5).start_ms(), 5);
    }
}
