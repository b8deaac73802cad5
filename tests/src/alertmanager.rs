//! Debian's Alertmanager.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::binary::scratch;
use crate::http::request;
use crate::loopback::Loopback;
use crate::process::{Process, eventually};

const CONFIG: &str = "route: { receiver: none }\nreceivers: [ { name: none } ]\n";

/// A running Alertmanager.
#[derive(Debug)]
pub struct Alertmanager {
    process: Process,
    loopback: Loopback,
    folder: PathBuf,
}

impl Alertmanager {
    /// Starts an Alertmanager, which joins through `peer` if there is one, and waits until it
    /// answers.
    #[track_caller]
    pub fn start(peer: Option<SocketAddr>) -> Self {
        Self::launch(peer, |_| None, &[])
    }

    /// Starts an Alertmanager over TLS that probes and gossips this many times faster than by
    /// default.
    #[track_caller]
    pub fn hurried(peer: Option<SocketAddr>, file: &Path, pace: u32) -> Self {
        let flags = [("probe-interval", 1000), ("probe-timeout", 500), ("gossip-interval", 200)];
        let flags = flags.map(|(flag, usual)| format!("--cluster.{flag}={}ms", usual / pace));
        Self::launch(peer, |_| Some(file.into()), &flags)
    }

    /// Starts an Alertmanager that uses TLS with the other members, as the file for its address
    /// says.
    #[track_caller]
    pub fn over_tls(peer: Option<SocketAddr>, file: impl FnOnce(IpAddr) -> PathBuf) -> Self {
        Self::launch(peer, |ip| Some(file(ip)), &[])
    }

    #[track_caller]
    fn launch(
        peer: Option<SocketAddr>,
        tls: impl FnOnce(IpAddr) -> Option<PathBuf>,
        flags: &[String],
    ) -> Self {
        let loopback = Loopback::reserve();
        let tls = tls(loopback.ip());
        let folder = scratch("alertmanager");
        let config = folder.join("config.yml");
        fs::write(&config, CONFIG).expect("the target folder is writable");
        let cluster = loopback.port(19094);
        let mut command = Command::new("prometheus-alertmanager");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={}", loopback.port(19093)))
            .arg(format!("--cluster.listen-address={cluster}"))
            .arg(format!("--cluster.advertise-address={cluster}"))
            .args(["--cluster.settle-timeout=2s", "--cluster.reconnect-interval=2s"])
            .arg("--log.level=debug")
            .args(flags)
            .args(peer.map(|peer| format!("--cluster.peer={peer}")))
            // Its gossip of a silence reaches three peers, and can miss one of five nodes: then
            // only a full exchange between two Alertmanagers helps. The exchanges of our nodes
            // carry none.
            .args(tls.iter().map(|_| "--cluster.pushpull-interval=3s"))
            .args(tls.as_ref().map(|file| format!("--cluster.tls-config={}", file.display())));
        let process = Process::spawn("alertmanager", &mut command);
        let alertmanager = Self { process, loopback, folder };
        eventually("alertmanager answers", || alertmanager.status());
        alertmanager
    }

    /// The address on which it listens for members.
    pub fn addr(&self) -> SocketAddr {
        self.loopback.port(19094)
    }

    /// The process itself.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The name that it has given itself.
    #[track_caller]
    pub fn name(&self) -> String {
        let status = self.status().expect("alertmanager answers");
        status["cluster"]["name"].as_str().expect("a cluster has names").to_owned()
    }

    /// The reply to `GET /api/v2/status`.
    ///
    /// # Errors
    /// The request failed, for instance because no process listens yet.
    pub fn status(&self) -> Result<Value, String> {
        let reply = request(self.loopback.port(19093), "GET", "/api/v2/status", "")?;
        if reply.status != 200 {
            return Err(format!("{reply:?}"));
        }
        serde_json::from_str(&reply.body).map_err(|error| error.to_string())
    }

    /// Waits until the list of its peers contains the name, or no longer does.
    #[track_caller]
    pub fn until_peer(&self, name: &str, there: bool) {
        eventually(&format!("alertmanager lists {name}: {there}"), || {
            let status = self.status()?;
            let peers = status["cluster"]["peers"].as_array().ok_or("no peers")?;
            if peers.iter().any(|peer| peer["name"] == name) == there {
                return Ok(());
            }
            Err(format!("{status}\n{}", self.process.transcript()))
        });
    }

    /// Waits until it knows the silence with this id.
    #[track_caller]
    pub fn until_silence(&self, id: &str) {
        eventually(&format!("alertmanager knows silence {id}"), || {
            let path = format!("/api/v2/silence/{id}");
            let reply = request(self.loopback.port(19093), "GET", &path, "")?;
            if reply.status == 200 { Ok(()) } else { Err(format!("{reply:?}")) }
        });
    }

    /// The ids of all silences that it knows.
    #[track_caller]
    pub fn silences(&self) -> Vec<String> {
        let reply = request(self.loopback.port(19093), "GET", "/api/v2/silences", "");
        let reply = reply.expect("alertmanager answers");
        let silences: Value = serde_json::from_str(&reply.body).expect("JSON");
        let silences = silences.as_array().expect("a list");
        silences.iter().filter_map(|it| it["id"].as_str()).map(str::to_owned).collect()
    }

    /// Creates a silence and returns its id.
    #[track_caller]
    pub fn create_silence(&self, comment: &str) -> String {
        let silence = json!({
            "matchers": [{ "name": "job", "value": "x", "isRegex": false, "isEqual": true }],
            "startsAt": "2020-01-01T00:00:00Z",
            "endsAt": "2099-01-01T00:00:00Z",
            "createdBy": "tests",
            "comment": comment,
        });
        let body = silence.to_string();
        let reply = request(self.loopback.port(19093), "POST", "/api/v2/silences", &body);
        let reply = reply.expect("alertmanager answers");
        assert_eq!(reply.status, 200, "{reply:?}");
        let made: Value = serde_json::from_str(&reply.body).expect("JSON");
        made["silenceID"].as_str().expect("a silence has an id").to_owned()
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        self.process.kill();
        // Fails only if the disk does; the target folder is cleaned anyway.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
