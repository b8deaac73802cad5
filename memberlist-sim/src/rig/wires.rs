//! Streams between nodes under test, without any delay.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use memberlist_proto::{StreamFailure, StreamId, StreamOp};

use super::Rig;

/// Both ends of every stream between some rigs, each named by its index.
#[derive(Debug, Default)]
pub struct Wires(BTreeMap<(usize, StreamId), (usize, StreamId)>);

impl Wires {
    /// Does what a node at the address `source` wants done with a stream. A connection is
    /// refused unless `reached` names the node that it reaches. Data arrives in two pieces.
    ///
    /// # Panics
    ///
    /// A node cannot read what another has written.
    pub fn carry_out(
        &mut self,
        rigs: &mut [Rig],
        who: usize,
        source: SocketAddr,
        op: StreamOp,
        reached: impl FnOnce(SocketAddr) -> Option<usize>,
    ) {
        let far = self.0.get(&(who, op.id())).copied();
        match op {
            StreamOp::Connect { id, to, .. } => {
                let accepted = reached(to).and_then(|it| Some((it, rigs[it].accept(source)?)));
                let Some(far) = accepted else {
                    return rigs[who].closed(id, Some(StreamFailure::Refused));
                };
                self.0.insert((who, id), far);
                self.0.insert(far, (who, id));
                rigs[who].connected(id);
            }
            StreamOp::Write { id, data } => {
                rigs[who].written(id, data.len());
                let Some((other, end)) = far else { return };
                let (first, second) = data.split_at(data.len() / 2);
                for part in [first, second] {
                    let read = rigs[other].data(end, part);
                    read.expect("an honest node says nothing wrong");
                }
            }
            StreamOp::Close { id } => {
                self.0.remove(&(who, id));
                rigs[who].closed(id, None);
                if let Some((other, end)) = far {
                    rigs[other].eof(end);
                }
            }
            StreamOp::Abort { id } => {
                self.0.remove(&(who, id));
                if let Some(far) = far {
                    self.reset(rigs, far);
                }
            }
        }
    }

    /// The process of a node is gone, and with it its ends.
    pub fn crashed(&mut self, rigs: &mut [Rig], who: usize) {
        let ends = self.0.range((who, StreamId::MIN)..=(who, StreamId::MAX));
        let ends: Vec<_> = ends.map(|(end, far)| (*end, *far)).collect();
        for (end, far) in ends {
            self.0.remove(&end);
            self.reset(rigs, far);
        }
    }

    fn reset(&mut self, rigs: &mut [Rig], (other, end): (usize, StreamId)) {
        if self.0.remove(&(other, end)).is_some() {
            rigs[other].closed(end, Some(StreamFailure::Reset));
        }
    }
}
