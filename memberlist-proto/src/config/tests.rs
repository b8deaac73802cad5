use core::time::Duration;

use super::*;

#[test]
fn the_presets_are_valid() {
    for config in [Config::lan("n"), Config::wan("n"), Config::local("n")] {
        assert_eq!(config.validate(), Ok(()));
    }
    assert!(Config::default().validate().is_err(), "a name is missing");
}

#[test]
fn a_broken_rule_names_field_value_and_rule() {
    type Break = fn(&mut Config);
    let broken: [(&str, Break); 14] = [
        ("name", |config| config.name = "".into()),
        ("label", |config| config.label = [b'l'; 256].to_vec().into()),
        ("advertise_addr", |config| config.advertise_addr = [0, 0, 0, 0].into()),
        ("advertise_port", |config| config.advertise_port = 0),
        ("bind_port", |config| config.bind_port = 0),
        ("protocol_version", |config| config.protocol_version = 6),
        ("delegate_protocol_version", |config| config.delegate_protocol_version = 1),
        ("meta", |config| config.meta = [0; 513].to_vec().into()),
        ("tcp_timeout", |config| config.tcp_timeout = Duration::ZERO),
        ("probe_timeout", |config| config.probe_timeout = config.probe_interval),
        ("suspicion_max_timeout_mult", |config| config.suspicion_max_timeout_mult = 0),
        ("awareness_max_multiplier", |config| config.awareness_max_multiplier = 0),
        ("udp_buffer_size", |config| config.udp_buffer_size = 0),
        ("limits.streams", |config| config.limits.streams = 0),
    ];
    for (expected, change) in broken {
        let mut config = Config::lan("n");
        change(&mut config);
        match config.validate() {
            Err(ConfigError::Invalid { field, .. }) => assert_eq!(field, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    let mut config = Config::lan("n");
    config.protocol_version = 6;
    let told = alloc::string::ToString::to_string(&config.validate().unwrap_err());
    assert_eq!(told, "`protocol_version` is 6, but it must be 1 to 5");
}

#[test]
fn keys_are_not_shown() {
    let mut config = Config::lan("n");
    config.secret_keys.push(Key::new(b"0123456789abcdef").unwrap());
    let shown = alloc::format!("{config:?}");
    assert!(!shown.contains("0123456789abcdef"));
    assert!(!shown.contains("48, 49, 50"));
}
