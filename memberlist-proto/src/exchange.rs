//! The exchanges over streams: the purpose and the progress of each.

mod intake;
mod stage;
mod table;

use alloc::boxed::Box;
use core::net::SocketAddr;

pub(crate) use self::intake::{Intake, Only, Phase, Survey, body};
pub(crate) use self::stage::{
    AcceptedStep, MessageStep, PingFor, PingStep, PushPullStep, Question, Sender, Stage, Waiter,
    Why,
};
pub(crate) use self::table::Exchanges;
use crate::event::{ExchangeError, ExchangeKind, ExchangeStep};
use crate::job::{JobId, Mark};
use crate::time::Instant;
use crate::timers::TimerId;
use crate::transmit::RequestId;
use crate::wire::frame::{Eof, Frame, FrameReader, Role};

/// One stream and the exchange on it: at most one message in each direction.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Exchange {
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
    peer: SocketAddr,
    begun: Instant,
    /// Whether a peer opened it; otherwise this node did.
    accepted: bool,
    stage: Stage,
    reader: FrameReader,
    timer: Option<TimerId>,
    /// Bytes given to the driver, and how many of them it has written.
    queued: u64,
    written: u64,
    /// The mark of the full state sent on a stream that was opened here: a peer that sends the same
    /// state may be this node itself.
    sent_state: Option<Mark>,
    /// The job that opens the peer's message.
    opening: Option<JobId>,
    /// Whether it serves a push/pull, of which only `limits.push_pulls` may run at a time.
    serves_push_pull: bool,
    /// Bytes of memory for the nodes that are shown to the application before a merge.
    reported: usize,
    /// Bytes of memory counted for what the peer has sent, and what was made of it.
    held: usize,
}

/// What an exchange does once its connection is established.
#[derive(Clone, Debug)]
pub(crate) enum Opening {
    /// Ask for the application's state, then send the full state.
    PushPull(Why),
    /// Send this frame and close.
    Message(bytes::Bytes),
    /// Send this frame and wait for the ack.
    Ping(bytes::Bytes),
}

impl Exchange {
    /// A stream that a peer opened.
    pub(crate) fn accepted(peer: SocketAddr, now: Instant) -> Self {
        Self::new(peer, now, true, Stage::Accepted(AcceptedStep::Reading))
    }

    /// A stream that this node opens.
    pub(crate) fn opened(peer: SocketAddr, now: Instant, stage: Stage) -> Self {
        Self::new(peer, now, false, stage)
    }

    fn new(peer: SocketAddr, now: Instant, accepted: bool, stage: Stage) -> Self {
        let role = if accepted { Role::Acceptor } else { Role::Initiator };
        Self {
            peer,
            begun: now,
            accepted,
            stage,
            reader: FrameReader::new(role),
            timer: None,
            queued: 0,
            written: 0,
            sent_state: None,
            opening: None,
            serves_push_pull: false,
            reported: 0,
            held: 0,
        }
    }

    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    pub(crate) fn is_accepted(&self) -> bool {
        self.accepted
    }

    pub(crate) fn stage(&self) -> &Stage {
        &self.stage
    }

    pub(crate) fn kind(&self) -> Option<ExchangeKind> {
        self.stage.kind()
    }

    /// The timer of the step that runs, for the caller to set.
    pub(crate) fn timer(&mut self) -> &mut Option<TimerId> {
        &mut self.timer
    }

    pub(crate) fn reader(&mut self) -> &mut FrameReader {
        &mut self.reader
    }

    /// Notes that bytes were given to the driver.
    pub(crate) fn queue(&mut self, bytes: usize) {
        self.queued = self.queued.saturating_add(bytes as u64);
    }

    /// Notes that the driver has written bytes. Returns whether everything queued is written now.
    pub(crate) fn wrote(&mut self, bytes: usize) -> bool {
        self.written = self.written.saturating_add(bytes as u64);
        self.has_written_all()
    }

    pub(crate) fn has_queued(&self) -> bool {
        self.queued > 0
    }

    pub(crate) fn has_written_all(&self) -> bool {
        self.written >= self.queued
    }

    /// Whether a peer opened it and has not sent anything yet.
    pub(crate) fn is_silent(&self) -> bool {
        self.accepted && self.reader.eof() == Eof::Empty && self.reader.layers().label.is_none()
    }

    /// Whether it was opened here, and waits for an answer of which nothing has arrived.
    pub(crate) fn awaits_answer(&self) -> bool {
        !self.accepted
            && self.stage.reads()
            && !matches!(self.stage, Stage::Message(..))
            && self.reader.eof() == Eof::Empty
    }

    /// The error if the peer closes it now, where a label takes the first `label` bytes. A peer
    /// that cannot have read more than the label has not closed because of what would have
    /// followed.
    pub(crate) fn closed(&self, label: usize) -> ExchangeError {
        let only_label = label > 0 && !self.accepted && self.written <= label as u64;
        if only_label || self.has_written_all() {
            ExchangeError::Closed
        } else {
            ExchangeError::CutOff { written: self.written, len: self.queued }
        }
    }

    /// Notes that the connection is established. Returns what to do with it; `None` if it was not
    /// being opened.
    pub(crate) fn connect(&mut self) -> Option<Opening> {
        match &mut self.stage {
            Stage::PushPull(why, step @ PushPullStep::Connecting) => {
                *step = PushPullStep::Reading;
                Some(Opening::PushPull(*why))
            }
            Stage::Message(_, step) => {
                let MessageStep::Connecting(frame) = step else { return None };
                let frame = core::mem::take(frame);
                *step = MessageStep::Writing;
                Some(Opening::Message(frame))
            }
            Stage::Ping(_, step) => {
                let PingStep::Connecting(frame) = step else { return None };
                let frame = core::mem::take(frame);
                *step = PingStep::Reading;
                Some(Opening::Ping(frame))
            }
            Stage::Accepted(_) | Stage::PushPull(..) | Stage::Closing => None,
        }
    }

    /// Begins to wait for the application's state. An acceptor keeps the peer's state meanwhile.
    pub(crate) fn ask_state(&mut self, request: RequestId, received: Option<Frame>) {
        self.stage = match (&self.stage, received) {
            (Stage::Accepted(_), Some(received)) => {
                Stage::Accepted(AcceptedStep::AskingState(request, received))
            }
            (Stage::PushPull(why, _), None) => {
                Stage::PushPull(*why, PushPullStep::AskingState(request))
            }
            _ => return,
        };
    }

    /// Begins to wait for the application's decision on a merge.
    pub(crate) fn ask_merge(&mut self, request: RequestId, received: Frame) {
        self.stage = match self.stage {
            Stage::PushPull(why, _) => {
                Stage::PushPull(why, PushPullStep::AskingMerge(request, received))
            }
            Stage::Accepted(_) => Stage::Accepted(AcceptedStep::AskingMerge(request, received)),
            _ => return,
        };
    }

    /// The job that opens the peer's message, for the caller to set.
    pub(crate) fn opening(&mut self) -> &mut Option<JobId> {
        &mut self.opening
    }

    pub(crate) fn is_opening(&self) -> bool {
        self.opening.is_some()
    }

    /// Begins to wait for this node's state. An acceptor keeps the peer's state meanwhile.
    pub(crate) fn build(&mut self, received: Option<Frame>) {
        self.stage = match (&self.stage, received) {
            (Stage::Accepted(_), Some(received)) => {
                Stage::Accepted(AcceptedStep::Building(received))
            }
            (Stage::PushPull(why, _), None) => Stage::PushPull(*why, PushPullStep::Building),
            _ => return,
        };
    }

    /// Notes that this node's state is built. As acceptor, returns the peer's state.
    pub(crate) fn built(&mut self) -> Option<Frame> {
        self.stage.take_built()
    }

    /// Begins, or continues, the intake of the peer's state.
    pub(crate) fn take_in(&mut self, intake: Box<Intake>) {
        self.stage.take_in(intake);
    }

    pub(crate) fn take_intake(&mut self) -> Option<Box<Intake>> {
        self.stage.take_intake()
    }

    /// Counts the memory for the nodes that are about to be shown to the application.
    pub(crate) fn report(&mut self, bytes: usize) {
        self.reported = bytes;
    }

    /// Notes that the application has answered, and returns what it was asked.
    fn take_question(&mut self) -> Option<Question> {
        self.reported = 0;
        self.stage.take_question()
    }

    /// Notes that nothing more is to be sent or read. Returns whether the driver still has to be
    /// asked to close the stream; `None` if the exchange was closing already.
    pub(crate) fn close(&mut self) -> Option<bool> {
        let closes = match self.stage {
            Stage::Closing => return None,
            // The close was queued behind the message as soon as the connection was established.
            Stage::Message(_, MessageStep::Writing) => false,
            _ => true,
        };
        self.stage = Stage::Closing;
        self.reported = 0;
        self.reader = FrameReader::new(Role::Initiator);
        Some(closes)
    }

    /// The step that the exchange is at, for the error when it takes too long; `None` if it is only
    /// being closed.
    pub(crate) fn step(&self) -> Option<ExchangeStep> {
        let step = self.stage.step()?;
        if self.opening.is_some() {
            return Some(ExchangeStep::Working);
        }
        let writes = step == ExchangeStep::Reading && !self.has_written_all();
        Some(if writes { ExchangeStep::Writing } else { step })
    }

    /// Whether its parts fit together; checked for an exchange read from a checkpoint.
    #[cfg(feature = "checkpoint")]
    fn is_sound(&self) -> bool {
        // Only what no limit bounds is checked here.
        isize::try_from(self.held).is_ok()
            && isize::try_from(self.reported).is_ok()
            && self.stage.received().is_none_or(Frame::is_sound)
            && self.stage.intake().is_none_or(Intake::is_sound)
            && (self.opening.is_none() || self.reader.is_whole())
    }

    /// Bytes of memory taken now by what the peer has sent and by what was made of it. On a stream
    /// that this node opened, only the latter counts: a short answer can expand to much.
    fn holds(&self) -> usize {
        if !self.accepted {
            return self.reported;
        }
        let frame = self.stage.received().map_or(0, |frame| frame.as_bytes().len());
        self.reader.capacity().saturating_add(frame).saturating_add(self.reported)
    }
}
