//! What is different on a terminal.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use memberlist_tests::{Launch, agent_binary, eventually, scratch};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A terminal, and all that was written to it.
struct Terminal {
    program: OwnedFd,
    text: Arc<Mutex<String>>,
}

impl Terminal {
    fn new() -> Self {
        let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&user).and_then(|()| unlockpt(&user)).expect("ours");
        let name = ptsname(&user, Vec::new()).expect("a name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let program = rustix::fs::open(name, flags, Mode::empty()).expect("the other side");
        let text = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&text);
        std::thread::spawn(move || {
            let (mut user, mut bytes) = (File::from(user), [0; 4096]);
            // Ends with an error when the last program has closed it.
            while let Ok(length @ 1..) = user.read(&mut bytes) {
                written
                    .lock()
                    .expect("unpoisoned")
                    .push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        });
        Self { program, text }
    }

    /// Runs the program with this terminal as its standard output.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(agent_binary());
        let output = self.program.try_clone().expect("a descriptor");
        command.args(args).stdin(Stdio::null()).stdout(output).env_remove("NO_COLOR");
        command
    }

    fn text(&self) -> String {
        self.text.lock().expect("unpoisoned").clone()
    }

    fn wait(&self, word: &str) {
        eventually(word, || if self.text().contains(word) { Ok(()) } else { Err(self.text()) });
    }
}

/// Round trips come all the time; on a terminal they have to be asked for.
#[test]
fn an_agent_shows_no_round_trips_on_a_terminal() {
    let folder = std::env::temp_dir().join(format!("ml-{}-tty", std::process::id()));
    std::fs::create_dir_all(&folder).expect("writable");
    let socket = folder.join("one.sock").display().to_string();
    let two = Launch::agent("two").start();
    let (seed, terminal) = (two.addr().to_string(), Terminal::new());
    let base = ["agent", "--name", "one", "--bind", "127.0.0.1:0", "--profile", "local"];
    let more = ["--control", &socket, "--join", &seed];
    let mut agent = terminal.command(&[&base[..], &more].concat()).spawn().expect("it starts");
    terminal.wait("two (");
    // With its events asked for, a client sees the round trips that the terminal does not show.
    let watch = ["watch", "--events", "pinged", "--count", "3", "--control", &socket];
    let trips = Command::new(agent_binary()).args(watch).output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&trips.stdout).lines().count(), 3);
    two.tell("leave");
    terminal.wait("two left");
    assert!(!terminal.text().contains("answered a probe"), "{}", terminal.text());
    let ended =
        Command::new(agent_binary()).args(["leave", "--quit", "--control", &socket]).status();
    assert!(ended.is_ok_and(|status| status.success()));
    assert!(agent.wait().is_ok_and(|status| status.success()));
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn states_are_coloured_on_a_terminal() {
    let folder = scratch("c");
    let socket = std::env::temp_dir().join(format!("ml-{}-colour.sock", std::process::id()));
    let one = Launch::agent("one").control(&socket).start();
    let path = socket.display().to_string();
    let terminal = Terminal::new();
    let status = terminal.command(&["members", "--control", &path]).status().expect("it runs");
    assert!(status.success());
    terminal.wait("\u{1b}[32malive\u{1b}[0m");
    let plain = Terminal::new();
    let mut command = plain.command(&["members", "--control", &path]);
    assert!(command.env("NO_COLOR", "1").status().expect("it runs").success());
    plain.wait("alive");
    assert!(!plain.text().contains('\u{1b}'), "{:?}", plain.text());
    drop(one);
    let _ = std::fs::remove_dir_all(folder);
}
