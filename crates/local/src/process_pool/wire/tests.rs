//! The protocol, held against everything that can happen on the way.

mod frames;
mod garbage;
mod journal;
mod ledger;

use bytes::Bytes;
use outwork_core::{
    Codec, Metadata, Payload, Progress, StopLevel, TaskError, TaskId, TraceContext,
};
use proptest::prelude::*;

use super::{
    Decoder, Extras, FromChild, Hello, LogRecord, Outbox, Ready, TaskFrame, ToChild, WireError,
};

/// Longer than any frame of these tests.
const LIMIT: usize = 1 << 20;

/// Small ones, those that lie around the border of being large, and large ones.
fn bytes() -> impl Strategy<Value = Bytes> {
    let lengths = prop_oneof![
        8 => 0..64_usize,
        2 => 16_000..16_800_usize,
        2 => 32_600..33_000_usize,
        1 => 100_000..150_000_usize,
    ];
    (lengths, any::<u8>()).prop_map(|(length, first)| {
        let byte = |place: usize| first.wrapping_add(place.to_le_bytes()[0]);
        (0..length).map(byte).collect::<Vec<_>>().into()
    })
}

fn payload() -> impl Strategy<Value = Payload> {
    (bytes(), any::<bool>(), any::<u16>()).prop_map(|(bytes, json, schema)| {
        let codec = if json { Codec::Json } else { Codec::MessagePack };
        Payload::new(codec, bytes).with_schema(schema)
    })
}

fn extras() -> impl Strategy<Value = Extras> {
    let trace = proptest::option::of((".{0,20}", proptest::option::of(".{0,20}")));
    (".{0,20}", ".{0,20}", any::<bool>(), trace).prop_map(|(key, value, has_folder, trace)| {
        let trace = trace.map(|(traceparent, tracestate)| TraceContext { traceparent, tracestate });
        let cache_dir = has_folder.then(|| "/cache".into());
        Extras { metadata: Metadata::new().with(key, value), cache_dir, trace }
    })
}

fn task() -> impl Strategy<Value = TaskFrame> {
    let numbers = (any::<u64>(), any::<u32>(), any::<u32>(), any::<u128>());
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (numbers, payload(), flags, proptest::option::of(extras())).prop_map(
        |((seq, task, attempt, id), payload, flags, extras)| TaskFrame {
            seq,
            task,
            attempt,
            id: TaskId::from_uuid(uuid::Uuid::from_u128(id)),
            payload,
            tell_start: flags.0,
            capture_stdout: flags.1,
            capture_stderr: flags.2,
            extras,
        },
    )
}

fn to_child() -> impl Strategy<Value = ToChild> {
    prop_oneof![
        any::<u64>().prop_map(|print| ToChild::Hello(Hello::new(print, 7))),
        task().prop_map(ToChild::Task),
        any::<u64>().prop_map(|seq| ToChild::Recall { seq }),
        (any::<u64>(), any::<bool>()).prop_map(|(seq, forced)| {
            let level = if forced { StopLevel::Forced } else { StopLevel::Requested };
            ToChild::Stop { seq, level }
        }),
        (any::<u64>(), proptest::option::of(".{0,20}"))
            .prop_map(|(seq, refused)| ToChild::Answer { seq, refused }),
        Just(ToChild::Leave),
    ]
}

fn from_child() -> impl Strategy<Value = FromChild> {
    let seq = any::<u64>;
    prop_oneof![
        any::<u64>().prop_map(|print| FromChild::Ready(Ready::new(print))),
        ".{0,40}".prop_map(FromChild::Refused),
        seq().prop_map(|seq| FromChild::Started { seq }),
        (seq(), any::<u32>(), payload()).prop_map(|(seq, nanos, result)| FromChild::Done {
            seq,
            nanos,
            result
        }),
        (seq(), any::<u32>(), ".{0,40}").prop_map(|(seq, nanos, words)| {
            FromChild::Failed { seq, nanos, error: TaskError::failed(words) }
        }),
        seq().prop_map(|seq| FromChild::Returned { seq }),
        (seq(), bytes()).prop_map(|(seq, bytes)| FromChild::Stdout { seq, bytes }),
        (seq(), bytes()).prop_map(|(seq, bytes)| FromChild::Stderr { seq, bytes }),
        (seq(), any::<u64>(), ".{0,20}").prop_map(|(seq, done, message)| FromChild::Progress {
            seq,
            progress: Progress { done, total: None, message },
        }),
        (seq(), bytes()).prop_map(|(seq, json)| FromChild::JobHandle { seq, json }),
        any::<u32>().prop_map(|group| FromChild::Spawned { group }),
        any::<u32>().prop_map(|group| FromChild::Reaped { group }),
        (seq(), ".{0,20}", ".{0,20}").prop_map(|(seq, target, message)| {
            let (level, fields) = ("WARN".to_owned(), String::new());
            FromChild::Log { seq, record: LogRecord { level, target, message, fields } }
        }),
    ]
}

/// The bytes of an outbox, taken out in writes of so many bytes.
fn written(outbox: &mut Outbox, at_once: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !outbox.is_empty() {
        let taken = outbox.write_with(|pieces| {
            let all = pieces.iter().flat_map(|piece| piece.iter().copied());
            let before = bytes.len();
            bytes.extend(all.take(at_once));
            bytes.len() - before
        });
        assert!(taken > 0, "a write of an outbox that is not empty takes something");
        outbox.advance(taken);
    }
    assert_eq!(outbox.len(), 0);
    bytes
}

/// The frames of bytes that come in reads of so many bytes, again and again.
fn read<T>(
    bytes: &[u8],
    reads: &[usize],
    parse: impl Fn(super::Raw) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    let mut decoder = Decoder::new(LIMIT);
    let (mut rest, mut frames) = (bytes, Vec::new());
    for length in reads.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at((*length).clamp(1, rest.len()));
        decoder.feed(now);
        rest = later;
        while let Some(raw) = decoder.next()? {
            frames.push(parse(raw)?);
        }
    }
    Ok(frames)
}
