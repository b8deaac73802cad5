use super::*;

/// What happens within a second, to which node and when.
fn times(agenda: &mut Agenda) -> Vec<(usize, u64)> {
    let end = agenda.now() + Duration::from_secs(1);
    std::iter::from_fn(|| {
        let (to, ..) = agenda.next(end)?;
        Some((to.index(), agenda.now().as_nanos()))
    })
    .collect()
}

#[test]
fn the_earliest_comes_first_and_equal_times_in_the_order_of_scheduling() {
    let mut agenda = Agenda::new();
    let begin = agenda.now().as_nanos();
    for (node, wait) in [(0, 30), (1, 10), (2, 20), (3, 10), (4, 20)] {
        agenda.after(Duration::from_nanos(wait), NodeId::new(node), None, What::Wake);
    }
    let waits = [(1, 10), (3, 10), (2, 20), (4, 20), (0, 30)];
    assert_eq!(times(&mut agenda), waits.map(|(node, wait)| (node, begin + wait)));
}

#[test]
fn a_place_is_used_again_and_nothing_lies_in_it_twice() {
    let mut agenda = Agenda::new();
    for round in 0..100 {
        for node in 0..3 {
            agenda.after(Duration::from_nanos(node), NodeId::new(node as usize), None, What::Wake);
        }
        let end = agenda.now() + Duration::from_secs(1);
        assert_eq!(agenda.next(end).map(|(to, ..)| to.index()), Some(0), "{round}");
        assert_eq!(times(&mut agenda).len(), 2, "{round}");
        assert_eq!(agenda.places.len(), 3, "{round}");
    }
}

#[test]
fn what_is_due_after_the_end_waits() {
    let mut agenda = Agenda::new();
    agenda.after(Duration::from_secs(2), NodeId::new(0), None, What::Wake);
    let end = agenda.now() + Duration::from_secs(1);
    assert!(agenda.next(end).is_none());
    assert_eq!(agenda.now(), end);
    // What happens at the end itself is within it.
    assert_eq!(times(&mut agenda).len(), 1);
}
