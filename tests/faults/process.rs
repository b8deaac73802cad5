//! A process that lacks CPU time, descriptors or kernel buffers.

use std::net::TcpStream;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use memberlist_tests::{Launch, Node, Process, eventually, scratch};

use crate::alone;

fn pair() -> [Node; 2] {
    let nodes = ["one", "two"].map(|name| Launch::agent(name).start());
    nodes[1].join(nodes[0].addr());
    nodes[0].expect_node("joined", "two");
    nodes
}

/// Limits the open files of a process from now on.
fn allow_files(node: &Node, count: usize) {
    let mut command = Command::new("prlimit");
    command.arg(format!("--pid={}", node.process().pid())).arg(format!("--nofile={count}:"));
    assert!(command.status().expect("util-linux is installed").success());
}

fn open_files(node: &Node) -> usize {
    let folder = format!("/proc/{}/fd", node.process().pid());
    std::fs::read_dir(folder).expect("the process runs").count()
}

/// Makes the given system calls fail from now on, as with a kernel that is short of memory.
fn fail(node: &Node, calls: &str, error: &str) -> Process {
    let mut command = Command::new("strace");
    let fault = format!("inject={calls}:error={error}");
    command.args(["-f", "-o", "/dev/null", "-e", &format!("trace={calls}"), "-e", &fault]);
    let strace = Process::spawn("strace", command.args(["-p", &node.process().pid().to_string()]));
    strace.wait_text("attached");
    strace
}

alone! {
    /// A disk without room for the snapshot is no reason not to start; once there is room, it is written.
    fn the_disk_of_the_snapshot_is_full() {
        let folder = scratch("full-snapshot");
        std::fs::create_dir_all(&folder).expect("a folder");
        let two = Launch::agent("two").start();
        let one = Launch::agent("one").flag("--snapshot", folder.join("members.txt").display());
        let one = one.full_disk(&folder).start();
        one.process().wait_text("members.txt: cannot write: No space left on device");
        one.join(two.addr());
        let inside = format!("/proc/{}/root{}", one.process().pid(), folder.display());
        std::fs::remove_file(format!("{inside}/filler")).expect("it fills the disk");
        eventually("the snapshot", || {
            let text = std::fs::read_to_string(format!("{inside}/members.txt"));
            let text = text.map_err(|error| error.to_string())?;
            if text.contains("two/") { Ok(()) } else { Err(text) }
        });
        let stderr = one.process().stderr();
        assert_eq!(stderr.matches("cannot write").count(), 1, "{stderr}");
        assert!(one.quit().success());
    }

    /// The kernel has no buffers for sending, neither packets nor streams: errors are logged and
    /// counted, commands are answered, and afterwards everything works.
    fn the_kernel_has_no_buffers() {
        let [one, two] = pair();
        let fault = fail(&one, "sendto,sendmsg,sendmmsg", "ENOBUFS");
        one.process().wait_text("No buffer space available");
        let refused = one.ask("send-reliable two hello");
        assert_eq!(refused["event"], "error", "{refused}");
        let message = refused["message"].as_str().unwrap_or_default();
        assert!(message.contains("exhausted") || message.contains("resources"), "{refused}");
        two.tell("send one still there?");
        one.expect_message(b"still there?");
        let unsent = one.tell("stats")["counters"]["packets_unsent"].as_u64();
        assert!(unsent.is_some_and(|unsent| unsent > 0), "unsent packets must be counted");
        fault.signal("INT");
        fault.wait_exit();
        // By now each may consider the other dead.
        one.join(two.addr());
        for (node, other) in [(&one, "two"), (&two, "one")] {
            node.until_node(other, |record| record["state"] == "alive");
        }
        one.tell("send-reliable two by stream");
        two.expect_message(b"by stream");
        one.tell("send two by packet");
        two.expect_message(b"by packet");
    }

    /// No descriptor is left: connections wait or fail with the reason, packets continue, and no
    /// member is suspected; once there are descriptors again, everything works.
    fn descriptors_run_out() {
        let [one, two] = pair();
        allow_files(&one, open_files(&one) + 3);
        let crowd: Vec<TcpStream> =
            (0..10).map(|_| TcpStream::connect(one.addr()).expect("the kernel accepts")).collect();
        one.process().wait_text("Too many open files");
        let refused = one.ask("send-reliable two hello");
        assert_eq!(refused["event"], "error", "{refused}");
        let message = refused["message"].as_str().unwrap_or_default();
        assert!(message.contains("exhausted") || message.contains("resources"), "{refused}");
        for (from, to) in [(&one, "two"), (&two, "one")] {
            let mark = from.mark();
            from.expect_after(mark, "pinged", |event| event["node"]["name"] == to);
        }
        drop(crowd);
        allow_files(&one, 1024);
        one.tell("send-reliable two hello");
        two.expect_message(b"hello");
        eventually("a connection is accepted again", || {
            let reply = two.ask("send-reliable one hello back");
            if reply["event"] == "sent" { Ok(()) } else { Err(reply.to_string()) }
        });
        one.expect_message(b"hello back");
        for node in [&one, &two] {
            assert_eq!(node.count("suspected", |_| true), 0, "{}", node.transcript());
        }
    }

    /// A process that did not run for ten seconds first reads the waiting packets, so it suspects no
    /// member. The other node has declared it dead in the meantime; it refutes that.
    fn a_stopped_process_resumes() {
        let [one, two] = pair();
        one.process().signal("STOP");
        // This sleep is the fault itself, not a wait for an event.
        sleep(Duration::from_secs(10));
        let mark = one.mark();
        one.process().signal("CONT");
        for (node, other) in [(&two, "one"), (&one, "two")] {
            node.until_node(other, |record| record["state"] == "alive");
        }
        for _ in 0..3 {
            let mark = one.mark();
            one.expect_after(mark, "pinged", |event| event["node"]["name"] == "two");
        }
        let suspected = one
            .events_after(mark)
            .iter()
            .filter(|event| event["event"] == "suspected" && event["node"]["name"] == "two")
            .count();
        assert_eq!(suspected, 0, "{}", one.transcript());
    }
}
