//! The store on a real disk.

use super::search::{Found, Query, Source, search};
use super::*;

struct Store {
    logs: Logs,
    options: Options,
    _dir: tempfile::TempDir,
}

fn store() -> Store {
    let dir = tempfile::tempdir().expect("tempdir");
    let options = Options {
        state_dir: dir.path().to_owned(),
        region: "eu-west-1".to_owned(),
        instance: "test".to_owned(),
    };
    let logs = Logs::new(&options);
    let group =
        Group { name: "/a/group".to_owned(), created_ms: 1, retention_days: None, tags: BTreeMap::new() };
    logs.create_group(group).expect("creates");
    Store { logs, options, _dir: dir }
}

impl Store {
    fn add(&self, stream: &str, events: &[(i64, &str)]) {
        self.logs.create_stream("/a/group", stream, 5).ok();
        let events: Vec<_> = events
            .iter()
            .map(|(timestamp_ms, message)| Event {
                timestamp_ms: *timestamp_ms,
                ingestion_ms: 9,
                message: (*message).to_owned(),
            })
            .collect();
        self.logs.append("/a/group", stream, &events).expect("appends");
    }

    fn window(&self, stream: &str) -> Window {
        self.logs.read("/a/group", stream, DAY_MS * 100).expect("opens")
    }

    fn texts(&self, stream: &str) -> Vec<String> {
        texts(&self.window(stream).page_after(0, 10_000).expect("reads").events)
    }

    fn found(&self, streams: &[(&str, i64)], query: &Query) -> Found {
        let sources = streams
            .iter()
            .map(|(stream, first_ms)| Source { stream: (*stream).to_owned(), first_ms: *first_ms });
        search(sources.collect(), query, |stream| Ok(Some(self.window(stream)))).expect("searches")
    }
}

fn texts(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.message.clone()).collect()
}

#[test]
fn everything_is_there_again_after_a_restart() {
    let store = store();
    store.add("s/1", &[(10, "one"), (20, "two \"quoted\"\nlines ä")]);
    store
        .logs
        .change_tags("/a/group", |tags| {
            drop(tags.insert("k".to_owned(), "v".to_owned()));
        })
        .expect("tags");
    let path = store.logs.stream("/a/group", "s/1", |stream| stream.path().to_owned()).expect("is there");
    // A process that was killed in the middle of a line.
    let mut torn = std::fs::read(&path).expect("reads");
    torn.extend_from_slice(b"[30, 9, \"half");
    std::fs::write(&path, torn).expect("writes");

    let again = Store { logs: Logs::new(&store.options), ..store };
    assert_eq!(again.logs.group("/a/group").expect("is there").tags["k"], "v");
    assert_eq!(again.texts("s/1"), ["one", "two \"quoted\"\nlines ä"]);
    let times = again.logs.stream("/a/group", "s/1", |s| (s.created_ms(), s.first_ms(), s.last_ms()));
    assert_eq!(times.expect("is there"), (5, Some(10), Some(20)));
    again.add("s/1", &[(40, "after")]);
    assert_eq!(again.texts("s/1").last().map(String::as_str), Some("after"));
}

#[test]
fn late_events_are_put_in_place() {
    let store = store();
    store.add("s", &[(10, "a"), (30, "c")]);
    store.add("s", &[(5, "first"), (20, "b"), (30, "c2"), (40, "d")]);
    assert_eq!(store.texts("s"), ["first", "a", "b", "c", "c2", "d"]);
    let times = store.logs.stream("/a/group", "s", |s| (s.first_ms(), s.last_ms()));
    assert_eq!(times.expect("is there"), (Some(5), Some(40)));
}

#[test]
fn a_moment_is_found_wherever_it_is() {
    let store = store();
    let lines: Vec<(i64, String)> = (0..500).map(|n| (n / 3 * 10, "x".repeat((n % 7) as usize))).collect();
    let lines: Vec<_> = lines.iter().map(|(at, text)| (*at, text.as_str())).collect();
    store.add("s", &lines);
    for time in [-1, 0, 1, 10, 555, 1660, 1661, 5000] {
        let mut window = store.window("s");
        let at = window.position_at(time).expect("finds");
        let after = window.page_after(at, 10_000).expect("reads");
        let expected = lines.iter().filter(|(timestamp, _)| *timestamp >= time).count();
        assert_eq!(after.events.len(), expected, "at {time}");
    }
}

#[test]
fn pages_lead_forwards_and_backwards_through_the_same_events() {
    let store = store();
    let big = "y".repeat(200_000); // a page holds five
    let texts_in: Vec<String> = (0..12).map(|n| format!("{n}{big}")).collect();
    let lines: Vec<_> = (0_i64..).zip(texts_in.iter().map(String::as_str)).collect();
    store.add("s", &lines);
    let mut window = store.window("s");
    let (mut forwards, mut at) = (Vec::new(), 0);
    while let page = window.page_after(at, 10_000).expect("reads")
        && !page.events.is_empty()
    {
        assert!(page.events.len() <= 5);
        forwards.extend(texts(&page.events));
        at = page.end;
    }
    assert_eq!((&forwards, at), (&texts_in, window.end()));
    let (mut backwards, mut at) = (Vec::new(), window.end());
    while let page = window.page_before(at, 10_000).expect("reads")
        && !page.events.is_empty()
    {
        backwards.splice(0..0, texts(&page.events));
        at = page.begin;
    }
    assert_eq!((&backwards, at), (&texts_in, 0));
}

#[test]
fn retention_removes_events_and_positions_stay() {
    let store = store();
    store.add("s", &[(0, "old"), (DAY_MS, "older than a day"), (DAY_MS * 2, "kept"), (DAY_MS * 3, "new")]);
    let position = store.window("s").position_at(DAY_MS * 3).expect("finds");
    store.logs.set_retention("/a/group", Some(1), DAY_MS * 3).expect("sets");
    let page = |store: &Store| {
        let mut window = store.logs.read("/a/group", "s", DAY_MS * 3).expect("opens");
        (
            texts(&window.page_after(0, 9).expect("reads").events),
            window.page_after(position, 9).expect("reads"),
        )
    };
    let (all, from_position) = page(&store);
    assert_eq!(all, ["kept", "new"]);
    assert_eq!(texts(&from_position.events), ["new"]);
    let again = Store { logs: Logs::new(&store.options), ..store };
    assert_eq!(page(&again), (all, from_position));
    again.add("s", &[(DAY_MS * 2 + 1, "late"), (DAY_MS * 4, "newest")]);
    assert_eq!(page(&again).0, ["kept", "late", "new", "newest"]);
}

#[test]
fn a_search_goes_through_streams_by_time_and_can_go_on() {
    let store = store();
    store.add("a", &[(10, "a1 x"), (30, "a2 x"), (50, "a3")]);
    store.add("b", &[(10, "b1 x"), (40, "b2 x")]);
    store.add("c", &[(60, "c1 x")]);
    let streams = [("a", 10), ("b", 10), ("c", 60)];
    let query = |after, limit| Query {
        pattern: filter::Pattern::parse("x").expect("is a pattern"),
        start_ms: None,
        end_ms: Some(100),
        after,
        limit,
    };
    let all = store.found(&streams, &query(None, 100));
    let messages = |found: &Found| found.events.iter().map(|(_, e)| e.message.clone()).collect::<Vec<_>>();
    assert_eq!(messages(&all), ["a1 x", "b1 x", "a2 x", "b2 x", "c1 x"]);
    assert_eq!(all.more_after, None);
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = store.found(&streams, &query(after, 1));
        pages.extend(messages(&page));
        after = page.more_after;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, messages(&all));
    let some = Query { start_ms: Some(30), end_ms: Some(60), ..query(None, 100) };
    assert_eq!(messages(&store.found(&streams, &some)), ["a2 x", "b2 x"]);
}

#[test]
fn what_is_deleted_is_gone_from_the_disk() {
    let store = store();
    store.add("s", &[(1, "x")]);
    let path = store.logs.stream("/a/group", "s", |stream| stream.path().to_owned()).expect("is there");
    store.logs.delete_stream("/a/group", "s").expect("deletes");
    assert!(!path.exists());
    assert!(matches!(store.logs.delete_stream("/a/group", "s"), Err(LogsError::StreamMissing)));
    store.logs.delete_group("/a/group").expect("deletes");
    assert!(matches!(store.logs.delete_group("/a/group"), Err(LogsError::GroupMissing)));
    assert!(Logs::new(&store.options).groups(|_| true).is_empty());
}

#[test]
fn what_a_crash_left_of_a_group_is_none_of_the_next_ones() {
    let store = store();
    store.add("s", &[(1, "x")]);
    let path = store.logs.stream("/a/group", "s", |stream| stream.path().to_owned()).expect("is there");
    let directory = path.parent().expect("a directory");
    std::fs::remove_file(directory.join("group.json")).expect("removes"); // and then the process ended
    std::fs::write(directory.join(".tmp1"), "half").expect("writes");
    let logs = Logs::new(&store.options);
    assert!(matches!(logs.group("/a/group"), Err(LogsError::GroupMissing)));
    let group =
        Group { name: "/a/group".to_owned(), created_ms: 2, retention_days: None, tags: BTreeMap::new() };
    logs.create_group(group).expect("creates");
    let again = Logs::new(&store.options);
    assert!(matches!(again.stream("/a/group", "s", |_| ()), Err(LogsError::StreamMissing)));
    assert_eq!(std::fs::read_dir(directory).expect("is there").count(), 1);
}
