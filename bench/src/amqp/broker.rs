//! The broker of all rows.

use std::{
    io::{Read, Write},
    net::TcpStream,
    rc::Rc,
    time::Duration,
};

use anyhow::Context;

use crate::args::AmqpArgs;

/// A broker that was named, or a private node that is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Broker {
    url: String,
    about: String,
    _node: Option<outwork_test_broker::Broker>,
}

impl Broker {
    /// # Errors
    ///
    /// When none was named and none can be started (the error says what to install), or it does not answer.
    pub(crate) fn find(args: &AmqpArgs) -> anyhow::Result<Rc<Self>> {
        let (url, address, kind, node) = match &args.url {
            Some(url) => (url.clone(), address(url)?, "as it was named", None),
            None => {
                let node = outwork_test_broker::Broker::private()?;
                let (host, port) = node.address();
                let address = format!("{host}:{port}");
                let url = format!("amqp://guest:guest@{address}/%2f");
                (url, address, "a private node with two schedulers", Some(node))
            }
        };
        let version = version(&address).with_context(|| format!("the broker at {address}"))?;
        Ok(Rc::new(Self { url, about: format!("RabbitMQ {version}, {kind}"), _node: node }))
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The broker's version and kind.
    pub(crate) fn about(&self) -> &str {
        &self.about
    }
}

/// The host and the port in a URL.
fn address(url: &str) -> anyhow::Result<String> {
    let uri: lapin::uri::AMQPUri = url.parse().map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(format!("{}:{}", uri.authority.host, uri.authority.port))
}

/// What the broker says of itself before anybody has logged in; the client library keeps it to itself.
fn version(address: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"AMQP\0\0\x09\x01")?;
    // The type, the channel and the length of the frame.
    let mut head = [0; 7];
    stream.read_exact(&mut head)?;
    let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
    let mut start = Vec::new();
    stream.take(length.into()).read_to_end(&mut start)?;
    version_in(&start).context("it does not tell its version")
}

/// Finds the version in the frame of `connection.start`.
fn version_in(start: &[u8]) -> Option<String> {
    // In a table: the length of the key, the key, and that a long string follows.
    let key = b"\x07versionS";
    let at = start.windows(key.len()).position(|window| window == key)? + key.len();
    let (length, rest) = start.get(at..)?.split_first_chunk()?;
    let version = rest.get(..u32::from_be_bytes(*length).try_into().ok()?)?;
    String::from_utf8(version.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_among_what_the_broker_says() {
        let start = b"\x07productS\0\0\0\x08RabbitMQ\x07versionS\0\0\0\x063.10.8\0";

        assert_eq!(version_in(start).as_deref(), Some("3.10.8"));
        assert_eq!(version_in(&start[..start.len() - 3]), None);
        assert_eq!(version_in(b""), None);
    }

    #[test]
    fn the_address_is_read_from_the_url() {
        assert_eq!(address("amqp://u:p@host:7/v").unwrap(), "host:7");
        assert_eq!(address("amqp://host").unwrap(), "host:5672");
        assert!(address("http://host").is_err());
    }
}
