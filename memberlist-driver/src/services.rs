//! Looks up peers by the SRV records of a name (feature `srv`).
//!
//! The resolver needs a tokio reactor of its own: each look-up runs on a thread that may block,
//! whatever the application's runtime. Nothing is cached between look-ups, so records that were
//! removed are not used again.

use std::io;
use std::net::{IpAddr, SocketAddr};

use memberlist_proto::{Lookup, Targets};

use crate::driver::Driver;
use crate::runtime::Runtime;

/// How many targets of SRV records are looked up; further ones are ignored.
#[cfg(feature = "srv")]
const TARGETS: usize = 64;
/// How long one look-up of a service may take, including all of its targets.
#[cfg(feature = "srv")]
const LIMIT: std::time::Duration = std::time::Duration::from_secs(8);
/// How long a name server may take for one answer; it is asked up to twice.
#[cfg(feature = "srv")]
const ANSWER: std::time::Duration = std::time::Duration::from_secs(2);

/// What the records of a service contain.
#[cfg_attr(not(feature = "srv"), allow(dead_code))] // Then nothing is found.
enum Records {
    Addresses(Vec<(IpAddr, u16)>),
    /// Host names, for the platform's resolver.
    Hosts(Vec<(String, u16)>),
}

/// Looks up a service, and reports the result to the node.
pub(crate) fn look_up<R: Runtime>(
    runtime: R,
    driver: Driver,
    lookup: Lookup,
    targets: Targets,
    servers: Vec<SocketAddr>,
) {
    runtime.clone().spawn_blocking(move || match records(&lookup.host, targets, &servers) {
        Ok(Records::Addresses(found)) => driver.resolved_service(&lookup, Ok(found)),
        Ok(Records::Hosts(hosts)) => {
            let inside = runtime.clone();
            runtime.spawn(async move {
                let found = resolve_all(&inside, hosts).await;
                driver.resolved_service(&lookup, found);
            });
        }
        Err(error) => driver.resolved_service(&lookup, Err(error)),
    });
}

/// The addresses of all hosts; an error if none of them has any.
async fn resolve_all<R: Runtime>(
    runtime: &R,
    hosts: Vec<(String, u16)>,
) -> io::Result<Vec<(IpAddr, u16)>> {
    let (mut found, mut failed) = (Vec::new(), None);
    for (host, port) in hosts {
        match runtime.resolve(&host).await {
            Ok(addresses) => found.extend(addresses.into_iter().map(|ip| (ip, port))),
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

#[cfg(not(feature = "srv"))]
fn records(_: &str, _: Targets, _: &[SocketAddr]) -> io::Result<Records> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(feature = "srv")]
fn records(name: &str, targets: Targets, servers: &[SocketAddr]) -> io::Result<Records> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let asked = tokio::time::timeout(LIMIT, ask(name, targets, servers)).await;
        asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    })
}

#[cfg(feature = "srv")]
async fn ask(name: &str, targets: Targets, servers: &[SocketAddr]) -> io::Result<Records> {
    use hickory_resolver::proto::rr::RData;

    let resolver = resolver(servers).map_err(|error| failed(&error))?;
    let answer = resolver.srv_lookup(name).await.map_err(|error| failed(&error))?;
    let mut records: Vec<_> = answer
        .answers()
        .iter()
        .filter_map(|record| match &record.data {
            RData::SRV(srv) => Some(srv.clone()),
            _ => None,
        })
        .collect();
    records.sort_by_key(|srv| (srv.priority, u16::MAX - srv.weight));
    records.truncate(TARGETS);
    if targets == Targets::Platform {
        let host = |name: String| name.trim_end_matches('.').to_owned();
        let hosts = records.iter().map(|srv| (host(srv.target.to_string()), srv.port));
        return Ok(Records::Hosts(hosts.collect()));
    }
    let (mut found, mut last) = (Vec::new(), None);
    for srv in records {
        match resolver.lookup_ip(srv.target.clone()).await {
            Ok(addresses) => found.extend(addresses.iter().map(|ip| (ip, srv.port))),
            Err(error) => last = Some(failed(&error)),
        }
    }
    match last {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(Records::Addresses(found)),
    }
}

/// A resolver that asks these name servers, or else those of the system.
#[cfg(feature = "srv")]
fn resolver(
    servers: &[SocketAddr],
) -> Result<hickory_resolver::TokioResolver, hickory_resolver::net::NetError> {
    use hickory_resolver::TokioResolver;
    use hickory_resolver::config::{
        LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
    };
    use hickory_resolver::net::runtime::TokioRuntimeProvider;

    let mut builder = if servers.is_empty() {
        TokioResolver::builder_tokio()?
    } else {
        let server = |address: &SocketAddr| {
            let mut server = NameServerConfig::udp_and_tcp(address.ip());
            for connection in &mut server.connections {
                connection.port = address.port();
            }
            server
        };
        let config = ResolverConfig::from_name_servers(servers.iter().map(server).collect());
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    options.timeout = ANSWER;
    options.attempts = 2;
    options.cache_size = 0;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Never;
    builder.build()
}

#[cfg(feature = "srv")]
fn failed(error: &hickory_resolver::net::NetError) -> io::Error {
    use hickory_resolver::net::NetError;

    let kind = match error {
        NetError::Timeout => io::ErrorKind::TimedOut,
        error if error.is_nx_domain() || error.is_no_records_found() => io::ErrorKind::NotFound,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error.to_string())
}

#[cfg(test)]
mod tests;
