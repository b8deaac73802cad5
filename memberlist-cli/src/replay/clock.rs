//! Parses and prints the times of a recording.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use memberlist_proto::Instant;
use memberlist_record::{Born, Header};

/// Parses a time since the start, or a date and time of day, as a time of the core.
pub(super) fn moment(text: &str, header: &Header) -> Result<Instant, String> {
    let born = header.born.at;
    if let Some(since) = duration(text) {
        return Ok(Instant::from_nanos(born) + since);
    }
    let day = humantime::parse_rfc3339_weak(text)
        .map_err(|_| "expected a duration or a time of the day".to_owned())?;
    let millis = header.born.wall_clock_ms.ok_or("the recording has no time of the day")?;
    // A time before the start counts as the start.
    let since = day.duration_since(day_of(millis)).unwrap_or_default();
    Ok(Instant::from_nanos(born) + since)
}

/// Parses a duration in the form of `humantime`, or as it is printed here: `+83.120s`.
fn duration(text: &str) -> Option<Duration> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if let Ok(since) = humantime::parse_duration(text) {
        return Some(since);
    }
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn day_of(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}

/// Prints times of a run, which are given in nanoseconds since its start.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    wall_clock_ms: Option<u64>,
}

impl Clock {
    pub(super) fn new(born: &Born) -> Self {
        Self { wall_clock_ms: born.wall_clock_ms }
    }

    /// Returns `12:03:04.120`, or `+83.120s` if the time of day is unknown.
    pub(super) fn short(&self, at: i64) -> String {
        self.day(at).unwrap_or_else(|| Self::since(at))
    }

    /// Returns `12:03:04.120 +83.120s`, or `+83.120s` if the time of day is unknown.
    pub(super) fn long(&self, at: i64) -> String {
        match self.day(at) {
            Some(day) => format!("{day} {:>10}", Self::since(at)),
            None => format!("{:>10}", Self::since(at)),
        }
    }

    /// Returns the start as `2026-01-31T12:01:41.000Z`, if it is known.
    pub(super) fn start(&self) -> Option<String> {
        self.wall_clock_ms.map(|it| humantime::format_rfc3339_millis(day_of(it)).to_string())
    }

    fn day(&self, at: i64) -> Option<String> {
        let millis = self.wall_clock_ms?.checked_add_signed(at.div_euclid(1_000_000))?;
        let text = humantime::format_rfc3339_millis(day_of(millis)).to_string();
        text.get(11..23).map(str::to_owned)
    }

    fn since(at: i64) -> String {
        let millis = at.div_euclid(1_000_000);
        let sign = if millis < 0 { '-' } else { '+' };
        let millis = millis.unsigned_abs();
        format!("{sign}{}.{:03}s", millis / 1000, millis % 1000)
    }
}

/// A time of a run, in nanoseconds since its start.
pub(super) fn since_start(born: &Born, at: Instant) -> i64 {
    let nanos = |it: u64| i64::try_from(it).unwrap_or(i64::MAX);
    nanos(at.as_nanos()).saturating_sub(nanos(born.at))
}
