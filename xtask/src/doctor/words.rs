//! Numbers in words. Pure.

use std::time::Duration;

/// `1 image`, `2 images`.
pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// `1.5 GiB`
pub(super) fn size(bytes: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    match bytes / MIB {
        mib @ 0..1024 => format!("{mib} MiB"),
        mib => format!("{}.{} GiB", mib / 1024, mib % 1024 * 10 / 1024),
    }
}

/// `40 s`, `12 min`, `11 h`, `3 days`
pub(super) fn span(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units() {
        assert_eq!([counted(1, "image"), counted(0, "image")], ["1 image", "0 images"]);
        assert_eq!([size(900 << 20), size(1536 << 20), size(40 << 30)], ["900 MiB", "1.5 GiB", "40.0 GiB"]);
        let spans = [30, 600, 8000, 200_000].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(spans, ["30 s", "10 min", "2 h", "2 days"]);
    }
}
