//! What is not the protocol is an error, and never a panic, a hang, or much memory.

use super::{
    super::{Header, Kind},
    *,
};

/// Feeds bytes to both readers; what they make of them does not matter.
fn digest(bytes: &[u8], at_once: usize) {
    let _ = read(bytes, &[at_once], |raw| ToChild::read(&raw));
    let _ = read(bytes, &[at_once], FromChild::read);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_bytes_do_no_harm(
        bytes in prop::collection::vec(any::<u8>(), 0..2000),
        at_once in 1..300_usize,
    ) {
        digest(&bytes, at_once);
    }

    #[test]
    fn bytes_that_begin_like_frames_do_no_harm(
        kinds in prop::collection::vec((0..Kind::ALL.len(), any::<[u8; 18]>()), 1..20),
        body in prop::collection::vec(any::<u8>(), 0..300),
        at_once in 1..300_usize,
    ) {
        let mut bytes = Vec::new();
        for (kind, rest) in kinds {
            bytes.extend_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
            bytes.push(Kind::ALL[kind] as u8);
            bytes.extend_from_slice(&rest);
            bytes.push(0);
            bytes.extend_from_slice(&body);
        }
        digest(&bytes, at_once);
    }

    #[test]
    fn a_frame_with_one_byte_changed_does_no_harm(
        frame in from_child(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut outbox = Outbox::default();
        frame.put(&mut outbox);
        let mut bytes = written(&mut outbox, usize::MAX);
        *place.get_mut(&mut bytes) = byte;
        digest(&bytes, 4096);
    }
}

/// The same on every run and every machine, beside what proptest makes up.
#[test]
fn a_long_stream_of_pseudo_random_bytes_does_no_harm() {
    let mut random = fastrand::Rng::with_seed(20_261_121);
    for _ in 0..20_000 {
        let length = random.usize(..200);
        let mut bytes: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
        if let Some(kind) = bytes.get_mut(4) {
            *kind = Kind::ALL[random.usize(..Kind::ALL.len())] as u8;
        }
        if let Some(length) = bytes.get_mut(1..4) {
            length.fill(0);
        }
        digest(&bytes, random.usize(1..200));
    }
}

fn one(header: Header, body: &[u8]) -> Vec<u8> {
    let mut outbox = Outbox::default();
    outbox.push(header, &[body]);
    written(&mut outbox, usize::MAX)
}

#[test]
fn a_kind_that_does_not_exist_is_named() {
    let mut bytes = one(Header::new(Kind::Leave, 0), &[]);
    bytes[4] = 0x7f;
    let error = read(&bytes, &[100], |raw| ToChild::read(&raw)).unwrap_err();
    assert_eq!(error, WireError::UnknownKind(0x7f));
}

#[test]
fn a_frame_of_the_other_direction_is_refused() {
    let bytes = one(Header::new(Kind::Started, 1), &[]);
    let error = read(&bytes, &[100], |raw| ToChild::read(&raw)).unwrap_err();
    assert_eq!(error, WireError::WrongDirection(Kind::Started));
}

#[test]
fn a_frame_over_the_limit_is_refused_before_its_body_comes() {
    let header = Header { length: u32::MAX, ..Header::new(Kind::Stdout, 1) };
    let mut decoder = Decoder::new(LIMIT);
    decoder.feed(&header.to_bytes());
    assert_eq!(decoder.next(), Err(WireError::TooLong { length: u32::MAX, limit: LIMIT }));
}

#[test]
fn a_long_frame_takes_no_memory_before_its_body_comes() {
    let header = Header { length: 1 << 30, ..Header::new(Kind::Stdout, 1) };
    let mut decoder = Decoder::new(1 << 31);
    decoder.feed(&header.to_bytes());
    assert_eq!(decoder.next(), Ok(None));
    assert!(decoder.space().capacity() <= 2 << 20);
}

#[test]
fn a_body_that_does_not_fit_its_kind_names_the_kind() {
    let header = Header { flags: Header::EXTRAS, ..Header::new(Kind::Task, 1) };
    for body in [&[0; 15][..], &[0; 18], &[0xff; 24]] {
        let error = read(&one(header, body), &[100], |raw| ToChild::read(&raw)).unwrap_err();
        assert!(matches!(error, WireError::BadBody { kind: Kind::Task, .. }), "{error}");
    }
}
