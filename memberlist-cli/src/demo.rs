//! `memberlist demo`: a cluster of real nodes on loopback that forms, gossips, loses a node and
//! takes it back.

mod cluster;
mod screen;
mod script;
mod table;

use clap::value_parser;

use crate::agent::raised_limit;
use crate::failure::Failure;

/// The flags of `memberlist demo`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Number of nodes, 3 to 1000
    #[arg(long, default_value = "5", value_parser = value_parser!(u16).range(3..=1000))]
    nodes: u16,
}

/// How many file descriptors each node needs: two sockets, and a stream now and then.
const EACH: u64 = 3;
/// How many file descriptors the process needs besides those of its nodes.
const OTHERS: u64 = 64;

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    enough_descriptors(args.nodes.into(), raised_limit())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format_args!("cannot start the runtime: {error}")))?;
    let result = runtime.block_on(script::play(usize::from(args.nodes)));
    runtime.shutdown_background();
    result
}

/// Fails if the process may not open as many files as the nodes need.
fn enough_descriptors(nodes: u64, limit: Option<u64>) -> Result<(), Failure> {
    let needed = OTHERS + EACH * nodes;
    match limit {
        Some(limit) if limit < needed => Err(Failure::failed(format_args!(
            "{nodes} nodes need about {needed} open files, and this process may have {limit}: raise \
             its limit (`ulimit -n {needed}`), or take `--nodes {}` at most",
            limit.saturating_sub(OTHERS) / EACH
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
