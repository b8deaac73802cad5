//! Programs that the tests build themselves.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

/// The command that installs the peers of the live tests.
pub const INSTALL: &str = "the live tests need Debian's peers: apt-get install -y \
    --no-install-recommends serf prometheus-alertmanager golang-go \
    golang-github-hashicorp-memberlist-dev";

/// The folder in which Debian has the sources of Go libraries.
pub(crate) const GO_PATH: &str = "/usr/share/gocode";

/// The path of the program `memberlist` of the profile under test, which is built first if it is
/// out of date. `MEMBERLIST_BIN` names another one.
pub fn agent_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = env::var_os("MEMBERLIST_BIN") {
            return path.into();
        }
        let profile_dir = profile_dir();
        let target = profile_dir.parent().expect("a profile lies in the target folder");
        let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(name) => name,
        };
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        run(Command::new(cargo)
            .args(["build", "--quiet", "--package", "memberlist-cli", "--profile", profile])
            .arg("--manifest-path")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"))
            .arg("--target-dir")
            .arg(target));
        profile_dir.join("memberlist")
    })
}

/// The path of our program on the Go library, which is built first if its source is newer.
pub fn go_peer_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let sources = ["main.go", "config.go", "dskit.go"].map(|file| peer_source().join(file));
        go_build("go-peer", &sources, &[], |_| {})
    })
}

/// The sources of our program on the Go library.
pub(crate) fn peer_source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/peer")
}

/// The path of a Go program, which is built first, with the libraries of the distribution, if one
/// of its sources, or of the `others` that it is made from, is newer.
pub(crate) fn go_build(
    name: &str,
    sources: &[PathBuf],
    others: &[PathBuf],
    prepare: impl FnOnce(&mut Command),
) -> PathBuf {
    let binary = work_dir().join(name);
    if sources.iter().chain(others).all(|source| modified(&binary) > modified(source)) {
        return binary;
    }
    // Several test processes may build at once: each into a file of its own, the last rename wins.
    let own = work_dir().join(format!("{name}.{}", std::process::id()));
    let mut go = Command::new("go");
    go.env("GO111MODULE", "off")
        .env("GOPATH", GO_PATH)
        .env("GOFLAGS", "")
        .env("GOCACHE", work_dir().join("go-cache"))
        .args(["build", "-o"])
        .arg(&own);
    prepare(&mut go);
    run(go.args(sources));
    fs::rename(&own, &binary).expect("the built program can be moved");
    binary
}

/// An empty folder below the target folder, for the files of one process.
pub fn scratch(what: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = work_dir().join(format!("{what}.{}.{number}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the target folder is writable");
    folder
}

/// The folder of the tests' files below the target folder.
pub(crate) fn work_dir() -> PathBuf {
    let folder = profile_dir().join("memberlist-tests");
    fs::create_dir_all(&folder).expect("the target folder is writable");
    folder
}

/// `target/debug`, from `target/debug/deps/interop-0123456789abcdef` or
/// `target/debug/examples/matrix`.
fn profile_dir() -> PathBuf {
    let program = env::current_exe().expect("a program knows its own path");
    let folder = program.parent().expect("a program lies in a folder");
    let below = folder.ends_with("deps") || folder.ends_with("examples");
    below.then(|| folder.parent()).flatten().unwrap_or(folder).to_owned()
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|about| about.modified()).ok()
}

fn run(command: &mut Command) {
    let output =
        command.output().unwrap_or_else(|error| panic!("{error} starting {command:?}\n{INSTALL}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{stderr}\n{INSTALL}");
}
