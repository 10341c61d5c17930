//! The messages, as bytes and headers. The contract is in [`crate::contract`].

mod chunk;
mod control;
mod envelope;
mod error;
mod event;
#[cfg(any(fuzzing, test))]
mod fuzz;
mod headers;
mod job;
mod options;
mod outcome;
mod result;
mod results;
mod task;

pub(crate) use chunk::{Item, encode_chunk, item_len, read_chunk};
pub(crate) use control::{
    CancelAck, Control, InHand, Ping, Pong, Running, StatusQuestion, Tombstone,
};
pub(crate) use envelope::Envelope;
pub(crate) use error::WireError;
pub(crate) use event::RemoteEvent;
#[cfg(fuzzing)]
pub(crate) use fuzz::fuzz;
pub(crate) use headers::{Kind, Sender, headers_of};
pub(crate) use job::JobRecord;
pub(crate) use outcome::output_len;
pub(crate) use result::ResultMessage;
pub(crate) use results::{Ended, encode_results, read_results};
pub(crate) use task::TaskMessage;

use serde::{Deserialize, Serialize, Serializer};

/// The version of all that is written here.
pub(crate) const VERSION: i64 = 1;

/// Milliseconds since the epoch, as all times on the wire.
pub(crate) type Millis = i64;

/// The time now.
pub(crate) fn now() -> Millis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(Millis::MAX))
}

/// What one of many in a message has around its bytes: names, lengths, an id and a time.
const FRAME: usize = 64;

/// What most bodies fit into. Growing from nothing takes several steps.
const USUAL: usize = 256;

fn write<T: Serialize>(value: &T) -> Result<Vec<u8>, WireError> {
    write_sized(value, USUAL)
}

/// Writes what is about so many bytes long.
fn write_sized<T: Serialize>(value: &T, size: usize) -> Result<Vec<u8>, WireError> {
    let mut body = Vec::with_capacity(size);
    match rmp_serde::encode::write_named(&mut body, value) {
        Ok(()) => Ok(body),
        Err(error) => Err(WireError::Unwritable(error.to_string())),
    }
}

/// Writes bytes as bytes: a slice is written as a list of numbers otherwise.
fn as_bytes<S: Serializer>(bytes: &[u8], writer: S) -> Result<S::Ok, S::Error> {
    writer.serialize_bytes(bytes)
}

fn read<'a, T: Deserialize<'a>>(what: &'static str, bytes: &'a [u8]) -> Result<T, WireError> {
    rmp_serde::from_slice(bytes).map_err(|error| WireError::body(what, &error))
}

#[cfg(test)]
mod tests;
