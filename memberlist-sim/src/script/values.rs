//! Names, times and options as they are written in scripts.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use memberlist_proto::fields::Value;
use memberlist_proto::{Compression, Config, Differences, Host, Key, Peer, ZoneRole};

use super::Problem;
use crate::network::Link;

/// The words on both sides of the equals sign of each option.
pub(super) fn options<'a>(
    words: &'a [&'a str],
) -> impl Iterator<Item = Result<(&'a str, &'a str), Problem>> {
    words.iter().map(|word| {
        word.split_once('=').ok_or(Problem::Usage("OPTION=VALUE, with a space between options"))
    })
}

/// Splits words into names, and the options after `with`.
pub(super) fn with_options<'a>(words: &'a [&'a str]) -> (&'a [&'a str], &'a [&'a str]) {
    let at = words.iter().position(|word| *word == "with").unwrap_or(words.len());
    (&words[..at], words.get(at + 1..).unwrap_or_default())
}

/// Expands `n1..n9` into nine names; any other word is a name itself.
pub(super) fn names(words: &[&str]) -> Result<Vec<String>, Problem> {
    let mut names = Vec::new();
    for word in words {
        let Some((first, last)) = word.split_once("..") else {
            names.push((*word).to_owned());
            continue;
        };
        let (stem, from) = numbered(first)?;
        let (other, to) = numbered(last)?;
        // Every node takes memory: a mistyped range should not exhaust it.
        if stem != other || from > to || to - from >= 10_000 {
            return Err(value("a range of names", word));
        }
        names.extend((from..=to).map(|number| format!("{stem}{number}")));
    }
    Ok(names)
}

pub(super) fn time(text: &str) -> Result<Duration, Problem> {
    let wrong = || value("a time such as 200ms, 5s or 2m", text);
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u32 = text[..at].parse().map_err(|_| wrong())?;
    match &text[at..] {
        "ms" => Ok(Duration::from_millis(number.into())),
        "s" => Ok(Duration::from_secs(number.into())),
        "m" => Ok(Duration::from_secs(u64::from(number) * 60)),
        _ => Err(wrong()),
    }
}

pub(super) fn number<T: std::str::FromStr>(what: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| value(what, text))
}

pub(super) fn value(what: &str, text: &str) -> Problem {
    Problem::Value { what: what.to_owned(), text: text.to_owned() }
}

/// How a node starts.
pub(super) struct Start {
    pub(super) config: Config,
    /// The node whose address the new one takes over.
    pub(super) at: Option<String>,
    /// Whether its application passes broadcasts on.
    pub(super) spread: bool,
    /// The name of the members that it refuses.
    pub(super) vetoes: Option<String>,
}

pub(super) fn config(name: &str, words: &[&str]) -> Result<Start, Problem> {
    let mut config = Config::lan(name);
    let (mut at, mut spread, mut vetoes) = (None, false, None);
    for option in options(words) {
        let (what, text) = option?;
        match what {
            "preset" => config = preset(name, text)?,
            "name" => config.name = text.into(),
            "label" | "accept" => label(&mut config, what, text),
            "key" => {
                let key = Key::new(&[number(what, text)?; 32]).map_err(|_| value(what, text))?;
                config.secret_keys = vec![key];
            }
            "meta" => config.meta = text.to_owned().into(),
            "zone" => config.zone = text.to_owned().into(),
            "role" => config.role = role(what, text)?,
            "compress" => {
                config.compression = match text {
                    "on" => Compression::Lzw,
                    "off" => Compression::None,
                    "snappy" => Compression::Snappy,
                    _ => return Err(value(what, text)),
                }
            }
            "differences" => match text {
                "all" => config.differences = Differences::default(),
                "none" => config.differences = Differences::none(),
                _ => return Err(value(what, text)),
            },
            "reclaim" => config.dead_node_reclaim_time = time(text)?,
            "probe" => config.probe_interval = time(text)?,
            "streampings" => config.disable_tcp_pings = !switch(what, text)?,
            "transport" => transport(&mut config, text)?,
            "indirect" => config.indirect_checks = number(what, text)?,
            "protocol" => config.protocol_version = number(what, text)?,
            "application" => {
                let version = number(what, text)?;
                config.delegate_protocol_version = version;
                config.delegate_protocol_min = version;
                config.delegate_protocol_max = version;
            }
            "asks" => {
                config.ask_local_state = switch(what, text)?;
                config.ask_admit_merge = config.ask_local_state;
            }
            "jobs" => config.hand_out_jobs = switch(what, text)?,
            "at" => at = Some(text.to_owned()),
            "spread" => spread = switch(what, text)?,
            "vetoes" => vetoes = Some(text.to_owned()),
            "ip" | "networks" | "seeds" | "rejoin" | "suspicion" => place(&mut config, what, text)?,
            _ if what.starts_with("limits.") => {
                limit(&mut config, what, text)?;
            }
            _ => return Err(value("an option of a node", what)),
        }
    }
    match config.validate() {
        Ok(()) => Ok(Start { config, at, spread, vetoes }),
        Err(error) => Err(Problem::Refused(error.to_string())),
    }
}

/// The configuration of a node that starts again with other labels.
pub(super) fn changed(mut config: Config, words: &[&str]) -> Result<Config, Problem> {
    for option in options(words) {
        match option? {
            (what @ ("label" | "accept"), text) => label(&mut config, what, text),
            (what, _) => return Err(value("an option of a restart", what)),
        }
    }
    match config.validate() {
        Ok(()) => Ok(config),
        Err(error) => Err(Problem::Refused(error.to_string())),
    }
}

/// Sets the label that a node sends, or the further labels that it accepts; `-` is the empty label.
fn label(config: &mut Config, what: &str, text: &str) {
    let label = |text: &str| if text == "-" { String::new() } else { text.to_owned() };
    if what == "label" {
        config.label = label(text).into();
    } else {
        let labels = text.split(',').filter(|text| !text.is_empty());
        config.accept_labels = labels.map(|text| label(text).into()).collect();
    }
}

/// Sets where a node is, and how it finds and loses others.
fn place(config: &mut Config, what: &str, text: &str) -> Result<(), Problem> {
    match (what, text) {
        ("ip", "4") => config.advertise_addr = Ipv4Addr::LOCALHOST.into(),
        ("ip", "6") => config.advertise_addr = Ipv6Addr::LOCALHOST.into(),
        ("networks", _) => {
            let networks = text.split(',').map(|network| number(what, network));
            config.cidrs_allowed = Some(networks.collect::<Result<_, _>>()?);
        }
        ("seeds", _) => {
            let host = |host: &str| Host::Name(host.to_owned());
            let peer = |it| Peer { name: None, host: host(it), port: None };
            config.seeds = text.split(',').map(peer).collect();
        }
        ("rejoin", "on" | "off") => config.differences.rejoin = switch(what, text)?,
        ("rejoin", _) => config.rejoin.interval = time(text)?,
        ("suspicion", _) => config.suspicion = switch(what, text)?,
        _ => return Err(value(what, text)),
    }
    Ok(())
}

/// Sets the limit of this name.
fn limit(config: &mut Config, name: &str, text: &str) -> Result<(), Problem> {
    let field = Config::field(name).ok_or_else(|| value("a limit", name))?;
    let limit = Value::Number(number(name, text)?);
    field.set(config, limit).map_err(|error| Problem::Refused(error.to_string()))
}

/// Parses a number of bytes, at most as many as fit in a packet.
pub(super) fn size(what: &str, text: &str) -> Result<usize, Problem> {
    let size = number(what, text)?;
    if size > 60_000 { Err(value(what, text)) } else { Ok(size) }
}

/// Returns `link` with the options changed that are given.
pub(super) fn link(mut link: Link, words: &[&str]) -> Result<Link, Problem> {
    for option in options(words) {
        let (what, text) = option?;
        match what {
            "loss" => link.loss = share(what, text)?,
            "duplication" => link.duplication = share(what, text)?,
            "corruption" => link.corruption = share(what, text)?,
            "refusal" => link.refusal = share(what, text)?,
            "reset" => link.reset = share(what, text)?,
            "silence" => link.silence = share(what, text)?,
            "chunk" => link.chunk = number(what, text)?,
            "mtu" => link.mtu = number(what, text)?,
            "bandwidth" => link.bandwidth = Some(number(what, text)?),
            "queue" => link.queue = number(what, text)?,
            "connect" => link.connect = time(text)?,
            "latency" => {
                let (min, max) = text.split_once("..").unwrap_or((text, text));
                (link.latency_min, link.latency_max) = (time(min)?, time(max)?);
            }
            "packets" => link.packets = switch(what, text)?,
            "streams" => link.streams = switch(what, text)?,
            _ => return Err(value("an option of a link", what)),
        }
    }
    Ok(link)
}

/// Sets what a transport that carries packets over connections changes for the core; for dskit's,
/// with the sizes that programs with dskit use.
fn transport(config: &mut Config, text: &str) -> Result<(), Problem> {
    match text {
        "udp" => {}
        "alertmanager" => config.disable_tcp_pings = true,
        "dskit" => {
            config.disable_tcp_pings = true;
            config.udp_buffer_size = 10 << 20;
            config.differences.packet_decompressed_max = 16 << 20;
        }
        _ => return Err(value("transport", text)),
    }
    Ok(())
}

fn preset(name: &str, text: &str) -> Result<Config, Problem> {
    match text {
        "lan" => Ok(Config::lan(name)),
        "wan" => Ok(Config::wan(name)),
        "local" => Ok(Config::local(name)),
        _ => Err(value("preset", text)),
    }
}

fn numbered(name: &str) -> Result<(&str, u32), Problem> {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    Ok((stem, number("a range of names", &name[stem.len()..])?))
}

fn role(what: &str, text: &str) -> Result<ZoneRole, Problem> {
    match text {
        "member" => Ok(ZoneRole::Member),
        "bridge" => Ok(ZoneRole::Bridge),
        _ => Err(value(what, text)),
    }
}

fn switch(what: &str, text: &str) -> Result<bool, Problem> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(value(what, text)),
    }
}

fn share(what: &str, text: &str) -> Result<f64, Problem> {
    let share: f64 = number(what, text)?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err(value(what, text)) }
}
