//! Moments as an operator writes them: `--since 2h`, `--until 2026-11-21`.
//!
//! A span (`45s`, `30m`, `2h`, `3d`, `1w`) is so long ago; `today` and `yesterday` begin at midnight; a date is
//! that whole day, and a date with a time that minute, in the local time zone; RFC 3339 says its own offset.

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp, ToSpan as _, Zoned};

use crate::value::Duration;

/// A moment or a whole day, from its beginning to the instant before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Its beginning, for `--since`.
    pub(super) begins: Timestamp,
    /// Where it is over, for `--until`.
    pub(super) ends: Timestamp,
}

/// Reads a moment, with `now` and its time zone.
///
/// # Errors
/// What can be written.
pub(super) fn moment(text: &str, now: &Zoned) -> Result<Moment, String> {
    let text = text.trim();
    let today = now.date();
    let read = match text {
        "now" => Some(at(now.timestamp())),
        "today" => day(today, now),
        "yesterday" => today.yesterday().ok().and_then(|date| day(date, now)),
        _ => ago(text, now)
            .or_else(|| Some(at(text.parse().ok()?)))
            .or_else(|| whole_day(text, now))
            .or_else(|| minute(text, now)),
    };
    read.ok_or_else(|| {
        "write a span such as 2h or 3d, today, yesterday, a date (2026-11-21), a date with a time \
         (2026-11-21T19:05), or RFC 3339"
            .to_owned()
    })
}

fn at(instant: Timestamp) -> Moment {
    Moment {
        begins: instant,
        ends: instant,
    }
}

fn ago(text: &str, now: &Zoned) -> Option<Moment> {
    let span: Duration = text.parse().ok()?;
    let span = SignedDuration::try_from(span.get()).ok()?;
    now.timestamp().checked_sub(span).ok().map(at)
}

/// A text of ten characters: `2026-11-21` and nothing behind it.
fn whole_day(text: &str, now: &Zoned) -> Option<Moment> {
    let date: Date = (text.len() == 10).then(|| text.parse().ok()).flatten()?;
    day(date, now)
}

fn day(date: Date, now: &Zoned) -> Option<Moment> {
    let midnight = |date: Date| date.to_zoned(now.time_zone().clone()).ok();
    Some(Moment {
        begins: midnight(date)?.timestamp(),
        ends: midnight(date.tomorrow().ok()?)?.timestamp(),
    })
}

fn minute(text: &str, now: &Zoned) -> Option<Moment> {
    let civil: DateTime = (text.len() > 10).then(|| text.parse().ok()).flatten()?;
    let begins = civil.to_zoned(now.time_zone().clone()).ok()?;
    let seconds_said = text.matches(':').count() > 1;
    let ends = if seconds_said {
        begins.clone()
    } else {
        begins.checked_add(1.minute()).ok()?
    };
    Some(Moment {
        begins: begins.timestamp(),
        ends: ends.timestamp(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let now: Zoned = "2026-11-21T19:05:30+01:00[+01:00]".parse().unwrap();
        match moment(text, &now) {
            Ok(Moment { begins, ends }) if begins == ends => begins.to_string(),
            Ok(Moment { begins, ends }) => format!("{begins}/{ends}"),
            Err(_) => "no".to_owned(),
        }
    }

    #[test]
    fn moments_are_read_in_the_local_time_zone() {
        assert_eq!(read("2h"), "2026-11-21T16:05:30Z");
        assert_eq!(read("now"), "2026-11-21T18:05:30Z");
        assert_eq!(read("today"), "2026-11-20T23:00:00Z/2026-11-21T23:00:00Z");
        assert_eq!(
            read("yesterday"),
            "2026-11-19T23:00:00Z/2026-11-20T23:00:00Z"
        );
        assert_eq!(
            read("2026-11-01"),
            "2026-10-31T23:00:00Z/2026-11-01T23:00:00Z"
        );
        assert_eq!(
            read("2026-11-01 10:30"),
            "2026-11-01T09:30:00Z/2026-11-01T09:31:00Z"
        );
        assert_eq!(read("2026-11-01T10:30:05"), "2026-11-01T09:30:05Z");
        assert_eq!(read("2026-11-01T10:30:00Z"), "2026-11-01T10:30:00Z");
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in ["", "soon", "2", "-2h", "2026-13-01", "12:30", "2026-11"] {
            assert_eq!(read(text), "no", "{text}");
        }
    }
}
