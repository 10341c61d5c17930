//! A broker that somebody else runs.

use crate::{Space, space::fresh_name};

/// A prefix of its own on the virtual host that the URL names.
pub(crate) fn space(url: &str) -> Space {
    let vhost = after_scheme(url).map_or("/", |(_, path)| path);
    Space::new(url.to_owned(), &fresh_name(), vhost)
}

/// The host and the port in the URL.
pub(crate) fn address(url: &str) -> (String, u16) {
    let authority = after_scheme(url).map_or("localhost", |(authority, _)| authority);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.rsplit_once(':') {
        Some((host, port)) => (host.to_owned(), port.parse().unwrap_or(5672)),
        None => (host.to_owned(), 5672),
    }
}

fn after_scheme(url: &str) -> Option<(&str, &str)> {
    let rest = url.split_once("://")?.1;
    Some(rest.split_once('/').unwrap_or((rest, "/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_the_url() {
        assert_eq!(address("amqp://u:p@host:7/v"), ("host".to_owned(), 7));
        assert_eq!(address("amqp://host"), ("host".to_owned(), 5672));
    }
}
