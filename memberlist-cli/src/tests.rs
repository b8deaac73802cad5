use super::*;

fn error(args: &[&str]) -> Error {
    match Program::try_parse_from(args) {
        Ok(_) => panic!("{args:?} was accepted"),
        Err(error) => error,
    }
}

#[test]
fn wrong_usage_is_one_line() {
    for args in [
        &["memberlist"][..],
        &["memberlist", "dance"],
        &["memberlist", "decode"],
        &["memberlist", "keygen", "--bits", "7"],
        &["memberlist", "agent", "--bind", "nowhere"],
        &["memberlist", "agent", "--meta", "a", "--meta-hex", "00"],
    ] {
        let error = error(args);
        assert_ne!(error.kind(), ErrorKind::DisplayHelp, "{args:?}");
        let line = one_line(&error.render().to_string());
        assert!(!line.contains('\n') && !line.starts_with("error"), "{args:?}: {line}");
        assert!(line.len() > 10, "{args:?}: {line}");
    }
}

#[test]
fn a_bad_value_is_named_with_its_flag_and_reason() {
    let line = one_line(&error(&["memberlist", "agent", "--bind", "nowhere"]).render().to_string());
    assert!(line.contains("--bind") && line.contains("nowhere"), "{line}");
}

#[test]
fn the_arguments_are_consistent() {
    use clap::CommandFactory;
    Program::command().debug_assert();
}
