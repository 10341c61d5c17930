//! [`BrokerUrl`]: where the broker is, with the password kept to itself.

use std::{fmt, str::FromStr};

use lapin::uri::{AMQPScheme, AMQPUri};

use super::{ConnectError, ConnectErrorKind};

/// Where a broker is: `amqp://user:password@host:port/vhost`.
///
/// Neither `Debug` nor `Display` shows the password.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    uri: AMQPUri,
}

const FORM: &str = "expected amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps:// for TLS";

impl BrokerUrl {
    pub(crate) const fn uri(&self) -> &AMQPUri {
        &self.uri
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.uri.authority.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.uri.authority.port
    }

    /// The virtual host.
    #[must_use]
    pub fn vhost(&self) -> &str {
        &self.uri.vhost
    }

    /// The user.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.uri.authority.userinfo.username
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.uri.scheme == AMQPScheme::AMQPS
    }

    /// Whether a password stands in the text of a URL, where others can read it.
    #[must_use]
    pub fn has_password(text: &str) -> bool {
        authority(text)
            .and_then(|authority| authority.rsplit_once('@'))
            .is_some_and(|(user, _)| user.split_once(':').is_some_and(|(_, word)| !word.is_empty()))
    }
}

/// What stands between `://` and the next slash.
fn authority(text: &str) -> Option<&str> {
    let rest = text.split_once("://")?.1;
    Some(rest.split(['/', '?', '#']).next().unwrap_or(rest))
}

/// The host of a URL whose host is an IPv6 address, which the parser takes for none at all.
fn ipv6_host(text: &str) -> Option<&str> {
    let authority = authority(text)?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    host.strip_prefix('[')?.split_once(']').map(|(host, _)| host)
}

impl FromStr for BrokerUrl {
    type Err = ConnectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The text is not repeated: it may hold a password.
        let bad = |why: &str| {
            let message = format!("the URL of the broker cannot be used: {why}; {FORM}");
            ConnectError::new(ConnectErrorKind::InvalidUrl, message)
        };
        // Neither are the parser's words, which repeat it.
        let mut uri: AMQPUri = text.parse().map_err(|_: String| bad("it does not read"))?;
        if let Some(host) = ipv6_host(text) {
            host.parse::<std::net::Ipv6Addr>().map_err(|error| bad(&error.to_string()))?;
            host.clone_into(&mut uri.authority.host);
        }
        if uri.vhost.is_empty() {
            return Err(bad("the virtual host is empty; leave the slash out, or write %2f, for /"));
        }
        if uri.scheme == AMQPScheme::AMQPS && !cfg!(feature = "tls") {
            let message = "amqps needs the feature `tls`, which this program was built without";
            return Err(ConnectError::new(ConnectErrorKind::TlsMissing, message));
        }
        // A server that names no limit would get buffers without one.
        uri.query.frame_max.get_or_insert(131_072);
        Ok(Self { uri })
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host();
        let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
        let vhost = self.vhost();
        let vhost = if vhost == "/" { "" } else { vhost };
        write!(
            f,
            "{}://{}@{open}{host}{close}:{}/{vhost}",
            self.uri.scheme,
            self.user(),
            self.port()
        )
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BrokerUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let url: BrokerUrl = "amqp://me:secret@example.org:5673/jobs".parse().unwrap();
        assert_eq!(url.to_string(), "amqp://me@example.org:5673/jobs");
        assert!(!format!("{url:?}").contains("secret"));
        for bad in ["amqp://me:secret@:x/", "http://me:secret@h/", "me:secret@h", "amqp://h:1/"] {
            let error = bad.parse::<BrokerUrl>().unwrap_err();
            assert_eq!(error.kind(), ConnectErrorKind::InvalidUrl, "{bad}");
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_password_is_seen() {
        assert!(BrokerUrl::has_password("amqp://me:secret@h/v"));
        for without in ["amqp://h/a:b@c", "amqp://me@h", "amqp://me:@h", "amqp://h:1", "h"] {
            assert!(!BrokerUrl::has_password(without), "{without}");
        }
    }

    #[test]
    fn an_ipv6_address_is_a_host() {
        let url: BrokerUrl = "amqp://guest:guest@[::1]:5673/v".parse().unwrap();
        assert_eq!((url.host(), url.port(), url.vhost()), ("::1", 5673, "v"));
        assert_eq!(url.to_string(), "amqp://guest@[::1]:5673/v");
        assert!("amqp://[::zz]/v".parse::<BrokerUrl>().is_err());
    }

    #[test]
    fn what_is_left_out_is_as_usual() {
        let url: BrokerUrl = "amqp://example.org".parse().unwrap();
        assert_eq!((url.user(), url.port(), url.vhost()), ("guest", 5672, "/"));
    }
}
