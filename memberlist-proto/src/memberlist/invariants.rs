//! What must hold between two calls, and a digest of the state to compare two runs.

use alloc::format;
use alloc::string::String;
use core::hash::Hasher;

use siphasher::sip::SipHasher13;

use super::Memberlist;
use crate::node::State;
use crate::time::Instant;

impl Memberlist {
    /// Checks everything that must hold between two calls. A failure is a defect of this crate.
    ///
    /// # Errors
    ///
    /// A description of the first one that does not hold.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.members.check()?;
        self.check_own_state()?;
        if (self.builds.wants_turn() || self.jobs.has_intakes()) && !self.jobs.has_turn() {
            return Err("there is work that no turn will do".into());
        }
        let me = self.members.record(self.me.id);
        if me.identity().name().as_bytes() != self.me.name.as_bytes() {
            return Err("this node's record is another's".into());
        }
        let expected = if self.me.left { State::Left } else { State::Alive };
        if me.state() != expected {
            return Err(format!("this node considers itself {}", me.state()));
        }
        if me.incarnation() != self.me.incarnation {
            return Err("this node's record has another incarnation than itself".into());
        }
        if me.identity().versions() != Some(self.me.versions) {
            return Err("this node's record has other versions than itself".into());
        }
        let mut running = 0;
        for (_, record) in self.members.iter() {
            let suspected = record.state() == State::Suspect;
            if record.suspicion().is_some() != suspected {
                return Err(format!("{}: suspicion and state disagree", record.name()));
            }
            running += usize::from(suspected);
        }
        if running != self.suspects.len() {
            return Err(format!("{running} suspects, but {} suspicions", self.suspects.len()));
        }
        if self.timers.next().is_some_and(|due| due <= Instant::ORIGIN) {
            return Err("a timer at no time".into());
        }
        self.check_limits()
    }

    /// A digest of the membership state and of every queue's length, to compare two runs.
    pub fn state_hash(&self) -> u64 {
        let mut hasher = SipHasher13::new();
        for (_, record) in self.members.iter() {
            let identity = record.identity();
            hasher.write(identity.name().as_bytes());
            hasher.write(identity.addr_bytes().unwrap_or_default());
            hasher.write(identity.meta().unwrap_or_default());
            hasher.write_u16(identity.port());
            hasher.write_u32(record.incarnation());
            hasher.write_u8(record.state() as u8);
            hasher.write_u64(record.since().as_nanos());
        }
        for (_, value) in self.stats().gauges.iter() {
            hasher.write_u64(value);
        }
        hasher.write_u32(self.me.sequence);
        hasher.finish()
    }

    fn check_limits(&self) -> Result<(), String> {
        let limits = &self.config.limits;
        for (what, len, limit) in [
            ("members", self.members.len(), limits.members + 1),
            ("accepted streams", self.exchanges.accepted(), limits.streams),
            ("opened streams", self.exchanges.opened(), limits.streams_opened),
            ("served push/pulls", self.exchanges.push_pulls_served(), limits.push_pulls),
            ("relays", self.probes.relays(), limits.relays),
            ("bytes of streams", self.exchanges.held(), limits.stream_memory),
            ("departures", self.departures.len(), self.members.len()),
            ("members that came back", self.flaps.len(), self.members.len()),
            ("operations", self.operations.len(), limits.operations + 2),
            ("lost members", self.wanted.lost().len(), limits.lost_members),
            ("disseminations", self.disseminations.len(), limits.disseminations),
            ("bytes on their way", self.disseminations.bytes(), limits.dissemination_bytes),
            (
                "streams of disseminations",
                self.disseminations.running(),
                limits.dissemination_streams,
            ),
            (
                "messages being sealed",
                self.letters.len(),
                limits.streams_opened + limits.disseminations,
            ),
            ("user broadcasts", self.queues.user_len(), 3 * limits.user_broadcasts),
        ] {
            if len > limit {
                return Err(format!("{len} {what}, but the limit is {limit}"));
            }
        }
        Ok(())
    }
}
