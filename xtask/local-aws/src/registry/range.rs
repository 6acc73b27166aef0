//! The two kinds of ranges: of a blob that is read, of a chunk that is written.

/// What part of a blob a `Range` header asks for; both ends are included.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ByteRange {
    /// No header, or one that HTTP says to ignore: another unit, several ranges.
    Whole,
    /// From one byte to another.
    Part { start: u64, end: u64 },
    /// Nothing of it is there: 416.
    Outside,
}

/// `bytes=1-5`, `bytes=1-`, `bytes=-5` (RFC 9110, 14.1.2).
pub(super) fn byte_range(header: Option<&str>, size: u64) -> ByteRange {
    let Some((first, last)) = header.and_then(|h| h.strip_prefix("bytes=")).and_then(|r| r.split_once('-'))
    else {
        return ByteRange::Whole;
    };
    let (start, end) = match (first.trim().parse(), last.trim().parse::<u64>()) {
        (Ok(start), Ok(end)) if start <= end => (start, end),
        (Ok(start), Err(_)) if last.trim().is_empty() => (start, u64::MAX),
        (Err(_), Ok(length)) if first.trim().is_empty() && length > 0 => {
            (size.saturating_sub(length), u64::MAX)
        }
        (Err(_), Ok(0)) if first.trim().is_empty() => return ByteRange::Outside,
        _ => return ByteRange::Whole,
    };
    if start >= size { ByteRange::Outside } else { ByteRange::Part { start, end: end.min(size - 1) } }
}

/// A chunk's `Content-Range`, `0-1023` (documented: distribution-spec), with or without HTTP's
/// `bytes ` and `/TOTAL`.
pub(super) fn chunk_range(header: &str) -> Option<(u64, u64)> {
    let range = header.trim();
    let range = range.strip_prefix("bytes ").unwrap_or(range);
    let range = range.split_once('/').map_or(range, |(range, _)| range);
    let (start, end) = range.split_once('-')?;
    let (start, end) = (start.parse().ok()?, end.parse().ok()?);
    (start <= end).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_ranges() {
        let part = |start, end| ByteRange::Part { start, end };
        for (header, expected) in [
            ("bytes=0-4", part(0, 4)),
            ("bytes=5-", part(5, 9)),
            ("bytes=-3", part(7, 9)),
            ("bytes=-99", part(0, 9)),
            ("bytes=8-99", part(8, 9)),
            ("bytes=10-", ByteRange::Outside),
            ("bytes=-0", ByteRange::Outside),
            ("bytes=4-2", ByteRange::Whole),
            ("bytes=0-1,3-4", ByteRange::Whole),
            ("lines=0-1", ByteRange::Whole),
        ] {
            assert_eq!(byte_range(Some(header), 10), expected, "{header}");
        }
        assert_eq!(byte_range(None, 10), ByteRange::Whole);
        assert_eq!(byte_range(Some("bytes=0-"), 0), ByteRange::Outside);
    }

    #[test]
    fn chunk_ranges() {
        assert_eq!(chunk_range("0-1023"), Some((0, 1023)));
        assert_eq!(chunk_range("bytes 5-9/10"), Some((5, 9)));
        for header in ["", "5", "9-5", "a-b", "bytes=0-1"] {
            assert_eq!(chunk_range(header), None, "{header}");
        }
    }
}
