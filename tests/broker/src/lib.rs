//! RabbitMQ for tests.
//!
//! The broker that `OUTWORK_TEST_AMQP_URL` names, if it is set; else a container, if a Docker
//! engine answers; else a private node of the installed `rabbitmq-server`; else an error that
//! says what to install. `OUTWORK_TEST_BROKER` insists on one of them: `given`, `container` or
//! `node`. Where nobody insists, an engine that cannot give a container, because it reaches no
//! registry, is told on the standard error and passed over for the installed programs. A test is
//! never left out in silence.
//!
//! One broker serves all tests of a binary, each in a [`Space`] of its own. A test that breaks
//! its broker starts [one for itself](Broker::private). All of them are gone when the process
//! that started them is, also when it is killed.
#![allow(clippy::missing_errors_doc, reason = "every error here is a test that cannot be run")]

mod choice;
mod container;
mod given;
mod node;
mod ready;
mod space;
mod tls;

use std::{
    fmt,
    io::Write,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use anyhow::{Context, Result, bail};

use crate::choice::Choice;
pub use crate::{container::Container, node::Node, space::Space, tls::Tls};

/// A broker that tests use.
#[derive(Debug)]
pub struct Broker {
    kind: Kind,
    spaces: Mutex<Vec<String>>,
}

#[derive(Debug)]
enum Kind {
    Given(String),
    Container(Box<Container>),
    Node(Node),
}

/// How many virtual hosts are made at once, because asking the broker takes a second.
const SPACES: usize = 16;

/// Names the broker that all tests share.
const URL: &str = "OUTWORK_TEST_AMQP_URL";

/// What to say where there is no broker.
pub const MISSING: &str = "no RabbitMQ for the tests: install one (on Debian and Ubuntu \
    `apt-get install rabbitmq-server`; it need not be started), start Docker, or set \
    OUTWORK_TEST_AMQP_URL to a broker that may be written to";

impl Broker {
    /// The broker that all tests of this process share.
    pub fn shared() -> Result<Arc<Self>> {
        static SHARED: Mutex<Option<Arc<Broker>>> = Mutex::new(None);
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(broker) = &*shared {
            return Ok(Arc::clone(broker));
        }
        let broker = Arc::new(Self::find()?);
        tell(&format!("the tests run on RabbitMQ {}, {}", broker.version()?, broker.kind));
        *shared = Some(Arc::clone(&broker));
        Ok(broker)
    }

    fn find() -> Result<Self> {
        let choice = Choice::of_environment()?;
        match std::env::var(URL) {
            Ok(url) if matches!(choice, Choice::Best | Choice::Given) => {
                Ok(Self::new(Kind::Given(url)))
            }
            Err(_) if choice == Choice::Given => bail!("{URL} is to name a broker, and is not set"),
            _ => Self::own(choice, None),
        }
    }

    /// A broker that a test may stop, starve and kill.
    pub fn private() -> Result<Self> {
        Self::own(Choice::of_environment()?, None)
    }

    /// A broker that listens for TLS as well.
    pub fn with_tls(tls: &Tls) -> Result<Self> {
        Self::own(Choice::of_environment()?, Some(tls))
    }

    fn own(choice: Choice, tls: Option<&Tls>) -> Result<Self> {
        match choice {
            Choice::Container if !container::engine_answers() => {
                bail!("OUTWORK_TEST_BROKER=container, and `docker version` finds no engine")
            }
            Choice::Container => Self::contained(tls),
            Choice::Best | Choice::Given if container::engine_answers() => {
                Self::contained_if_it_can_be(tls)
            }
            Choice::Best | Choice::Given | Choice::Node => Self::installed(tls),
        }
    }

    fn contained(tls: Option<&Tls>) -> Result<Self> {
        Ok(Self::new(Kind::Container(Box::new(Container::start(tls)?))))
    }

    /// A container, or once none could be had, a private node.
    fn contained_if_it_can_be(tls: Option<&Tls>) -> Result<Self> {
        static FAILED: OnceLock<()> = OnceLock::new();
        if FAILED.get().is_some() {
            return Self::installed(tls);
        }
        let error = match Self::contained(tls) {
            Err(error) if installed().is_some() => error,
            done => return done,
        };
        if FAILED.set(()).is_ok() {
            tell(&format!("{error:#}: taking the installed rabbitmq-server instead"));
        }
        Self::installed(tls)
    }

    fn installed(tls: Option<&Tls>) -> Result<Self> {
        match installed() {
            Some(programs) => Ok(Self::new(Kind::Node(Node::start(&programs, tls)?))),
            None => bail!(MISSING),
        }
    }

    fn new(kind: Kind) -> Self {
        Self { kind, spaces: Mutex::default() }
    }

    /// A place for one test: a virtual host of its own, or on a broker that was given, a prefix.
    pub fn space(&self) -> Result<Space> {
        if let Kind::Given(url) = &self.kind {
            return Ok(given::space(url));
        }
        let mut spaces = self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        if spaces.is_empty() {
            let names: Vec<_> = (0..SPACES).map(|_| space::fresh_name()).collect();
            self.ctl(&["eval", &space::creation(&names)]).context("no virtual hosts")?;
            spaces.extend(names);
        }
        let vhost = spaces.pop().context("virtual hosts were just made")?;
        drop(spaces);
        let (host, port) = self.address();
        Ok(Space::new(format!("amqp://guest:guest@{host}:{port}/{vhost}"), "outwork", &vhost))
    }

    /// Where the broker listens.
    #[must_use]
    pub fn address(&self) -> (String, u16) {
        match &self.kind {
            Kind::Given(url) => given::address(url),
            Kind::Container(container) => container.address(),
            Kind::Node(node) => ("127.0.0.1".to_owned(), node.port()),
        }
    }

    /// Runs `rabbitmqctl` and returns what it prints.
    pub fn ctl(&self, args: &[&str]) -> Result<String> {
        match &self.kind {
            Kind::Given(_) => bail!(NOT_OURS),
            Kind::Container(container) => container.ctl(args),
            Kind::Node(node) => node.ctl(args),
        }
    }

    /// Where it listens for TLS, if it was [started so](Broker::with_tls).
    pub fn tls_address(&self) -> Result<(String, u16)> {
        match &self.kind {
            Kind::Given(_) => bail!(NOT_OURS),
            Kind::Container(container) => Ok(container.tls_address()),
            Kind::Node(node) => Ok(("127.0.0.1".to_owned(), node.tls_port())),
        }
    }

    /// The version that it says it is, such as `4.0.5`.
    pub fn version(&self) -> Result<String> {
        let (host, port) = self.address();
        ready::version(&host, port)
    }

    /// Kills it with no chance to say goodbye.
    ///
    /// What it has confirmed it has written, but which queues and streams there are it only
    /// notes now and then: those that were made in the last moments before it was killed may
    /// stay down for ever. These notes are written first, as if the queues were older.
    pub fn kill(&self) -> Result<()> {
        self.ctl(&["eval", "lists:foreach(fun dets:sync/1, dets:all())."])?;
        match &self.kind {
            Kind::Given(_) => bail!(NOT_OURS),
            Kind::Container(container) => container.kill(),
            Kind::Node(node) => node.kill(),
        }
    }

    /// Starts it again after it was killed, where it was, with what it had written to disk.
    pub fn resume(&self) -> Result<()> {
        match &self.kind {
            Kind::Given(_) => bail!(NOT_OURS),
            Kind::Container(container) => container.resume(),
            Kind::Node(node) => node.resume(),
        }
    }

    /// Stops its processes without ending them, as a hung machine does.
    pub fn freeze(&self) -> Result<()> {
        match &self.kind {
            Kind::Given(_) => bail!(NOT_OURS),
            Kind::Container(container) => container.freeze(),
            Kind::Node(node) => node.freeze(),
        }
    }

    /// Lets frozen processes go on.
    pub fn thaw(&self) -> Result<()> {
        match &self.kind {
            Kind::Given(_) => bail!(NOT_OURS),
            Kind::Container(container) => container.thaw(),
            Kind::Node(node) => node.thaw(),
        }
    }

    /// What would be left of it if nobody removed it: the name of a container, or a folder.
    pub fn trace(&self) -> Result<String> {
        match &self.kind {
            Kind::Given(_) => bail!(NOT_OURS),
            Kind::Container(container) => Ok(container.name().to_owned()),
            Kind::Node(node) => Ok(node.folder().display().to_string()),
        }
    }
}

const NOT_OURS: &str = "a broker that was given is not the tests' own";

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(url) => {
                let (host, port) = given::address(url);
                write!(f, "which was given at {host}:{port}")
            }
            Self::Container(container) => write!(f, "a container of {}", container.image()),
            Self::Node(_) => f.write_str("a private node of the installed programs"),
        }
    }
}

/// Says something even if the output of tests is captured.
fn tell(what: &str) {
    let _ = writeln!(std::io::stderr(), "outwork-test-broker: {what}");
}

/// The folder of the installed broker's programs.
#[must_use]
pub fn installed() -> Option<PathBuf> {
    let debian = PathBuf::from("/usr/lib/rabbitmq/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(debian)
        .chain(std::env::split_paths(&path))
        .find(|folder| folder.join("rabbitmq-server").is_file())
}

/// Whether a broker can be had without installing anything.
#[must_use]
pub fn is_available() -> bool {
    std::env::var_os(URL).is_some() || installed().is_some() || container::engine_answers()
}
