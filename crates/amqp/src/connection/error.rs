//! [`ConnectError`]: why a broker cannot be used.

use std::{future::Future, time::Duration};

use lapin::{
    ErrorKind,
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
};

use super::BrokerUrl;

/// Why a broker cannot be used: what it was about, what is the matter, and what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ConnectError {
    kind: ConnectErrorKind,
    message: String,
    #[source]
    source: Option<lapin::Error>,
}

/// What callers tell apart when a broker cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The URL does not read.
    InvalidUrl,
    /// The URL asks for TLS, which this program was built without.
    TlsMissing,
    /// The broker's certificate is of nobody who is trusted here, or not for this host.
    Untrusted,
    /// Nobody answers there, or not in time.
    Unreachable,
    /// The user is unknown or the password wrong.
    AccessDenied,
    /// There is no such virtual host.
    VhostNotFound,
    /// The user may not do what is needed.
    NotPermitted,
    /// A queue or an exchange is missing, and may not be made from here.
    Missing,
    /// A queue or an exchange is there with other settings.
    Mismatch,
    /// A setting of ours makes no sense.
    InvalidSetting,
    /// The broker or the connection failed in another way.
    Broker,
}

impl ConnectErrorKind {
    /// Whether trying again later may help.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        match self {
            Self::Unreachable | Self::Broker => true,
            Self::InvalidUrl
            | Self::TlsMissing
            | Self::Untrusted
            | Self::AccessDenied
            | Self::VhostNotFound
            | Self::NotPermitted
            | Self::Missing
            | Self::Mismatch
            | Self::InvalidSetting => false,
        }
    }
}

impl ConnectError {
    pub(crate) fn new(kind: ConnectErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    pub(crate) fn invalid(setting: &str, why: &str) -> Self {
        Self::new(ConnectErrorKind::InvalidSetting, format!("{setting}: {why}"))
    }

    pub(crate) fn caused_by(mut self, source: lapin::Error) -> Self {
        self.source = Some(source);
        self
    }

    /// What was the matter.
    #[must_use]
    pub const fn kind(&self) -> ConnectErrorKind {
        self.kind
    }

    /// Nothing came back in time.
    pub(crate) fn timed_out(url: &BrokerUrl, what: &str, limit: Duration) -> Self {
        let message = format!(
            "{url}: no answer to {what} within {limit:?}; is a RabbitMQ broker listening there?"
        );
        Self::new(ConnectErrorKind::Unreachable, message)
    }

    /// Why a connection was not made.
    pub(crate) fn of_connection(url: &BrokerUrl, error: lapin::Error) -> Self {
        use ConnectErrorKind as Kind;
        let text = error.to_string();
        let (kind, hint) = match error.kind() {
            ErrorKind::ProtocolError(protocol) => match protocol.kind() {
                AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => {
                    (Kind::AccessDenied, "check the user and the password")
                }
                AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) if text.contains("not found") => {
                    (Kind::VhostNotFound, "make it with `rabbitmqctl add_vhost`, or name another")
                }
                AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => {
                    (Kind::NotPermitted, "grant it with `rabbitmqctl set_permissions`")
                }
                _ => (Kind::Broker, "see the broker's log"),
            },
            ErrorKind::IOError(_) => of_stream(url, &text),
            ErrorKind::ParsingError(_) | ErrorKind::InvalidProtocolVersion(_) => {
                (Kind::Unreachable, "it does not speak AMQP 0-9-1, or with TLS, for amqps://")
            }
            _ => (Kind::Broker, "see the broker's log"),
        };
        let subject = match kind {
            Kind::AccessDenied => format!("{url}: user {:?} was refused", url.user()),
            Kind::VhostNotFound => format!("{url}: there is no virtual host {:?}", url.vhost()),
            Kind::NotPermitted => {
                format!("{url}: user {:?} may not use virtual host {:?}", url.user(), url.vhost())
            }
            _ => format!("{url}: no connection: {text}"),
        };
        Self::new(kind, format!("{subject}; {hint}")).caused_by(error)
    }
}

/// What a stream that failed says about the two ends. The library behind it is told apart by its
/// words alone.
fn of_stream(url: &BrokerUrl, text: &str) -> (ConnectErrorKind, &'static str) {
    use ConnectErrorKind as Kind;
    if text.contains("invalid peer certificate") {
        let hint = "trust the authority that signed it, or use the host that it is for";
        (Kind::Untrusted, hint)
    } else if url.is_tls() && text.contains("corrupt message") {
        (Kind::Unreachable, "what listens there has no TLS; is it for amqp://?")
    } else if url.is_tls() {
        (Kind::Unreachable, "is a RabbitMQ broker listening there, with TLS?")
    } else {
        (Kind::Unreachable, "is a RabbitMQ broker listening there, and without TLS (amqps://)?")
    }
}

/// Gives a call of the client library a deadline, which it has not by itself.
pub(crate) async fn in_time<T>(
    url: &BrokerUrl,
    what: &str,
    limit: Duration,
    call: impl Future<Output = lapin::Result<T>>,
) -> Result<T, ConnectError> {
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            let message = format!("{url}: {what}: {error}");
            Err(ConnectError::new(ConnectErrorKind::Broker, message).caused_by(error))
        }
        Err(_) => Err(ConnectError::timed_out(url, what, limit)),
    }
}
