//! [`Proxy`]: stands between a broker and one who talks to it, and breaks things at the moment
//! that a test wants.

mod frame;
mod line;
mod moment;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use tokio::net::{TcpListener, TcpStream};

pub use self::{line::Line, moment::Moment};
use self::{line::Lines, moment::Watch};

/// Passes frames on between a broker and whoever connects, and can hold them at a moment.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    /// Ends the thread when it is dropped.
    _alive: tokio::sync::oneshot::Sender<()>,
}

/// What the lines of a proxy have in common.
#[derive(Default)]
struct Shared {
    lines: Lines,
    /// Nobody new is let in.
    closed: AtomicBool,
    /// How many came all the same.
    turned_away: AtomicUsize,
    watch: Mutex<Option<Watch>>,
}

impl Proxy {
    /// In front of the broker at this address.
    pub fn before(broker: (String, u16)) -> Self {
        let (alive, gone) = tokio::sync::oneshot::channel();
        let shared = Arc::new(Shared::default());
        let (tell, port) = mpsc::channel();
        let accepting = Arc::clone(&shared);
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
                tell.send(listener.local_addr().unwrap().port()).unwrap();
                tokio::select! {
                    () = accept(listener, broker, accepting) => {}
                    _ = gone => {}
                }
            });
        };
        thread::Builder::new().name("proxy".to_owned()).spawn(serve).unwrap();
        Self { port: port.recv().unwrap(), shared, _alive: alive }
    }

    /// The URL of the broker, by way of here.
    pub fn url(&self, url: &str) -> String {
        let (user, rest) = url.split_once('@').unwrap();
        let (_, vhost) = rest.split_once('/').unwrap();
        format!("{user}@127.0.0.1:{}/{vhost}", self.port)
    }

    /// Holds what comes at such a moment, after letting so many of them pass.
    pub fn hold_at(&self, moment: Moment, after: usize) -> Hold {
        let (tell, held) = mpsc::channel();
        *self.shared.watch.lock().unwrap() = Some(Watch::new(moment, after, tell));
        Hold { held, moment }
    }

    /// Closes every new connection at once, as if there were no broker.
    pub fn close_door(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
    }

    pub fn open_door(&self) {
        self.shared.closed.store(false, Ordering::SeqCst);
    }

    /// How many have come to a closed door.
    pub fn turned_away(&self) -> usize {
        self.shared.turned_away.load(Ordering::SeqCst)
    }

    /// All connections that are there now.
    pub fn lines(&self) -> Vec<Line> {
        self.shared.lines.all()
    }

    /// The connection that consumes from a queue whose name has this in it.
    pub fn line_of(&self, queue: &str) -> Line {
        let lines = self.lines();
        lines.into_iter().find(|line| line.consumes(queue)).expect("nobody consumes from it")
    }
}

/// Something that is going to be held.
pub struct Hold {
    held: mpsc::Receiver<Line>,
    moment: Moment,
}

impl Hold {
    /// Waits for the moment; the connection on which it has come, and where nothing passes any
    /// more until it is [let go](Line::let_go).
    pub fn wait(&self, patience: Duration) -> Line {
        let held = self.held.recv_timeout(patience);
        held.unwrap_or_else(|_| panic!("{:?} did not come within {patience:?}", self.moment))
    }
}

async fn accept(listener: TcpListener, broker: (String, u16), shared: Arc<Shared>) {
    loop {
        let (peer, _) = listener.accept().await.unwrap();
        if shared.closed.load(Ordering::SeqCst) {
            shared.turned_away.fetch_add(1, Ordering::SeqCst);
            continue;
        }
        let (broker, shared) = (broker.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            // A broker that is away is a connection that is closed at once.
            let Ok(broker) = TcpStream::connect((broker.0.as_str(), broker.1)).await else {
                return;
            };
            line::carry(peer, broker, &shared).await;
        });
    }
}
