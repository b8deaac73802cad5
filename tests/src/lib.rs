//! The helpers that the tests of the whole project share: guards around the processes that they
//! start.
//!
//! A guard picks an unused loopback address, stops its process when it is dropped, and waits for
//! events until a deadline. A failed wait prints the output of the process.

mod alertmanager;
mod binary;
pub mod certificates;
pub mod conformance;
mod http;
mod loopback;
pub mod matrix;
mod network;
mod node;
mod process;
mod serf;
mod zoned;
pub mod zones;

pub use alertmanager::Alertmanager;
pub use binary::{INSTALL, agent_binary, go_peer_binary, scratch};
pub use http::{Response, request};
pub use loopback::Loopback;
pub use network::{Line, Namespace};
pub use node::{Launch, Node, to_hex};
pub use process::{PATIENCE, Process, eventually, eventually_within};
pub use serf::Serf;
