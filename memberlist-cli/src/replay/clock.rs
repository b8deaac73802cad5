//! Times of a recording, as they are read and written.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use memberlist_proto::Instant;
use memberlist_record::{Born, Header};

/// A time of the core, by a time since the start or by a time of the day.
pub(super) fn moment(text: &str, header: &Header) -> Result<Instant, String> {
    let born = header.born.at;
    if let Some(since) = duration(text) {
        return Ok(Instant::from_nanos(born) + since);
    }
    let day = humantime::parse_rfc3339_weak(text)
        .map_err(|_| "expected a duration or a time of the day".to_owned())?;
    let millis = header.born.wall_clock_ms.ok_or("the recording has no time of the day")?;
    // What was before the start is the start.
    let since = day.duration_since(day_of(millis)).unwrap_or_default();
    Ok(Instant::from_nanos(born) + since)
}

/// A duration as `humantime` has it, or as it is written here: `+83.120s`.
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

/// Writes times of a run: since its start, in nanoseconds.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    wall_clock_ms: Option<u64>,
}

impl Clock {
    pub(super) fn new(born: &Born) -> Self {
        Self { wall_clock_ms: born.wall_clock_ms }
    }

    /// `12:03:04.120`, or where the time of the day is not known, `+83.120s`.
    pub(super) fn short(&self, at: i64) -> String {
        self.day(at).unwrap_or_else(|| Self::since(at))
    }

    /// `12:03:04.120 +83.120s`.
    pub(super) fn long(&self, at: i64) -> String {
        match self.day(at) {
            Some(day) => format!("{day} {:>10}", Self::since(at)),
            None => format!("{:>10}", Self::since(at)),
        }
    }

    /// `2026-01-31T12:01:41.000Z`, the start, if it is known.
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
