//! The control socket: who may have it, and what its clients may cost.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use memberlist_tests::{Launch, Node, eventually, scratch};
use serde_json::Value;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A short folder: the path of a socket fits about 100 bytes.
fn folder() -> PathBuf {
    let folder = scratch("ctl");
    let short = std::env::temp_dir().join(format!(
        "ml-{}-{}",
        std::process::id(),
        folder.extension().unwrap_or_default().to_string_lossy()
    ));
    let _ = fs::remove_dir_all(&short);
    fs::create_dir_all(&short).expect("the temporary folder is writable");
    short
}

struct Client {
    reader: BufReader<UnixStream>,
}

impl Client {
    fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("the agent listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        Self { reader: BufReader::new(stream) }
    }

    fn write(&self, line: &str) {
        self.try_write(line).expect("the agent reads");
    }

    fn try_write(&self, line: &str) -> io::Result<()> {
        self.reader.get_ref().write_all(line.as_bytes())
    }

    fn read(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("an answer in time");
        let parsed = serde_json::from_str(&line);
        (!line.is_empty()).then(|| parsed.expect("a line of JSON"))
    }

    fn ask(&mut self, line: &str) -> Value {
        self.write(&format!("#x {line}\n"));
        loop {
            let reply = self.read().expect("a reply");
            if reply["id"] == "x" {
                return reply;
            }
        }
    }

    fn expect(&mut self, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.read().expect("the agent runs");
            if line["event"] == event && fits(&line) {
                return line;
            }
        }
    }
}

fn agent(name: &str, path: &Path) -> Node {
    Launch::agent(name).control(path).start()
}

#[test]
fn a_client_speaks_the_protocol_of_standard_input() {
    let path = folder().join("one.sock");
    let one = agent("one", &path);
    assert_eq!(one.expect("started", |_| true)["control"], path.display().to_string());
    let mode = fs::metadata(&path).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "only its user may connect");
    let mut client = Client::connect(&path);
    assert_eq!(client.ask("members")["nodes"][0]["name"], "one");
    assert_eq!(client.ask("nonsense")["event"], "error");
    client.write("health\n");
    assert!(client.read().expect("a reply")["id"].is_null());
    let text = "0123456789abcdef".repeat(2 * 1024 * 1024 / 16);
    assert_eq!(client.ask(&format!("state {text}"))["bytes"], text.len());
    // Without `watch` there are no events.
    assert_eq!(client.ask("info")["control"], path.display().to_string());
}

/// A reply is still written when the client has ended its side.
#[test]
fn a_client_that_only_sends_gets_its_replies() {
    let path = folder().join("one.sock");
    let (one, two) = (agent("one", &path), Launch::agent("two").start());
    let mut client = Client::connect(&path);
    client.write(&format!("#1 join {}\n#2 members\n", two.addr()));
    client.reader.get_ref().shutdown(std::net::Shutdown::Write).expect("connected");
    let mut ids: Vec<_> = std::iter::from_fn(|| client.read()).map(|it| it["id"].clone()).collect();
    ids.sort_by_key(Value::to_string);
    assert_eq!(ids, ["1", "2"]);
    one.expect_node("joined", "two");
}

#[test]
fn events_come_to_the_clients_that_want_them() {
    let path = folder().join("one.sock");
    let one = agent("one", &path);
    let (mut all, mut some, mut quiet) =
        (Client::connect(&path), Client::connect(&path), Client::connect(&path));
    assert_eq!(all.ask("watch")["events"], "all");
    assert_eq!(some.ask("watch departed,message")["events"], "departed,message");
    let wrong = some.ask("watch depated");
    assert!(wrong["message"].as_str().is_some_and(|it| it.contains("`departed`")), "{wrong}");
    let two = Launch::agent("two").start();
    two.join(one.addr());
    let joined = all.expect("joined", |event| event["node"]["name"] == "two");
    assert_eq!(joined["summary"], format!("two ({}) joined", two.addr()), "{joined}");
    all.expect("pinged", |event| event["node"]["name"] == "two");
    two.tell("send one hello");
    assert_eq!(some.read().expect("an event")["event"], "message");
    assert_eq!(all.ask("watch none")["events"], "none");
    two.tell("leave");
    assert_eq!(some.read().expect("an event")["event"], "departed");
    assert_eq!(quiet.ask("health")["event"], "health", "it gets no events");
    assert!(one.quit().success());
    assert!(all.read().is_none() && some.read().is_none() && quiet.read().is_none());
}

/// What standard output shows can be chosen, at the start and later.
#[test]
fn standard_output_has_a_choice_of_events() {
    let one = Launch::agent("one").flag("--events", "departed").start();
    let two = Launch::agent("two").start();
    two.join(one.addr());
    one.until_node("two", |_| true);
    // What is reported after it shows that the join of `two` has been passed over by now.
    let zero = Launch::agent("zero").start();
    zero.join(one.addr());
    one.until_node("zero", |_| true);
    zero.tell("leave");
    one.expect_node("departed", "zero");
    one.tell("watch joined,departed");
    let three = Launch::agent("three").start();
    three.join(one.addr());
    one.expect_node("joined", "three");
    assert_eq!(one.count("joined", |event| event["node"]["name"] == "two"), 0);
    assert_eq!(one.count("pinged", |_| true), 0);
}

#[test]
fn the_socket_goes_with_its_agent() {
    let path = folder().join("one.sock");
    for end in ["quit", "TERM"] {
        let one = agent("one", &path);
        assert!(path.exists());
        if end == "quit" {
            assert_eq!(Client::connect(&path).ask("quit")["event"], "quit");
        } else {
            one.process().signal(end);
        }
        assert!(one.process().wait_exit().success(), "{}", one.transcript());
        assert_eq!(fs::read_dir(path.parent().expect("a folder")).expect("it").count(), 0, "{end}");
    }
}

#[test]
fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
    let path = folder().join("one.sock");
    let one = agent("one", &path);
    let second = Launch::agent("second").control(&path).spawn();
    assert_eq!(second.process().wait_exit().code(), Some(1));
    let stderr = second.process().stderr();
    assert!(stderr.contains("another agent answers at"), "{stderr}");
    assert!(stderr.contains(&path.display().to_string()), "{stderr}");
    assert_eq!(Client::connect(&path).ask("health")["event"], "health", "it is not harmed");
    one.kill();
    assert!(path.exists(), "a killed agent removes nothing");
    let third = agent("third", &path);
    assert_eq!(Client::connect(&path).ask("info")["node"]["name"], "third");
    drop(third);
}

#[test]
fn what_is_not_an_agents_is_left_alone() {
    let folder = folder();
    let file = folder.join("file");
    fs::write(&file, "precious").expect("written");
    let foreign = folder.join("foreign.sock");
    let _listener = UnixListener::bind(&foreign).expect("bound");
    let long = folder.join("x".repeat(120));
    let missing = folder.join("missing/one.sock");
    for (path, reason) in [
        (&file, "not a socket"),
        (&foreign, "another agent answers"),
        (&long, "x: "),
        (&missing, "No such file"),
    ] {
        let agent = Launch::agent("one").control(path).spawn();
        assert_eq!(agent.process().wait_exit().code(), Some(1), "{}", agent.transcript());
        let stderr = agent.process().stderr();
        assert!(stderr.contains(reason) && stderr.contains("--control"), "{reason:?}: {stderr}");
    }
    assert_eq!(fs::read_to_string(&file).expect("still there"), "precious");
}

/// Of many agents that find a dead socket at once, one gets it.
#[test]
fn one_of_several_agents_replaces_a_dead_socket() {
    let path = folder().join("one.sock");
    agent("first", &path).kill();
    let agents: Vec<_> =
        (0..4).map(|n| Launch::agent(&format!("n{n}")).control(&path).spawn()).collect();
    eventually("three give up", || {
        let ended = agents.iter().filter(|agent| agent.process().exited().is_some()).count();
        if ended == 3 { Ok(()) } else { Err(format!("{ended} ended")) }
    });
    let winner = agents.iter().find(|agent| agent.process().exited().is_none()).expect("one runs");
    winner.expect("started", |_| true);
    assert_eq!(Client::connect(&path).ask("info")["node"]["name"], winner.name());
}

/// Clients that do not read, or send nonsense, cost only themselves.
#[test]
fn a_client_that_does_not_read_costs_only_itself() {
    let path = folder().join("one.sock");
    let one = agent("one", &path);
    let deaf = Client::connect(&path);
    let mut stream = deaf.reader.get_ref();
    stream.set_write_timeout(Some(Duration::from_millis(500))).expect("a timeout");
    let line = format!("watch all\n{}", "status\n".repeat(1000));
    // Until the agent reads no further: its replies have no room.
    while stream.write_all(line.as_bytes()).is_ok() {}
    // A line without end is bounded by what the agent reads ahead, and by a limit.
    let endless = UnixStream::connect(&path).expect("the agent listens");
    endless.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    (&endless).write_all(&vec![b'x'; 8 << 20]).expect("the agent reads");
    let mut polite = Client::connect(&path);
    assert_eq!(polite.ask("members")["nodes"][0]["name"], "one");
    assert_eq!(one.tell("health")["event"], "health");
    assert!(one.quit().success(), "nor do they keep it from ending");
}

#[test]
fn the_number_of_clients_is_limited() {
    let path = folder().join("one.sock");
    let _one = agent("one", &path);
    let mut clients: Vec<_> = (0..64).map(|_| Client::connect(&path)).collect();
    for client in &mut clients {
        assert_eq!(client.ask("health")["event"], "health");
    }
    let mut surplus = Client::connect(&path);
    let refusal = surplus.read().expect("an explanation");
    assert!(refusal["message"].as_str().is_some_and(|it| it.contains("64")), "{refusal}");
    assert_eq!(surplus.reader.read(&mut [0]).expect("the end"), 0);
    clients.pop();
    eventually("a place is free again", || {
        let mut client = Client::connect(&path);
        let mut line = String::new();
        // One that is refused is closed: then neither may succeed.
        let asked = client.try_write("health\n");
        let read = asked.and_then(|()| client.reader.read_line(&mut line));
        read.map_err(|error| error.to_string())?;
        let reply: Value = serde_json::from_str(&line).map_err(|error| error.to_string())?;
        if reply["event"] == "health" { Ok(()) } else { Err(line) }
    });
}
