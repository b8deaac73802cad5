//! The dictionary of the target `config`, as it follows from the table of fields.

use memberlist_proto::Config;

/// What stands beside the names of fields.
const FORMS: &str = r#"
"limits = "
"differences = "
"[rejoin]\x0a"
"[limits]\x0a"
"[differences]\x0a"
"{ secs = "
", nanos = "
" }\x0a"
"true\x0a"
"false\x0a"
"\x0a"
"seeds = [\"10.0.0.1:7946\"]\x0a"
"\"10.0.0.1\"\x0a"
"\"::1\"\x0a"
"\"10.0.0.0/8\""
"\"compact\""
"\"mapped\""
"4294967295"
"9223372036854775807"
"999999999"
"#;

#[test]
fn dictionary_follows_from_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/dictionaries/config.dict");
    let name = |path: &'static str| path.rsplit('.').next().unwrap_or_default();
    let names = Config::fields().map(|field| format!("\"{} = \"\n", name(field.path())));
    let expected = format!(
        "# The fields of a configuration, and forms that their values have: written by\n\
         # `UPDATE=1 cargo test --manifest-path fuzz/Cargo.toml dictionary`.\n\n{}{FORMS}",
        names.collect::<String>()
    );
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, expected).expect("a dictionary that can be written");
    } else {
        let found = std::fs::read_to_string(path).expect("a dictionary");
        assert!(found == expected, "{path} is not what follows from the table; set UPDATE=1");
    }
}
