//! [`Payload`]: arguments and results as bytes that say how to read them.

use std::{any::type_name, fmt};

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::Codec;

/// Bytes, the codec that they are in, and the version of the schema that they follow.
///
/// Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Payload {
    bytes: Bytes,
    #[serde(default)]
    codec: Codec,
    #[serde(default)]
    schema: u16,
}

impl Payload {
    /// Takes bytes that are already encoded.
    #[must_use]
    pub fn new(codec: Codec, bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), codec, schema: 0 }
    }

    /// Encodes a value.
    ///
    /// # Errors
    ///
    /// When the value's `Serialize` refuses, such as a JSON map whose keys are not text.
    pub fn encode<T: Serialize + ?Sized>(codec: Codec, value: &T) -> Result<Self, EncodeError> {
        let encoded = with_scratch(|scratch| {
            match codec {
                Codec::MessagePack => {
                    rmp_serde::encode::write_named(scratch, value).map_err(|e| e.to_string())
                }
                Codec::Json => {
                    serde_json::to_writer(&mut *scratch, value).map_err(|e| e.to_string())
                }
            }?;
            Ok(if scratch.len() <= KEPT {
                // One allocation of the right size.
                Bytes::copy_from_slice(scratch)
            } else {
                Bytes::from(std::mem::take(scratch))
            })
        });
        encoded.map(|bytes| Self::new(codec, bytes)).map_err(|message| EncodeError {
            type_name: type_name::<T>(),
            codec,
            message,
        })
    }

    /// Reads the value back.
    ///
    /// # Errors
    ///
    /// When the bytes are not a `T`. The error names the place and the type that was expected.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        let fast = match self.codec {
            Codec::MessagePack => rmp_serde::from_slice(&self.bytes).ok(),
            Codec::Json => serde_json::from_slice(&self.bytes).ok(),
        };
        match fast {
            Some(value) => Ok(value),
            None => self.decode_with_path(),
        }
    }

    /// Decodes again with the path tracked, which costs too much to do for every good payload.
    fn decode_with_path<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        let error = |path: String, (message, position): (String, Option<Position>)| DecodeError {
            path: if path == "." { String::new() } else { path },
            expected: type_name::<T>(),
            codec: self.codec,
            message,
            position,
        };
        match self.codec {
            Codec::MessagePack => {
                let mut reader = rmp_serde::Deserializer::from_read_ref(&self.bytes[..]);
                serde_path_to_error::deserialize(&mut reader)
                    .map_err(|e| error(e.path().to_string(), (e.into_inner().to_string(), None)))
            }
            Codec::Json => {
                let mut reader = serde_json::Deserializer::from_slice(&self.bytes);
                let value = serde_path_to_error::deserialize(&mut reader)
                    .map_err(|e| error(e.path().to_string(), apart(&e.into_inner())))?;
                reader.end().map_err(|e| error(String::new(), apart(&e)))?;
                Ok(value)
            }
        }
    }

    /// Says which version of the task's schema the bytes follow; 0 when nobody counts.
    #[must_use]
    pub const fn with_schema(mut self, schema: u16) -> Self {
        self.schema = schema;
        self
    }

    /// The encoded bytes.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Gives the encoded bytes away.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// How the bytes are encoded.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// The version of the schema.
    #[must_use]
    pub const fn schema(&self) -> u16 {
        self.schema
    }

    /// The size in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are no bytes at all, which no encoded value has.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// What a JSON decoder had to say, and where in the text, which it says in one.
/// Columns are from 1: at 0 it had not begun to look.
fn apart(error: &serde_json::Error) -> (String, Option<Position>) {
    let position = Position { line: error.line(), column: error.column() };
    let said = error.to_string();
    match said.strip_suffix(&format!(" at line {} column {}", position.line, position.column)) {
        Some(message) => (message.to_owned(), Some(position).filter(|place| place.column > 0)),
        None => (said, None),
    }
}

/// How large a buffer may be that is kept between two values. A larger one becomes the payload
/// itself: a second one would cost more than the room in it that is not used.
const KEPT: usize = 64 * 1024;

/// Lends a buffer that this thread has used before, unless a value encodes another one
/// while it is being encoded itself.
fn with_scratch<T>(encode: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    thread_local! {
        static SCRATCH: std::cell::Cell<Vec<u8>> = const { std::cell::Cell::new(Vec::new()) };
    }
    let mut scratch = SCRATCH.take();
    let encoded = encode(&mut scratch);
    if scratch.capacity() <= KEPT {
        scratch.clear();
        SCRATCH.set(scratch);
    }
    encoded
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({}, {} bytes)", self.codec, self.bytes.len())
    }
}

/// A value could not be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a value of type {type_name} does not encode as {codec}: {message}")]
pub struct EncodeError {
    type_name: &'static str,
    codec: Codec,
    message: String,
}

/// Bytes are not a value of the type that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    path: String,
    expected: &'static str,
    codec: Codec,
    message: String,
    position: Option<Position>,
}

/// A place in a text, both numbers from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The byte in that line.
    pub column: usize,
}

/// Most texts are one line, of which only the column means something.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            1 => write!(f, "column {}", self.column),
            line => write!(f, "line {line}, column {}", self.column),
        }
    }
}

impl DecodeError {
    /// The place in the value, such as `[1].size`; empty for the value as a whole.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the decoder had to say.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.message
    }

    /// The place in the text, where the bytes are JSON.
    #[must_use]
    pub const fn position(&self) -> Option<Position> {
        self.position
    }

    /// The type that was expected.
    #[must_use]
    pub const fn expected(&self) -> &'static str {
        self.expected
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, expected, codec, message, position } = self;
        match path.as_str() {
            "" => write!(f, "expected {expected} in {codec}: {message}"),
            _ => write!(f, "at {path}: expected {expected} in {codec}: {message}"),
        }?;
        position.map_or(Ok(()), |position| write!(f, " ({position})"))
    }
}

impl std::error::Error for DecodeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_survives_each_codec() {
        let value = (7_u32, "seven".to_owned(), Some(vec![1.5_f64]));
        for codec in [Codec::MessagePack, Codec::Json] {
            let payload = Payload::encode(codec, &value).unwrap();
            assert_eq!(payload.decode::<(u32, String, Option<Vec<f64>>)>().unwrap(), value);
        }
    }

    #[test]
    fn values_of_every_size_follow_each_other_on_one_thread() {
        for length in [1, KEPT - 1, 10 * KEPT, 3, KEPT + 1, KEPT, 2] {
            let value = "x".repeat(length);
            for codec in [Codec::MessagePack, Codec::Json] {
                let payload = Payload::encode(codec, &value).unwrap();
                assert!(payload.len() <= length + 5, "{length}: {payload:?}");
                assert_eq!(payload.decode::<String>().unwrap(), value);
            }
        }
    }

    #[test]
    fn a_wrong_type_is_named_with_its_place() {
        let payload = Payload::new(Codec::Json, "[1, \"two\"]");
        let error = payload.decode::<(u32, u32)>().unwrap_err();
        assert_eq!(error.path(), "[1]");
        assert_eq!(error.expected(), "(u32, u32)");
    }

    #[test]
    fn a_place_is_named_only_where_there_is_one() {
        let error =
            |json: &'static str| Payload::new(Codec::Json, json).decode::<f64>().unwrap_err();
        assert_eq!(error("{}").reason(), "invalid type: map, expected f64");
        assert_eq!(error("{}").position(), None);
        assert_eq!(error("\"x\"").reason(), "invalid type: string \"x\", expected f64");
        assert_eq!(error("\"x\"").position(), Some(Position { line: 1, column: 3 }));
    }

    #[test]
    fn json_that_does_not_fit_is_told_by_line_and_column_apart_from_the_reason() {
        for (json, expected) in
            [("[1,\n \"two\"]", Some((2, 6))), ("[1, ", Some((1, 4))), ("[1, 2] 3", Some((1, 8)))]
        {
            let error = Payload::new(Codec::Json, json).decode::<(u32, u32)>().unwrap_err();
            let found = error.position().map(|position| (position.line, position.column));
            assert_eq!(found, expected, "{json}: {error}");
            assert!(!error.reason().contains("line"), "{error}");
        }
        let error = Payload::new(Codec::MessagePack, "x").decode::<String>().unwrap_err();
        assert_eq!(error.position(), None);
    }

    #[test]
    fn bytes_after_the_value_are_refused() {
        let error = Payload::new(Codec::Json, "1 2").decode::<u32>().unwrap_err();
        assert!(error.to_string().contains("trailing"), "{error}");
    }

    #[test]
    fn no_bytes_are_no_value() {
        for codec in [Codec::MessagePack, Codec::Json] {
            assert!(Payload::new(codec, "").decode::<u32>().is_err());
        }
    }
}
