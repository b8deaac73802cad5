//! What the agent serves by `--http`, without a browser.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use memberlist_tests::{Launch, Loopback, Node, eventually, request};
use serde_json::Value;

use crate::assert_refused;

fn with_page(name: &str, place: &Loopback) -> (Launch, SocketAddr) {
    let page = place.port(8080);
    (Launch::agent(name).flag("--http", page), page)
}

fn json(page: SocketAddr, path: &str) -> Result<Value, String> {
    let reply = request(page, "GET", path, "")?;
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    serde_json::from_str(&reply.body).map_err(|error| format!("{error} in {}", reply.body))
}

fn member(members: &Value, name: &str) -> Result<Value, String> {
    let nodes = members["nodes"].as_array().ok_or("no nodes")?;
    let found = nodes.iter().find(|node| node["name"] == name);
    found.cloned().ok_or_else(|| format!("no {name} in {members}"))
}

/// Sends these bytes on a new connection.
fn ask(server: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server).expect("it listens");
    stream.write_all(request.as_bytes()).expect("sent");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    stream
}

fn status(server: SocketAddr, headers: &str) -> String {
    let mut reply = String::new();
    let request = format!("GET /status HTTP/1.1\r\n{headers}\r\n");
    ask(server, &request).read_to_string(&mut reply).expect("an answer");
    reply.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn members_and_status_are_served_as_json() {
    let place = Loopback::reserve();
    let (launch, page) = with_page("one", &place);
    let one = launch.meta(b"first \xff").start();
    let two = Launch::agent("two").flag("--join", one.addr()).meta(b"second").start();
    let found = eventually("the round trip to two", || {
        let found = member(&json(page, "/members")?, "two")?;
        found["rtt_ms"].as_f64().map(|_| found.clone()).ok_or(found.to_string())
    });
    assert_eq!((&found["state"], &found["why"]), (&"alive".into(), &"joined".into()));
    assert_eq!((&found["meta"], &found["meta_len"]), (&"second".into(), &6.into()));
    assert_eq!(found["addr"], two.addr().to_string());
    let me = member(&json(page, "/members").expect("JSON"), "one").expect("itself");
    assert_eq!((&me["me"], &me["meta"]), (&true.into(), &"first \\xff".into()));

    let status = json(page, "/status?since=0").expect("JSON");
    assert_eq!((&status["name"], &status["members"]), (&"one".into(), &2.into()));
    assert_eq!(status["warnings"], Value::Array(Vec::new()), "{status}");
    assert_eq!(status["stats"]["gauges"]["alive"], 2);
    let status = eventually("a sample", || {
        let status = json(page, "/status?since=0")?;
        let sampled = status["history"]["fine"].as_array().is_some_and(|it| !it.is_empty());
        if sampled { Ok(status) } else { Err(status["history"].to_string()) }
    });
    let columns = status["history"]["columns"].as_array().expect("columns").len();
    assert_eq!(status["history"]["fine"][0].as_array().map(Vec::len), Some(columns));
    assert!(json(page, "/status").expect("JSON").get("history").is_none());
    let metrics = request(page, "GET", "/metrics?x", "").expect("an answer");
    assert!(metrics.body.contains("memberlist_node_instances"), "{}", metrics.body);
}

#[test]
fn a_failure_is_explained() {
    let place = Loopback::reserve();
    let (launch, page) = with_page("one", &place);
    let one = launch.start();
    let two = Launch::agent("two").flag("--join", one.addr()).start();
    let three = Launch::agent("three").flag("--join", one.addr()).start();
    one.expect_node("joined", "two");
    one.expect_node("joined", "three");
    two.kill();
    three.kill();
    let found = eventually("the failure", || {
        let found = member(&json(page, "/members")?, "two")?;
        if found["state"] == "dead" { Ok(found) } else { Err(found.to_string()) }
    });
    assert!(found["why"].as_str().is_some_and(|why| why.contains("one")), "{found}");
    assert_eq!(found["accusers"][0], "one", "{found}");
    eventually("the warning", || {
        let status = json(page, "/status")?;
        let warnings = status["warnings"].as_array().ok_or("no warnings")?;
        let lost = "Most of the cluster was lost: 2 of 3 members failed";
        let found = warnings.iter().any(|warning| warning["text"] == lost);
        found.then_some(()).ok_or_else(|| status["warnings"].to_string())
    });
}

#[test]
fn events_are_streamed_to_many_and_again_where_they_stopped() {
    let place = Loopback::reserve();
    let (launch, page) = with_page("one", &place);
    let one = launch.start();
    let open = |headers: &str| {
        let request = format!("GET /events HTTP/1.1\r\nHost: {page}\r\n{headers}\r\n");
        BufReader::new(ask(page, &request))
    };
    let until = |reader: &mut BufReader<TcpStream>, words: &str| {
        let mut id = String::new();
        loop {
            let mut line = String::new();
            assert!(reader.read_line(&mut line).expect("a line") > 0, "no {words}");
            if let Some(this) = line.trim().strip_prefix("id: ") {
                this.clone_into(&mut id);
            }
            if line.contains(words) {
                return id;
            }
        }
    };
    let mut readers: Vec<_> = (0..20).map(|_| open("")).collect();
    let two = Launch::agent("two").flag("--join", one.addr()).start();
    let ids: Vec<_> = readers.iter_mut().map(|reader| until(reader, "\"text\":\"two")).collect();
    assert!(ids.iter().all(|id| *id == ids[0] && !id.is_empty()), "{ids:?}");
    drop(readers);
    two.quit();
    let mut resumed = open(&format!("Last-Event-ID: {}\r\n", ids[0]));
    let mut rest = String::new();
    while !rest.contains("\"node\":\"two\"") {
        assert!(resumed.read_line(&mut rest).expect("a line") > 0, "no news of two in {rest}");
    }
    assert!(!rest.contains("joined"), "{rest}");
    // More than there are places for.
    let many: Vec<_> = (0..33).map(|_| open("")).collect();
    let answers = many.iter().map(|reader| {
        let mut line = String::new();
        BufReader::new(reader.get_ref()).read_line(&mut line).expect("a status line");
        line
    });
    assert_eq!(answers.filter(|line| line.contains(" 503 ")).count(), 2);
    // They do not take the places of those that ask.
    assert_eq!(status(page, &format!("Host: {page}\r\n")), "200");
}

#[test]
fn health_and_readiness_differ() {
    let place = Loopback::reserve();
    let nothing = Loopback::reserve();
    let (launch, page) = with_page("one", &place);
    let one = launch.flag("--join", nothing.port(7946)).start();
    assert_eq!(request(page, "GET", "/healthz", "").expect("an answer").status, 200);
    let reply = request(page, "GET", "/readyz", "").expect("an answer");
    assert_eq!(reply.status, 503, "{}", reply.body);
    let two = Launch::agent("two").flag("--join", one.addr()).start();
    one.expect_node("joined", "two");
    let ready = |page, status| {
        eventually("readiness", || match request(page, "GET", "/readyz", "")? {
            reply if reply.status == status => Ok(reply.body),
            reply => Err(reply.body),
        })
    };
    // Its join goes on until the seed of `--join` answers, and it is not settled until then.
    let _seed = Launch::agent("seed").bind(nothing.port(7946)).start();
    ready(page, 200);
    drop(two);
}

#[test]
fn only_own_names_and_origins_are_answered() {
    let place = Loopback::reserve();
    let (launch, page) = with_page("one", &place);
    let launch = launch.flag("--http-host", "node7.example");
    let one: Node = launch.flag("--http-allow-origin", "http://10.0.0.2:8080").start();
    assert_eq!(status(page, &format!("Host: {page}\r\n")), "200");
    assert_eq!(status(page, "Host: localhost:1\r\n"), "200");
    assert_eq!(status(page, "Host: Node7.example:8080\r\n"), "200");
    assert_eq!(status(page, "Host: rebound.example\r\n"), "403");
    let host = format!("Host: {page}\r\n");
    assert_eq!(status(page, &format!("{host}Origin: http://evil.example\r\n")), "403");
    assert_eq!(status(page, &format!("{host}Origin: http://10.0.0.2:8080\r\n")), "200");
    assert_eq!(status(page, &format!("{host}Origin: http://{page}\r\n")), "200");
    assert_eq!(status(page, &format!("{host}X: {}\r\n", "x".repeat(20_000))), "431");
    one.tell("health");
}

#[test]
fn a_silent_connection_is_closed() {
    let place = Loopback::reserve();
    let (launch, page) = with_page("one", &place);
    let _one = launch.start();
    let mut rest = Vec::new();
    // The socket's own timeout is an error; the end is not.
    ask(page, "GET /status HTTP/1.1\r\n").read_to_end(&mut rest).expect("closed by the agent");
}

#[test]
fn mistakes_are_reported_before_the_start() {
    let address = "127.0.0.1:0";
    assert_refused(&["agent", "--http-host", "a"], 2, &["--http"]);
    let host = ["agent", "--http", address, "--http-host", "a:80"];
    assert_refused(&host, 2, &["--http-host", "not a host name"]);
    let origin = ["agent", "--http", address, "--http-allow-origin", "*"];
    assert_refused(&origin, 2, &["--http-allow-origin", "not an origin"]);
    let place = Loopback::reserve();
    let taken = std::net::TcpListener::bind(place.port(8080)).expect("a free port");
    let taken = taken.local_addr().expect("its address").to_string();
    let flags = ["agent", "--bind", "127.0.0.1:0", "--http", &taken];
    assert_refused(&flags, 1, &["--http: cannot listen on TCP", "in use"]);
}
