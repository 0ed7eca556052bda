//! How long to wait before the next attempt.

use std::time::Duration;

use crate::key::RequestKey;

/// The wait after attempt `attempt`, from 1: doubling from `first` to `longest`, less up to a half.
///
/// The share comes from the request's hash, so that a run waits the same each time and clients that failed together spread.
pub(crate) fn backoff(first: Duration, longest: Duration, attempt: u32, key: RequestKey) -> Duration {
    let doubled = first.saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX));
    doubled.min(longest).mul_f64(1.0 - key.share(attempt) / 2.0)
}

/// What a `Retry-After` header asks for. A date is read against the server's own `Date`, as our clock may differ.
pub(crate) fn retry_after(header: &str, date: Option<&str>) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(header.parse().unwrap_or(u64::MAX)));
    }
    let until = seconds_of_date(header)?;
    let now = seconds_of_date(date?.trim())?;
    Some(Duration::from_secs(until.saturating_sub(now)))
}

/// Seconds from 1970 of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that servers may still write.
fn seconds_of_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = text.split_once(", ")?;
    let mut words = rest.split(' ');
    let day: u64 = words.next()?.parse().ok().filter(|day| (1..=31).contains(day))?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let year: u64 = words.next()?.parse().ok().filter(|year| (1970..=9999).contains(year))?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<u64>().ok().filter(|part| *part < 61));
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if words.next() != Some("GMT") || words.next().is_some() {
        return None;
    }
    // Years begin in March, so that the day that comes and goes is the last.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_repeat() {
        let key = RequestKey::of("chat", &serde_json::json!({}));
        let (first, longest) = (Duration::from_millis(100), Duration::from_millis(800));
        let mut whole = 100;
        for attempt in 1..=200 {
            let wait = backoff(first, longest, attempt, key);
            assert!(
                wait > Duration::from_millis(whole / 2) && wait <= Duration::from_millis(whole),
                "{attempt} {wait:?}"
            );
            assert_eq!(wait, backoff(first, longest, attempt, key));
            whole = (whole * 2).min(800);
        }
    }

    #[test]
    fn retry_after_is_a_number_or_a_date_by_the_servers_clock() {
        assert_eq!(retry_after(" 7 ", None), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("99999999999999999999999", None), Some(Duration::from_secs(u64::MAX)));
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        // `date -u -d '1994-11-06 08:49:37' +%s`
        assert_eq!(seconds_of_date(date), Some(784_111_777));
        // `date -u -d '2024-02-29 00:00:01' +%s`
        assert_eq!(seconds_of_date("Thu, 29 Feb 2024 00:00:01 GMT"), Some(1_709_164_801));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:50:37 GMT", Some(date)), Some(Duration::from_mins(1)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:00:00 GMT", Some(date)), Some(Duration::ZERO));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:50:37 GMT", None), None);
        for wrong in ["", "soon", "-1", "1.5", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49 GMT"] {
            assert_eq!(retry_after(wrong, Some(date)), None, "{wrong}");
        }
    }
}
