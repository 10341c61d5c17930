//! Explaining why the broker refused what was to be declared.

use lapin::{
    ErrorKind,
    protocol::{AMQPErrorKind, AMQPSoftError},
};

use crate::connection::{BrokerUrl, ConnectError, ConnectErrorKind};

/// Why an object was not declared, or is not there.
pub(crate) fn explain(
    url: &BrokerUrl,
    what: &str,
    name: &str,
    error: lapin::Error,
) -> ConnectError {
    use ConnectErrorKind as Kind;
    let text = error.to_string();
    let soft = match error.kind() {
        ErrorKind::ProtocolError(protocol) => match protocol.kind() {
            AMQPErrorKind::Soft(soft) => Some(soft.clone()),
            AMQPErrorKind::Hard(_) => None,
        },
        _ => None,
    };
    let (kind, message) = match soft {
        Some(AMQPSoftError::NOTFOUND) => {
            (Kind::Missing, format!("there is no {what} {name:?}; start a worker for it first"))
        }
        Some(AMQPSoftError::ACCESSREFUSED) => {
            let user = url.user();
            let grant = "grant it with `rabbitmqctl set_permissions`";
            let message = format!("user {user:?} may not use {what} {name:?}: {text}; {grant}");
            (Kind::NotPermitted, message)
        }
        Some(AMQPSoftError::PRECONDITIONFAILED) => (Kind::Mismatch, mismatch(what, name, &text)),
        _ => (Kind::Broker, format!("{what} {name:?} cannot be used: {text}")),
    };
    ConnectError::new(kind, format!("{url}: {message}")).caused_by(error)
}

fn mismatch(what: &str, name: &str, text: &str) -> String {
    let difference = match difference(text) {
        Some(Difference { argument, ours, theirs }) => {
            format!("{argument} is {theirs} there and {ours} here")
        }
        None => text.to_owned(),
    };
    format!(
        "{what} {name:?} is there with other settings: {difference}; use the same setting, or \
         take everything out of it and delete it"
    )
}

/// One argument that differs.
#[derive(Debug, PartialEq, Eq)]
struct Difference<'a> {
    argument: &'a str,
    ours: &'a str,
    theirs: &'a str,
}

/// Reads the broker's own words, such as `inequivalent arg 'x' for queue 'q' in vhost '/':
/// received none but current is the value '5' of type 'long'`.
fn difference(text: &str) -> Option<Difference<'_>> {
    let (argument, rest) = text.split_once("inequivalent arg '")?.1.split_once('\'')?;
    let (ours, theirs) = rest.split_once("received ")?.1.split_once(" but current is ")?;
    Some(Difference { argument, ours: value(ours), theirs: value(theirs) })
}

/// The value alone: `the value '5' of type 'long'` is `5`, and `none` is `none`.
fn value(words: &str) -> &str {
    let quoted = words.split_once('\'').and_then(|(_, rest)| rest.split_once('\''));
    quoted.map_or_else(|| words.split_whitespace().next().unwrap_or(words), |(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brokers_words_are_understood() {
        for (text, expected) in [
            (
                "PRECONDITION_FAILED - inequivalent arg 'x-delivery-limit' for queue 'q' in vhost \
                 '/': received the value '100' of type 'signedint' but current is none",
                ("x-delivery-limit", "100", "none"),
            ),
            (
                "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost \
                 '/': received the value 'quorum' of type 'longstr' but current is the value \
                 'classic' of type 'longstr'",
                ("x-queue-type", "quorum", "classic"),
            ),
            (
                "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': \
                 received 'true' but current is 'false'",
                ("durable", "true", "false"),
            ),
        ] {
            let found = difference(text).unwrap();
            assert_eq!((found.argument, found.ours, found.theirs), expected, "{text}");
        }
        assert_eq!(difference("something else"), None);
    }
}
