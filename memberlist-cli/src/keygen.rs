//! `memberlist keygen`: generates a key from the operating system's randomness.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;

use crate::failure::Failure;
use crate::stdout;

/// The flags of `memberlist keygen`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Length of the key in bits, for AES-128, AES-192 or AES-256
    #[arg(long, value_enum, default_value = "256")]
    bits: Bits,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Bits {
    #[value(name = "128")]
    Bits128,
    #[value(name = "192")]
    Bits192,
    #[value(name = "256")]
    Bits256,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let length = match args.bits {
        Bits::Bits128 => 16,
        Bits::Bits192 => 24,
        Bits::Bits256 => 32,
    };
    stdout::put(generate(length)? + "\n")
}

fn generate(length: usize) -> Result<String, Failure> {
    let mut key = vec![0; length];
    getrandom::fill(&mut key).map_err(|error| {
        Failure::failed(format_args!("the operating system has no randomness: {error}"))
    })?;
    Ok(STANDARD.encode(key))
}

#[cfg(test)]
mod tests;
