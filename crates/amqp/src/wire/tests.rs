//! The bytes of the messages, held fast, and what no bytes may do.

use std::{
    num::NonZeroU32,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, LongString, ShortString},
};
use outwork_core::{
    Codec, Metadata, Outcome, Payload, Priority, Report, RetryOn, RetryPolicy, StreamTarget, Task,
    TaskError, TaskErrorKind, TaskId, TaskName, TaskOptions, Timings, TraceContext,
};
use proptest::prelude::*;

use super::{
    CancelAck, Control, Ended, Envelope, InHand, Item, JobRecord, Kind, Ping, Pong, RemoteEvent,
    ResultMessage, Running, Sender, StatusQuestion, TaskMessage, Tombstone, WireError,
    encode_chunk, encode_results, headers_of, read_chunk, read_results,
};
use crate::topology::QueueName;

const ID: &str = "01938f9c-7d1e-7c3a-9b1a-2f6d0c5e8a11";

fn id() -> TaskId {
    ID.parse().unwrap()
}

fn sender() -> Sender {
    Sender { name: "host".to_owned(), instance: "7".to_owned() }
}

fn envelope() -> Envelope {
    Envelope {
        id: id(),
        name: TaskName::new("demo.add").unwrap(),
        submitted: 1_700_000_000_000,
        failures: 1,
        losses: 0,
        not_before: Some(1_700_000_001_000),
        not_after: None,
        queue: QueueName::new("mail").unwrap(),
        reply_to: Some("outwork.r.me".into()),
        watched: true,
        detached: false,
        schema: 3,
        trace: Some(TraceContext { traceparent: "00-a-b-01".to_owned(), tracestate: None }),
    }
}

fn task() -> Task {
    let options =
        TaskOptions::new().time_limit(Duration::from_millis(1500)).unwrap().idempotent(true);
    Task::new(TaskName::new("demo.add").unwrap(), Payload::new(Codec::Json, "[1,2]"))
        .with_id(id())
        .with_options(options)
        .with_metadata(Metadata::new().with("k", "v"))
}

/// The bytes as text where they are text, so that a difference can be read.
fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[test]
fn the_body_of_a_task_is_held_fast() {
    let body = TaskMessage::body(&task()).unwrap();
    assert_eq!(
        shown(&body),
        "\\x84\\xa4args\\xc4\\x05[1,2]\\xa5codec\\xa4json\\xa7options\\x82\\xaatime_limit\
         \\xce\\x00\\x16\\xe3`\\xaaidempotent\\xc3\\xa4meta\\x81\\xa1k\\xa1v"
    );
}

#[test]
fn the_headers_of_a_task_are_held_fast() {
    let properties = envelope().properties();
    let headers = properties.headers().clone().unwrap();
    let mut written: Vec<_> = headers
        .into_iter()
        .map(|(name, value)| match value {
            AMQPValue::LongLongInt(n) => format!("{name}={n}"),
            AMQPValue::Boolean(b) => format!("{name}={b}"),
            AMQPValue::LongString(text) => {
                format!("{name}={:?}", String::from_utf8_lossy(text.as_bytes()))
            }
            other => panic!("{other:?}"),
        })
        .collect();
    written.sort();
    assert_eq!(
        written,
        [
            "ow-attempt=1",
            "ow-kind=\"task\"",
            "ow-not-before=1700000001000",
            "ow-queue=\"mail\"",
            "ow-schema=3",
            "ow-submitted=1700000000000",
            "ow-v=1",
            "ow-watched=true",
            "traceparent=\"00-a-b-01\"",
        ]
    );
    let text = |value: &Option<ShortString>| value.as_ref().unwrap().as_str().to_owned();
    assert_eq!(text(properties.message_id()), ID);
    assert_eq!(text(properties.correlation_id()), ID);
    assert_eq!(text(properties.kind()), "demo.add");
    assert_eq!(text(properties.reply_to()), "outwork.r.me");
    assert_eq!(text(properties.content_type()), "application/msgpack");
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert_eq!(*properties.expiration(), None);
}

#[test]
fn a_count_of_nothing_is_not_written_and_read_all_the_same() {
    let first = Envelope { failures: 0, losses: 0, schema: 0, ..envelope() };
    let properties = first.properties();
    let headers = properties.headers().clone().unwrap();
    for name in ["ow-attempt", "ow-losses", "ow-schema"] {
        assert!(!headers.contains_key(name), "{name}");
    }
    assert_eq!(Envelope::read(&properties).unwrap(), first);
}

#[test]
fn a_task_comes_out_as_it_went_in() {
    let body = TaskMessage::body(&task()).unwrap();
    let message = TaskMessage::read(&envelope().properties(), &body).unwrap();
    assert_eq!(message.envelope, envelope());
    let mut options = task().options().clone();
    options.trace = envelope().trace;
    let expected = task().with_options(options).with_attempts_made(1);
    assert_eq!(message.task.payload().bytes(), expected.payload().bytes());
    assert_eq!(message.task.payload().schema(), 3);
    assert_eq!(message.task.options(), expected.options());
    assert_eq!(message.task.metadata(), expected.metadata());
    assert_eq!(message.task.attempts_made(), 1);
}

#[test]
fn every_option_travels() {
    let retry = RetryPolicy::exponential(NonZeroU32::new(5).unwrap(), Duration::from_millis(20))
        .multiplier(3.0)
        .max_delay(Duration::from_secs(9))
        .jitter(Duration::from_millis(7))
        .retry_on(RetryOn::NotTimeLimit);
    let options = TaskOptions::new()
        .time_limit(Duration::from_micros(5))
        .unwrap()
        .grace(Duration::from_secs(1))
        .retry(retry)
        .priority(Priority::High)
        .stdout(StreamTarget::limited(7))
        .stderr(StreamTarget::file("err.log"))
        .cache_dir("/tmp/cache")
        .last_output_only(true)
        .idempotent(true);
    let task = task().with_options(options.clone());
    let body = TaskMessage::body(&task).unwrap();
    let mut envelope = envelope();
    envelope.trace = None;
    let message = TaskMessage::read(&envelope.properties(), &body).unwrap();
    assert_eq!(message.task.options(), &options);
}

#[test]
fn a_later_field_is_ignored_and_a_later_version_is_not_read() {
    #[derive(serde::Serialize)]
    struct Later {
        args: Bytes,
        options: Options,
        invented_later: u8,
    }
    #[derive(serde::Serialize)]
    struct Options {
        grace: u64,
        invented_later: bool,
    }
    let options = Options { grace: 7, invented_later: true };
    let later = Later { args: Bytes::from_static(b"\x01"), options, invented_later: 1 };
    let body = rmp_serde::to_vec_named(&later).unwrap();
    let message = TaskMessage::read(&envelope().properties(), &body).unwrap();
    assert_eq!(message.task.options().grace, Some(Duration::from_micros(7)));
    let mut headers = envelope().properties().headers().clone().unwrap();
    headers.insert(ShortString::from("ow-v"), AMQPValue::LongLongInt(2));
    let properties = envelope().properties().with_headers(headers);
    assert_eq!(TaskMessage::read(&properties, &body).unwrap_err(), WireError::Version(2));
}

#[test]
fn a_message_of_somebody_elses_is_named_as_such() {
    let mut headers = FieldTable::default();
    for name in ["lang", "task", "id"] {
        headers.insert(name.into(), AMQPValue::LongString(LongString::from("py")));
    }
    let celery = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_headers(headers);
    let error = TaskMessage::read(&celery, b"[[], {}, {}]").unwrap_err();
    assert!(error.to_string().contains("no message of Outwork's"), "{error}");
}

fn ended(outcome: &Outcome, limit: usize) -> Ended {
    Ended::new(&envelope(), outcome, limit).unwrap()
}

/// A result in a message of its own.
fn sent(outcome: &Outcome, limit: usize) -> Result<(BasicProperties, Bytes), WireError> {
    encode_results(&sender(), vec![ended(outcome, limit)])
}

/// The other task of a chunk.
const OTHER: &str = "01938f9c-7d1e-7c3a-9b1a-2f6d0c5e8a12";

fn chunk(tasks: &[Item<'_>]) -> (Envelope, BasicProperties, Bytes) {
    let envelope = Envelope { not_before: None, failures: 0, ..envelope() };
    let options = TaskOptions::new().idempotent(true);
    let (properties, body) = encode_chunk(&envelope, Codec::Json, &options, tasks).unwrap();
    (envelope, properties, body)
}

fn items() -> [Item<'static>; 2] {
    let item = |id: &str, submitted, args| Item { id: id.parse().unwrap(), submitted, args };
    [item(ID, 1_700_000_000_000, &b"[1,2]"[..]), item(OTHER, 1_700_000_000_001, &b"[3]"[..])]
}

#[test]
fn a_chunk_is_held_fast() {
    let (envelope, properties, body) = chunk(&items());
    assert_eq!(
        shown(&body),
        "\\x83\\xa5codec\\xa4json\\xa7options\\x81\\xaaidempotent\\xc3\\xa5tasks\\x92".to_owned()
            + "\\x83\\xa2id\\xc4\\x10\\x01\\x93\\x8f\\x9c}\\x1e|:\\x9b\\x1a/m\\x0c^\\x8a\\x11\\xa9submitted\\xcf\\x00\\x00\\x01\\x8b\\xcf\\xe5h\\x00\\xa4args\\xc4\\x05[1,2]"
            + "\\x83\\xa2id\\xc4\\x10\\x01\\x93\\x8f\\x9c}\\x1e|:\\x9b\\x1a/m\\x0c^\\x8a\\x12\\xa9submitted\\xcf\\x00\\x00\\x01\\x8b\\xcf\\xe5h\\x01\\xa4args\\xc4\\x03[3]"
    );
    let headers = |properties: &BasicProperties| properties.headers().clone().unwrap();
    let mut as_of_a_task = headers(&envelope.properties());
    as_of_a_task.insert("ow-kind".into(), AMQPValue::LongString("chunk".into()));
    assert_eq!(headers(&properties), as_of_a_task);
    assert!(Envelope::read(&properties).is_err(), "who knows tasks only does not run a chunk");
}

#[test]
fn the_tasks_of_a_chunk_come_out_as_messages_of_their_own() {
    let (envelope, properties, body) = chunk(&items());
    let read = read_chunk(&properties, &body).unwrap();
    assert_eq!(read.len(), 2);
    for (message, item) in read.into_iter().zip(items()) {
        let Item { id, submitted, args } = item;
        assert_eq!(message.envelope, Envelope { id, submitted, ..envelope.clone() });
        assert_eq!((message.task.id(), &**message.task.payload().bytes()), (id, args));
        assert!(message.task.options().idempotent);
        let body = TaskMessage::body(&message.task).unwrap();
        let again = TaskMessage::read(&message.envelope.properties(), &body).unwrap();
        assert_eq!((again.envelope, again.task), (message.envelope, message.task));
    }
    let (_, properties, nothing) = chunk(&[]);
    assert!(read_chunk(&properties, &nothing).is_err(), "a chunk without tasks is none");
}

#[test]
fn several_results_go_together_and_one_that_does_not_read_leaves_the_others_alone() {
    let good = Outcome::bare(Ok(Payload::encode(Codec::Json, &5).unwrap()));
    let results = vec![ended(&good, 5000), ended(&good, 5000)];
    let (properties, body) = encode_results(&sender(), results).unwrap();
    let headers = headers_of(&properties);
    assert_eq!((headers.kind().unwrap(), headers.sender()), (Kind::Results, Some(sender())));
    let read = read_results(&body).unwrap();
    assert_eq!(read.len(), 2);
    for result in read {
        assert_eq!((result.id, result.submitted), (envelope().id, envelope().submitted));
        assert!(result.outcome.is_success());
    }
    let at = body.windows(2).rposition(|two| two == b"ok").unwrap();
    let mut garbled = body.to_vec();
    garbled[at] = 0xc1;
    let read: Vec<_> = read_results(&garbled).unwrap();
    assert!(read[0].outcome.is_success());
    assert_eq!(*read[1].outcome.error().unwrap().kind(), TaskErrorKind::Undecodable);
}

fn at(nanos: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_nanos(nanos))
}

fn report() -> Report {
    let run_time = Some(Duration::from_nanos(9));
    let timings = Timings::recorded(at(1_700_000_000_000_000_001), at(2), at(3), run_time);
    Report { attempts: 2, worker: Some("w".into()), timings, ..Report::default() }
}

#[test]
fn an_outcome_is_held_fast() {
    let shown = |outcome| shown(&sent(&outcome, usize::MAX).unwrap().1);
    let bare = Outcome::bare(Ok(Payload::encode(Codec::MessagePack, &3).unwrap()));
    assert_eq!(shown(bare), "\\x81\\xa2ok\\xc4\\x01\\x03");
    let payload = Payload::new(Codec::Json, "3").with_schema(2);
    assert_eq!(
        shown(Outcome::new(Ok(payload), report())),
        "\\x89\\xa2ok\\xc4\\x013\\xa5codec\\xa4json\\xa6schema\\x02\\xa8attempts\\x02\\xacsubmitted_at\\xcf\\x17\\x97\\x9c\\xfe6*\\x00\\x01\\xaastarted_at\\x02\\xabfinished_at\\x03\\xa8run_time\\t\\xa6worker\\xa1w"
    );
    let timings = Timings::recorded(None, at(2), at(11), Some(Duration::from_nanos(9)));
    let usual = Report { attempts: 1, timings, ..Report::default() };
    assert_eq!(
        shown(Outcome::new(Ok(Payload::new(Codec::MessagePack, "3")), usual)),
        "\\x84\\xa2ok\\xc4\\x013\\xa8attempts\\x01\\xaastarted_at\\x02\\xa8run_time\\t",
        "its end follows from the two"
    );
    let error = TaskError::new(TaskErrorKind::Exited { code: 3 }, "three");
    let outcome = Outcome::new(Err(error), Report { attempts: 1, ..Report::default() });
    assert_eq!(
        shown(outcome),
        "\\x82\\xa5error\\x82\\xa4kind\\x81\\xa6exited\\x81\\xa4code\\x03\\xa7message\\xa5three\\xa8attempts\\x01"
    );
}

#[test]
fn a_result_comes_out_as_it_went_in() {
    let good = || Ok(Payload::new(Codec::Json, "3"));
    let bad = Err(TaskError::new(TaskErrorKind::Exited { code: 3 }, "three"));
    let timings = Timings::recorded(at(1), at(2), at(11), Some(Duration::from_nanos(9)));
    let usual = Report { timings, ..report() };
    for (result, report) in [(good(), report()), (bad, report()), (good(), usual)] {
        let outcome = Outcome::new(result, report.clone());
        let (properties, body) = sent(&outcome, usize::MAX).unwrap();
        assert_eq!(headers_of(&properties).kind().unwrap(), Kind::Result);
        assert_eq!(headers_of(&properties).sender(), Some(sender()));
        let read = ResultMessage::read(&properties, &body).unwrap();
        assert_eq!((read.id, read.submitted), (id(), envelope().submitted));
        assert_eq!(read.outcome.result(), outcome.result());
        assert_eq!((read.outcome.attempts(), read.outcome.worker()), (2, Some("w")));
        assert_eq!(read.outcome.timings(), report.timings);
    }
}

#[test]
fn a_result_that_is_too_large_becomes_an_error() {
    let outcome = Outcome::bare(Ok(Payload::new(Codec::Json, vec![b'x'; 10_000])));
    let (properties, body) = sent(&outcome, 5000).unwrap();
    assert!(body.len() <= 5000);
    let read = ResultMessage::read(&properties, &body).unwrap();
    let error = read.outcome.error().unwrap();
    assert_eq!(error.kind(), &TaskErrorKind::OutputTooLarge { limit: 5000 });
}

#[test]
fn a_result_that_does_not_read_is_a_result_all_the_same() {
    let outcome = Outcome::bare(Ok(Payload::new(Codec::Json, "3")));
    let (properties, _) = sent(&outcome, usize::MAX).unwrap();
    let read = ResultMessage::read(&properties, b"garbage").unwrap();
    assert_eq!(read.outcome.error().unwrap().kind(), &TaskErrorKind::Undecodable);
}

#[test]
fn control_and_its_answers_come_out_as_they_went_in() {
    let tombstone = Tombstone {
        id: id(),
        until: 5,
        queue: Some(QueueName::new("mail").unwrap()),
        reply_to: Some("outwork.r.me".into()),
        running: Running::Force,
    };
    let (queue, reply_to) = (QueueName::new("mail").unwrap(), "outwork.r.me".to_owned());
    let ping = Ping { id: id(), queue, reply_to };
    let mark = Control::Mark { reader: "me".to_owned() };
    let question = StatusQuestion { id: tombstone.id, reply_to: "outwork.r.1".to_owned() };
    let asked = [Control::Cancel(tombstone), mark, Control::Ping(ping), Control::Status(question)];
    for control in asked {
        let (properties, body) = control.encode().unwrap();
        assert_eq!(Control::read(&properties, &body).unwrap(), control);
    }
    let ack = CancelAck { id: id(), from: sender(), in_hand: InHand::Yes };
    let (properties, body) = ack.encode().unwrap();
    assert_eq!(CancelAck::read(&properties, &body).unwrap(), ack);
    let pong = Pong { id: id(), from: sender() };
    assert_eq!(Pong::read(&pong.encode().0).unwrap(), pong);
}

/// Properties whose headers claim to be of a kind.
fn claiming(kind: &str) -> BasicProperties {
    let mut headers = envelope().properties().headers().clone().unwrap();
    headers.insert("ow-kind".into(), AMQPValue::LongString(LongString::from(kind)));
    envelope().properties().with_headers(headers)
}

/// Reads bytes as everything that they could be.
fn read_as_everything(body: &[u8]) {
    for kind in ["task", "result", "event", "control", "cancel-ack", "pong", "job", "?"] {
        let properties = claiming(kind);
        let _ = TaskMessage::read(&properties, body);
        let _ = ResultMessage::read(&properties, body);
        let _ = RemoteEvent::read(&properties, body);
        let _ = Control::read(&properties, body);
        let _ = CancelAck::read(&properties, body);
        let _ = Pong::read(&properties);
        let _ = JobRecord::read(&properties, body);
    }
}

proptest! {
    #[test]
    fn no_bytes_panic_a_decoder(body in proptest::collection::vec(any::<u8>(), 0..512)) {
        read_as_everything(&body);
    }

    #[test]
    fn no_message_panics_a_decoder(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        super::fuzz::fuzz(&bytes);
    }

    #[test]
    fn no_damage_panics_a_decoder(place in 0_usize..100, byte in any::<u8>(), cut in 0_usize..100) {
        let mut body = TaskMessage::body(&task()).unwrap().to_vec();
        let place = place % body.len();
        body[place] = byte;
        body.truncate(body.len() - cut % body.len());
        read_as_everything(&body);
    }

    #[test]
    fn arguments_come_out_as_they_went_in(
        args in proptest::collection::vec(any::<u8>(), 0..2048),
        meta in proptest::collection::btree_map(".*", ".*", 0..4),
        failures in any::<u32>(),
    ) {
        let metadata = meta.iter().fold(Metadata::new(), |all, (k, v)| all.with(k, v));
        let payload = Payload::new(Codec::MessagePack, args.clone());
        let name = TaskName::new("demo.add").unwrap();
        let task = Task::new(name, payload).with_id(id()).with_metadata(metadata.clone());
        let body = TaskMessage::body(&task).unwrap();
        let envelope = Envelope { failures, ..envelope() };
        let message = TaskMessage::read(&envelope.properties(), &body).unwrap();
        prop_assert_eq!(&message.task.payload().bytes()[..], &args[..]);
        prop_assert_eq!(message.task.metadata(), &metadata);
        prop_assert_eq!(message.envelope.failures, failures);
    }
}
