use super::*;

/// Every event that the agent reports can be chosen by its name.
#[test]
fn every_event_is_listed() {
    let source = include_str!("../event.rs");
    let mut seen = BTreeSet::from(["departed"]);
    for (at, start) in source.match_indices("Report::new(\"") {
        let name = source[at + start.len()..].split('"').next().unwrap();
        assert!(KINDS.contains(&name), "{name} is not listed");
        seen.insert(name);
    }
    assert_eq!(seen, BTreeSet::from(KINDS));
}

#[test]
fn names_are_read_and_written() {
    for text in ["all", "quiet", "none", "departed,joined"] {
        assert_eq!(Kinds::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(Kinds::parse("joined, departed"), Kinds::parse("departed,joined"));
}

#[test]
fn a_wrong_name_gets_the_nearest() {
    let error = |text| Kinds::parse(text).unwrap_err().to_string();
    assert_eq!(error("joined,depated"), "there is no event `depated`; did you mean `departed`?");
    assert_eq!(error("weather"), "there is no event `weather`");
    assert_eq!(error(""), "there is no event ``");
    assert!(error(&"x".repeat(9999)).len() < 100);
}

#[test]
fn what_was_lost_is_reported_to_every_reader_of_events() {
    let some = Kinds::parse("joined").unwrap();
    assert!(some.include("joined") && some.include("overflow") && !some.include("departed"));
    assert!(!Kinds::None.include("overflow"));
    assert!(Kinds::Quiet.include("departed") && !Kinds::Quiet.include("pinged"));
    assert!(Kinds::All.include("pinged"));
}
