mod document;
mod properties;
mod serial;

use std::time::Duration;

use super::*;

fn settings() -> Settings {
    Settings::new(Config::lan("n"))
}

/// Reads a document over settings; the message of an error, without its place.
fn read(settings: &mut Settings, text: &str) -> Result<(), String> {
    let parsed = toml::Deserializer::parse(text);
    parsed
        .and_then(|document| settings.update(document))
        .map_err(|error| error.message().to_owned())
}

/// The fields of a configuration that can be set.
fn fields() -> Vec<&'static str> {
    names().skip(SOCKETS.len()).collect()
}

#[test]
fn durations_numbers_switches_and_lists_are_read() {
    let mut settings = settings();
    for assignment in [
        "probe_interval=200ms",
        "probe_timeout = 50ms",
        "push_pull_interval=0",
        "tcp_timeout=1h",
        "indirect_checks=7",
        "compression=snappy",
        "cidrs_allowed=10.0.0.0/8, ::1/128",
        "limits.streams=10",
        "differences.tell_the_dead=false",
        "differences.advertise_form=mapped",
        "secret_keys=AAAAAAAAAAAAAAAAAAAAAA==,EBESExQVFhcYGRobHB0eHw==",
        "meta=a=b",
        "bind_port=0",
        "bind_addr=::1",
        "advertise_addr=10.0.0.1",
        "advertise_port=9",
    ] {
        settings.assign(assignment).unwrap();
    }
    let config = &settings.config;
    assert_eq!(config.probe_interval, Duration::from_millis(200));
    assert_eq!(config.probe_timeout, Duration::from_millis(50));
    assert_eq!(config.push_pull_interval, Duration::ZERO);
    assert_eq!(config.tcp_timeout, Duration::from_secs(3600));
    assert_eq!(config.indirect_checks, 7);
    assert_eq!(config.compression, memberlist_proto::Compression::Snappy);
    assert_eq!(config.cidrs_allowed.as_ref().unwrap().len(), 2);
    assert_eq!(config.limits.streams, 10);
    assert!(!config.differences.tell_the_dead);
    assert_eq!(config.differences.advertise_form, memberlist_proto::AdvertiseForm::Mapped);
    assert_eq!(config.secret_keys.len(), 2);
    assert_eq!(&config.meta[..], b"a=b");
    assert_eq!(settings.bind, "[::1]:0".parse().unwrap());
    assert_eq!(settings.advertise_ip, Some("10.0.0.1".parse().unwrap()));
    assert_eq!(settings.advertise_port, Some(9));
}

#[test]
fn no_network_and_any_network_are_different() {
    let mut settings = settings();
    settings.assign("cidrs_allowed=").unwrap();
    assert_eq!(settings.config.cidrs_allowed, Some(vec![]));
    settings.assign("cidrs_allowed=any").unwrap();
    assert_eq!(settings.config.cidrs_allowed, None);
}

#[test]
fn errors_name_the_field_the_value_and_what_it_should_be() {
    let reported = |assignment: &str| settings().assign(assignment).unwrap_err().to_string();
    assert_eq!(
        reported("probe_interval=5"),
        "`probe_interval` must be a duration such as `200ms`, `5s`, `1h` or `0`, not `5`"
    );
    assert_eq!(
        reported("ProbeInterval=1s"),
        "there is no field `ProbeInterval`; did you mean `probe_interval`?"
    );
    assert_eq!(reported("xyzzy=1"), "there is no field `xyzzy`");
    assert_eq!(reported("probe_interval"), "`probe_interval` is not of the form `field=value`");
    assert_eq!(reported("limits.streams=-1"), "`limits.streams` must be a number, not `-1`");
    assert_eq!(
        reported("limits.packet_depth=4294967295"),
        "`limits.packet_depth` is 4294967295, but it must be 2 to 32"
    );
    assert_eq!(
        reported("probe_interval=25h"),
        "`probe_interval` is 25h, but it must be 0 or 1 ms to 24 h"
    );
    assert_eq!(
        reported("bind_port=65536"),
        "`bind_port` must be a number from 0 to 65535, not `65536`"
    );
    assert_eq!(
        reported("nacks=1\n\u{202e}2"),
        "`nacks` must be `true` or `false`, not `1\\n\\u{202e}2`"
    );
    let long = reported(&format!("nacks={}", "x".repeat(100_000)));
    assert!(long.len() < 200 && long.ends_with("x…`"), "{} bytes", long.len());
}

#[test]
fn the_nearest_field_is_proposed() {
    for (wrong, near) in [
        ("probe_intervall", "probe_interval"),
        ("probeinterval", "probe_interval"),
        ("probe-timeout", "probe_timeout"),
        ("streams", "limits.streams"),
        ("limits.steams", "limits.streams"),
        ("limit.streams", "limits.streams"),
        ("differences.tel_the_dead", "differences.tell_the_dead"),
        ("limits.tell_the_dead", "differences.tell_the_dead"),
        ("UDPBufferSize", "udp_buffer_size"),
        ("bind-adr", "bind_addr"),
        ("secret_key", "secret_keys"),
        ("gossip_node", "gossip_nodes"),
    ] {
        let error = settings().assign(&format!("{wrong}=1")).unwrap_err();
        assert_eq!(error, SettingError::Unknown { name: wrong.to_owned(), nearest: Some(near) });
    }
    for far in ["", "x", "seed_list_of_hosts", "ask_local_state", "limits", &"a".repeat(1 << 20)] {
        let error = settings().assign(&format!("{far}=1")).unwrap_err();
        assert_eq!(error, SettingError::Unknown { name: far.to_owned(), nearest: None });
    }
}

#[test]
fn a_bad_key_is_never_repeated() {
    for bad in ["secretsecret", "c2VjcmV0", "%%%"] {
        let reported = settings().assign(&format!("secret_keys={bad}")).unwrap_err().to_string();
        assert!(reported.starts_with("`secret_keys`") && !reported.contains(bad), "{reported}");
    }
}

#[test]
fn every_field_of_the_configuration_can_be_set() {
    // What adapters and sockets decide is not for the user to set.
    let elsewhere = [
        "advertise_addr",
        "advertise_port",
        "bind_port",
        "ask_local_state",
        "ask_admit_merge",
        "ask_broadcasts",
        "hand_out_jobs",
    ];
    let shown = format!("{:#?}", Config::lan("n"));
    let mut group = String::new();
    let mut seen = 0;
    for line in shown.lines() {
        let indent = line.len() - line.trim_start().len();
        let Some((field, value)) = line.trim_start().split_once(": ") else { continue };
        if indent == 4
            && value.ends_with('{')
            && matches!(field, "limits" | "differences" | "rejoin")
        {
            group = format!("{field}.");
            continue;
        }
        let path = match indent {
            4 => field.to_owned(),
            8 if !group.is_empty() => format!("{group}{field}"),
            _ => continue,
        };
        seen += 1;
        let known = fields().contains(&path.as_str()) || elsewhere.contains(&path.as_str());
        assert!(known, "`{path}` cannot be set");
    }
    assert_eq!(seen, fields().len() + elsewhere.len(), "in\n{shown}");
}

#[test]
fn a_toml_file_sets_nested_fields_and_lists() {
    let text = concat!(
        "label = \"blue\"\nprobe_interval = \"2s\"\npush_pull_interval = 0\n",
        "cidrs_allowed = [\"10.0.0.0/8\", \"127.0.0.0/8\"]\nbind_port = 7000\n",
        "[limits]\nstreams = 10\n[differences]\ntell_the_dead = false\n",
    );
    let mut settings = settings();
    read(&mut settings, text).unwrap();
    assert_eq!(&settings.config.label[..], b"blue");
    assert_eq!(settings.config.probe_interval, Duration::from_secs(2));
    assert_eq!(settings.config.push_pull_interval, Duration::ZERO);
    assert_eq!(settings.config.cidrs_allowed.as_ref().unwrap().len(), 2);
    assert_eq!(settings.bind.port(), 7000);
    assert_eq!(settings.config.limits.streams, 10);
    assert!(!settings.config.differences.tell_the_dead);
}

/// `docs/agent.toml`, which is the default of the profile `lan` written out.
fn documented() -> toml::Table {
    toml::from_str(&document::document()).expect("docs/agent.toml is TOML")
}

/// Every field of a table by its path.
fn paths(table: &toml::Table) -> Vec<(String, toml::Value)> {
    let mut all = Vec::new();
    for (field, value) in table {
        match value.as_table() {
            Some(inner) => {
                let inner = paths(inner).into_iter();
                all.extend(inner.map(|(it, value)| (format!("{field}.{it}"), value)));
            }
            None => all.push((field.clone(), value.clone())),
        }
    }
    all
}

#[test]
fn the_documented_file_has_every_field_with_its_default() {
    for profile in [Config::lan("x"), Config::wan("x"), Config::local("x")] {
        let mut settings = Settings::new(profile);
        read(&mut settings, &document::document()).unwrap();
        assert_eq!(settings, Settings::new(Config::lan("n")));
    }
    let mut reported: Vec<String> =
        paths(&documented()).into_iter().map(|(path, _)| path).collect();
    let mut known: Vec<String> = fields().into_iter().map(str::to_owned).collect();
    known.extend(["bind_addr", "bind_port"].map(str::to_owned));
    reported.sort();
    known.sort();
    assert_eq!(reported, known);
}

#[test]
fn the_documented_file_says_where_the_profiles_differ() {
    let text = document::document();
    for (profile, expected) in [("wan ", Config::wan("n")), ("local ", Config::local("n"))] {
        let mut settings = settings();
        let mut group = String::new();
        for line in text.lines() {
            if let Some(name) = line.strip_prefix('[') {
                group = format!("{}.", name.trim_end_matches(']'));
            }
            let Some((field, comment)) = line
                .split_once(" = ")
                .and_then(|(field, rest)| Some((field, rest.split_once("# ")?.1)))
            else {
                continue;
            };
            if let Some(value) = comment.split(", ").find_map(|it| it.strip_prefix(profile)) {
                settings.set(&format!("{group}{field}"), value).unwrap();
            }
        }
        assert_eq!(settings, Settings::new(expected), "{profile}");
    }
}

#[test]
fn every_documented_field_sets_what_it_says() {
    for (path, value) in paths(&documented()) {
        let other = match (&path[..], &value) {
            ("secret_keys", _) => "AAAAAAAAAAAAAAAAAAAAAA==".into(),
            ("cidrs_allowed", _) => "10.0.0.0/8".into(),
            ("seeds", _) => "db.example:7".into(),
            ("accept_labels", _) => "blue".into(),
            ("bind_addr", _) => "127.0.0.1".into(),
            ("differences.advertise_form", _) => "mapped".into(),
            ("compression", _) => "snappy".into(),
            ("role", _) => "bridge".into(),
            (_, toml::Value::Boolean(it)) => (!it).to_string(),
            // What may be a number may be a duration that is none.
            ("dead_node_reclaim_time", _) => "77s".into(),
            (_, toml::Value::Integer(it)) => (it + 1).to_string(),
            (_, toml::Value::String(it)) if it.ends_with(['s', 'h']) => "77s".into(),
            (_, toml::Value::String(_)) => "other".into(),
            (_, value) => panic!("{path} is {value}"),
        };
        let mut settings = settings();
        let set = |settings: &mut Settings, value: toml::Value| {
            read(settings, &format!("{path} = {value}\n"))
        };
        set(&mut settings, other.as_str().into()).unwrap();
        assert_ne!(settings, Settings::new(Config::lan("n")), "`{path} = {other}` does nothing");
        let wrong = toml::Value::String("%:x".into());
        let text = matches!(&path[..], "name" | "label" | "accept_labels" | "meta" | "zone");
        assert_eq!(set(&mut settings, wrong).is_ok(), text, "`{path} = %:x`");
    }
}

/// The empty label is one of the labels that can be accepted, in a file as on the command line.
#[test]
fn accepted_labels_can_be_empty() {
    let mut settings = Settings::new(Config::lan("n"));
    read(&mut settings, "accept_labels = [\"\", \"blue\"]").unwrap();
    let labels: Vec<bytes::Bytes> = vec!["".into(), "blue".into()];
    assert_eq!(settings.config.accept_labels, labels);
    settings.assign("accept_labels=").unwrap();
    assert!(settings.config.accept_labels.is_empty());
    settings.assign("accept_labels=\"\",blue").unwrap();
    assert_eq!(settings.config.accept_labels, labels);
    settings.config.skip_inbound_label_check = true;
    let error = settings.config.validate().unwrap_err().to_string();
    assert!(
        error.starts_with("`accept_labels` is a list of 2 entries, but it must be empty"),
        "{error}"
    );
}
