//! Statistics of samples, with confidence intervals.

/// A figure with its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

impl Estimate {
    /// A figure that is known exactly, with an interval of no width.
    pub fn exactly(value: f64) -> Self {
        Self { value, low: value, high: value }
    }

    /// The figure and its interval in another unit: multiplied by `factor`.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { value: self.value * factor, low: self.low * factor, high: self.high * factor }
    }
}

/// The outcomes of one cell of a grid, one for each seed or each thing observed.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    sorted: Vec<f64>,
}

impl Summary {
    /// Summarizes these outcomes; those that are infinite or not a number are left out.
    pub fn of(outcomes: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = outcomes.into_iter().filter(|it| it.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        Self { sorted }
    }

    /// The number of outcomes, without those that were left out.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// The sum of the outcomes.
    pub fn sum(&self) -> f64 {
        self.sorted.iter().sum()
    }

    /// The mean of the outcomes, with the interval of Student's distribution; `None` without
    /// outcomes. The interval of a single outcome is infinite.
    pub fn mean(&self) -> Option<Estimate> {
        let n = self.sorted.len();
        if n == 0 {
            return None;
        }
        let value = self.sum() / n as f64;
        if n == 1 {
            return Some(Estimate { value, low: f64::NEG_INFINITY, high: f64::INFINITY });
        }
        let squares: f64 = self.sorted.iter().map(|it| (it - value).powi(2)).sum();
        let error = (squares / (n - 1) as f64 / n as f64).sqrt() * student(n - 1);
        Some(Estimate { value, low: value - error, high: value + error })
    }

    /// The outcome that a share of them, from 0 to 1, does not exceed, with the interval that
    /// follows from the binomial distribution of ranks; `None` without outcomes. With few outcomes
    /// the interval is cut at the extremes of the sample, and is then too narrow.
    pub fn quantile(&self, share: f64) -> Option<Estimate> {
        let n = self.sorted.len() as f64;
        let at = |rank: f64| {
            let last = self.sorted.len().checked_sub(1)?;
            Some(self.sorted[(rank.max(0.0) as usize).min(last)])
        };
        let spread = 1.96 * (n * share * (1.0 - share)).sqrt();
        let middle = n * share;
        Some(Estimate {
            value: at((middle - 1e-9).floor())?,
            low: at((middle - spread).floor())?,
            high: at((middle + spread).ceil())?,
        })
    }
}

/// The factor of a two-sided interval of 95 % with this number of degrees of freedom: tabulated if
/// there are few, else by the expansion of Cornish and Fisher, whose error is below a hundredth.
fn student(freedom: usize) -> f64 {
    const FEW: [f64; 6] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447];
    if let Some(factor) = freedom.checked_sub(1).and_then(|at| FEW.get(at)) {
        return *factor;
    }
    let (z, n) = (1.959_964_f64, freedom as f64);
    z + (z.powi(3) + z) / (4.0 * n)
        + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * n * n)
}

#[cfg(test)]
mod tests;
