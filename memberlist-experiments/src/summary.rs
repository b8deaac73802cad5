//! What a sample says, and how sure that is.

/// A figure with its interval of 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Estimate {
    /// A figure that is known exactly.
    pub fn exactly(value: f64) -> Self {
        Self { value, low: value, high: value }
    }

    /// The figure in another unit.
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
    /// Of these outcomes; what is not a number is left out.
    pub fn of(outcomes: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = outcomes.into_iter().filter(|it| it.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        Self { sorted }
    }

    /// How many outcomes there are.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// Their sum.
    pub fn sum(&self) -> f64 {
        self.sorted.iter().sum()
    }

    /// Their mean, with the interval of Student's distribution; `None` without outcomes. One outcome
    /// alone has an interval without ends.
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

    /// The outcome that this share of them does not exceed, with the interval that follows from the
    /// binomial distribution of ranks; `None` without outcomes. With too few of them for a rank beyond,
    /// the interval ends at the extremes of the sample, and says too little.
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

/// The factor of a two-sided interval of 95 % with so many degrees of freedom: tabulated where few,
/// else by the expansion of Cornish and Fisher, which is within a hundredth of it.
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
