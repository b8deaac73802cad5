//! The released crates of al8n: only their codec, since the rest needs sockets. They write a format
//! of their own.

use std::hint::black_box;
use std::net::SocketAddr;

use al8n::{Alive, Data, DataRef, Node, NodeId};

use crate::measure::each;
use crate::ours;

type Message = Alive<NodeId, SocketAddr>;

/// Measures the workloads: their names in the table, and nanoseconds.
pub(crate) fn run() -> Vec<(String, f64)> {
    let id = NodeId::new(ours::name(77_777)).expect("a name");
    let message: Message = Alive::new(3, Node::new(id, ours::address(77_777)));
    let mut out = vec![0; 200];
    let encode = each(100_000, |_| {
        black_box(&message).encode(black_box(&mut out)).expect("room");
    });
    let encoded = message.encode_to_vec().expect("short");
    // Decoded without copies, as ours are.
    let decode = each(100_000, |_| {
        let read = <<Message as Data>::Ref<'_> as DataRef<Message>>::decode(black_box(&encoded));
        black_box(read.expect("encoded by itself"));
    });
    [("CODEC encode alive", encode.nanos), ("CODEC decode alive", decode.nanos)]
        .map(|(name, nanos)| (name.to_owned(), nanos))
        .to_vec()
}
