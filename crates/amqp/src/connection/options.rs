//! [`ConnectOptions`]: the settings that every part of this crate has in common.

use std::{str::FromStr, time::Duration};

use super::{Backoff, BrokerUrl, ConnectError};
use crate::topology::Prefix;

/// How to reach the broker, and what is agreed on with everybody else who uses it.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    url: BrokerUrl,
    authorities: Option<String>,
    prefix: Prefix,
    name: String,
    timeout: Duration,
    confirm_timeout: Duration,
    heartbeat: Duration,
    max_payload: usize,
    backoff: Backoff,
}

impl ConnectOptions {
    /// Settings for the broker at a URL; the rest as usual.
    ///
    /// # Errors
    ///
    /// When the URL does not read, or asks for TLS and there is none in this program.
    pub fn new(url: &str) -> Result<Self, ConnectError> {
        Ok(Self {
            url: BrokerUrl::from_str(url)?,
            authorities: None,
            prefix: Prefix::default(),
            name: "outwork".to_owned(),
            timeout: Duration::from_secs(15),
            confirm_timeout: Duration::from_secs(30),
            heartbeat: Duration::from_secs(20),
            max_payload: 8 << 20,
            backoff: Backoff::default(),
        })
    }

    /// Trusts brokers with certificates of these authorities as well as of those that the system
    /// trusts: one certificate in PEM form, or several.
    ///
    /// # Errors
    ///
    /// When there is no certificate in the text, or the URL does not ask for TLS.
    pub fn trust(mut self, authorities: impl Into<String>) -> Result<Self, ConnectError> {
        let authorities = authorities.into();
        let refuse = |why: &str| Err(ConnectError::invalid("certificate authority", why));
        if !self.url.is_tls() {
            return refuse("it is for amqps://, and this URL has no TLS");
        }
        if !authorities.contains("-----BEGIN CERTIFICATE-----") {
            return refuse("there is no certificate in PEM form in it");
        }
        self.authorities = Some(authorities);
        Ok(self)
    }

    /// Sets what all names on the broker begin with; `outwork` if not set.
    ///
    /// # Errors
    ///
    /// When it is empty, too long, or has characters that do not belong in a name.
    pub fn prefix(mut self, prefix: &str) -> Result<Self, ConnectError> {
        self.prefix =
            Prefix::new(prefix).map_err(|e| ConnectError::invalid("prefix", &e.to_string()))?;
        Ok(self)
    }

    /// Sets the name by which the broker's own tools show the connections.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets how long the broker may take to answer; 15 s if not set.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how long a message may wait for its confirmation; 30 s if not set.
    ///
    /// It bounds how long `submit` waits while the broker is away or takes no messages.
    #[must_use]
    pub const fn confirm_timeout(mut self, timeout: Duration) -> Self {
        self.confirm_timeout = timeout;
        self
    }

    /// Sets the heartbeat; 20 s if not set. A broker that says nothing for two is given up.
    #[must_use]
    pub const fn heartbeat(mut self, heartbeat: Duration) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// Sets the size of the largest message in bytes; 8 MiB if not set.
    ///
    /// The broker's own limit is 16 MiB, and has to be raised first for more than that.
    #[must_use]
    pub const fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// Sets the bounds of the pause before a lost connection is made again; 100 ms and 5 s
    /// if not set. Each pause is random between nothing and a bound that doubles.
    #[must_use]
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.backoff = Backoff::new(first, longest);
        self
    }

    /// Where the broker is.
    #[must_use]
    pub const fn broker(&self) -> &BrokerUrl {
        &self.url
    }

    pub(crate) fn authorities(&self) -> Option<&str> {
        self.authorities.as_deref()
    }

    pub(crate) const fn names(&self) -> &Prefix {
        &self.prefix
    }

    pub(crate) fn connection_name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn limit(&self) -> Duration {
        self.timeout
    }

    pub(crate) const fn confirm_limit(&self) -> Duration {
        self.confirm_timeout
    }

    pub(crate) const fn heartbeats(&self) -> Duration {
        self.heartbeat
    }

    pub(crate) const fn payload_limit(&self) -> usize {
        self.max_payload
    }

    pub(crate) const fn pauses(&self) -> Backoff {
        self.backoff
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_is_back_is_tried_several_times_before_a_submission_is_given_up() {
        let options = ConnectOptions::new("amqp://h").unwrap();
        let longest = options.pauses().pause(u32::MAX, 1.0);
        assert!(longest * 4 <= options.confirm_limit(), "{longest:?}");
    }

    #[cfg(feature = "tls")]
    #[test]
    fn an_authority_is_refused_where_it_would_prove_nothing() {
        let certificate = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";
        let of = |url: &str, text: &str| ConnectOptions::new(url).unwrap().trust(text);
        assert!(of("amqps://h", certificate).is_ok());
        for (url, text, why) in [("amqp://h", certificate, "TLS"), ("amqps://h", "x", "PEM")] {
            let error = of(url, text).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
