//! What others can make a node spend: memory, work and bytes, each asserted against the bound that
//! `docs/limits.md` states. An allocator in this process counts the memory.

mod configurations;
mod connections;
mod floods;
mod identity;
mod life;
mod merges;
mod packets;
mod rig;
mod streams;
