//! Every command and its reply.

use std::io::Write as _;
use std::net::{TcpStream, UdpSocket};

use memberlist_tests::{Launch, to_hex};
use serde_json::{Value, json};

use crate::pair;

/// In base64: sixteen bytes, thirty-two bytes, and sixteen other bytes.
const KEYS: [&str; 3] = [
    "MDEyMzQ1Njc4OWFiY2RlZg==",
    "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "ZmVkY2JhOTg3NjU0MzIxMA==",
];

#[test]
fn started_and_joined_describe_the_node_itself() {
    let one = Launch::agent("one").meta(b"first").start();
    let started = one.expect("started", |_| true);
    let node = &started["node"];
    assert_eq!(node["name"], "one");
    assert_eq!(node["addr"], one.addr().to_string());
    assert_eq!(node["state"], "alive");
    assert_eq!(node["meta"], "first");
    assert_eq!(node["meta_hex"], to_hex(b"first").as_str());
    assert!(node["incarnation"].is_u64(), "{started}");
    one.expect_node("joined", "one");
    assert_eq!(one.member_names(), ["one"]);
}

#[test]
fn metadata_that_is_not_utf8_is_null_and_hex() {
    let one = Launch::agent("one").meta(&[0xff, 0x81]).start();
    let node = one.until_node("one", |_| true);
    assert!(node["meta"].is_null(), "{node}");
    assert_eq!(node["meta_hex"], "ff81");
}

#[test]
fn messages_are_delivered_on_every_channel() {
    let (one, two) = pair();
    let reply = one.tell("broadcast  two spaces, and ünïcode");
    assert_eq!(reply["event"], "broadcast");
    let id = reply["broadcast_id"].clone();
    assert!(!id.is_null(), "{reply}");
    let message = two.expect_message(" two spaces, and ünïcode".as_bytes());
    assert_eq!(message["text"], " two spaces, and ünïcode");
    one.expect("broadcast_finished", |event| event["broadcast_id"] == id);

    assert_eq!(one.tell("broadcast-hex 00ff")["event"], "broadcast");
    let message = two.expect_message(&[0x00, 0xff]);
    assert!(message["text"].is_null(), "{message}");
    let sent = one.tell("send two best effort");
    assert_eq!((&sent["event"], &sent["bytes"]), (&json!("sent"), &json!(11)));
    two.expect_message(b"best effort");
    assert_eq!(one.tell("send-hex two 0102")["bytes"], 2);
    two.expect_message(&[1, 2]);
    assert_eq!(one.tell("send-reliable two by stream")["bytes"], 9);
    two.expect_message(b"by stream");
    assert_eq!(one.tell("send-reliable-hex two ff00")["bytes"], 2);
    two.expect_message(&[0xff, 0]);
}

#[test]
fn a_message_of_any_size_is_disseminated() {
    let (one, two) = pair();
    let id = one.tell("disseminate short")["broadcast_id"].clone();
    two.expect_message(b"short");
    one.expect("broadcast_finished", |event| event["broadcast_id"] == id && event["end"] == "sent");
    let long = "long ".repeat(1000);
    let id = one.tell(&format!("disseminate {long}"))["broadcast_id"].clone();
    two.expect("message", |event| event["channel"] == "stream" && event["text"] == long.as_str());
    one.expect("broadcast_finished", |event| {
        event["broadcast_id"] == id && event["end"] == "streamed" && event["sent"] == 1
    });
    one.tell("disseminate-hex 00ff");
    two.expect_message(&[0, 0xff]);
}

#[test]
fn a_killed_member_is_searched_for_until_it_is_forgotten() {
    let (one, two) = pair();
    assert_eq!(one.ask("forget two")["event"], "error", "it is a member");
    assert_eq!(one.ask("forget no-one")["event"], "error");
    two.kill();
    one.expect_node("departed", "two");
    assert_eq!(one.tell("status")["lost"][0]["name"], "two");
    let reply = one.tell("forget two");
    assert_eq!((&reply["event"], &reply["name"]), (&json!("forgotten"), &json!("two")));
    assert_eq!(one.tell("status")["lost"], json!([]));
    let nodes = one.tell("nodes");
    assert!(nodes["nodes"].as_array().is_some_and(|nodes| nodes.len() == 1), "{nodes}");
}

#[test]
fn payloads_may_be_empty() {
    let (one, two) = pair();
    for (n, command) in ["send two ", "send-hex two ", "broadcast "].iter().enumerate() {
        one.tell(command);
        memberlist_tests::eventually(command, || {
            let seen = two.count("message", |event| event["hex"] == "" && event["text"] == "");
            if seen > n { Ok(()) } else { Err(format!("{seen} messages\n{}", two.transcript())) }
        });
    }
    // As in Go, an empty message over a stream is sent and not delivered.
    assert_eq!(one.tell("send-reliable two ")["bytes"], 0);
    one.tell("send-reliable two after");
    two.expect_message(b"after");
    assert_eq!(two.count("message", |event| event["hex"] == "" && event["channel"] == "stream"), 0);
    let mark = two.mark();
    one.tell("meta ");
    two.expect_after(mark, "updated", |event| event["node"]["meta_hex"] == "");
    for command in ["meta-hex", "state", "state ", "state-hex ", "ack-payload ", "ack-payload-hex"]
    {
        one.tell(command);
    }
}

#[test]
fn a_line_of_two_mebibytes_works() {
    let (one, two) = pair();
    let text = "0123456789abcdef".repeat(2 * 1024 * 1024 / 16);
    assert_eq!(one.tell(&format!("send-reliable two {text}"))["bytes"], text.len());
    let message = two.expect("message", |_| true);
    assert_eq!(message["text"].as_str().map(str::len), Some(text.len()));
    assert!(message["text"] == text.as_str(), "the text arrived changed");

    let broadcast = one.ask(&format!("broadcast {text}"));
    assert_eq!(broadcast["event"], "error", "a broadcast must fit a packet");
    assert_eq!(broadcast["command"], "broadcast");
    let message = broadcast["message"].as_str().expect("a message");
    assert!(message.chars().any(|c| c.is_ascii_digit()), "does not name the limit: {message}");
    assert_eq!(one.ask(&format!("send two {text}"))["event"], "error");
    assert_eq!(one.ask(&format!("meta {text}"))["event"], "error");
    assert_eq!(one.tell("health")["score"], 0);
}

#[test]
fn metadata_state_and_ack_payload_reach_the_other() {
    let (one, two) = pair();
    assert_eq!(one.tell("meta changed")["event"], "meta");
    two.expect("updated", |event| event["node"]["meta"] == "changed");
    assert_eq!(one.tell("ack-payload-hex c0ffee")["event"], "ack_payload");
    two.expect("pinged", |event| {
        event["node"]["name"] == "one" && event["payload_hex"] == "c0ffee" && event["id"].is_null()
    });
    assert_eq!(one.tell("state what I know")["event"], "state");
    let three = Launch::agent("three").start();
    let reply = three.tell(&format!("join {}", one.addr()));
    assert_eq!((&reply["joined"], &reply["failed"]), (&json!(1), &json!([])));
    let state = three.expect("remote_state", |event| event["join"] == true);
    assert_eq!(state["hex"], to_hex(b"what I know").as_str());
    two.expect_node("joined", "three");

    let ping = two.tell("ping one");
    assert_eq!((&ping["event"], &ping["node"]["name"]), (&json!("pinged"), &json!("one")));
    assert_eq!(ping["payload_hex"], "c0ffee");
    assert!(ping["rtt_ms"].as_f64().is_some_and(|rtt| rtt > 0.0), "{ping}");
}

#[test]
fn listings_and_counters() {
    let (one, two) = pair();
    assert_eq!(one.member_names(), ["one", "two"]);
    assert_eq!(one.tell("health")["score"], 0);
    let overview = one.tell("status");
    assert_eq!(
        (&overview["event"], &overview["name"]),
        (&json!("status"), &overview["nodes"][0]["name"])
    );
    assert_eq!(overview["nodes"][0]["state"], "alive");
    assert!(overview["stats"]["gauges"]["alive"].is_u64(), "{overview}");
    let stats = one.tell("stats");
    assert_eq!(stats["event"], "stats");
    assert!(numbers(&stats) > 10, "{stats}");
    assert_eq!(one.tell("help")["event"], "help");
    two.kill();
    one.expect_node("suspected", "two");
    let departed = one.expect_node("departed", "two");
    assert_eq!(departed["reason"]["kind"], "failed", "{departed}");
    assert_eq!(one.member_names(), ["one"]);
    one.until_node("two", |node| node["state"] == "dead");
}

/// How many numbers the value contains, at any depth.
fn numbers(value: &Value) -> usize {
    match value {
        Value::Number(_) => 1,
        Value::Object(fields) => fields.values().map(numbers).sum(),
        _ => 0,
    }
}

#[test]
fn settings_change_at_run_time() {
    let (one, _two) = pair();
    assert_eq!(one.tell("set probe_interval=500ms")["event"], "set");
    assert_eq!(one.tell("set gossip_interval=0")["event"], "set");
    for wrong in ["set", "set probe_interval", "set probe_interval=soon", "set no_such_field=1"] {
        let reply = one.ask(wrong);
        assert_eq!(
            (&reply["event"], &reply["command"]),
            (&json!("error"), &json!("set")),
            "{wrong}"
        );
    }
    let reply = one.ask("set no_such_field=1");
    assert!(
        reply["message"].as_str().is_some_and(|text| text.contains("no_such_field")),
        "{reply}"
    );
}

#[test]
fn keys_rotate_at_run_time() {
    let [first, second, third] = KEYS;
    let one = Launch::agent("one").flag("--key", first).flag("--key", second).start();
    assert_eq!(one.tell("keys list")["keys"], json!([first, second]));
    assert_eq!(one.tell(&format!("keys add {third}"))["keys"], json!([first, second, third]));
    let used = one.tell(&format!("keys use {third}"));
    assert_eq!(used["keys"][0], third);
    assert_eq!(used["keys"].as_array().map(Vec::len), Some(3));
    let removed = one.tell(&format!("keys remove {first}"));
    assert_eq!(removed["keys"], json!([third, second]));
    for wrong in [&format!("keys remove {third}"), "keys add AAAA", "keys add !!!", "keys turn"] {
        let reply = one.ask(wrong);
        assert_eq!(
            (&reply["event"], &reply["command"]),
            (&json!("error"), &json!("keys")),
            "{wrong}"
        );
    }
    let plain = Launch::agent("plain").start();
    assert_eq!(plain.tell("keys list")["keys"], json!([]));
    assert_eq!(plain.ask(&format!("keys remove {first}"))["event"], "error");
}

#[test]
fn wrong_commands_are_errors_without_side_effects() {
    let one = Launch::agent("one").start();
    for (line, command) in [
        ("nonsense", "nonsense"),
        ("send", "send"),
        ("send unknown text", "send"),
        ("send-reliable unknown text", "send-reliable"),
        ("ping unknown", "ping"),
        ("broadcast-hex 0", "broadcast-hex"),
        ("broadcast-hex zz", "broadcast-hex"),
        ("meta-hex xyz", "meta-hex"),
        ("leave soon", "leave"),
    ] {
        let reply = one.ask(line);
        assert_eq!(reply["event"], "error", "{line}: {reply}");
        assert_eq!(reply["command"], command, "{line}: {reply}");
        assert!(reply["message"].as_str().is_some_and(|text| !text.is_empty()), "{line}: {reply}");
    }
    let failed = one.tell("join 127.0.0.1:1");
    assert_eq!(failed["joined"], 0);
    assert_eq!(failed["failed"][0]["peer"], "127.0.0.1:1");
    assert!(failed["failed"][0]["error"].as_str().is_some_and(|text| !text.is_empty()), "{failed}");
    assert_eq!(one.member_names(), ["one"]);
}

/// A command without an id still gets one reply, also without an id.
#[test]
fn an_id_is_optional() {
    let one = Launch::agent("one").start();
    one.process().write_line(b"health");
    one.expect("health", |reply| reply["id"].is_null());
    one.process().write_line(b"#seven health");
    one.expect("health", |reply| reply["id"] == "seven");
    assert_eq!(one.count("health", |_| true), 2);
}

#[test]
fn garbage_on_the_socket_does_no_harm() {
    let (one, two) = pair();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    for garbage in
        [&[0xff; 300][..], &[7, 255, 0], &[244], &[12, 0, 0, 0, 0, 1], &[9, 0x80], b"GET /"]
    {
        socket.send_to(garbage, one.addr()).expect("sent");
        let mut stream = TcpStream::connect(one.addr()).expect("accepted");
        // Fails if the node has closed after the first byte; what matters is that it survives.
        let _ = stream.write_all(garbage);
    }
    assert_eq!(one.tell("health")["event"], "health");
    assert_eq!(two.tell("send-reliable one still there")["event"], "sent");
    one.expect_message(b"still there");
    assert_eq!(one.member_names(), ["one", "two"]);
    assert!(!one.process().stderr().contains("panicked"), "{}", one.transcript());
}
