//! A suspect is pinged before its suspicion runs out, and an answer gives it new time.

use super::Memberlist;
use crate::members::MemberId;
use crate::probes::Awaiting;
use crate::suspects::Suspect;
use crate::time::Instant;

impl Memberlist {
    /// When to look at a suspicion that ends at `deadline` next: `probe_timeout` before the end,
    /// then half of that before the end, then at the end.
    pub(super) fn next_look(&self, deadline: Instant) -> Instant {
        let left = deadline.saturating_duration_since(self.now);
        let early = self.config.probe_timeout;
        let after = [early, early / 2]
            .into_iter()
            .filter(|_| self.config.differences.ask_suspects)
            .find_map(|early| left.checked_sub(early).filter(|wait| !wait.is_zero()));
        self.now + after.unwrap_or(left)
    }

    /// Pings a suspect whose suspicion is about to run out. Not where many are suspected at once:
    /// that would be a burst, and could not help against whatever happens to so many members.
    ///
    /// Differs from Go: in Go a refutation that does not arrive kills, however many pings the
    /// suspect answers.
    pub(super) fn ask_suspect(&mut self, id: MemberId) {
        let Some(slot) = self.members.record(id).suspicion() else { return };
        if self.suspects.len() > self.config.limits.told_dead {
            return;
        }
        let sequence = match self.suspects.get(slot).and_then(Suspect::asked) {
            Some(sequence) => sequence,
            None => self.next_sequence(),
        };
        self.suspects.get_mut(slot).ask(sequence);
        self.await_ack(sequence, Awaiting::Suspect(id));
        self.counters.suspects_asked += 1;
        let node = self.members.node(id);
        self.send_probe(sequence, &node);
    }

    /// A suspect has answered a ping: it gets its whole timeout again to refute.
    pub(super) fn suspect_answered(&mut self, id: MemberId) {
        if !self.config.differences.ask_suspects {
            return;
        }
        // A checkpoint that was tampered with can name a record that does not exist.
        let Some(record) = self.members.try_record(id) else { return };
        let Some(slot) = record.suspicion() else { return };
        self.stop_asking(id);
        let suspect = self.suspects.get_mut(slot);
        if !suspect.suspicion_mut().restart(self.now) {
            return;
        }
        self.counters.suspects_answered += 1;
        let (deadline, timer) = (suspect.suspicion().deadline(), suspect.timer());
        self.timers.reschedule(timer, self.next_look(deadline));
    }

    /// No answer is awaited any more.
    pub(super) fn stop_asking(&mut self, id: MemberId) {
        let slot = self.members.record(id).suspicion();
        if let Some(sequence) = slot.and_then(|slot| self.suspects.get_mut(slot).answered()) {
            self.probes.stop_waiting(sequence);
        }
    }
}
