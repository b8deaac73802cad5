use super::*;

fn noting(states: &[&'static [u8]]) -> PeerStates {
    let mut all = PeerStates::default();
    all.note_compressed(100, 40);
    for state in states {
        all.note(state, 10);
    }
    all
}

fn kept(states: &PeerStates) -> Vec<Bytes> {
    states.all().into_iter().flatten().collect()
}

#[test]
fn the_last_two_are_kept() {
    assert_eq!(kept(&noting(&[b"one", b"two", b"six"])), ["six", "two"]);
    assert_eq!(kept(&noting(&[b"one", b"two", b"seven"])), ["two", "one"], "too long");
}

#[test]
fn one_that_is_adopted_ends_what_is_older() {
    let mut states = noting(&[b"one", b"two"]);
    states.adopted(&Bytes::from_static(b"one"));
    assert_eq!(kept(&states), ["two"]);
    let mut states = noting(&[b"one", b"two"]);
    states.adopted(&Bytes::from_static(b"two"));
    assert!(kept(&states).is_empty());
}

#[test]
fn what_is_compressed_clearly_worse_is_ignored() {
    let mut states = PeerStates::default();
    states.note(b"anything", 1000);
    assert!(kept(&states).is_empty(), "nothing to compare it with");
    states.note_compressed(1000, 800);
    states.note(&[7; 91], 100);
    assert!(kept(&states).is_empty());
    states.note(&[7; 90], 100);
    assert_eq!(kept(&states).len(), 1);
}
