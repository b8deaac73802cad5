//! Streams between nodes under test, without any delay.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use memberlist_proto::{StreamFailure, StreamId, StreamOp};

use super::Rig;

/// The streams between several rigs, which are identified by their indices.
#[derive(Debug, Default)]
pub struct Wires {
    far: BTreeMap<(usize, StreamId), (usize, StreamId)>,
    lenient: bool,
}

impl Wires {
    /// Wires between nodes that may refuse what an honest node writes, because their limits differ.
    pub fn lenient() -> Self {
        Self { lenient: true, ..Self::default() }
    }

    /// Does what the node `who`, at the address `source`, wants done with a stream. A connection is
    /// refused unless `reached` returns the index of the node that it reaches. Data arrives at
    /// once, in two pieces.
    ///
    /// # Panics
    ///
    /// A node refuses what another has written, and they are not [lenient](Self::lenient).
    pub fn carry_out(
        &mut self,
        rigs: &mut [Rig],
        who: usize,
        source: SocketAddr,
        op: StreamOp,
        reached: impl FnOnce(SocketAddr) -> Option<usize>,
    ) {
        let far = self.far.get(&(who, op.id())).copied();
        match op {
            StreamOp::Connect { id, to, .. } => {
                let accepted = reached(to).and_then(|it| Some((it, rigs[it].accept(source)?)));
                let Some(far) = accepted else {
                    return rigs[who].closed(id, Some(StreamFailure::Refused));
                };
                self.far.insert((who, id), far);
                self.far.insert(far, (who, id));
                rigs[who].connected(id);
            }
            StreamOp::Write { id, data } => {
                rigs[who].written(id, data.len());
                let Some((other, end)) = far else { return };
                let (first, second) = data.split_at(data.len() / 2);
                for part in [first, second] {
                    if let Err(error) = rigs[other].data(end, part) {
                        assert!(self.lenient, "an honest node says nothing wrong: {error}");
                    }
                }
            }
            StreamOp::Close { id } => {
                self.far.remove(&(who, id));
                rigs[who].closed(id, None);
                if let Some((other, end)) = far {
                    rigs[other].eof(end);
                }
            }
            StreamOp::Abort { id } => {
                self.far.remove(&(who, id));
                if let Some(far) = far {
                    self.reset(rigs, far);
                }
            }
        }
    }

    /// Resets all streams of a node whose process has ended.
    pub fn crashed(&mut self, rigs: &mut [Rig], who: usize) {
        let ends = self.far.range((who, StreamId::MIN)..=(who, StreamId::MAX));
        let ends: Vec<_> = ends.map(|(end, far)| (*end, *far)).collect();
        for (end, far) in ends {
            self.far.remove(&end);
            self.reset(rigs, far);
        }
    }

    fn reset(&mut self, rigs: &mut [Rig], (other, end): (usize, StreamId)) {
        if self.far.remove(&(other, end)).is_some() {
            rigs[other].closed(end, Some(StreamFailure::Reset));
        }
    }
}
