use std::time::Duration;

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn settings(flags: &[&str]) -> Result<Settings, Failure> {
    let line = Line::try_parse_from([&["agent"], flags].concat()).expect("the flags parse");
    line.args.settings()
}

fn refusal(flags: &[&str]) -> String {
    match settings(flags) {
        Err(Failure::Usage(message)) => message,
        other => panic!("{flags:?}: {other:?}"),
    }
}

#[test]
fn without_flags_it_is_a_lan_node_named_after_the_host() {
    let settings = settings(&[]).unwrap();
    assert_eq!(settings.bind, "0.0.0.0:7946".parse().unwrap());
    assert_eq!(settings.config.probe_interval, Duration::from_secs(1));
    assert!(!settings.config.name.is_empty());
    assert_eq!(settings.advertise_ip, None);
}

#[test]
fn later_sources_of_settings_win() {
    let path = std::env::temp_dir().join(format!("memberlist-{}-order.toml", std::process::id()));
    let text = "tcp_timeout = \"7s\"\nindirect_checks = 5\ngossip_nodes = 9\nlabel = \"file\"\n";
    std::fs::write(&path, text).unwrap();
    let path_text = path.display().to_string();
    let settings = settings(&[
        "--profile",
        "local",
        "--config",
        &path_text,
        "--set",
        "gossip_nodes=1",
        "--set",
        "gossip_nodes=2",
        "--label",
        "flag",
    ])
    .unwrap();
    std::fs::remove_file(path).unwrap();
    assert_eq!(settings.config.probe_timeout, Duration::from_millis(200)); // preset
    assert_eq!(settings.config.tcp_timeout, Duration::from_secs(7)); // file over preset
    assert_eq!(settings.config.indirect_checks, 5);
    assert_eq!(settings.config.gossip_nodes, 2); // the last --set over all
    assert_eq!(&settings.config.label[..], b"flag");
}

#[test]
fn every_flag_reaches_its_field() {
    let settings = settings(&[
        "--name",
        "n",
        "--bind",
        "127.0.0.1:0",
        "--advertise",
        "::1",
        "--key",
        "EBESExQVFhcYGRobHB0eHw==",
        "--no-compression",
        "--meta-hex",
        "ff 01",
        "--protocol-version",
        "5",
        "--delegate-version",
        "2,5,4",
    ])
    .unwrap();
    let config = &settings.config;
    assert_eq!(config.name, *"n");
    assert_eq!(settings.bind, "127.0.0.1:0".parse().unwrap());
    assert_eq!(settings.advertise_ip, Some("::1".parse().unwrap()));
    assert_eq!(settings.advertise_port, None);
    assert_eq!(config.secret_keys.len(), 1);
    assert_eq!(config.compression, memberlist_proto::Compression::None);
    assert_eq!(&config.meta[..], [0xff, 1]);
    assert_eq!(config.protocol_version, 5);
    assert_eq!(
        (
            config.delegate_protocol_min,
            config.delegate_protocol_max,
            config.delegate_protocol_version
        ),
        (2, 5, 4)
    );
}

#[test]
fn invalid_settings_are_reported_in_one_line() {
    let long = "x".repeat(600);
    for (flags, mention) in [
        (&["--key", "c2VjcmV0"][..], "--key: "),
        (&["--label", &long], "label"),
        (&["--meta", &long], "meta"),
        (&["--meta-hex", "abc"], "--meta-hex: "),
        (&["--name", ""], "name"),
        (&["--protocol-version", "6"], "protocol_version"),
        (&["--delegate-version", "2,5,6"], "delegate_protocol_version"),
        (&["--advertise", "0.0.0.0"], "advertise_addr"),
        (&["--set", "probe_interval=soon"], "--set: `probe_interval`"),
        (&["--config", "/nonexistent/file"], "--config: /nonexistent/file"),
    ] {
        let message = refusal(flags);
        let is_one_line = !message.contains('\n');
        assert!(message.contains(mention) && is_one_line, "{flags:?}: {message}");
        assert!(!message.contains("c2VjcmV0"), "a key is echoed: {message}");
    }
}

#[test]
fn places_need_no_port_and_may_be_in_brackets() {
    let place = |text| parse_place(text).map(|place| (place.ip.to_string(), place.port));
    assert_eq!(place("10.0.0.1"), Ok(("10.0.0.1".into(), None)));
    assert_eq!(place("10.0.0.1:0"), Ok(("10.0.0.1".into(), Some(0))));
    assert_eq!(place("[::1]:7"), Ok(("::1".into(), Some(7))));
    assert_eq!(place("[::1]"), Ok(("::1".into(), None)));
    assert_eq!(place("::1"), Ok(("::1".into(), None)));
    assert!(place("host").is_err() && place("10.0.0.1:99999").is_err());
}

#[test]
fn delegate_versions_are_three_numbers() {
    assert_eq!(parse_versions("2, 5,5"), Ok(Versions([2, 5, 5])));
    for bad in ["", "2", "2,5", "2,5,5,5", "2,5,256", "a,b,c"] {
        assert!(parse_versions(bad).is_err(), "{bad}");
    }
}
