//! `docs/agent.toml`, as it follows from the table of fields.

use super::*;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/agent.toml");

const HEAD: &str = "\
# Every field that `memberlist agent --config FILE` knows, each with its default in the profile
# `lan`. Fields left out keep the value of the profile (`--profile lan|wan|local`); where that
# differs in the other profiles, the line says so. `--set FIELD=VALUE` on the command line comes
# after the file, and the flags of their own (`--name`, `--label`, …) after that. Fields that are
# marked as live can change while the node runs, by the agent's command `set`.
#
# Durations are text: \"200ms\", \"5s\", \"1h\"; 0 is none. Sizes are bytes; 1 KiB is 1024 of them.
#
# This file follows from the table of fields in memberlist-proto/src/config.rs and config/:
# `UPDATE=1 cargo test -p memberlist-driver --features serde documented` writes it anew.
";

/// The longest line of the document.
const WIDTH: usize = 100;

#[test]
fn the_documented_file_follows_from_the_table() {
    let (expected, found) = (document(), std::fs::read_to_string(PATH).unwrap());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PATH, expected).unwrap();
    } else {
        let differs = expected.lines().zip(found.lines()).find(|(it, found)| it != found);
        assert_eq!(found, expected, "the first line that differs: {differs:?}\nset UPDATE=1");
    }
}

/// What the file says.
pub(super) fn document() -> String {
    let mut lines = vec![HEAD.trim_end().to_owned()];
    heading(&mut lines, "Addresses");
    for (name, value, meaning) in SOCKETS {
        comment(&mut lines, meaning);
        // What is not given is the address that is bound.
        let mark = if name.starts_with("advertise") { "# " } else { "" };
        lines.extend([format!("{mark}{name} = {value}"), String::new()]);
    }
    let (mut section, mut group) = ("", "");
    for field in Config::fields().filter(|field| !field.is_set_by_adapter()) {
        if field.section() != section {
            section = field.section();
            heading(&mut lines, section);
        }
        let (table, name) = field.path().split_once('.').unwrap_or(("", field.path()));
        if table != group {
            group = table;
            lines.extend([format!("[{table}]"), String::new()]);
        }
        entry(&mut lines, field, name);
    }
    lines.join("\n").trim_end().to_owned() + "\n"
}

fn heading(lines: &mut Vec<String>, title: &str) {
    if lines.last().is_some_and(|line| !line.is_empty()) {
        lines.push(String::new());
    }
    lines.extend([format!("# ==== {title} ===="), String::new()]);
}

fn entry(lines: &mut Vec<String>, field: &Field, name: &str) {
    comment(lines, &without_links(&field.doc().collect::<Vec<_>>().join(" ")));
    let mut facts = Vec::new();
    if !field.bounds().is_any() {
        facts.push(format!("Allowed: {}.", field.bounds()));
    }
    facts.extend(field.go_name().map(|go| format!("In Go: {go}.")));
    facts.extend(field.is_live().then(|| "Live.".to_owned()));
    if !facts.is_empty() {
        comment(lines, &facts.join(" "));
    }
    let [lan, wan, local] =
        [Config::lan("n"), Config::wan("n"), Config::local("n")].map(|it| field.get(&it));
    let mut elsewhere = Vec::new();
    for (profile, value) in [("wan", wan), ("local", local)] {
        if value != lan {
            elsewhere.push(format!("{profile} {value}"));
        }
    }
    let mark = if elsewhere.is_empty() { "" } else { " # " };
    let line = format!("{name} = {}{mark}{}", toml(&lan), elsewhere.join(", "));
    lines.extend([line, String::new()]);
}

/// A value as TOML.
fn toml(value: &Value) -> String {
    match value {
        Value::Duration(span) if !span.is_zero() => format!("\"{value}\""),
        Value::Text(text) => format!("{:?}", std::str::from_utf8(text).unwrap()),
        Value::Address(_) | Value::Word(..) => format!("\"{value}\""),
        Value::Networks(None) => "\"any\"".to_owned(),
        Value::Keys(list) if list.is_empty() => "[]".to_owned(),
        Value::Labels(list) if list.is_empty() => "[]".to_owned(),
        Value::Peers(list) if list.is_empty() => "[]".to_owned(),
        Value::Switch(_) | Value::Number(_) | Value::Duration(_) => value.to_string(),
        value => panic!("a default of {value}"),
    }
}

/// A text as comment lines.
fn comment(lines: &mut Vec<String>, text: &str) {
    let mut line = "#".to_owned();
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(core::mem::replace(&mut line, "#".to_owned()));
        }
        line.push(' ');
        line.push_str(word);
    }
    lines.push(line);
}

/// `[text](target)` as `text`.
fn without_links(markdown: &str) -> String {
    let mut text = String::new();
    let mut rest = markdown;
    while let Some((before, link)) = rest.split_once('[') {
        let (shown, after) = link.split_once("](").expect("brackets are links");
        let (_, after) = after.split_once(')').expect("a link ends");
        text.push_str(before);
        text.push_str(shown);
        rest = after;
    }
    text + rest
}
