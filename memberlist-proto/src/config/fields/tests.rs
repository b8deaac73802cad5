use alloc::string::ToString;
use alloc::vec;

use super::*;

fn presets() -> [Config; 3] {
    [Config::lan("n"), Config::wan("n"), Config::local("n")]
}

fn field(path: &str) -> &'static Field {
    Config::field(path).unwrap_or_else(|| panic!("no field {path}"))
}

/// Some value of the field's kind with this measure.
fn value(field: &Field, measure: u64) -> Value {
    match field.kind() {
        Kind::Number => Value::Number(measure),
        Kind::Duration => Value::Duration(Duration::from_nanos(measure)),
        Kind::Text => Value::Text(vec![b'x'; measure as usize].into()),
        Kind::Networks => {
            Value::Networks(Some(vec!["10.0.0.0/8".parse().unwrap(); measure as usize]))
        }
        Kind::Keys => Value::Keys(vec![Key::new(&[7; 16]).unwrap(); measure as usize]),
        Kind::Labels => Value::Labels(vec![Bytes::from_static(b"blue"); measure as usize]),
        Kind::Peers => Value::Peers(vec!["db.example".parse().unwrap(); measure as usize]),
        kind => panic!("{kind:?} has no measure"),
    }
}

#[test]
fn every_field_is_described_and_bounded() {
    for field in Config::fields() {
        let path = field.path();
        let doc: Vec<_> = field.doc().collect();
        assert!(doc.last().is_some_and(|line| line.ends_with('.')), "{path}: {doc:?}");
        let free = matches!(field.kind(), Kind::Switch | Kind::Address | Kind::Word(_));
        assert_eq!(field.bounds().is_any(), free, "{path}");
        for preset in presets() {
            assert_eq!(field.check(&field.get(&preset)), Ok(()), "{path}");
        }
    }
    let paths: alloc::collections::BTreeSet<_> = Config::fields().map(Field::path).collect();
    assert_eq!(paths.len(), Config::fields().count(), "a path stands for one field");
}

#[test]
fn bounds_are_kept_to_the_last_value() {
    for field in Config::fields().filter(|field| !field.bounds().is_any()) {
        let (path, bounds) = (field.path(), field.bounds());
        let mut config = Config::lan("n");
        for measure in [bounds.min(), bounds.max()] {
            let value = value(field, measure);
            assert_eq!(field.set(&mut config, value.clone()), Ok(()), "{path}");
            assert_eq!(field.get(&config), value, "{path}");
        }
        let before = config.clone();
        let below = bounds.min().checked_sub(1).filter(|below| !(bounds.zero && *below == 0));
        for measure in [below, bounds.max().checked_add(1)].into_iter().flatten() {
            let error = field.set(&mut config, value(field, measure)).unwrap_err();
            let shown = error.to_string();
            assert!(shown.starts_with(&alloc::format!("`{path}` is ")), "{shown}");
            assert!(shown.ends_with(&bounds.to_string()), "{shown}");
            assert_eq!(config, before, "{path}: a refusal changes nothing");
        }
    }
}

#[test]
fn values_of_another_kind_are_refused() {
    let mut config = Config::lan("n");
    for (path, value, expected) in [
        (
            "limits.streams",
            Value::Duration(Duration::from_secs(7200)),
            "`limits.streams` is 2h, but it must be a number",
        ),
        ("probe_interval", Value::Number(5), "`probe_interval` is 5, but it must be a duration"),
        (
            "suspicion",
            Value::Text(Bytes::from_static(b"yes\n")),
            "`suspicion` is 4 bytes long, but it must be `true` or `false`",
        ),
        (
            "secret_keys",
            Value::Keys(vec![Key::new(b"0123456789abcdef").unwrap(); 257]),
            "`secret_keys` is a list of 257 entries, but it must have 0 to 256 entries",
        ),
    ] {
        let error = field(path).set(&mut config, value).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(config, Config::lan("n"));
}

/// Every field of the struct is in the table, at its own place: what is set by a path is what the
/// field of that name holds afterwards.
#[test]
fn the_table_and_the_structs_are_the_same() {
    let mut config = Config::lan("n");
    field("probe_interval").set(&mut config, Value::Duration(Duration::from_secs(7))).unwrap();
    field("rejoin.interval").set(&mut config, Value::Duration(Duration::from_secs(8))).unwrap();
    field("limits.told_dead").set(&mut config, Value::Number(9)).unwrap();
    field("differences.rejoin").set(&mut config, Value::Switch(false)).unwrap();
    let expected = Config {
        probe_interval: Duration::from_secs(7),
        rejoin: Rejoin { interval: Duration::from_secs(8), ..Rejoin::default() },
        limits: Limits { told_dead: 9, ..Limits::default() },
        differences: Differences { rejoin: false, ..Differences::default() },
        ..Config::lan("n")
    };
    assert_eq!(config, expected);
    assert!(Config::field("limits").is_none());
    assert!(Config::field("limits.probe_interval").is_none());
}

/// A configuration that has another value in every field.
fn other() -> Config {
    let mut config = Config::lan("n");
    for field in Config::fields() {
        let other = match field.get(&config) {
            Value::Switch(on) => Value::Switch(!on),
            Value::Address(_) => Value::Address([10, 0, 0, 1].into()),
            Value::Word(words, word) => {
                Value::Word(words, words.iter().find(|other| **other != word).unwrap())
            }
            Value::Text(_) => Value::Text(Bytes::from_static(b"other")),
            Value::Networks(_) | Value::Keys(_) | Value::Labels(_) | Value::Peers(_) => {
                value(field, 2)
            }
            old if old.measure() == Some(field.bounds().min()) => {
                value(field, field.bounds().max())
            }
            _ => value(field, field.bounds().min()),
        };
        field.set(&mut config, other).unwrap();
    }
    config
}

#[test]
fn live_fields_are_those_of_timing() {
    let (before, other) = (Config::lan("n"), other());
    let mut config = before.clone();
    config.set_timing(other.timing());
    for field in Config::fields() {
        let path = field.path();
        assert_ne!(field.get(&before), field.get(&other), "{path}");
        let expected = if field.is_live() { &other } else { &before };
        assert_eq!(field.get(&config), field.get(expected), "{path}");
    }
}

/// So `reconfigure` need not look whether a packet can carry the announcement still.
#[test]
fn no_live_field_changes_how_long_an_announcement_is() {
    let (before, mut config) = (Config::lan("n"), Config::lan("n"));
    config.set_timing(other().timing());
    for has_key in [false, true] {
        let sum = |it: &Config| {
            // So short that it fits nowhere.
            let it = Config { udp_buffer_size: 0, ..it.clone() };
            it.check_announcement(&it.announced(b"metadata"), has_key)
        };
        assert!(sum(&before).is_err());
        assert_eq!(sum(&config), sum(&before));
    }
}

#[test]
fn no_difference_is_left_in_none() {
    let (ours, go) = (Config::lan("n"), {
        let differences = Differences::none();
        Config { differences, ..Config::lan("n") }
    });
    for field in Config::fields().filter(|field| field.path().starts_with("differences.")) {
        // Go nodes use either form.
        let same = field.path() == "differences.advertise_form";
        assert_eq!(field.get(&ours) == field.get(&go), same, "{}", field.path());
    }
    assert_eq!(go.validate(), Ok(()));
}

/// As `docs/from-go.md` says: the Go library's name in snake case, but for what works otherwise.
#[test]
fn names_follow_the_go_library() {
    for field in Config::fields() {
        let Some(go) = field.go_name() else { continue };
        if matches!(field.path(), "secret_keys" | "ask_admit_merge" | "compression")
            || go.contains('.')
        {
            continue;
        }
        let plain = |name: &str| name.to_ascii_lowercase().replace('_', "");
        assert_eq!(plain(go), plain(field.path()));
    }
}

#[test]
fn durations_are_shown_as_people_write_them() {
    for (nanos, shown) in [
        (0, "0"),
        (1, "1ns"),
        (1_500, "1500ns"),
        (2_000, "2us"),
        (200_000_000, "200ms"),
        (90_000_000_000, "90s"),
        (86_400_000_000_000, "24h"),
        (86_400_000_000_001, "86400000000001ns"),
    ] {
        assert_eq!(Value::Duration(Duration::from_nanos(nanos)).to_string(), shown);
    }
    let longest = Value::Duration(Duration::MAX);
    assert_eq!(longest.measure(), Some(u64::MAX));
    assert_eq!(longest.to_string(), "18446744073709551615999999999ns");
}

#[test]
fn no_value_shows_a_key_or_breaks_the_line() {
    let key = Key::new(b"0123456789abcdef").unwrap();
    for value in [
        Value::Keys(vec![key]),
        Value::Text(Bytes::from_static(b"two\nlines\x1b[2J")),
        Value::Networks(None),
        Value::Peers(vec![]),
    ] {
        let shown = value.to_string();
        assert!(!shown.contains(char::is_control) && !shown.contains("0123"), "{shown}");
        assert!(!alloc::format!("{value:?}").contains("0123"));
    }
}
