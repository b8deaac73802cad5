use super::{Estimate, Summary, student};

#[test]
fn the_interval_of_a_mean_is_students() {
    let summary = Summary::of([1.0, 2.0, 3.0, 4.0, 5.0]);
    let mean = summary.mean().unwrap();
    assert!((mean.value - 3.0).abs() < 1e-9);
    // 2.776 × √(2.5 / 5).
    assert!((mean.high - 4.963).abs() < 1e-3, "{mean:?}");
    assert!((mean.low - 1.037).abs() < 1e-3, "{mean:?}");
}

#[test]
fn the_factor_agrees_with_tables() {
    for (freedom, factor) in [(1, 12.706), (7, 2.365), (10, 2.228), (30, 2.042), (120, 1.980)] {
        assert!((student(freedom) - factor).abs() < 1e-2, "{freedom}");
    }
}

fn value_of(summary: &Summary, share: f64) -> Option<u32> {
    summary.quantile(share).map(|it| it.value as u32)
}

#[test]
fn quantiles_are_outcomes() {
    let summary = Summary::of((1..=100).map(f64::from));
    let Estimate { value, low, high } = summary.quantile(0.5).unwrap();
    assert_eq!([value, low, high].map(|it| it as u32), [50, 41, 61]);
    assert_eq!(value_of(&summary, 0.99), Some(99));
    assert_eq!(value_of(&summary, 1.0), Some(100));
    assert_eq!(value_of(&Summary::of([7.0]), 0.99), Some(7));
    assert_eq!(Summary::of([f64::NAN]).quantile(0.5), None);
}
