//! Files that no person would write.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Any value, of any type, within others.
fn value() -> impl Strategy<Value = toml::Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(toml::Value::from),
        any::<i64>().prop_map(toml::Value::from),
        (0_i64..70_000).prop_map(toml::Value::from),
        any::<f64>().prop_map(toml::Value::from),
        ".{0,12}".prop_map(toml::Value::from),
        r"(?s).{0,6}\n.{0,6}".prop_map(toml::Value::from),
        "[0-9]{1,9}(ms|s|h|d|years)".prop_map(toml::Value::from),
        "[0-9]{1,3}(\\.[0-9]{1,3}){3}(/[0-9]{1,3}|:[0-9]{1,5})?".prop_map(toml::Value::from),
        Just(toml::Value::Datetime("1979-05-27T07:32:00Z".parse().expect("a time"))),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(toml::Value::from),
            btree_map(field(), inner, 0..4)
                .prop_map(|it| toml::Value::Table(it.into_iter().collect())),
        ]
    })
}

/// A field that exists, one that might, or any.
fn field() -> impl Strategy<Value = String> {
    let last = |path: &&'static str| path.rsplit('.').next().unwrap_or_default().to_owned();
    prop_oneof![
        4 => select(fields()).prop_map(move |path| last(&path)),
        1 => select(&["limits", "differences", "rejoin", "bind_addr", "advertise_port"][..])
            .prop_map(str::to_owned),
        1 => "[a-z_.]{1,10}",
        1 => any::<String>(),
    ]
}

/// Reads a text; an error is one line, and what is read is a configuration or none.
fn settled(text: &str) -> Result<Settings, String> {
    let mut settings = settings();
    let result = read(&mut settings, text);
    if let Err(error) = &result {
        assert!(!error.is_empty() && !error.contains(char::is_control), "{error:?}");
    }
    if let Err(error) = settings.config.validate() {
        assert!(!error.to_string().contains(char::is_control), "{error:?}");
    }
    result.map(|()| settings)
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_in_one_line(text in any::<String>()) {
        let _ = settled(&text);
    }

    /// The documented file with some of its bytes replaced.
    #[test]
    fn a_spoilt_file_is_read_or_refused_in_one_line(
        spoilt in vec((any::<prop::sample::Index>(), any::<char>()), 1..8),
    ) {
        let mut text: Vec<char> = include_str!("../../../../docs/agent.toml").chars().collect();
        for (at, character) in spoilt {
            let at = at.index(text.len());
            text[at] = character;
        }
        let _ = settled(&text.into_iter().collect::<String>());
    }

    #[test]
    fn any_value_in_any_field_is_taken_or_refused_in_one_line(
        table in btree_map(field(), value(), 0..6),
    ) {
        let table: toml::Table = table.into_iter().collect();
        let _ = settled(&toml::to_string(&table).expect("a table"));
    }

    /// In a file a field takes what `--set` takes, and nothing else.
    #[test]
    fn a_text_means_the_same_in_a_file_and_on_the_command_line(
        field in select(fields()),
        text in prop_oneof!["[ -~]{0,12}", "[0-9]{1,5}(ms|s|h)?", "true|false|any|mapped|0"],
    ) {
        let mut set = settings();
        let reported = set.set(field, &text).map_err(|error| error.to_string());
        let written = format!("{field} = {}\n", toml::Value::from(text));
        prop_assert_eq!(settled(&written), reported.map(|()| set));
    }

    #[test]
    fn a_key_in_a_file_is_never_repeated(
        field in select(&["secret_keys", "secret_keys.x", "limits.secret_keys"][..]),
        key in "[A-Za-z0-9+/]{12,40}",
        list in any::<bool>(),
    ) {
        let value = if list { format!("[{key:?}, {key:?}]") } else { format!("{key:?}") };
        let error = settled(&format!("{field} = {value}\n")).err().unwrap_or_default();
        prop_assert!(!error.contains(&key), "{}", error);
    }
}

/// However deep something is nested, the reader ends it and does not overflow the stack.
#[test]
fn depth_is_refused() {
    let depth = 100_000;
    for text in [
        format!("seeds = {}{}", "[".repeat(depth), "]".repeat(depth)),
        format!("limits = {}0{}", "{a = ".repeat(depth), "}".repeat(depth)),
        format!("limits{} = 0", ".a".repeat(depth)),
        format!("[limits{}]\nx = 0", ".a".repeat(depth)),
        format!("[[limits{}]]\nx = 0", ".a".repeat(depth)),
    ] {
        let reported = settled(&text).expect_err("no such field");
        assert!(reported.len() < 200, "{} bytes: {}…", reported.len(), &reported[..200]);
    }
}
