use super::*;

fn parse(line: &str) -> Result<Command, CommandError> {
    Line::parse(line.as_bytes()).expect("a command").command
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

#[test]
fn text_is_everything_after_one_space_untouched() {
    assert_eq!(parse("broadcast  two  spaces "), Ok(Command::Broadcast(bytes(" two  spaces "))));
    assert_eq!(parse("broadcast"), Ok(Command::Broadcast(Bytes::new())));
    assert_eq!(parse("broadcast "), Ok(Command::Broadcast(Bytes::new())));
    assert_eq!(parse("meta a\tb\r"), Ok(Command::Meta(bytes("a\tb\r"))));
    let to = NodeName::from("n1");
    assert_eq!(parse("send n1  x"), Ok(Command::Send { to: to.clone(), message: bytes(" x") }));
    assert_eq!(parse("send n1"), Ok(Command::Send { to, message: Bytes::new() }));
    assert_eq!(parse("send"), Err(CommandError::Usage("send NAME TEXT")));
    assert_eq!(parse("ping node one"), Ok(Command::Ping(NodeName::from("node one"))));
}

#[test]
fn every_command_with_text_has_a_hexadecimal_twin() {
    let two = Bytes::from_static(&[0, 255]);
    let to = NodeName::from("n");
    for (line, command) in [
        ("broadcast-hex 00ff", Command::Broadcast(two.clone())),
        ("meta-hex 00FF", Command::Meta(two.clone())),
        ("state-hex 00 ff", Command::State(two.clone())),
        ("ack-payload-hex 00ff", Command::AckPayload(two.clone())),
        ("send-hex n 00ff", Command::Send { to: to.clone(), message: two.clone() }),
        ("send-reliable-hex n 00ff", Command::SendReliable { to, message: two }),
        ("meta-hex", Command::Meta(Bytes::new())),
        ("meta-hex ", Command::Meta(Bytes::new())),
    ] {
        assert_eq!(parse(line), Ok(command), "{line}");
    }
    assert!(matches!(parse("meta-hex 0"), Err(CommandError::Argument(_))));
    assert_eq!(parse("ping-hex 00"), Err(CommandError::Unknown));
}

#[test]
fn bytes_that_are_not_utf8_are_kept() {
    let line = Line::parse(b"broadcast \xff\x00").unwrap();
    assert_eq!(line.command, Ok(Command::Broadcast(Bytes::from_static(&[0xff, 0]))));
    assert_eq!(Line::parse(b"set \xff=1").unwrap().command, Err(CommandError::NotText));
}

#[test]
fn a_line_may_carry_an_id() {
    let line = Line::parse(b"#7 send n  x").unwrap();
    assert_eq!((line.id.as_deref(), line.name.as_str()), (Some("7"), "send"));
    assert_eq!(line.command, Ok(Command::Send { to: NodeName::from("n"), message: bytes(" x") }));
    let line = Line::parse(b"#7").unwrap();
    assert_eq!((line.id.as_deref(), line.command), (Some("7"), Err(CommandError::Unknown)));
    assert!(Line::parse(b"").is_none() && Line::parse(b"\r").is_none());
}

#[test]
fn keys_are_parsed_and_never_echoed() {
    let text = "EBESExQVFhcYGRobHB0eHw==";
    let key = text.parse::<Key>().unwrap();
    assert_eq!(parse("keys list"), Ok(Command::Keys(KeyCommand::List)));
    assert_eq!(parse("keys"), Ok(Command::Keys(KeyCommand::List)));
    assert_eq!(parse(&format!("keys add {text}")), Ok(Command::Keys(KeyCommand::Add(key.clone()))));
    assert_eq!(parse(&format!("keys use {text}")), Ok(Command::Keys(KeyCommand::Use(key.clone()))));
    assert_eq!(parse(&format!("keys remove {text}")), Ok(Command::Keys(KeyCommand::Remove(key))));
    let error = parse("keys add c2VjcmV0").unwrap_err().to_string();
    assert!(!error.contains("c2VjcmV0"), "{error}");
    assert!(matches!(parse("keys forget"), Err(CommandError::Usage(_))));
}

#[test]
fn join_and_leave_and_set_read_their_arguments() {
    let Ok(Command::Join(peers)) = parse("join 10.0.0.1 n1/db:7") else { panic!() };
    assert_eq!(peers.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.1", "n1/db:7"]);
    assert!(matches!(parse("join"), Err(CommandError::Usage(_))));
    let error = parse("join [::1").unwrap_err().to_string();
    assert!(error.contains("`[::1`"), "{error}");
    assert_eq!(parse("leave"), Ok(Command::Leave(LEAVE_TIMEOUT)));
    assert_eq!(parse("leave 2.5"), Ok(Command::Leave(Duration::from_millis(2500))));
    for bad in ["leave soon", "leave -1", "leave NaN", "leave 1e30"] {
        assert!(matches!(parse(bad), Err(CommandError::Usage(_))), "{bad}");
    }
    assert_eq!(
        parse("set limits.streams = 3"),
        Ok(Command::Set { field: "limits.streams".into(), text: "3".into() })
    );
    assert!(parse("set x").is_err());
}

#[test]
fn every_command_of_the_help_exists_and_takes_no_more_than_it_says() {
    for (usage, _) in HELP {
        let word = usage.split_whitespace().next().unwrap();
        assert_ne!(parse(word), Err(CommandError::Unknown), "{word}");
    }
    for word in ["members", "nodes", "health", "stats", "quit", "help"] {
        assert!(parse(word).is_ok(), "{word}");
        assert!(matches!(parse(&format!("{word} x")), Err(CommandError::Surplus(_))), "{word}");
    }
    assert_eq!(parse("dance"), Err(CommandError::Unknown));
}

proptest::proptest! {
    /// Any input is either a command or an error with a text.
    #[test]
    fn any_line_is_a_command_or_an_error(
        word in proptest::sample::select(&["set", "join", "leave", "keys add", "send-hex a", "#1"][..]),
        rest in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
    ) {
        for line in [rest.clone(), [word.as_bytes(), b" ", &rest].concat()] {
            if let Some(Err(error)) = Line::parse(&line).map(|line| line.command) {
                assert!(!error.to_string().is_empty());
            }
        }
    }
}
