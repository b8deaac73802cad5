use super::fewest;

#[test]
fn what_is_needed_stays_in_its_order() {
    let needed = |items: &[u32]| [3, 57, 58, 99].iter().all(|it| items.contains(it));
    assert_eq!(fewest((0..100).collect(), 100_000, needed), [3, 57, 58, 99]);
    assert_eq!(fewest((0..100).collect(), 100_000, |_| true), Vec::<u32>::new());
    assert_eq!(fewest(Vec::<u32>::new(), 10, |_| true), Vec::<u32>::new());
}

#[test]
fn the_work_is_bounded() {
    let mut looked = 0;
    let left = fewest((0..1000).collect(), 5000, |items: &[u32]| {
        looked += items.len();
        items.contains(&500)
    });
    assert!(looked <= 5000, "{looked}");
    assert!(left.contains(&500));
}
