use std::{
    fs::File,
    io::Read,
    os::unix::{fs::FileExt, net::UnixStream},
    sync::Arc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use outwork_core::{Codec, Payload};

use super::{Link, journal};
use crate::process_pool::{
    sys,
    wire::{Decoder, FromChild, Header},
};

/// What a pool has of a child.
struct Pool {
    channel: UnixStream,
    journal: File,
}

fn link() -> (Arc<Link>, Pool) {
    let (ours, theirs) = sys::channel().unwrap();
    let journal = sys::nameless_file().unwrap();
    let link = Arc::new(Link::new(theirs, journal.try_clone().unwrap()));
    (link, Pool { channel: UnixStream::from(ours), journal })
}

impl Pool {
    /// What it knows of a child that ends when so many bytes have come: what the child has said,
    /// and the task that it has begun last.
    fn hear(&mut self, length: usize) -> (Vec<FromChild>, u64) {
        let mut read = vec![0; length];
        self.channel.read_exact(&mut read).unwrap();
        let mut page = vec![0; journal::CAPACITY];
        let kept = self.journal.read_at(&mut page, 0).unwrap();
        let mut decoder = Decoder::new(1 << 24);
        decoder.feed(&read);
        decoder.feed(journal::unread(&page[..kept], length as u64));
        let next = || decoder.next().unwrap().map(|raw| FromChild::read(raw).unwrap());
        (std::iter::from_fn(next).collect(), journal::begun(&page[..kept]))
    }
}

fn done(seq: u64, bytes: usize) -> FromChild {
    let result = Payload::new(Codec::MessagePack, Bytes::from(vec![1; bytes]));
    FromChild::Done { seq, nanos: 1, result }
}

#[test]
fn half_of_a_long_result_is_no_reason_to_believe_that_its_task_was_not_begun() {
    let (link, mut pool) = link();
    link.begin(1, false);
    thread::scope(|threads| {
        threads.spawn(|| link.end(&done(1, 1 << 20)));
        assert_eq!(pool.hear(1000), (vec![], 1));
        // That lets go of the writer, for whom there is no room.
        drop(pool);
    });
}

#[test]
fn a_beginning_that_was_said_at_once_is_in_the_journal_too() {
    let (link, mut pool) = link();
    link.begin(7, true);
    assert_eq!(pool.hear(Header::LENGTH), (vec![FromChild::Started { seq: 7 }], 7));
}

#[test]
fn a_short_result_takes_the_place_of_the_word_that_its_task_was_begun() {
    let (link, mut pool) = link();
    for seq in 1..=3 {
        link.begin(seq, false);
        link.end(&done(seq, 10));
    }
    link.flush();
    let all = [1, 2, 3].map(|seq| done(seq, 10));
    assert_eq!(pool.hear(3 * (Header::LENGTH + 10)), (all.to_vec(), 3));
}

#[test]
fn what_was_not_sent_is_in_the_journal_when_the_next_body_begins() {
    let (link, mut pool) = link();
    link.begin(1, false);
    link.end(&done(1, 10));
    link.begin(2, false);
    assert_eq!(pool.hear(0), (vec![done(1, 10), FromChild::Started { seq: 2 }], 2));
}

#[test]
fn what_follows_a_long_result_is_in_the_journal_as_well() {
    let (link, mut pool) = link();
    let long = done(1, 2 * journal::CAPACITY);
    link.begin(1, false);
    link.end(&long);
    link.begin(2, false);
    link.end(&done(2, 10));
    link.begin(3, false);
    let said = vec![long, done(2, 10), FromChild::Started { seq: 3 }];
    assert_eq!(pool.hear(Header::LENGTH + 2 * journal::CAPACITY), (said, 3));
}

#[test]
fn a_last_word_leaves_what_was_begun() {
    let (link, mut pool) = link();
    link.begin(3, true);
    link.leave_behind(&FromChild::Refused("over".to_owned()));
    let (words, begun) = pool.hear(Header::LENGTH);
    assert_eq!(words[1], FromChild::Refused("over".to_owned()));
    assert_eq!(begun, 3);
}

#[test]
fn no_task_begins_between_the_taking_out_of_others_and_the_word_of_it() {
    let (link, mut pool) = link();
    thread::scope(|threads| {
        link.give_back(|| {
            threads.spawn(|| link.begin(9, true));
            // Long enough for it, if it did not have to wait.
            thread::sleep(Duration::from_millis(20));
            [8]
        });
    });
    let words = [FromChild::Returned { seq: 8 }, FromChild::Started { seq: 9 }];
    assert_eq!(pool.hear(2 * Header::LENGTH).0, words);
}
