use super::*;

fn full(now: Instant) -> Questions<usize> {
    let questions = Questions::default();
    for number in 0..CALLS {
        assert_eq!(questions.ask(now, number), Asked::Call(number));
    }
    questions
}

#[test]
fn what_is_one_too_many_waits_for_a_call_to_return() {
    let now = Instant::now();
    let questions = full(now);
    assert_eq!(questions.ask(now, 100), Asked::Waits);
    assert_eq!(questions.ask(now, 101), Asked::Waits);
    // A slow application is not one that hangs.
    let later = now + HUNG * 3;
    assert_eq!(questions.next(later), Some(100));
    assert_eq!(questions.ask(later, 102), Asked::Waits);
    assert_eq!(questions.next(later), Some(101));
    assert_eq!(questions.next(later), Some(102));
    assert_eq!(questions.next(later), None);
    assert_eq!(questions.ask(later, 103), Asked::Call(103));
    assert_eq!(questions.ask(later, 104), Asked::Waits);
    // The next one takes the place of a thread that could not begin.
    questions.gone();
    assert_eq!(questions.ask(later, 105), Asked::Call(105));
}

#[test]
fn an_application_that_hangs_is_not_waited_for() {
    let now = Instant::now();
    let questions = full(now);
    assert_eq!(questions.ask(now + HUNG / 2, 100), Asked::Waits);
    let late = now + HUNG;
    assert_eq!(questions.ask(late, 101), Asked::Hung([100, 101].into()));
    assert_eq!(questions.ask(late, 102), Asked::Hung([102].into()));
    // Once a call has returned it is asked again.
    assert_eq!(questions.next(late), None);
    assert_eq!(questions.ask(late, 103), Asked::Call(103));
    assert_eq!(questions.ask(late, 104), Asked::Waits);
}

#[test]
fn no_more_than_so_many_questions_wait() {
    let now = Instant::now();
    let questions = full(now);
    for number in 0..WAITING {
        assert_eq!(questions.ask(now, number), Asked::Waits);
    }
    assert_eq!(questions.ask(now, 5000), Asked::Hung([5000].into()));
}
