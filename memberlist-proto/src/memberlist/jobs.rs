//! Work that is handed out, and what is done in parts.

use alloc::boxed::Box;

use super::Memberlist;
use crate::input::Input;
use crate::job::{For, Job, JobId, JobOutput, Output, Sealed, Work};
use crate::letters::Addressee;
use crate::time::Instant;

impl Memberlist {
    /// The next job, of which there are none unless
    /// [`Config::hand_out_jobs`](crate::Config::hand_out_jobs) is set. It may be [run](Job::run) on
    /// any thread, and its result is to be handed in by [`job_done`](Self::job_done): a long message
    /// of the application waits for its job without a time limit. At most
    /// `limits.jobs` of them are out at a time, beside one [turn](Job::is_turn).
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

    /// Takes in the result of a job. Without one, or if the rules that it was done by have changed
    /// meanwhile, the node does the job by itself, now or later. A result that comes twice, or is not
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

    /// A part of what is done in parts.
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
