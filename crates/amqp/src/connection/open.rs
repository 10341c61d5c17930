//! Making connections and channels, each within a deadline.

use std::time::Duration;

use lapin::{Channel, Connection, ConnectionProperties, runtime, tcp::OwnedTLSConfig};

use super::{ConnectError, ConnectOptions, in_time};

/// Connects once.
///
/// The client library's own recovery stays off: it ends in silence when its tries run out, and
/// leaves confirmations and consumers waiting for ever.
pub(crate) async fn open(options: &ConnectOptions, role: &str) -> Result<Connection, ConnectError> {
    let url = options.broker();
    let mut uri = url.uri().clone();
    let seconds = options.heartbeats().as_secs().clamp(1, u64::from(u16::MAX));
    uri.query.heartbeat.get_or_insert(u16::try_from(seconds).unwrap_or(u16::MAX));
    let name = format!("{} ({role})", options.connection_name());
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let authorities = options.authorities().map(str::to_owned);
    let tls = OwnedTLSConfig { identity: None, cert_chain: authorities };
    let connecting = async {
        let runtime = runtime::default_runtime()?;
        Connection::connect_uri_with_config(uri, properties, tls, runtime).await
    };
    match tokio::time::timeout(options.limit(), connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(ConnectError::of_connection(url, error)),
        Err(_) => Err(ConnectError::timed_out(url, "the handshake", options.limit())),
    }
}

/// Opens a channel.
///
/// Its number may have belonged to one that the broker closed: then the first try gets that
/// one's error, and a second one gets a channel.
pub(crate) async fn open_channel(
    options: &ConnectOptions,
    connection: &Connection,
) -> Result<Channel, ConnectError> {
    let limit: Duration = options.limit();
    let open =
        || in_time(options.broker(), "opening a channel", limit, connection.create_channel());
    match open().await {
        Err(error) if connection.status().connected() => open().await.map_err(|_again| error),
        opened => opened,
    }
}
