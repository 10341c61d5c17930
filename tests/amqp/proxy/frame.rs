//! Frames of AMQP 0-9-1, as far as a proxy has to read them.

/// One frame, or the eight bytes with which a connection begins.
#[derive(Debug, Clone)]
pub struct Frame {
    pub bytes: Vec<u8>,
}

/// The methods that matter here: class and method.
pub const CONSUME: (u16, u16) = (60, 20);
pub const CANCEL: (u16, u16) = (60, 30);
pub const PUBLISH: (u16, u16) = (60, 40);
pub const DELIVER: (u16, u16) = (60, 60);
pub const ACK: (u16, u16) = (60, 80);

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const END: u8 = 0xCE;

impl Frame {
    /// Takes a whole frame out of what was read, if there is one.
    pub fn take(read: &mut Vec<u8>) -> Option<Self> {
        let length = if read.starts_with(b"AMQP") {
            8
        } else {
            let size = read.get(3..7)?.try_into().unwrap();
            8 + u32::from_be_bytes(size) as usize
        };
        if read.len() < length {
            return None;
        }
        let rest = read.split_off(length);
        Some(Self { bytes: std::mem::replace(read, rest) })
    }

    pub fn channel(&self) -> u16 {
        u16::from_be_bytes([self.bytes[1], self.bytes[2]])
    }

    /// The class and the method, if it is a method.
    pub fn method(&self) -> Option<(u16, u16)> {
        let is_method = self.bytes[0] == METHOD && self.bytes.len() >= 12;
        let number = |at: usize| u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]]);
        is_method.then(|| (number(7), number(9)))
    }

    pub fn is_header(&self) -> bool {
        self.bytes[0] == HEADER
    }

    pub fn contains(&self, text: &str) -> bool {
        self.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    /// The short strings of a method's arguments, from an offset into these.
    pub fn texts<const N: usize>(&self, offset: usize) -> [String; N] {
        let mut at = 11 + offset;
        std::array::from_fn(|_| {
            let length = usize::from(self.bytes[at]);
            let text = String::from_utf8_lossy(&self.bytes[at + 1..at + 1 + length]).into_owned();
            at += 1 + length;
            text
        })
    }

    /// An acknowledgement of a message that never was, for which the broker closes the channel
    /// with 406.
    pub fn bad_ack(channel: u16) -> Self {
        Self::of(channel, ACK, &[&u64::MAX.to_be_bytes()[..], &[0]].concat())
    }

    /// What the broker sends when it cancels a consumer.
    pub fn cancel(channel: u16, tag: &str) -> Self {
        let length = u8::try_from(tag.len()).unwrap();
        Self::of(channel, CANCEL, &[&[length][..], tag.as_bytes(), &[1]].concat())
    }

    fn of(channel: u16, method: (u16, u16), arguments: &[u8]) -> Self {
        let size = u32::try_from(4 + arguments.len()).unwrap();
        let mut bytes = vec![METHOD];
        bytes.extend(channel.to_be_bytes());
        bytes.extend(size.to_be_bytes());
        bytes.extend(method.0.to_be_bytes());
        bytes.extend(method.1.to_be_bytes());
        bytes.extend(arguments);
        bytes.push(END);
        Self { bytes }
    }
}
