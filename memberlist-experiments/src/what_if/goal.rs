//! Goals: the limits that settings have to keep.

use std::fmt;
use std::str::FromStr;

use super::Figures;

/// The figures that can be limited, with their units.
const FIGURES: [(&str, Unit); 9] = [
    ("detect", Unit::Time),
    ("detect-p99", Unit::Time),
    ("all", Unit::Time),
    ("all-p99", Unit::Time),
    ("join", Unit::Time),
    ("broadcast", Unit::Time),
    ("leave", Unit::Time),
    ("false", Unit::PerDay),
    ("traffic", Unit::Rate),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Time,
    PerDay,
    Rate,
}

/// Upper limits for some figures, parsed from a text such as `detect<5s,false<1/day`.
///
/// `detect` is the median time from the kill of a node until the first member declares it dead,
/// `all` until all do; with `-p99` they are the 99th percentiles. `join`, `broadcast` and `leave`
/// are the 99th percentiles of the time until all members know. `false` is the number of false
/// positives per node and day, such as `1/day`; `traffic` is what a node sends, such as `2kB/s`. A
/// goal also requires that all news reaches every member in time.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    limits: Vec<(&'static str, f64)>,
    text: String,
}

/// Why a text is not a goal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GoalError {
    /// A part has no `<`.
    #[error("`{0}` has no `<`, as in `detect<5s`")]
    Form(String),
    /// There is no such figure.
    #[error("there is no figure `{0}`, only {known}", known = FIGURES.map(|it| it.0).join(", "))]
    Unknown(String),
    /// A limit cannot be parsed, or is not positive.
    #[error("the limit `{1}` of `{0}` is not {2}")]
    Limit(String, String, &'static str),
}

impl FromStr for Goal {
    type Err = GoalError;

    fn from_str(text: &str) -> Result<Self, GoalError> {
        let limits = text.split(',').map(limit).collect::<Result<_, _>>()?;
        Ok(Self { limits, text: text.into() })
    }
}

fn limit(part: &str) -> Result<(&'static str, f64), GoalError> {
    let (name, limit) = part.split_once('<').ok_or_else(|| GoalError::Form(part.into()))?;
    let (name, limit) = (name.trim(), limit.trim());
    let known = FIGURES.into_iter().find(|(known, _)| *known == name);
    let (known, unit) = known.ok_or_else(|| GoalError::Unknown(name.into()))?;
    let (value, form) = match unit {
        Unit::Time => {
            (scaled(limit, &[("ms", 1e-3), ("s", 1.0), ("min", 60.0)]), "a time such as 5s")
        }
        Unit::PerDay => (
            scaled(limit, &[("/week", 1.0 / 7.0), ("/day", 1.0), ("/hour", 24.0)]),
            "a rate such as 1/day",
        ),
        Unit::Rate => (scaled(limit, &[("kB/s", 1e3), ("B/s", 1.0)]), "a rate such as 2kB/s"),
    };
    let value = value.filter(|it| it.is_finite() && *it > 0.0);
    let error = || GoalError::Limit(name.into(), limit.into(), form);
    Ok((known, value.ok_or_else(error)?))
}

fn scaled(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    units.iter().find_map(|(unit, factor)| {
        Some(text.strip_suffix(unit)?.trim().parse::<f64>().ok()? * factor)
    })
}

impl Goal {
    /// Whether all limits are kept, and all news has reached every member in time.
    pub(super) fn is_met(&self, figures: &Figures) -> bool {
        let kept = |(name, limit): &(&str, f64)| figures.named(name).is_some_and(|it| it < *limit);
        figures.missed == 0 && self.limits.iter().all(kept)
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
