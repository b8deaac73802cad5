use alloc::string::ToString;
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
    let shown = config.validate().unwrap_err().to_string();
    assert_eq!(shown, "`protocol_version` is 6, but it must be 1 to 5");
}

#[test]
fn rules_between_fields_name_the_other_field() {
    type Break = fn(&mut Config);
    let broken: [(Break, &str); 8] = [
        (
            |config| config.udp_buffer_size = 2 << 20,
            "`differences.packet_decompressed_max` is 1048576, but it must be at least \
             `udp_buffer_size`, which is 2097152",
        ),
        (
            |config| config.probe_timeout = Duration::from_secs(2),
            "`probe_timeout` is 2s, but it must be shorter than `probe_interval`, which is 1s",
        ),
        (
            |config| config.delegate_protocol_min = 1,
            "`delegate_protocol_version` is 0, but it must lie between `delegate_protocol_min`, \
             which is 1, and `delegate_protocol_max`, which is 0",
        ),
        (
            |config| config.meta = [0; 513].to_vec().into(),
            "`meta` is 513 bytes long, but it must be at most 512 bytes (`meta_max_size`)",
        ),
        (
            |config| {
                config.meta_max_size = 5000;
                config.meta = [0; 4000].to_vec().into();
            },
            "`meta` is 4000 bytes long, but it must be at most 2048 bytes \
             (`differences.received_meta_max`)",
        ),
        (
            |config| {
                config.name = "long".into();
                config.differences.received_name_max = 3;
            },
            "`name` is 4 bytes long, but it must be at most 3 bytes \
             (`differences.received_name_max`)",
        ),
        (
            |config| config.advertise_addr = [255; 4].into(),
            "`advertise_addr` is 255.255.255.255, but it must be the address of one host, which \
             peers can send to",
        ),
        (
            |config| config.advertise_addr = "::ffff:0.0.0.0".parse().unwrap(),
            "`advertise_addr` is ::ffff:0.0.0.0, but it must be the address of one host, which \
             peers can send to",
        ),
    ];
    for (change, expected) in broken {
        let mut config = Config::lan("n");
        change(&mut config);
        assert_eq!(config.validate().unwrap_err().to_string(), expected);
    }
    let mut config = Config::lan("n");
    config.probe_interval = Duration::ZERO;
    config.probe_timeout = Duration::from_secs(60);
    assert_eq!(config.validate(), Ok(()), "without probes there is nothing to be shorter than");
}

/// The run-time part is checked by itself: the rest has been checked before and may have changed
/// since in ways of its own.
#[test]
fn timing_is_checked_without_the_rest() {
    let mut config = Config::lan("n");
    config.label = [0; 300].to_vec().into();
    assert_eq!(config.validate_timing(), Ok(()));
    config.gossip_nodes = 1001;
    let shown = config.validate_timing().unwrap_err().to_string();
    assert_eq!(shown, "`gossip_nodes` is 1001, but it must be 0 to 1000");
    config.gossip_nodes = 0;
    config.probe_timeout = config.probe_interval;
    assert!(config.validate_timing().is_err());
}

#[test]
fn keys_are_not_shown() {
    let mut config = Config::lan("n");
    config.secret_keys.push(Key::new(b"0123456789abcdef").unwrap());
    let shown = alloc::format!("{config:?}");
    assert!(!shown.contains("0123456789abcdef"));
    assert!(!shown.contains("48, 49, 50"));
}

/// The application chooses the words of a veto.
#[test]
fn a_veto_with_line_breaks_is_one_line() {
    let error = ConfigError::SelfRefused { reason: "vetoed: not\n\u{202e}here".into() };
    let expected = "this node's own announcement is refused: vetoed: not\\n\\u{202e}here";
    assert_eq!(error.to_string(), expected);
}
