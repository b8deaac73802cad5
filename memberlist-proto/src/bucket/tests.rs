use super::*;

fn at(millis: u64) -> Instant {
    Instant::from_nanos(1_000_000_000 + millis * 1_000_000)
}

fn taken(bucket: &mut Bucket, millis: u64, tries: usize, rate: usize, burst: usize) -> usize {
    (0..tries).filter(|_| bucket.take(at(millis), rate, burst)).count()
}

#[test]
fn a_full_bucket_gives_its_burst_and_then_its_rate() {
    let mut bucket = Bucket::new();
    assert_eq!(taken(&mut bucket, 0, 1000, 10, 50), 50);
    assert_eq!(taken(&mut bucket, 99, 10, 10, 50), 0);
    assert_eq!(taken(&mut bucket, 100, 10, 10, 50), 1);
    assert_eq!(taken(&mut bucket, 1100, 1000, 10, 50), 10);
    assert_eq!(taken(&mut bucket, 60_000, 1000, 10, 50), 50, "it never holds more than its burst");
}

#[test]
fn a_burst_of_one_gives_an_even_rate() {
    let mut bucket = Bucket::new();
    let taken = (0..10_000).filter(|millis| bucket.take(at(*millis), 100, 1)).count();
    assert_eq!(taken, 1000);
}

#[test]
fn time_may_jump_to_its_end_and_back() {
    let mut bucket = Bucket::new();
    let end = Instant::from_nanos(u64::MAX);
    assert!(bucket.take(end, 1, 1));
    assert!(bucket.take(end, usize::MAX, usize::MAX));
    assert!(!bucket.take(at(0), 1, 1), "what was taken later is still missing");
}
