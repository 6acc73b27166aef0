//! Several sequences that are each in order, into one. Pure.

use std::collections::VecDeque;

use super::Line;

/// One of the sequences, as far as it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Queue {
    /// In order of time.
    pub(super) lines: VecDeque<Line>,
    /// Whether more may come.
    pub(super) open: bool,
}

/// Takes what can be said to come next: everything, until one that may go on has nothing left to compare with.
/// Lines of the same moment keep the order of the queues.
pub(super) fn ready(queues: &mut [Queue]) -> Vec<Line> {
    let mut out = Vec::new();
    while queues.iter().all(|queue| !queue.open || !queue.lines.is_empty()) {
        let first = queues
            .iter_mut()
            .filter(|queue| !queue.lines.is_empty())
            .min_by_key(|queue| queue.lines.front().map(|line| line.timestamp_ms));
        match first.and_then(|queue| queue.lines.pop_front()) {
            Some(line) => out.push(line),
            None => break,
        }
    }
    out
}

/// The last `most` lines of several tails.
pub(super) fn last(tails: Vec<Vec<Line>>, most: usize) -> Vec<Line> {
    let mut queues: Vec<Queue> =
        tails.into_iter().map(|tail| Queue { lines: tail.into(), open: false }).collect();
    let mut lines = ready(&mut queues);
    lines.drain(..lines.len().saturating_sub(most));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(task: &str, moments: &[i64]) -> Vec<Line> {
        let line = |at: &i64| Line { timestamp_ms: *at, task: task.to_owned(), ..Line::default() };
        moments.iter().map(line).collect()
    }

    fn queue(task: &str, moments: &[i64], open: bool) -> Queue {
        Queue { lines: lines(task, moments).into(), open }
    }

    fn words(lines: &[Line]) -> String {
        lines.iter().map(|line| format!("{}{}", line.task, line.timestamp_ms)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn lines_come_in_order_of_time() {
        let mut queues = [queue("a", &[1, 4, 5], false), queue("b", &[2, 3, 6], false)];
        assert_eq!(words(&ready(&mut queues)), "a1 b2 b3 a4 a5 b6");
    }

    #[test]
    fn nothing_overtakes_what_may_still_come() {
        let mut queues = [queue("a", &[1, 9], true), queue("b", &[2, 3], true)];
        assert_eq!(words(&ready(&mut queues)), "a1 b2 b3");
        queues[1].lines.extend(lines("b", &[8]));
        queues[1].open = false;
        assert_eq!(words(&ready(&mut queues)), "b8 a9");
        assert_eq!(words(&ready(&mut queues)), "", "the open one may still go on");
    }

    #[test]
    fn lines_of_one_moment_keep_the_order_of_their_task() {
        let mut queues = [queue("a", &[1, 1], false), queue("b", &[1], false)];
        assert_eq!(words(&ready(&mut queues)), "a1 a1 b1");
    }

    #[test]
    fn the_last_lines_of_all() {
        assert_eq!(words(&last(vec![lines("a", &[1, 4]), lines("b", &[2, 3])], 3)), "b2 b3 a4");
        assert_eq!(words(&last(vec![lines("a", &[1])], 0)), "");
    }
}
