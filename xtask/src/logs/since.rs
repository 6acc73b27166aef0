//! What `--since` takes.

use std::str::FromStr;
use std::time::Duration;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// A moment, or how long ago it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// `10m`.
    Ago(Duration),
    /// Milliseconds since 1970.
    At(i64),
}

impl Since {
    /// The moment, in milliseconds since 1970.
    #[must_use]
    pub fn moment(self, now_ms: i64) -> i64 {
        match self {
            Self::Ago(duration) => now_ms - i64::try_from(duration.as_millis()).unwrap_or(now_ms),
            Self::At(moment) => moment,
        }
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        ago(text).or_else(|| at(text)).ok_or_else(|| {
            "write how long ago (`30s`, `10m`, `1h`, `2d`) or a moment (`2026-01-31`, `2026-01-31T12:00:00Z`)".to_owned()
        })
    }
}

/// A number and a unit, or several of them: `1h30m`.
fn ago(text: &str) -> Option<Since> {
    let mut seconds: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0)?;
        let (number, unit) = rest.split_at(digits);
        let factor = match unit.chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        rest = &unit[1..];
    }
    (!text.is_empty()).then(|| Since::Ago(Duration::from_secs(seconds)))
}

/// RFC 3339, or a date alone: its beginning in UTC.
fn at(text: &str) -> Option<Since> {
    let parse = |text: &str| DateTime::from_str(text, Format::DateTimeWithOffset).ok()?.to_millis().ok();
    parse(text).or_else(|| parse(&format!("{text}T00:00:00Z"))).map(Since::At)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Option<i64> {
        text.parse::<Since>().ok().map(|since| since.moment(10_000_000))
    }

    #[test]
    fn so_long_ago() {
        assert_eq!(moment("0s"), Some(10_000_000));
        assert_eq!(moment("90s"), Some(9_910_000));
        assert_eq!(moment("1h30m"), Some(10_000_000 - 5_400_000));
        assert_eq!(moment("1d"), Some(10_000_000 - 86_400_000));
    }

    #[test]
    fn a_moment() {
        assert_eq!(moment("1970-01-02"), Some(86_400_000));
        assert_eq!(moment("1970-01-01T00:00:01Z"), Some(1000));
        assert_eq!(moment("1970-01-01T02:00:01.5+02:00"), Some(1500));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "10", "m", "10x", "1h30", "-5m", "yesterday", "2026-13-01", "99999999999999999999s"]
        {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
