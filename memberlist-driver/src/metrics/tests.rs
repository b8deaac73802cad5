use super::*;

/// Go's name where it has one; `.now` where a counter has the same name.
#[test]
fn every_gauge_has_a_name_of_its_own() {
    let mut names = std::collections::BTreeSet::new();
    for (field, _) in memberlist_proto::Gauges::default().iter() {
        let (name, state) = gauge_name(field);
        let ours = GO_GAUGES.iter().all(|(gauge, ..)| *gauge != field);
        if ours {
            let counted = Counters::default().iter().any(|(counter, _)| counter == field);
            let expected = format!("memberlist.{field}{}", if counted { ".now" } else { "" });
            assert_eq!((name.as_str(), state), (expected.as_str(), None));
        }
        assert!(names.insert((name, state)), "{field}");
    }
    for (field, go, state) in GO_GAUGES {
        assert_eq!(gauge_name(field), ((*go).to_owned(), *state));
    }
}
