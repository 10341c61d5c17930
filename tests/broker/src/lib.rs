//! RabbitMQ for tests.
//!
//! The broker that `OUTWORK_TEST_AMQP_URL` names, if it is set; else a container, if a Docker
//! engine answers; else a private node of the installed `rabbitmq-server`; else an error that
//! says what to install. A test is never left out in silence.
//!
//! One broker serves all tests of a binary, each in a [`Space`] of its own. A test that breaks
//! its broker starts [one for itself](Broker::private). All of them are gone when the process
//! that started them is, also when it is killed.
#![allow(clippy::missing_errors_doc, reason = "every error here is a test that cannot be run")]

mod container;
mod given;
mod node;
mod ready;
mod space;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result, bail};

pub use container::Container;
pub use node::Node;
pub use space::Space;

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
        *shared = Some(Arc::clone(&broker));
        Ok(broker)
    }

    fn find() -> Result<Self> {
        if let Ok(url) = std::env::var("OUTWORK_TEST_AMQP_URL") {
            return Ok(Self::new(Kind::Given(url)));
        }
        if container::engine_answers() {
            return Ok(Self::new(Kind::Container(Box::new(Container::start()?))));
        }
        Self::private()
    }

    /// A private node that a test may stop, starve and kill.
    pub fn private() -> Result<Self> {
        match installed() {
            Some(programs) => Ok(Self::new(Kind::Node(Node::start(&programs)?))),
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
            Kind::Given(_) => bail!("a broker that was given cannot be commanded from here"),
            Kind::Container(container) => container.ctl(args),
            Kind::Node(node) => node.ctl(args),
        }
    }

    /// The private node, to stop it and to start it again.
    pub fn node(&self) -> Result<&Node> {
        match &self.kind {
            Kind::Node(node) => Ok(node),
            _ => bail!("only a private node can be stopped and started"),
        }
    }
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
    std::env::var_os("OUTWORK_TEST_AMQP_URL").is_some()
        || installed().is_some()
        || container::engine_answers()
}
