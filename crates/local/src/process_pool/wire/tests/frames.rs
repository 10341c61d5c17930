//! Frames come out as they went in, however they are cut.

use super::*;

fn all_of<T>(frames: &[T], put: impl Fn(&T, &mut Outbox), at_once: usize) -> Vec<u8> {
    let mut outbox = Outbox::default();
    frames.iter().for_each(|frame| put(frame, &mut outbox));
    let length = outbox.len();
    let bytes = written(&mut outbox, at_once);
    assert_eq!(bytes.len(), length, "the outbox knows how much it has");
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_a_pool_says_is_heard_however_it_is_cut(
        frames in prop::collection::vec(to_child(), 1..12),
        reads in prop::collection::vec(1..60_000_usize, 1..8),
        at_once in 1..200_000_usize,
    ) {
        let bytes = all_of(&frames, ToChild::put, at_once);
        prop_assert_eq!(read(&bytes, &reads, |raw| ToChild::read(&raw)), Ok(frames));
    }

    #[test]
    fn what_a_child_says_is_heard_however_it_is_cut(
        frames in prop::collection::vec(from_child(), 1..12),
        reads in prop::collection::vec(1..60_000_usize, 1..8),
        at_once in 1..200_000_usize,
    ) {
        let bytes = all_of(&frames, FromChild::put, at_once);
        prop_assert_eq!(read(&bytes, &reads, FromChild::read), Ok(frames));
    }

    #[test]
    fn an_outbox_that_is_filled_between_writes_loses_nothing(
        frames in prop::collection::vec(from_child(), 1..12),
        writes in prop::collection::vec(0..50_000_usize, 12),
    ) {
        let (mut outbox, mut bytes) = (Outbox::default(), Vec::new());
        for (frame, at_once) in frames.iter().zip(&writes) {
            frame.put(&mut outbox);
            let before = bytes.len();
            outbox.write_with(|pieces| {
                bytes.extend(pieces.iter().flat_map(|piece| piece.iter().copied()).take(*at_once));
            });
            outbox.advance(bytes.len() - before);
        }
        bytes.extend(written(&mut outbox, usize::MAX));
        prop_assert_eq!(read(&bytes, &[4096], FromChild::read), Ok(frames));
    }
}

/// Small frames of each kind, so that every cut can be tried.
fn small() -> Vec<FromChild> {
    let seq = 3;
    let result = Payload::new(Codec::Json, "[1]");
    vec![
        FromChild::Ready(Ready::new(9)),
        FromChild::Started { seq },
        FromChild::Done { seq, nanos: 1, result },
        FromChild::Stdout { seq, bytes: Bytes::new() },
        FromChild::Failed { seq, nanos: 2, error: TaskError::cancelled() },
    ]
}

#[test]
fn two_reads_may_be_split_at_any_byte() {
    let bytes = all_of(&small(), FromChild::put, usize::MAX);
    for cut in 1..bytes.len() {
        let reads = [cut, bytes.len()];
        assert_eq!(read(&bytes, &reads, FromChild::read), Ok(small()), "cut at {cut}");
    }
}

#[test]
fn one_byte_a_read_is_enough() {
    let bytes = all_of(&small(), FromChild::put, 1);
    assert_eq!(read(&bytes, &[1], FromChild::read), Ok(small()));
}

#[test]
fn a_large_frame_ends_where_it_ends_also_when_more_was_read() {
    let large = FromChild::Stdout { seq: 1, bytes: vec![7; 200_000].into() };
    let frames = vec![large.clone(), FromChild::Started { seq: 2 }, large];
    let bytes = all_of(&frames, FromChild::put, usize::MAX);
    for reads in [vec![bytes.len()], vec![50_000], vec![199_999, 60], vec![24, 200_010]] {
        assert_eq!(read(&bytes, &reads, FromChild::read), Ok(frames.clone()), "{reads:?}");
    }
}
