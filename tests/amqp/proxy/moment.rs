//! [`Moment`]: the points in a task's way at which things can be made to break.

use std::{collections::HashMap, sync::mpsc};

use super::{
    frame::{ACK, CANCEL, CONSUME, DELIVER, Frame, PUBLISH},
    line::Line,
};

/// A point in a task's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The client's message is on its way to the broker.
    Submit,
    /// The broker has the message, and its confirmation is on the way.
    Confirm,
    /// The task is on its way to the worker.
    Deliver,
    /// The body runs. No frame tells of it.
    Running,
    /// The result is on its way to the broker.
    ResultPublish,
    /// The broker has the result, and its confirmation is on the way.
    ResultConfirm,
    /// The acknowledgement is on its way to the broker.
    Ack,
    /// A worker's wish to get no more tasks is on its way to the broker.
    Leave,
}

/// What has been seen of one connection.
#[derive(Debug, Default)]
pub struct Seen {
    /// Who consumes on which channel: the queue, and the tag of the consumer.
    pub consumers: HashMap<u16, (String, String)>,
    /// A task, or a result, was passed on to the broker.
    task_out: bool,
    result_out: bool,
}

impl Seen {
    fn consumes_tasks(&self, channel: u16) -> bool {
        self.consumers.get(&channel).is_some_and(|(queue, _)| queue.contains(".q."))
    }

    /// The moment that has come with a frame for the broker. A message comes with its header.
    pub fn up(&mut self, frame: &Frame, header: Option<&Frame>) -> Option<Moment> {
        match frame.method()? {
            CONSUME => {
                let [queue, tag] = frame.texts(2);
                self.consumers.insert(frame.channel(), (queue, tag));
                None
            }
            PUBLISH => {
                let [exchange] = frame.texts(2);
                if exchange.ends_with(".task") {
                    self.task_out = true;
                    return Some(Moment::Submit);
                }
                let is_result = header.is_some_and(|header| header.contains("result"));
                if exchange.ends_with(".reply") && is_result {
                    self.result_out = true;
                    return Some(Moment::ResultPublish);
                }
                None
            }
            ACK if self.consumes_tasks(frame.channel()) => Some(Moment::Ack),
            CANCEL if self.consumes_tasks(frame.channel()) => Some(Moment::Leave),
            _ => None,
        }
    }

    /// The moment that has come with a frame from the broker.
    pub fn down(&self, frame: &Frame) -> Option<Moment> {
        match frame.method()? {
            DELIVER if self.consumes_tasks(frame.channel()) => Some(Moment::Deliver),
            ACK if self.result_out => Some(Moment::ResultConfirm),
            ACK if self.task_out => Some(Moment::Confirm),
            _ => None,
        }
    }
}

/// A moment that is waited for.
pub struct Watch {
    moment: Moment,
    left: usize,
    tell: mpsc::Sender<Line>,
}

impl Watch {
    pub fn new(moment: Moment, after: usize, tell: mpsc::Sender<Line>) -> Self {
        Self { moment, left: after, tell }
    }

    /// Whether this is what was waited for.
    pub fn is(&mut self, moment: Moment) -> bool {
        if moment != self.moment {
            return false;
        }
        let now = self.left == 0;
        self.left = self.left.saturating_sub(1);
        now
    }

    pub fn tell(self, line: Line) {
        self.tell.send(line).unwrap();
    }
}
