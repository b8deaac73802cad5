//! The history of figures.

use std::collections::VecDeque;

use memberlist_proto::Stats;
use serde::Serialize;

/// How many samples are kept of each resolution.
const KEPT: usize = 300;
/// How many fine samples make one coarse sample: one a second and one every 5 minutes, so that they
/// cover 5 minutes and 25 hours.
pub(crate) const COARSE: usize = 300;

/// The names of the figures of a [`Sample`], in order.
pub(crate) const COLUMNS: [&str; 14] = [
    "time",
    "health_score",
    "alive",
    "suspect",
    "dead",
    "membership_queue",
    "user_queue",
    "streams",
    "packets_in",
    "packets_out",
    "bytes_in",
    "bytes_out",
    "probes_failed",
    "probe_ms",
];

/// The index of the first column that is a rate; those before it are the time and gauges.
const RATES: usize = 8;

/// The plotted values of one moment, in the order of [`COLUMNS`]: the time in milliseconds since
/// 1970, gauges, then rates per second. The last value, the mean duration of a probe in
/// milliseconds, is `None` if no probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Sample([Option<f64>; COLUMNS.len()]);

impl Sample {
    pub(crate) fn new(time: u64, seconds: f64, before: &Stats, now: &Stats) -> Self {
        let (gauges, was, is) = (&now.gauges, &before.counters, &now.counters);
        let rate =
            |was: u64, is: u64| Some(tenths(is.saturating_sub(was) as f64 / seconds.max(0.001)));
        let ended = is.probes_ended.saturating_sub(was.probes_ended);
        let nanos = is.probe_nanos.saturating_sub(was.probe_nanos);
        let probe = (ended > 0).then(|| (nanos as f64 / ended as f64 / 1000.0).round() / 1000.0);
        Self([
            Some(time as f64),
            Some(gauges.health_score as f64),
            Some(gauges.alive as f64),
            Some(gauges.suspect as f64),
            Some(gauges.dead as f64),
            Some(gauges.membership_queue as f64),
            Some(gauges.user_queue as f64),
            Some(gauges.streams as f64),
            rate(was.packets_received, is.packets_received),
            rate(was.packets_sent, is.packets_sent),
            rate(was.packet_bytes_received, is.packet_bytes_received),
            rate(was.packet_bytes_sent, is.packet_bytes_sent),
            rate(was.probes_failed, is.probes_failed),
            probe,
        ])
    }

    /// Combines several samples: the worst value of each gauge, the mean of each rate. For the
    /// members alive, the lowest value is the worst.
    fn of(samples: &[Self]) -> Option<Self> {
        let last = samples.last()?;
        let mut figures = last.0;
        for (index, figure) in figures.iter_mut().enumerate().skip(1) {
            let all = samples.iter().filter_map(|sample| sample.0[index]);
            *figure = match COLUMNS[index] {
                "alive" => all.reduce(f64::min),
                _ if index < RATES => all.reduce(f64::max),
                name => {
                    let (count, sum) = all.fold((0, 0.0), |(count, sum), it| (count + 1, sum + it));
                    let mean = (count > 0).then(|| sum / f64::from(count));
                    if name == "probe_ms" { mean } else { mean.map(tenths) }
                }
            };
        }
        Some(Self(figures))
    }
}

fn tenths(figure: f64) -> f64 {
    (figure * 10.0).round() / 10.0
}

/// Samples of two resolutions.
#[derive(Debug, Default)]
pub(crate) struct Series {
    taken: u64,
    fine: VecDeque<Sample>,
    coarse: VecDeque<Sample>,
    /// The fine samples of the coarse one that is not complete yet.
    partial: Vec<Sample>,
}

/// The part of a [`Series`] that a client is sent.
#[derive(Debug, Serialize)]
pub(crate) struct History {
    columns: [&'static str; COLUMNS.len()],
    /// The number to ask with, as `since`, for newer samples.
    last: u64,
    fine: Vec<Sample>,
    coarse: Vec<Sample>,
}

impl Series {
    pub(crate) fn push(&mut self, sample: Sample) {
        self.taken += 1;
        keep(&mut self.fine, sample);
        self.partial.push(sample);
        if self.partial.len() >= COARSE {
            if let Some(sample) = Sample::of(&self.partial) {
                keep(&mut self.coarse, sample);
            }
            self.partial.clear();
        }
    }

    /// The fine samples after the number `since`, and if there is a new coarse sample, all coarse
    /// ones.
    pub(crate) fn since(&self, since: u64) -> History {
        // A client may have more samples than there are: from before a restart.
        let missing = if since > self.taken { self.taken } else { self.taken - since };
        let skipped = self.fine.len().saturating_sub(missing as usize);
        let per = COARSE as u64;
        let is_new = missing == self.taken || (self.taken - missing) / per < self.taken / per;
        History {
            columns: COLUMNS,
            last: self.taken,
            fine: self.fine.iter().skip(skipped).copied().collect(),
            coarse: if is_new { self.coarse.iter().copied().collect() } else { Vec::new() },
        }
    }
}

fn keep(samples: &mut VecDeque<Sample>, sample: Sample) {
    if samples.len() == KEPT {
        samples.pop_front();
    }
    samples.push_back(sample);
}

#[cfg(test)]
mod tests;
