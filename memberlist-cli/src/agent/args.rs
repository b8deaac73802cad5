//! The flags of `memberlist agent`, and the settings they result in.

use std::io::IsTerminal as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use clap::ValueEnum;
use memberlist_driver::RecordOptions;
use memberlist_driver::transport::Transport;
use memberlist_proto::{Compression, Config, NodeName, Peer, ZoneRole};

#[cfg(unix)]
use super::control;
use super::key_file;
use super::kinds::Kinds;
use super::settings::{self, Settings};
use super::transport::TransportArgs;
use crate::failure::Failure;
use crate::hex;
use crate::node::Runtime;

/// Run one node in the foreground, controlled by commands on standard input.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_long_help = fields_help())]
pub(crate) struct Args {
    /// Name of the node, unique in the cluster [default: the host name]
    #[arg(long, env = "MEMBERLIST_NAME")]
    name: Option<String>,

    /// Address to listen on, for packets and streams; port 0 picks a free one [default: 0.0.0.0:7946]
    #[arg(long, env = "MEMBERLIST_BIND", value_name = "IP[:PORT]", value_parser = parse_place)]
    bind: Option<Place>,

    /// Address to announce to the cluster instead of the bound one
    #[arg(long, env = "MEMBERLIST_ADVERTISE", value_name = "IP[:PORT]", value_parser = parse_place)]
    advertise: Option<Place>,

    /// Nodes to join, `HOST[:PORT]` or `NAME/HOST[:PORT]`, separated by commas; retried until one
    /// answers
    #[arg(long, env = "MEMBERLIST_JOIN", value_name = "HOST[:PORT]", value_delimiter = ',')]
    pub(super) join: Vec<Peer>,

    /// Unix socket for `memberlist members` and the other commands that ask a running agent, or
    /// `none` [default: NAME.sock in the user's runtime directory]
    #[cfg(unix)]
    #[arg(long, env = crate::socket::VARIABLE, value_name = "PATH", value_parser = control::Place::parse)]
    pub(super) control: Option<control::Place>,

    /// Serve metrics to Prometheus at this address, under `/metrics`
    #[arg(long, env = "MEMBERLIST_METRICS", value_name = "IP:PORT")]
    pub(super) metrics: Option<SocketAddr>,

    /// Serve a page about the node and its cluster at this address, to every host that can connect
    #[arg(long, env = "MEMBERLIST_HTTP", value_name = "IP:PORT")]
    pub(super) http: Option<SocketAddr>,

    /// Host name under which browsers may open the page, besides IP addresses and `localhost`
    /// (repeatable)
    #[arg(long, value_name = "NAME", requires = "http")]
    http_host: Vec<String>,

    /// Origin of another agent's page, such as `http://10.0.0.2:8080`, to compare this node with;
    /// that agent must allow this page's origin, too (repeatable)
    #[arg(long, value_name = "ORIGIN", requires = "http")]
    http_allow_origin: Vec<String>,

    /// Save the known members to this file, and search for those saved by the last run
    #[arg(long, env = "MEMBERLIST_SNAPSHOT", value_name = "FILE")]
    pub(super) snapshot: Option<PathBuf>,

    /// Record all inputs of the node to this directory, for `memberlist replay`
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,

    /// The most that the recording may take, at least 1MiB; its oldest part is deleted to make room
    /// [default: 256MiB]
    #[arg(long, value_name = "SIZE", requires = "record", value_parser = parse_size)]
    record_max: Option<u64>,

    /// Try `--join` only once, and exit with an error if no node answers
    #[arg(long, requires = "join")]
    pub(super) join_once: bool,

    /// Async runtime; the node behaves the same on each
    #[arg(long, value_enum, default_value_t)]
    pub(super) runtime: Runtime,

    /// Preset that the configuration begins with
    #[arg(long, env = "MEMBERLIST_PROFILE", value_enum, default_value_t)]
    profile: Profile,

    /// TOML file with fields of the configuration
    #[arg(long, env = "MEMBERLIST_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// Set one field of the configuration; overrides file and preset (repeatable)
    #[arg(long, value_name = "FIELD=VALUE")]
    set: Vec<String>,

    /// Keys in base64, each of 16, 24 or 32 bytes, separated by commas; the first is the primary,
    /// which encrypts. Other users of the machine can see flags: prefer `--key-file`
    #[arg(
        long,
        env = "MEMBERLIST_KEY",
        hide_env_values = true,
        value_name = "BASE64",
        value_delimiter = ','
    )]
    key: Vec<String>,

    /// File with one key in base64 per line, after those of `--key`
    #[arg(long, env = "MEMBERLIST_KEY_FILE", value_name = "FILE")]
    key_file: Option<PathBuf>,

    /// Label of the cluster
    #[arg(long, env = "MEMBERLIST_LABEL", value_name = "TEXT")]
    label: Option<String>,

    /// Zone that this node is in
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,

    /// Role of this node in its zone: a `member` gossips within it, a `bridge` connects it with
    /// others
    #[arg(long, value_name = "ROLE", value_parser = ["member", "bridge"])]
    role: Option<String>,

    /// How to compress the packets and streams that are sent
    #[arg(long, value_name = "ALGORITHM", value_parser = ["lzw", "snappy", "none"])]
    compression: Option<String>,

    /// The same as `--compression none`
    #[arg(long, conflicts_with = "compression")]
    no_compression: bool,

    /// Name server for the SRV records of peers (repeatable) [default: the system's]
    #[arg(long, value_name = "IP:PORT")]
    name_server: Vec<SocketAddr>,

    #[command(flatten)]
    transport: TransportArgs,

    /// Metadata to announce
    #[arg(long, env = "MEMBERLIST_META", value_name = "TEXT", conflicts_with = "meta_hex")]
    meta: Option<String>,

    /// Metadata to announce, in hexadecimal
    #[arg(long, value_name = "HEX")]
    meta_hex: Option<String>,

    /// Protocol version to use, 1 to 5
    #[arg(long, value_name = "N")]
    protocol_version: Option<u8>,

    /// Versions of the application's own protocol
    #[arg(long, value_name = "MIN,MAX,CUR", value_parser = parse_versions)]
    delegate_version: Option<Versions>,

    /// Events to report, separated by commas, or `all`, `none`, or `quiet` for all but round trips
    /// [default: `quiet` on a terminal, else `all`]
    #[arg(long, env = "MEMBERLIST_EVENTS", value_name = "EVENTS", value_parser = Kinds::parse)]
    events: Option<Kinds>,

    /// Write one JSON object per line to standard output
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// One local network.
    #[default]
    Lan,
    /// Distant sites.
    Wan,
    /// One machine.
    Local,
}

/// An address whose port may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    ip: IpAddr,
    port: Option<u16>,
}

/// The lowest, the highest and the current version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Versions([u8; 3]);

impl Args {
    /// Applies preset, file, `--set` and the other flags in this order; later ones win. The result
    /// is validated.
    pub(super) fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = Settings::new(match self.profile {
            Profile::Lan => Config::lan(""),
            Profile::Wan => Config::wan(""),
            Profile::Local => Config::local(""),
        });
        if let Some(path) = &self.config {
            let failed = |error| Failure::usage(format_args!("--config: {error}"));
            settings::load(&mut settings, path).map_err(failed)?;
        }
        for assignment in &self.set {
            let failed = |error| Failure::usage(format_args!("--set: {error}"));
            settings.assign(assignment).map_err(failed)?;
        }
        settings.config.seeds.extend(self.join.iter().cloned());
        self.place(&mut settings);
        self.identity(&mut settings.config)?;
        self.security(&mut settings.config)?;
        self.transport()?.adapt(&mut settings.config);
        check(&settings)?;
        Ok(settings)
    }

    /// The name servers for SRV records; none stands for those of the system.
    pub(super) fn name_servers(&self) -> Vec<SocketAddr> {
        self.name_server.clone()
    }

    /// The transport of packets and streams.
    pub(super) fn transport(&self) -> Result<Transport, Failure> {
        self.transport.transport()
    }

    /// The options of the page.
    pub(super) fn page_options(&self) -> Result<memberlist_http::Options, Failure> {
        let mut options = memberlist_http::Options::default();
        for name in &self.http_host {
            let failed = |error| Failure::usage(format_args!("--http-host: {error}"));
            options = options.allow_host(name).map_err(failed)?;
        }
        for origin in &self.http_allow_origin {
            let failed = |error| Failure::usage(format_args!("--http-allow-origin: {error}"));
            options = options.allow_origin(origin).map_err(failed)?;
        }
        Ok(options)
    }

    /// The events to report on standard output.
    pub(super) fn events(&self) -> Kinds {
        let usual = || if std::io::stdout().is_terminal() { Kinds::Quiet } else { Kinds::All };
        self.events.clone().unwrap_or_else(usual)
    }

    /// Where to record and how much, if a recording is wanted; it begins now.
    pub(super) fn recording(&self) -> Option<(PathBuf, RecordOptions)> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.ok().and_then(|now| u64::try_from(now.as_millis()).ok());
        let options = RecordOptions::default().with(|options| {
            options.wall_clock_ms = now;
            options.max_bytes = self.record_max.unwrap_or(options.max_bytes);
        });
        Some((self.record.clone()?, options))
    }

    fn place(&self, settings: &mut Settings) {
        if let Some(Place { ip, port }) = self.bind {
            settings.bind.set_ip(ip);
            if let Some(port) = port {
                settings.bind.set_port(port);
            }
        }
        if let Some(Place { ip, port }) = self.advertise {
            settings.advertise_ip = Some(ip);
            settings.advertise_port = port.or(settings.advertise_port);
        }
    }

    fn identity(&self, config: &mut Config) -> Result<(), Failure> {
        if let Some(name) = &self.name {
            config.name = NodeName::from(name.as_str());
        } else if config.name.is_empty() {
            config.name = NodeName::from(&*gethostname::gethostname().to_string_lossy());
        }
        if let Some(meta) = &self.meta {
            config.meta = Bytes::from(meta.clone());
        }
        if let Some(text) = &self.meta_hex {
            let failed = |error| Failure::usage(format_args!("--meta-hex: {error}"));
            config.meta = hex::decode(text.as_bytes()).map_err(failed)?.into();
        }
        if let Some(version) = self.protocol_version {
            config.protocol_version = version;
        }
        if let Some(Versions([min, max, current])) = self.delegate_version {
            config.delegate_protocol_min = min;
            config.delegate_protocol_max = max;
            config.delegate_protocol_version = current;
        }
        Ok(())
    }

    fn security(&self, config: &mut Config) -> Result<(), Failure> {
        let failed = |error| Failure::usage(format_args!("--key: {error}"));
        let keys: Result<Vec<_>, _> = self.key.iter().map(|text| text.parse()).collect();
        let mut keys = keys.map_err(failed)?;
        if let Some(path) = &self.key_file {
            let failed = |error| Failure::usage(format_args!("--key-file: {error}"));
            keys.extend(key_file::read(path).map_err(failed)?);
        }
        if !keys.is_empty() {
            config.secret_keys = keys;
        }
        if let Some(label) = &self.label {
            config.label = Bytes::from(label.clone());
        }
        if let Some(zone) = &self.zone {
            config.zone = Bytes::from(zone.clone());
        }
        if let Some(role) = &self.role {
            let bridge = role == "bridge";
            config.role = if bridge { ZoneRole::Bridge } else { ZoneRole::Member };
        }
        match self.compression.as_deref() {
            Some("lzw") => config.compression = Compression::Lzw,
            Some("snappy") => config.compression = Compression::Snappy,
            None if !self.no_compression => {}
            _ => config.compression = Compression::None,
        }
        Ok(())
    }
}

/// Validates the configuration. Addresses that are known only after binding keep their
/// placeholders.
fn check(settings: &Settings) -> Result<(), Failure> {
    let mut config = settings.config.clone();
    if let Some(ip) = settings.advertise_ip {
        config.advertise_addr = ip;
    }
    config.validate().map_err(Failure::usage)
}

fn parse_place(text: &str) -> Result<Place, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(Place { ip: address.ip(), port: Some(address.port()) });
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    match bare.parse() {
        Ok(ip) => Ok(Place { ip, port: None }),
        Err(_) => Err("expected IP or IP:PORT".to_owned()),
    }
}

/// Parses a number of bytes, with or without a unit; at least 1 MiB.
fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || "expected a number of bytes, such as `256MiB`".to_owned();
    let digits = text.len() - text.trim_start_matches(|it: char| it.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(1 << shift)
        .filter(|bytes| *bytes >= 1 << 20)
        .ok_or_else(|| "a recording takes at least 1MiB".to_owned())
}

fn parse_versions(text: &str) -> Result<Versions, String> {
    let wrong = || "expected three numbers from 0 to 255, such as `2,5,5`".to_owned();
    let numbers: Vec<u8> = text
        .split(',')
        .map(|part| part.trim().parse().map_err(|_| wrong()))
        .collect::<Result<_, _>>()?;
    <[u8; 3]>::try_from(numbers).map(Versions).map_err(|_| wrong())
}

fn fields_help() -> String {
    format!(
        "Fields for --set and --config (durations such as `200ms` or `1s`, `0` for off; lists separated by commas):\n  \
         {}\n\n\
         The variables override the file, flags override the variables.\n\n\
         The command `help` on standard input lists the commands.",
        settings::names().collect::<Vec<_>>().join(", ")
    )
}

#[cfg(test)]
mod tests;
