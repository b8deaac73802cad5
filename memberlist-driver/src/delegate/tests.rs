use super::*;

/// The text of a panic, whichever type it has.
#[test]
fn what_a_panic_says_is_kept() {
    let say = |panics: fn()| caught("notify", panics).expect_err("it panics");
    let text = say(|| panic!("a constant"));
    assert_eq!((text.method, text.message.as_str()), ("notify", "a constant"));
    assert_eq!(say(|| panic!("number {}", std::hint::black_box(7))).message, "number 7");
    assert_eq!(say(|| std::panic::panic_any(7)).message, "no message");
}
