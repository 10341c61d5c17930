//! [`Header`]: what every frame begins with.

use super::WireError;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(in super::super) enum Kind {
    Hello = 0x01,
    Task = 0x02,
    Recall = 0x03,
    Stop = 0x04,
    Answer = 0x05,
    Leave = 0x06,

    Ready = 0x81,
    Refused = 0x82,
    Started = 0x83,
    Done = 0x84,
    Failed = 0x85,
    Returned = 0x86,
    Stdout = 0x87,
    Stderr = 0x88,
    Progress = 0x89,
    JobHandle = 0x8a,
    Spawned = 0x8b,
    Reaped = 0x8c,
    Log = 0x8d,
}

impl Kind {
    pub(in super::super) const ALL: [Self; 19] = [
        Self::Hello,
        Self::Task,
        Self::Recall,
        Self::Stop,
        Self::Answer,
        Self::Leave,
        Self::Ready,
        Self::Refused,
        Self::Started,
        Self::Done,
        Self::Failed,
        Self::Returned,
        Self::Stdout,
        Self::Stderr,
        Self::Progress,
        Self::JobHandle,
        Self::Spawned,
        Self::Reaped,
        Self::Log,
    ];

    fn from_byte(byte: u8) -> Result<Self, WireError> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte).ok_or(WireError::UnknownKind(byte))
    }
}

/// What every frame begins with; little-endian on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Header {
    /// The length of the body.
    pub(in super::super) length: u32,
    pub(in super::super) kind: Kind,
    /// What is to be known of the body.
    pub(in super::super) flags: u8,
    /// The schema of the payload, where the body is one.
    pub(in super::super) schema: u16,
    /// The task that the frame is about.
    pub(in super::super) seq: u64,
    /// One number that the kind has a use for.
    pub(in super::super) first: u32,
    /// Another.
    pub(in super::super) second: u32,
}

impl Header {
    /// How long it is on the wire.
    pub(in super::super) const LENGTH: usize = 24;

    /// The payload is JSON.
    pub(in super::super) const JSON: u8 = 0b1;
    /// Extras stand before the payload.
    pub(in super::super) const EXTRAS: u8 = 0b10;
    /// The start of the body is to be told at once.
    pub(in super::super) const TELL_START: u8 = 0b100;
    /// What is printed to the standard output is captured.
    pub(in super::super) const CAPTURE_STDOUT: u8 = 0b1000;
    /// What is printed to the standard error is captured.
    pub(in super::super) const CAPTURE_STDERR: u8 = 0b1_0000;

    /// The header of a frame about a task, with nothing else to say.
    pub(in super::super) const fn new(kind: Kind, seq: u64) -> Self {
        Self { length: 0, kind, flags: 0, schema: 0, seq, first: 0, second: 0 }
    }

    pub(in super::super) fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[0..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[4] = self.kind as u8;
        bytes[5] = self.flags;
        bytes[6..8].copy_from_slice(&self.schema.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.seq.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.first.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.second.to_le_bytes());
        bytes
    }

    /// # Errors
    ///
    /// When there is no frame of such a kind.
    pub(in super::super) fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Result<Self, WireError> {
        let [l0, l1, l2, l3, kind, flags, s0, s1, rest @ ..] = *bytes;
        let [q0, q1, q2, q3, q4, q5, q6, q7, a0, a1, a2, a3, b0, b1, b2, b3] = rest;
        Ok(Self {
            length: u32::from_le_bytes([l0, l1, l2, l3]),
            kind: Kind::from_byte(kind)?,
            flags,
            schema: u16::from_le_bytes([s0, s1]),
            seq: u64::from_le_bytes([q0, q1, q2, q3, q4, q5, q6, q7]),
            first: u32::from_le_bytes([a0, a1, a2, a3]),
            second: u32::from_le_bytes([b0, b1, b2, b3]),
        })
    }
}
