//! Jobs that are handed out, and work that is done in parts.

use alloc::boxed::Box;

use super::Memberlist;
use crate::input::Input;
use crate::job::{For, Job, JobId, JobOutput, Output, Sealed, Work};
use crate::letters::Addressee;
use crate::time::Instant;

impl Memberlist {
    /// Takes the next job; `None` if there is none, as always without
    /// [`Config::hand_out_jobs`](crate::Config::hand_out_jobs), or if `limits.jobs` of them are
    /// out. One [turn](Job::is_turn) may be out beside these. Each job may be [run](Job::run) on
    /// any thread, and must be handed back by [`job_done`](Self::job_done), with or without its
    /// result: a long message of the application waits for its job without a time limit.
    pub fn poll_job(&mut self) -> Option<Job> {
        loop {
            let (id, what) = self.jobs.next(self.config.limits.jobs)?;
            let work = match what {
                For::Turn => Some(Work::Turn),
                For::Open(stream, known) => {
                    let known = self.known_message(known);
                    self.open_job(stream, known).map(|open| Work::Open(Box::new(open)))
                }
                For::Seal => self.seal_job(id).map(|seal| Work::Seal(Box::new(seal))),
                For::Letter => self.letter_job(id).map(|seal| Work::Seal(Box::new(seal))),
            };
            if let Some(work) = work {
                return Some(Job { id, work });
            }
        }
    }

    /// Hands in the result of a job. Without a result (`None`) the node does the job itself, now or
    /// later. If the keys or settings by which the job was made have changed in the meantime, its
    /// result is dropped and the job is handed out again. A result that comes twice, or is not
    /// needed any more, is ignored.
    pub fn job_done(&mut self, now: Instant, id: JobId, output: Option<JobOutput>) {
        self.enter(now, || Input::JobDone { id, output: None });
        self.step(now, |node| node.take_output(id, output));
    }

    fn take_output(&mut self, id: JobId, output: Option<JobOutput>) {
        let Some((what, current)) = self.jobs.done(id) else { return };
        let output = output.map(|output| output.0);
        match what {
            For::Turn => self.turn(),
            For::Open(stream, _) if !current => self.open_later(stream),
            For::Open(stream, known) => {
                let opened = match output {
                    Some(Output::Opened(result, known)) => Some((result, known)),
                    _ => None,
                };
                self.opened(stream, opened, known);
            }
            For::Seal => self.state_sealed(id, sealed(output), current),
            For::Letter => match self.letter_sealed(id, sealed(output), current) {
                Some((Addressee::One { op, address, node }, frame)) => {
                    self.post(op, address, node, frame);
                }
                Some((Addressee::All(id), frame)) => self.parcel_sealed(id, frame),
                None => {}
            },
        }
        if self.builds.wants_turn() || self.jobs.has_intakes() {
            self.jobs.want_turn();
        }
    }

    /// Does the next part of the work that is done in parts.
    fn turn(&mut self) {
        self.take_in_more();
        self.build_states();
    }
}

fn sealed(output: Option<Output>) -> Option<Sealed> {
    match output {
        Some(Output::Sealed(sealed)) => Some(sealed),
        _ => None,
    }
}
