//! What a node's environment can make it spend: memory, work and bytes, each against a bound
//! that `docs/limits.md` states. Memory is counted by the allocator, in this process alone.

mod floods;
mod identity;
mod packets;
mod rig;
mod streams;
