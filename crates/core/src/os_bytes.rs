//! [`OsBytes`]: text for the operating system, which need not be UTF-8.

use std::{
    ffi::{OsStr, OsString},
    fmt,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer};

/// An argument, a path or a variable as bytes, passed on as they are.
///
/// In JSON it reads as text where it is UTF-8, else as a list of numbers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[serde(transparent)]
pub struct OsBytes(Bytes);

impl OsBytes {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there are no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes as the operating system takes them.
    #[cfg(unix)]
    #[must_use]
    pub fn to_os(&self) -> OsString {
        use std::os::unix::ffi::OsStrExt;
        OsStr::from_bytes(&self.0).to_owned()
    }

    /// The bytes as the operating system takes them; what is not UTF-8 is replaced.
    #[cfg(not(unix))]
    #[must_use]
    pub fn to_os(&self) -> OsString {
        self.to_string().into()
    }
}

impl Serialize for OsBytes {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) if writer.is_human_readable() => writer.serialize_str(text),
            _ => writer.serialize_bytes(&self.0),
        }
    }
}

impl From<&OsStr> for OsBytes {
    fn from(text: &OsStr) -> Self {
        Self(Bytes::copy_from_slice(text.as_encoded_bytes()))
    }
}

impl From<OsString> for OsBytes {
    fn from(text: OsString) -> Self {
        Self(Bytes::from(text.into_encoded_bytes()))
    }
}

impl From<&str> for OsBytes {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for OsBytes {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl From<Vec<u8>> for OsBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Bytes::from(bytes))
    }
}

impl From<&std::path::Path> for OsBytes {
    fn from(path: &std::path::Path) -> Self {
        path.as_os_str().into()
    }
}

impl fmt::Display for OsBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        String::from_utf8_lossy(&self.0).fmt(f)
    }
}

impl fmt::Debug for OsBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(&self.0), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Codec, Payload};

    #[test]
    fn any_bytes_survive_each_codec() {
        for bytes in [&b"plain"[..], b"\xff\xfe", b""] {
            let value = OsBytes::from(bytes.to_vec());
            for codec in [Codec::Json, Codec::MessagePack] {
                let payload = Payload::encode(codec, &value).unwrap();
                assert_eq!(payload.decode::<OsBytes>().unwrap(), value);
            }
        }
    }
}
