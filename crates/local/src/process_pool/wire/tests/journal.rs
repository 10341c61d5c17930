//! What a child has said is known whenever it dies, and nothing twice.

use super::{super::journal, *};

/// A child's words: some gathered, some sent, with the journal kept as the child keeps it.
#[derive(Default)]
struct Child {
    file: Vec<u8>,
    sent: Vec<u8>,
    gathered: Vec<u8>,
    known: Option<usize>,
}

impl Child {
    fn gather(&mut self, word: &FromChild) {
        let mut outbox = Outbox::default();
        word.put(&mut outbox);
        self.gathered.extend(written(&mut outbox, usize::MAX));
    }

    fn keep(&mut self) {
        let mut page = Vec::new();
        let sent = self.sent.len() as u64;
        let offset = journal::entry(&mut page, sent, &self.gathered, self.known);
        let offset = usize::try_from(offset).unwrap();
        self.file.resize(self.file.len().max(offset + page.len()), 0);
        self.file[offset..offset + page.len()].copy_from_slice(&page);
        self.known = Some(self.gathered.len());
    }

    fn flush(&mut self) {
        self.sent.append(&mut self.gathered);
        self.known = None;
    }

    /// Everything that the pool can know of, of which it had read so much before.
    fn heard(&self) -> Vec<u8> {
        let mut bytes = self.sent.clone();
        bytes.extend_from_slice(journal::unread(&self.file, self.sent.len() as u64));
        bytes
    }
}

proptest! {
    #[test]
    fn whatever_was_kept_is_heard_once(
        steps in prop::collection::vec((any::<u64>(), any::<bool>(), any::<bool>()), 1..60),
    ) {
        let (mut child, mut kept) = (Child::default(), Vec::new());
        let mut said = Vec::new();
        for (seq, keeps, flushes) in steps {
            let word = FromChild::Started { seq };
            if child.gathered.len() + 24 > journal::ROOM {
                child.flush();
                kept = said.clone();
            }
            child.gather(&word);
            said.push(word);
            if flushes {
                child.flush();
                kept = said.clone();
            } else if keeps {
                child.keep();
                kept = said.clone();
            }
            let heard = read(&child.heard(), &[1000], FromChild::read).unwrap();
            prop_assert_eq!(&heard, &kept);
        }
    }

    #[test]
    fn a_file_that_is_no_journal_gives_no_frame_that_is_not_whole(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        received in any::<u64>(),
    ) {
        let unread = journal::unread(&bytes, received);
        prop_assert!(unread.len() <= bytes.len());
    }
}

#[test]
fn a_page_that_is_full_to_the_last_byte_has_its_end() {
    let mut child = Child::default();
    while child.gathered.len() + 24 <= journal::ROOM {
        child.gather(&FromChild::Started { seq: 1 });
    }
    child.keep();
    assert!(child.file.len() <= journal::CAPACITY, "{}", child.file.len());
    assert_eq!(child.heard().len(), child.gathered.len());
}

#[test]
fn an_end_takes_the_place_of_a_start_that_was_only_kept() {
    let mut child = Child::default();
    child.gather(&FromChild::Started { seq: 1 });
    child.keep();
    // As `Link::end` does it.
    child.gathered.clear();
    child.known = Some(0);
    let result = Payload::new(Codec::Json, "1");
    let done = FromChild::Done { seq: 1, nanos: 5, result };
    child.gather(&done);
    child.gather(&FromChild::Started { seq: 2 });
    child.keep();
    let heard = read(&child.heard(), &[1000], FromChild::read);
    assert_eq!(heard, Ok(vec![done, FromChild::Started { seq: 2 }]));
}
