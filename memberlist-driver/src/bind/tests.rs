use std::net::Ipv6Addr;

use super::*;

#[test]
fn addresses_are_taken_in_every_form() {
    let port = |port| Some(SocketAddr::from(([10, 0, 0, 1], port)));
    for (options, expected) in [
        (Options::bind("10.0.0.1"), port(DEFAULT_PORT)),
        (Options::bind(String::from("10.0.0.1:0")), port(0)),
        (Options::bind(([10, 0, 0, 1], 7)), port(7)),
        (Options::bind(IpAddr::from([10, 0, 0, 1])), port(DEFAULT_PORT)),
        (Options::bind("[::]"), Some((Ipv6Addr::UNSPECIFIED, DEFAULT_PORT).into())),
    ] {
        assert_eq!(Some(options.bind), expected);
        assert!(options.check().is_ok());
    }
    let options = Options::default().advertise("10.0.0.1");
    assert_eq!((options.bind, options.advertise), (Options::default().bind, port(0)));
    assert_eq!(options.advertise("10.0.0.1:7").advertise, port(7));
}

#[test]
fn the_first_text_that_is_no_address_fails_the_start() {
    let options = Options::bind("local\nhost:1").advertise("10.0.0.1:70000");
    let error = options.check().expect_err("neither is an address").to_string();
    let expected = "`local\\nhost:1` is not an address to listen on or to announce, as `IP` or \
                    `IP:PORT`";
    assert_eq!(error, expected);
}

#[test]
fn options_keep_what_they_are_given() {
    struct Silent;
    impl Delegate for Silent {}
    let options = Options::default()
        .delegate(Arc::new(Silent))
        .events(EventBounds::new(1, 2))
        .metric_label("cluster", "blue")
        .metric_label(String::from("rack"), String::from("7"));
    assert!(options.delegate.is_some());
    assert_eq!((options.events.count, options.events.bytes), (1, 2));
    assert_eq!(options.metric_labels.len(), 2);
}

#[test]
fn a_public_address_without_a_key_is_noticed() {
    let config = |address: [u8; 4], key: bool| {
        let mut config = Config::lan("n");
        config.advertise_addr = address.into();
        if key {
            config.secret_keys.push(memberlist_proto::Key::new(&[1; 16]).expect("a key"));
        }
        config
    };
    assert!(announces_in_clear(&config([8, 8, 8, 8], false)));
    assert!(!announces_in_clear(&config([8, 8, 8, 8], true)));
    assert!(!announces_in_clear(&config([10, 0, 0, 1], false)));
    assert!(!announces_in_clear(&config([10, 0, 0, 1], true)));
}
