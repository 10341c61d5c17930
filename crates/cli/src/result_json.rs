//! The results of tasks as JSON.

use std::borrow::Cow;

use outwork_core::{Codec, DecodeError, Payload};
use serde_json::Value;

/// A result as JSON on one line; what is that already is not touched.
pub(crate) fn result_json(payload: &Payload) -> Result<Cow<'_, [u8]>, DecodeError> {
    match payload.codec() {
        Codec::Json if !payload.bytes().contains(&b'\n') => Ok(Cow::Borrowed(payload.bytes())),
        _ => Ok(Cow::Owned(payload.decode::<Value>()?.to_string().into_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(payload: &Payload, expected: &str) {
        assert_eq!(result_json(payload).unwrap(), expected.as_bytes());
    }

    #[test]
    fn a_result_is_one_line_of_json_whatever_its_codec() {
        check(&Payload::new(Codec::Json, r#"{"b":1, "a":1.0}"#), r#"{"b":1, "a":1.0}"#);
        check(&Payload::new(Codec::Json, "[1,\n2]"), "[1,2]");
        check(&Payload::encode(Codec::MessagePack, &[1, 2]).unwrap(), "[1,2]");
    }

    #[test]
    fn a_result_that_json_cannot_hold_is_an_error() {
        // Binary data of one byte.
        assert!(result_json(&Payload::new(Codec::MessagePack, vec![0xc4, 1, 0])).is_err());
    }
}
