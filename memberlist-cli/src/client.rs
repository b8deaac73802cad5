//! The commands that ask a running agent through its control socket, such as `memberlist members`.
//! Each is one or a few lines of the agent's protocol.

mod args;
mod connection;
mod probe;
mod show;
mod status;
mod table;
mod watch;

use std::io::{self, IsTerminal as _, Read as _};

use serde_json::Value;

pub(crate) use self::args::Command;
use self::args::{
    Broadcast, Common, Forget, Format, Join, KeyVerb, Keys, Leave, Listing, Members, On, Send, Set,
};
use self::connection::{Connection, PATIENCE};
use crate::failure::Failure;
use crate::hex;
use crate::stdout::put;

/// The exit codes, for `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes of the commands that ask an agent:
  0  done
  1  the agent refused, or it failed: no peer joined, no answer to a ping, …
  2  wrong arguments
  3  no agent could be asked: none runs, several run, or it ended before it answered";

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Members(on) => members(&on),
        Command::Nodes(On { common, what }) => list(&common, &what, None, "nodes"),
        Command::Info(On { common, .. }) => reply(&common, "info", show::info),
        Command::Status(On { common, .. }) => reply(&common, "status", status::show),
        Command::Join(on) => join(&on),
        Command::Leave(on) => leave(&on),
        Command::Forget(on) => forget(&on),
        Command::Broadcast(on) => broadcast(&on),
        Command::Send(on) => send(&on),
        Command::Ping(on) => probe::ping(&on),
        Command::Rtt(on) => probe::rtt(&on),
        Command::Keys(on) => keys(&on),
        Command::Set(on) => set(&on),
        Command::Watch(on) => watch::run(&on),
    }
}

/// Sends one command and prints the reply.
fn reply(common: &Common, line: &str, text: fn(&Value) -> String) -> Result<(), Failure> {
    let answer = Connection::open(common)?.ask(line.as_bytes())?;
    print(common, &answer, text)
}

/// Prints a reply, as text or as JSON.
fn print(common: &Common, reply: &Value, text: impl Fn(&Value) -> String) -> Result<(), Failure> {
    match common.format {
        Format::Table => put(text(reply)),
        Format::Json => put(json(&content(reply))),
    }
}

/// The content of a reply, without the fields of the protocol.
fn content(reply: &Value) -> Value {
    let mut reply = reply.clone();
    if let Some(fields) = reply.as_object_mut() {
        fields.shift_remove("event");
        fields.shift_remove("id");
    }
    reply
}

fn json(value: &Value) -> String {
    // A value can always be written.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// Whether standard output may be coloured.
fn is_coloured() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

fn members(on: &On<Members>) -> Result<(), Failure> {
    let Members { listing, status } = &on.what;
    // Dead nodes and those that left are listed only by `nodes`.
    let line = if status.is_empty() { "members" } else { "nodes" };
    let states: Vec<_> = status.iter().map(|state| state.word()).collect();
    list(&on.common, listing, Some(&states).filter(|states| !states.is_empty()), line)
}

fn list(
    common: &Common,
    listing: &Listing,
    states: Option<&Vec<&str>>,
    line: &str,
) -> Result<(), Failure> {
    let mut reply = Connection::open(common)?.ask(line.as_bytes())?;
    let mut nodes = match reply["nodes"].take() {
        Value::Array(nodes) => nodes,
        _ => Vec::new(),
    };
    if let Some(states) = states {
        nodes.retain(|node| node["state"].as_str().is_some_and(|state| states.contains(&state)));
    }
    let key = |node: &Value| node["name"].as_str().unwrap_or_default().to_owned();
    nodes.sort_by_cached_key(key);
    print(common, &Value::Array(nodes), |nodes| show::nodes(nodes, listing.versions))
}

fn join(on: &On<Join>) -> Result<(), Failure> {
    let mut line = "join".to_owned();
    for peer in &on.what.peers {
        one_word("a peer", peer)?;
        line = line + " " + peer;
    }
    let reply = Connection::open(&on.common)?.ask(line.as_bytes())?;
    print(&on.common, &reply, show::join)?;
    if reply["joined"].as_u64() == Some(0) {
        return Err(Failure::failed("join: no peer was joined"));
    }
    Ok(())
}

fn leave(on: &On<Leave>) -> Result<(), Failure> {
    let mut agent = Connection::open(&on.common)?;
    let wait = on.what.timeout.as_secs_f64();
    agent.patience(Some(PATIENCE + on.what.timeout))?;
    let reply = agent.ask(format!("leave {wait}").as_bytes())?;
    let finished = reply["finished"] == true;
    if on.what.quit {
        agent.ask(b"quit")?;
    }
    print(&on.common, &reply, |_| match (finished, on.what.quit) {
        (false, _) => String::new(),
        (true, false) => "left; the agent still runs, `memberlist leave --quit` ends it\n".into(),
        (true, true) => "left, and the agent has ended\n".into(),
    })?;
    if !finished {
        return Err(Failure::failed("leave: left, but some members may not know it yet"));
    }
    Ok(())
}

fn forget(on: &On<Forget>) -> Result<(), Failure> {
    one_line("the name", &on.what.name)?;
    let reply = Connection::open(&on.common)?.ask(format!("forget {}", on.what.name).as_bytes())?;
    print(&on.common, &reply, |reply| format!("forgotten: {}\n", table::plain(&reply["name"])))
}

fn broadcast(on: &On<Broadcast>) -> Result<(), Failure> {
    let Broadcast { text, any_size, hex } = &on.what;
    let word = if *any_size { "disseminate-hex" } else { "broadcast-hex" };
    let line = format!("{word} {}", hex::encode(&payload(text, *hex)?));
    let reply = Connection::open(&on.common)?.ask(line.as_bytes())?;
    print(&on.common, &reply, |reply| format!("queued as broadcast {}\n", reply["broadcast_id"]))
}

fn send(on: &On<Send>) -> Result<(), Failure> {
    let Send { name, text, reliable, hex } = &on.what;
    one_word("a name", name)?;
    let word = if *reliable { "send-reliable-hex" } else { "send-hex" };
    let line = format!("{word} {name} {}", hex::encode(&payload(text, *hex)?));
    let reply = Connection::open(&on.common)?.ask(line.as_bytes())?;
    print(&on.common, &reply, |reply| format!("sent {} bytes\n", reply["bytes"]))
}

fn keys(on: &On<Keys>) -> Result<(), Failure> {
    let line = match &on.what.verb {
        None | Some(KeyVerb::List) => "keys list".to_owned(),
        Some(KeyVerb::Add { key }) => format!("keys add {}", secret(key)?),
        Some(KeyVerb::Use { key }) => format!("keys use {}", secret(key)?),
        Some(KeyVerb::Remove { key }) => format!("keys remove {}", secret(key)?),
    };
    let reply = Connection::open(&on.common)?.ask(line.as_bytes())?;
    print(&on.common, &reply, show::keys)
}

fn set(on: &On<Set>) -> Result<(), Failure> {
    let mut agent = Connection::open(&on.common)?;
    for assignment in &on.what.assignments {
        one_line("an assignment", assignment)?;
        let reply = agent.ask(format!("set {assignment}").as_bytes())?;
        print(&on.common, &reply, |reply| {
            format!("{} = {}\n", table::plain(&reply["field"]), table::plain(&reply["value"]))
        })?;
    }
    Ok(())
}

/// The bytes of a message: a text, `-` for standard input, or either of them in hexadecimal.
fn payload(text: &str, is_hex: bool) -> Result<Vec<u8>, Failure> {
    let mut bytes = text.as_bytes().to_vec();
    if text == "-" {
        bytes.clear();
        io::stdin().lock().read_to_end(&mut bytes).map_err(Failure::failed)?;
    }
    if is_hex { hex::decode(&bytes).map_err(Failure::usage) } else { Ok(bytes) }
}

/// A key; `-` reads it from a line of standard input.
fn secret(key: &str) -> Result<String, Failure> {
    let mut key = key.to_owned();
    if key == "-" {
        key.clear();
        io::stdin().read_line(&mut key).map_err(Failure::failed)?;
    }
    let key = key.trim().to_owned();
    if key.contains(char::is_whitespace) {
        return Err(Failure::usage("a key has no white space"));
    }
    Ok(key)
}

/// Refuses what the line protocol would read as several lines.
fn one_line(what: &str, text: &str) -> Result<(), Failure> {
    if text.contains('\n') {
        return Err(Failure::usage(format_args!("{what} cannot have a line break here")));
    }
    Ok(())
}

/// Refuses what the line protocol would read as several words.
fn one_word(what: &str, text: &str) -> Result<(), Failure> {
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(Failure::usage(format_args!(
            "{what} cannot be empty here, or have white space: `{}`",
            text.escape_debug()
        )));
    }
    Ok(())
}
