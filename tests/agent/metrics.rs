//! The metrics served to Prometheus.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use memberlist_tests::{Launch, Loopback, eventually, request};
use serde_json::{Value, json};

#[test]
fn prometheus_metrics_use_the_go_names() {
    let place = Loopback::reserve();
    let metrics = place.port(9100);
    let one = Launch::agent("one").flag("--metrics", metrics).start();
    let two = Launch::agent("two").start();
    two.join(one.addr());
    one.expect("pinged", |_| true);
    let figures = eventually("metrics of a probe", || {
        let reply = request(metrics, "GET", "/metrics", "")?;
        assert_eq!(reply.status, 200);
        let value = |text: &str| {
            let line = reply.body.lines().find_map(|line| line.strip_prefix(text));
            let figure = line.and_then(|rest| rest.trim().parse::<f64>().ok());
            figure.ok_or_else(|| format!("no {text} in\n{}", reply.body))
        };
        // Published once a second.
        if value("memberlist_node_instances{node_state=\"alive\"}")? < 1.5 {
            return Err("the second member is not published yet".to_owned());
        }
        if value("memberlist_probeNode_count")? < 1.0 {
            return Err("no probe has ended yet".to_owned());
        }
        assert!(value("memberlist_probeNode_sum")? < 60.0, "{}", reply.body);
        assert!(value("memberlist_msg_alive")? > 0.0 && value("memberlist_udp_sent")? > 0.0);
        // One that the Go library does not have.
        assert!(value("memberlist_packets_received")? > 0.0);
        assert!(value("memberlist_decisions{row=\"alive_new\"}")? > 0.0, "{}", reply.body);
        Ok(reply.body)
    });
    assert!(!figures.contains("memberlist_probe_nanos"), "published as a histogram instead");
}

/// Which transport is in use, and what it counts, is in the metrics, in `status` and `info`, and on the
/// page.
#[test]
fn the_figures_of_a_transport_are_published() {
    let place = Loopback::reserve();
    let metrics = place.port(9100);
    let one = Launch::agent("one").flag("--framing", "dskit").flag("--metrics", metrics);
    let page = place.port(8080);
    let one = one.flag("--http", page).start();
    let two = Launch::agent("two").flag("--framing", "dskit");
    // Long packets are valid with this transport.
    let two = two.flag("--set", "udp_buffer_size=10485760").start();
    two.join(one.addr());
    eventually("connections are counted", || {
        let figures = &one.ask("status")["transport"];
        let published = request(metrics, "GET", "/metrics", "")?.body;
        let opened =
            published.lines().find_map(|it| it.strip_prefix("memberlist_transport_opened "));
        let opened = opened.and_then(|figure| figure.parse::<u64>().ok()).unwrap_or_default();
        assert_eq!(figures["name"], "dskit");
        if opened > 0 && figures["opened"].as_u64() >= Some(opened) {
            for line in [
                "in_use{transport=\"dskit\"} 1",
                "in_use{transport=\"udp+tcp\"} 0",
                "refused_of_source 0",
                "queued_bytes 0",
                "arrived_bytes 0",
                "bad_by_reason{reason=\"too_long\"} 0",
            ] {
                let line = format!("memberlist_transport_{line}\n");
                assert!(published.contains(&line), "{line} in {published}");
            }
            assert!(published.contains("memberlist_transport_tls_failures{reason=\"expired\"} 0"));
            return Ok(());
        }
        Err(format!("{figures}: {published}"))
    });
    assert_eq!(one.ask("info")["transport"], "dskit");
    let status = request(page, "GET", "/status", "").expect("it answers").body;
    let status: Value = serde_json::from_str(&status).expect("an object");
    assert_eq!(status["transport"]["name"], "dskit");
    assert!(status["transport"]["accepted"].as_u64() > Some(0), "{status}");
    for (figure, value) in one.ask("status")["transport"].as_object().expect("an object") {
        assert_eq!(status["transport"][figure].is_u64(), value.is_u64(), "{figure}: {status}");
    }

    // A stranger is counted with the reason.
    let mut stranger = ask(one.addr(), "GET / HTTP/1.1\r\n\r\n");
    let _ = stranger.read_to_end(&mut Vec::new());
    eventually("it is counted", || {
        let bad = &one.ask("status")["transport"]["bad_by_reason"];
        if *bad == json!({"kind": 1}) { Ok(()) } else { Err(bad.to_string()) }
    });
    let plain = Launch::agent("plain").start();
    assert_eq!(plain.ask("status")["transport"], json!({"name": "udp+tcp"}));
    assert_eq!(plain.ask("info")["transport"], "udp+tcp");
}

/// Sends these bytes on a new connection.
fn ask(server: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server).expect("it listens");
    stream.write_all(request.as_bytes()).expect("sent");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
    stream
}

/// The head of an answer, in lower case, and its body.
fn answer(mut stream: TcpStream) -> (String, String) {
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("an answer and its end");
    let (head, body) = reply.split_once("\r\n\r\n").expect("a head and a body");
    (head.to_ascii_lowercase(), body.to_owned())
}

fn length(head: &str) -> Option<usize> {
    head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
}

#[test]
fn queries_methods_and_paths_of_http_are_understood() {
    let place = Loopback::reserve();
    let metrics = place.port(9100);
    let one = Launch::agent("one").flag("--metrics", metrics).start();
    let fetch = |target: &str, method: &str| {
        answer(ask(metrics, &format!("{method} {target} HTTP/1.1\r\nHost: {metrics}\r\n\r\n")))
    };
    let whole = format!("http://{metrics}/metrics");
    for target in ["/metrics", "/metrics?format=text&x=1", "/metrics?", "/", "/?x", &whole] {
        let (head, body) = fetch(target, "GET");
        assert!(head.starts_with("http/1.1 200 "), "{target}: {head}");
        assert!(head.contains("content-type: text/plain; version=0.0.4"), "{target}: {head}");
        assert!(body.contains("memberlist_node_instances"), "{target}: {body}");
        assert_eq!(length(&head), Some(body.len()), "{target}: {head}");
        let (head, body) = fetch(target, "HEAD");
        assert!(head.starts_with("http/1.1 200 "), "{target}: {head}");
        assert!(length(&head).is_some_and(|length| length > 1000), "{target}: {head}");
        assert_eq!(body, "", "{target}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TEAPOT"] {
        let (head, _) = fetch("/metrics?x", method);
        assert!(head.starts_with("http/1.1 405 "), "{method}: {head}");
        assert!(head.contains("\r\nallow: get, head"), "{method}: {head}");
    }
    for target in ["/other", "/metrics/", "/metricsx", "/x?/metrics", "*"] {
        let (head, _) = fetch(target, "GET");
        assert!(head.starts_with("http/1.1 404 "), "{target}: {head}");
    }
    for (request, status) in [
        ("hello\r\n\r\n".to_owned(), "400"),
        (format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000)), "431"),
    ] {
        let (head, _) = answer(ask(metrics, &request));
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head}");
    }
    one.tell("health");
}

/// While as many connections as are served at a time are silent, the next one waits.
#[test]
fn connections_for_metrics_are_limited() {
    let place = Loopback::reserve();
    let metrics = place.port(9100);
    let _one = Launch::agent("one").flag("--metrics", metrics).start();
    let silent: Vec<_> = (0..32).map(|_| ask(metrics, "")).collect();
    let mut last = ask(metrics, &format!("GET /metrics HTTP/1.1\r\nHost: {metrics}\r\n\r\n"));
    last.set_read_timeout(Some(Duration::from_millis(300))).expect("a socket");
    let error = last.read(&mut [0; 16]).expect_err("its turn has not come");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    drop(silent);
    last.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
    assert!(answer(last).0.starts_with("http/1.1 200 "));
}

#[test]
fn a_metrics_port_in_use_is_reported() {
    let place = Loopback::reserve();
    let taken = std::net::TcpListener::bind(place.port(9100)).expect("a free port");
    let address = taken.local_addr().expect("its address");
    let node = Launch::agent("one").flag("--metrics", address).spawn();
    assert_eq!(node.process().wait_exit().code(), Some(1));
    node.process()
        .wait_text(&format!("--metrics: cannot listen on TCP {address}: Address already"));
}
