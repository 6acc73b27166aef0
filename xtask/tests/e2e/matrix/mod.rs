//! The scenario matrix: whatever the containers do, the exit code, what serves afterwards, the cause,
//! and the time from the fact to the verdict.
//!
//! Rows mostly wait, so several run at once, each with a control plane of its own.

mod creates;
mod refused;
mod row;
mod successes;
mod updates;

/// How long a fact may be known before the verdict is in, in seconds.
const VERDICT: f64 = 3.0;

/// A row's name, which becomes its service's, and what it does.
type Named<'a> = (&'a str, &'a (dyn Fn(&str) + Sync));

/// Runs the rows at once; those that fail are named, after what each has to say.
fn at_once(rows: &[Named<'_>]) {
    let failed: Vec<&str> = std::thread::scope(|scope| {
        let threads: Vec<_> = rows
            .iter()
            .map(|(name, row)| {
                let thread = std::thread::Builder::new().name((*name).to_owned());
                (*name, thread.spawn_scoped(scope, move || row(name)).expect("a thread"))
            })
            .collect();
        threads.into_iter().filter_map(|(name, thread)| thread.join().err().map(|_| name)).collect()
    });
    assert_eq!(failed, Vec::<&str>::new(), "rows that failed");
}
