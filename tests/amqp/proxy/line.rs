//! [`Line`]: one connection through a proxy.

use std::{
    fmt,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU16, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::{mpsc, watch},
};

use super::{
    Shared,
    frame::{Frame, PUBLISH},
    moment::{Moment, Seen},
};

/// One connection through a proxy. It lives on without this.
#[derive(Clone)]
pub struct Line(Arc<Inner>);

struct Inner {
    seen: Mutex<Seen>,
    state: watch::Sender<State>,
    /// The channel of the frame that was held.
    channel: AtomicU16,
    up: mpsc::UnboundedSender<Frame>,
    down: mpsc::UnboundedSender<Frame>,
}

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Nothing passes for now.
    Held,
    /// Nothing passes any more, and nobody is told.
    Dead,
    Reset,
}

/// The connections of a proxy.
#[derive(Default)]
pub struct Lines(Mutex<Vec<Weak<Inner>>>);

impl Lines {
    pub fn all(&self) -> Vec<Line> {
        let lines = self.0.lock().unwrap();
        let lines = lines.iter().filter_map(Weak::upgrade);
        lines.filter(|line| !line.state.is_closed()).map(Line).collect()
    }
}

impl Line {
    /// Lets pass what was held.
    pub fn let_go(&self) {
        self.0.state.send_if_modified(|state| {
            let held = *state == State::Held;
            if held {
                *state = State::Open;
            }
            held
        });
    }

    /// Resets both sides.
    pub fn reset(&self) {
        self.0.state.send_replace(State::Reset);
    }

    /// Lets nothing pass any more, and tells nobody.
    pub fn die(&self) {
        self.0.state.send_replace(State::Dead);
    }

    /// Makes the broker close the channel on which something was held, or on which tasks are
    /// consumed, with 406.
    pub fn break_channel(&self) {
        let held = self.0.channel.load(Ordering::SeqCst);
        let channel = if held == 0 { self.consumer(".q.").0 } else { held };
        self.0.up.send(Frame::bad_ack(channel)).unwrap();
    }

    /// Says to the peer that the broker has cancelled its consumer of a queue.
    pub fn cancel_consumer(&self, queue: &str) {
        let (channel, tag) = self.consumer(queue);
        self.0.down.send(Frame::cancel(channel, &tag)).unwrap();
    }

    pub fn consumes(&self, queue: &str) -> bool {
        let seen = self.0.seen.lock().unwrap();
        seen.consumers.values().any(|(of, _)| of.contains(queue))
    }

    fn consumer(&self, queue: &str) -> (u16, String) {
        let seen = self.0.seen.lock().unwrap();
        let mut consumers = seen.consumers.iter();
        let found = consumers.find(|(_, (of, _))| of.contains(queue));
        let (channel, (_, tag)) = found.expect("nobody consumes from it");
        (*channel, tag.clone())
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("state", &*self.0.state.borrow()).finish_non_exhaustive()
    }
}

/// Carries frames both ways until one side ends, or the test has it otherwise.
pub async fn carry(mut peer: TcpStream, mut broker: TcpStream, shared: &Shared) {
    let (up, ups) = mpsc::unbounded_channel();
    let (down, downs) = mpsc::unbounded_channel();
    let inner = Inner {
        seen: Mutex::default(),
        state: watch::Sender::new(State::Open),
        channel: AtomicU16::new(0),
        up,
        down,
    };
    let line = Line(Arc::new(inner));
    shared.lines.0.lock().unwrap().push(Arc::downgrade(&line.0));
    let mut state = line.0.state.subscribe();
    let resets = {
        let (peer_in, peer_out) = peer.split();
        let (broker_in, broker_out) = broker.split();
        let (line, shared) = (&line, shared);
        tokio::select! {
            () = upwards(Way { from: peer_in, to: broker_out, injected: ups, line, shared }) => false,
            () = downwards(Way { from: broker_in, to: peer_out, injected: downs, line, shared }) => false,
            _ = state.wait_for(|state| *state == State::Reset) => true,
        }
    };
    // Kept open when it is dead, so that nobody notices.
    let _ = state.wait_for(|state| *state != State::Dead).await;
    if resets {
        for stream in [&peer, &broker] {
            stream.set_zero_linger().unwrap();
        }
    }
    shared
        .lines
        .0
        .lock()
        .unwrap()
        .retain(|other| !std::ptr::eq(other.as_ptr(), &raw const *line.0));
}

/// One of the two ways of a connection.
struct Way<'a> {
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    injected: mpsc::UnboundedReceiver<Frame>,
    line: &'a Line,
    shared: &'a Shared,
}

impl Way<'_> {
    /// The next frame that was read, after passing on what was injected. Nothing at the end.
    async fn next(&mut self, read: &mut Vec<u8>) -> Option<Frame> {
        loop {
            if let Some(frame) = Frame::take(read) {
                return Some(frame);
            }
            tokio::select! {
                count = self.from.read_buf(read) => if count.ok()? == 0 { return None },
                Some(frame) = self.injected.recv() => self.pass(&frame).await?,
            }
        }
    }

    /// Holds everything if this is the moment; then waits until things may pass, and says what
    /// was injected meanwhile.
    async fn check(&mut self, moment: Option<Moment>, channel: u16) -> Option<()> {
        let mut state = self.line.0.state.subscribe();
        if let Some(moment) = moment {
            let watch = {
                let mut watch = self.shared.watch.lock().unwrap();
                if watch.as_mut().is_some_and(|watch| watch.is(moment)) {
                    watch.take()
                } else {
                    None
                }
            };
            if let Some(watch) = watch {
                self.line.0.channel.store(channel, Ordering::SeqCst);
                self.line.0.state.send_replace(State::Held);
                watch.tell(self.line.clone());
            }
        }
        // The sender lives in the line.
        let _ = state.wait_for(|state| *state == State::Open).await;
        while let Ok(frame) = self.injected.try_recv() {
            self.pass(&frame).await?;
        }
        Some(())
    }

    async fn pass(&mut self, frame: &Frame) -> Option<()> {
        self.to.write_all(&frame.bytes).await.ok()
    }
}

async fn upwards(mut way: Way<'_>) {
    let mut read = Vec::new();
    while let Some(frame) = way.next(&mut read).await {
        // A message is only known by its header.
        let header = match frame.method() {
            Some(PUBLISH) => loop {
                match Frame::take(&mut read) {
                    Some(header) => break Some(header),
                    None => match way.from.read_buf(&mut read).await {
                        Ok(0) | Err(_) => return,
                        Ok(_) => {}
                    },
                }
            },
            _ => None,
        };
        debug_assert!(header.as_ref().is_none_or(Frame::is_header), "frames are interleaved");
        let moment = way.line.0.seen.lock().unwrap().up(&frame, header.as_ref());
        for frame in std::iter::once(frame).chain(header) {
            let moment = moment.filter(|_| frame.method().is_some());
            if way.check(moment, frame.channel()).await.is_none()
                || way.pass(&frame).await.is_none()
            {
                return;
            }
        }
    }
}

async fn downwards(mut way: Way<'_>) {
    let mut read = Vec::new();
    while let Some(frame) = way.next(&mut read).await {
        let moment = way.line.0.seen.lock().unwrap().down(&frame);
        if way.check(moment, frame.channel()).await.is_none() || way.pass(&frame).await.is_none() {
            return;
        }
    }
}
