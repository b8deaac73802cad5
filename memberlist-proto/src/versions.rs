//! Which protocol versions a set of nodes understands, and which it speaks.

use crate::event::{VersionLayer, VersionMismatch};
use crate::node::{NodeName, Versions};

/// The versions that every node understands: of memberlist itself and of the application.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Understood {
    protocol: (u8, u8),
    delegate: (u8, u8),
}

/// The lowest and the highest version that any node speaks, likewise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spoken {
    protocol: (u8, u8),
    delegate: (u8, u8),
}

impl Default for Understood {
    fn default() -> Self {
        Self { protocol: (0, u8::MAX), delegate: (0, u8::MAX) }
    }
}

impl Default for Spoken {
    fn default() -> Self {
        Self { protocol: (u8::MAX, 0), delegate: (u8::MAX, 0) }
    }
}

impl Understood {
    /// Leaves what this node understands as well; one with unknown versions changes nothing.
    pub(crate) fn narrow(&mut self, versions: Option<Versions>) {
        let Some(node) = versions else { return };
        let within = |(min, max): (u8, u8), low: u8, high: u8| (min.max(low), max.min(high));
        self.protocol = within(self.protocol, node.pmin, node.pmax);
        self.delegate = within(self.delegate, node.dmin, node.dmax);
    }

    /// Whether everything that is spoken is understood.
    pub(crate) fn holds(self, spoken: Spoken) -> bool {
        let within = |(low, high): (u8, u8), (min, max): (u8, u8)| min <= low && high <= max;
        within(spoken.protocol, self.protocol) && within(spoken.delegate, self.delegate)
    }

    /// Whether what one node speaks is understood.
    pub(crate) fn check(
        self,
        name: &[u8],
        versions: Option<Versions>,
    ) -> Result<(), VersionMismatch> {
        let (protocol, delegate) = current(versions);
        for (layer, current, (min, max)) in [
            (VersionLayer::Memberlist, protocol, self.protocol),
            (VersionLayer::Delegate, delegate, self.delegate),
        ] {
            if !(min..=max).contains(&current) {
                return Err(VersionMismatch {
                    layer,
                    node: NodeName::from(name),
                    current,
                    min,
                    max,
                });
            }
        }
        Ok(())
    }
}

impl Spoken {
    /// Adds what a node speaks.
    pub(crate) fn widen(&mut self, versions: Option<Versions>) {
        let with = |(low, high): (u8, u8), version: u8| (low.min(version), high.max(version));
        let (protocol, delegate) = current(versions);
        self.protocol = with(self.protocol, protocol);
        self.delegate = with(self.delegate, delegate);
    }
}

/// The versions spoken; as in Go, unknown ones are zeros.
fn current(versions: Option<Versions>) -> (u8, u8) {
    versions.map_or((0, 0), |node| (node.pcur, node.dcur))
}
