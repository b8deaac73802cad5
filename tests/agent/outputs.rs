//! Standard output and standard error that fail, or that are not read: the node does not mind.

use std::fmt::Display;
use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Write as _, pipe};
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;
use std::process::{Command, Stdio};

use memberlist_tests::{Launch, Node, agent_binary, eventually};
use rustix::fs::{OFlags, fcntl_setfl};

/// Where another process can open an end of a pipe of this one.
fn place(end: &PipeWriter) -> impl Display {
    format!("/proc/{}/fd/{}", std::process::id(), end.as_raw_fd())
}

/// A pipe that takes nothing more until it is read.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().expect("a pipe");
    fcntl_setfl(&writer, OFlags::NONBLOCK).expect("ours");
    while writer.write(b"full\n").is_ok() {}
    (reader, writer)
}

/// A pipe that no process reads any more.
fn dead_pipe() -> PipeWriter {
    let (_, writer) = pipe().expect("a pipe");
    writer
}

/// Sends what no node understands, and waits until it was refused and thus logged.
fn annoy(node: &Node) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    eventually("a refused packet", || {
        socket.send_to(&[0x5a; 40], node.addr()).expect("sent");
        let counters = node.tell("stats")["counters"].clone();
        if counters["packets_refused"].as_u64() > Some(0) {
            Ok(())
        } else {
            Err(counters.to_string())
        }
    });
}

/// The node answers packets, and accepts streams.
fn assert_answers(node: &Node) {
    let other = Launch::agent("other").start();
    other.join(node.addr());
    assert_eq!(other.tell(&format!("ping {}", node.name()))["event"], "pinged");
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    let one = Launch::agent("one").redirecting("2>/dev/full").start();
    annoy(&one);
    assert_answers(&one);
    assert!(one.quit().success());

    let dead = dead_pipe();
    let one = Launch::agent("one").redirecting(&format!("2>{}", place(&dead))).start();
    annoy(&one);
    assert_answers(&one);
    assert!(one.quit().success());
}

#[test]
fn a_log_that_is_not_read_stops_nothing() {
    let (reader, writer) = full_pipe();
    let one = Launch::agent("one").redirecting(&format!("2>{}", place(&writer))).start();
    drop(writer);
    annoy(&one);
    assert_answers(&one);
    // What was logged meanwhile waits for its reader.
    let mut lines = BufReader::new(reader).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("packet from")));
}

/// The last lines of the log are not waited for any longer than a second.
#[test]
fn a_log_that_is_not_read_does_not_delay_the_end() {
    let (_reader, writer) = full_pipe();
    let one = Launch::agent("one").redirecting(&format!("2>{}", place(&writer))).start();
    annoy(&one);
    one.process().signal("TERM");
    assert_eq!(one.process().wait_exit().code(), Some(0), "{}", one.transcript());
}

/// Only a reader that has gone is a reason to leave.
#[test]
fn a_full_disk_under_standard_output_is_said_once() {
    let one = Launch::agent("one").redirecting(">/dev/full").spawn();
    one.process().wait_text("standard output: No space left on device");
    let two = Launch::agent("two").start();
    two.join(one.addr());
    for _ in 0..3 {
        two.tell("send one a message");
        assert_eq!(two.tell("ping one")["event"], "pinged");
    }
    assert_eq!(two.member_names(), ["one", "two"]);
    one.process().signal("TERM");
    let departed = two.expect_node("departed", "one");
    assert_eq!(departed["reason"]["kind"], "left", "{departed}");
    assert_eq!(one.process().wait_exit().code(), Some(0), "{}", one.transcript());
    let stderr = one.process().stderr();
    assert_eq!(stderr.matches("No space left").count(), 1, "{stderr}");
    assert!(stderr.contains("standard output: lines lost: "), "{stderr}");
    assert!(!stderr.contains("leaving"), "{stderr}");
}

/// With both outputs piped to a program that ends, the agent leaves, and cannot say so.
#[test]
fn a_dead_pipe_under_both_outputs_ends_in_a_leave() {
    let (reader, writer) = pipe().expect("a pipe");
    let one = Launch::agent("one").redirecting(&format!(">{} 2>&1", place(&writer))).spawn();
    let mut lines = BufReader::new(reader).lines().map_while(Result::ok);
    // Its own join is the last that it reports until something happens.
    assert!(lines.any(|line| line.contains("\"joined\"")));
    drop(lines);
    let two = Launch::agent("two").start();
    // Of this, the agent reports an event.
    two.join(one.addr());
    let departed = two.expect_node("departed", "one");
    assert_eq!(departed["reason"]["kind"], "left", "{departed}");
    assert_eq!(one.process().wait_exit().code(), Some(0));
}

/// Exit codes are what is documented, whether or not a reason can be given.
#[test]
fn exit_codes_need_no_reader() {
    for (args, code) in [
        (&["dance"][..], 2),
        (&["--help"], 0),
        (&["--version"], 0),
        (&["agent", "--bind", "nowhere"], 2),
        (&["agent", "--bind", "192.0.2.1:7946", "--control", "none"], 1),
        (&["members", "--control", "/nowhere/agent.sock"], 3),
        (&["decode", "00"], 1),
        (&["simulate", "/nowhere/at/all", "/nor/here"], 1),
        (&["keygen"], 0),
        (&["completions", "bash"], 0),
    ] {
        for shown in [Stdio::null(), Stdio::from(dead_pipe())] {
            let mut command = Command::new(agent_binary());
            command.args(args).stdin(Stdio::null()).stdout(shown).stderr(dead_pipe());
            let status = command.status().expect("it runs");
            assert_eq!(status.code(), Some(code), "{args:?}");
        }
    }
}
