//! The engine's times: RFC 3339 with a fraction of any length.

/// `2026-11-23T08:24:43.123456789Z`, or with an offset, as milliseconds since 1970.
pub(super) fn millis_since_1970(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if !separators.iter().all(|(at, byte)| text.as_bytes().get(*at) == Some(byte)) {
        return None;
    }
    let days = days_from_civil(number(0..4)?, number(5..7)?, number(8..10)?);
    let seconds = number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19)?;
    let rest = text.get(19..)?;
    let zone_at = rest.find(['Z', '+', '-'])?;
    let (fraction, zone) = rest.split_at(zone_at);
    Some((days * 86_400 + seconds - offset_seconds(zone)?) * 1000 + millis(fraction)?)
}

/// `.123456789` as whole milliseconds.
fn millis(fraction: &str) -> Option<i64> {
    match fraction.strip_prefix('.') {
        Some(digits) => format!("{digits:0<3}").get(..3)?.parse().ok(),
        None => fraction.is_empty().then_some(0),
    }
}

fn offset_seconds(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    Some(sign * (hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60))
}

/// Days since 1970-01-01 of a date of the Gregorian calendar, by counting in years that begin
/// in March, so that the leap day is the last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_to_the_millisecond() {
        assert_eq!(millis_since_1970("1970-01-01T00:00:00.000000000Z"), Some(0));
        assert_eq!(millis_since_1970("2026-11-23T08:24:43.123456789Z"), Some(1_795_422_283_123));
        assert_eq!(millis_since_1970("2024-02-29T23:59:59Z"), Some(1_709_251_199_000));
        assert_eq!(millis_since_1970("2024-03-01T01:59:59.5+02:00"), Some(1_709_251_199_500));
        assert_eq!(millis_since_1970("not a time"), None);
    }
}
