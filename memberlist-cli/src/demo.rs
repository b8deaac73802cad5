//! `memberlist demo`: a cluster of real nodes on loopback that forms, gossips, loses a node and
//! takes it back.

mod cluster;
mod screen;
mod script;
mod table;

use clap::value_parser;

use crate::failure::Failure;

/// The flags of `memberlist demo`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Number of nodes, 3 to 100
    #[arg(long, default_value = "5", value_parser = value_parser!(u8).range(3..=100))]
    nodes: u8,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format_args!("cannot start the runtime: {error}")))?;
    let result = runtime.block_on(script::play(usize::from(args.nodes)));
    runtime.shutdown_background();
    result
}
