//! Settings written, and read again.

use std::net::IpAddr;

use memberlist_proto::{Key, Peer};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

#[test]
fn the_documented_file_is_read_as_it_is_and_written_back() {
    let text = include_str!("../../../../docs/agent.toml");
    let settings: Settings = toml::from_str(text).expect("every field is known");
    assert_eq!(settings, Settings::new(Config::lan("n")));
    let written = toml::to_string(&settings).expect("TOML");
    assert_eq!(toml::from_str::<Settings>(&written).expect("what was written"), settings);
    assert!(written.contains("probe_interval = \"1s\"\n"), "{written}");
}

#[test]
fn an_unknown_field_is_named_with_its_line_and_the_nearest() {
    let text = "name = \"n\"\n\n[limits]\nstreams = 9\nstream_byte = 3\n";
    let error = toml::from_str::<Settings>(text).expect_err("no such field");
    let expected = "there is no field `limits.stream_byte`; did you mean `limits.stream_bytes`?";
    assert_eq!(error.message(), expected);
    assert!(error.to_string().contains("line 5, column 1"), "{error}");
    let error = toml::from_str::<Settings>("limits.streams = 0").expect_err("out of bounds");
    assert_eq!(error.message(), "`limits.streams` is 0, but it must be 1 to 1048576");
    assert!(error.to_string().contains("line 1, column 18"), "{error}");
}

#[test]
fn a_document_with_an_error_changes_nothing() {
    let mut settings = settings();
    read(&mut settings, "label = \"blue\"\nnacks = 3\n").expect_err("no switch");
    assert_eq!(settings, super::settings());
}

#[test]
fn a_group_is_not_a_value_and_a_value_no_group() {
    for (text, expected) in [
        ("limits = \"c2VjcmV0c2VjcmV0\"", "`limits` is a table of fields"),
        ("limits = 3", "invalid type: integer `3`, expected a table of fields"),
        ("nacks = { a = 1 }", "invalid type: map, expected `true` or `false`"),
    ] {
        let reported = read(&mut settings(), text).expect_err("wrong");
        assert!(reported.starts_with(expected), "{reported}");
    }
}

#[test]
fn addresses_become_options() {
    for (text, bind, advertise) in [
        ("", "0.0.0.0:7946", None),
        ("bind_addr = \"::1\"\nbind_port = 0", "[::1]:0", None),
        ("advertise_addr = \"10.0.0.1\"", "0.0.0.0:7946", Some("10.0.0.1:0")),
        ("advertise_port = 7", "0.0.0.0:7946", Some("0.0.0.0:7")),
        ("bind_addr = \"::\"\nadvertise_port = 7", "[::]:7946", Some("[::]:7")),
    ] {
        let settings: Settings = toml::from_str(text).expect("fields");
        let (_, options) = settings.into_parts();
        assert_eq!(options.bind.to_string(), bind);
        assert_eq!(options.advertise.map(|it| it.to_string()).as_deref(), advertise, "{text}");
    }
}

/// A value for a field of this kind, within its bounds where they are numbers.
fn value(field: &Field, draw: u64, texts: &[Vec<u8>]) -> Value {
    let bounds = field.bounds();
    let span = bounds.max().min(i64::MAX as u64) - bounds.min();
    let within = bounds.min() + if span == 0 { 0 } else { draw % span };
    let text = || texts.first().cloned().unwrap_or_default();
    match field.kind() {
        Kind::Switch => Value::Switch(draw.is_multiple_of(2)),
        Kind::Number => Value::Number(within),
        Kind::Duration => Value::Duration(std::time::Duration::from_nanos(within)),
        Kind::Text => Value::Text(text().into()),
        Kind::Address => Value::Address(IpAddr::from(draw.to_be_bytes().map(u16::from))),
        Kind::Networks => Value::Networks((!draw.is_multiple_of(3)).then(|| {
            texts.iter().map(|it| format!("10.{}.0.0/16", it.len()).parse().unwrap()).collect()
        })),
        Kind::Keys => {
            let key = |text: &Vec<u8>| Key::new(&[text.len() as u8; 32]).expect("32 bytes");
            Value::Keys(texts.iter().map(key).collect())
        }
        Kind::Labels => Value::Labels(texts.iter().cloned().map(Into::into).collect()),
        Kind::Peers => {
            let peer = |name: &Vec<u8>| Peer {
                name: (!name.is_empty()).then(|| name.as_slice().into()),
                ..Peer::from(IpAddr::from([10, 0, 0, name.len() as u8]))
            };
            Value::Peers(texts.iter().map(peer).collect())
        }
        Kind::Word(words) => {
            let at = usize::try_from(draw).unwrap_or_default() % words.len();
            Value::Word(words, words[at])
        }
    }
}

proptest! {
    #[test]
    fn any_settings_are_read_as_they_were_written(
        draws in vec((any::<Index>(), any::<u64>(), vec(vec(any::<u8>(), 0..9), 0..4)), 0..40),
        port in any::<u16>(),
        advertise in prop::option::of(any::<IpAddr>()),
        label in select(&["", "any", "\"\"", "a,b", " x ", "\n"][..]),
    ) {
        let mut settings = settings();
        settings.bind.set_port(port);
        settings.advertise_ip = advertise;
        settings.config.accept_labels = vec![label.into(), label.into()];
        let known: Vec<_> = fields().into_iter().filter_map(Config::field).collect();
        for (at, draw, texts) in draws {
            let field = at.get(&known);
            // What is refused by the bounds of a length stays as it is.
            let _ = field.set(&mut settings.config, value(field, draw, &texts));
        }
        let written = toml::to_string(&settings).expect("TOML");
        let again = toml::from_str::<Settings>(&written);
        prop_assert_eq!(again.as_ref(), Ok(&settings), "{}", written);
        let mut over = Settings::new(Config::wan("w"));
        read(&mut over, &written).expect("the same");
        prop_assert_eq!(over, Settings { advertise_ip: settings.advertise_ip, ..settings });
    }
}
