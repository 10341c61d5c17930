//! A reader is told every event, or how many it has missed, and then the end.

use std::{num::NonZeroUsize, sync::Arc};

use shuttle::thread;

use super::check;
use crate::{EventFilter, EventHub, EventKind, EventStream, TaskEvent, TaskId, blocking::block_on};

fn emit(hub: &EventHub, attempt: u32) {
    hub.emit(|| TaskEvent::now(TaskId::new(), None, attempt, EventKind::Submitted));
}

/// Reads to the end: how many events came, and how many were missed.
fn read(stream: &mut EventStream) -> (u64, u64) {
    let (mut came, mut missed) = (0, 0);
    while let Some(event) = block_on(stream.next()) {
        match event {
            Ok(_) => came += 1,
            Err(lagged) => missed += lagged.0,
        }
    }
    (came, missed)
}

#[test]
fn what_a_slow_reader_misses_is_counted_to_the_last_event() {
    check(|| {
        let hub = Arc::new(EventHub::new());
        let mut stream = hub.subscribe(EventFilter::all().capacity(NonZeroUsize::MIN));
        let emitters = [(); 2].map(|()| {
            let hub = Arc::clone(&hub);
            thread::spawn(move || (0..2).for_each(|attempt| emit(&hub, attempt)))
        });
        let closer = thread::spawn(move || {
            emitters.into_iter().for_each(|emitter| emitter.join().unwrap());
            hub.close();
        });
        let (came, missed) = read(&mut stream);
        assert_eq!(came + missed, 4);
        closer.join().unwrap();
    });
}

/// One reader leaves while another comes: whoever forgets the first must not forget the second.
#[test]
fn who_subscribes_while_others_leave_is_told_what_comes_then() {
    check(|| {
        let hub = Arc::new(EventHub::new());
        let leaver = hub.subscribe(EventFilter::all());
        let emitter = {
            let hub = Arc::clone(&hub);
            thread::spawn(move || emit(&hub, 1))
        };
        let reader = {
            let hub = Arc::clone(&hub);
            thread::spawn(move || {
                let mut stream = hub.subscribe(EventFilter::all());
                emit(&hub, 2);
                let told = std::iter::from_fn(|| block_on(stream.next()));
                told.map(|event| event.unwrap().attempt).find(|attempt| *attempt == 2)
            })
        };
        drop(leaver);
        assert_eq!(reader.join().unwrap(), Some(2));
        emitter.join().unwrap();
    });
}

#[test]
fn every_stream_ends_when_it_began_beside_the_end_too() {
    check(|| {
        let hub = Arc::new(EventHub::new());
        let readers = [(); 2].map(|()| {
            let hub = Arc::clone(&hub);
            thread::spawn(move || read(&mut hub.subscribe(EventFilter::all())))
        });
        emit(&hub, 1);
        hub.close();
        readers.into_iter().for_each(|reader| {
            let (came, missed) = reader.join().unwrap();
            assert!(came <= 1 && missed == 0);
        });
        assert!(!hub.is_active());
    });
}

/// The close may come before the beginning, between it and the end, or after both.
#[test]
fn what_was_begun_is_told_to_its_end_and_then_the_stream_ends() {
    check(|| {
        let hub = Arc::new(EventHub::new());
        let mut stream = hub.subscribe(EventFilter::all());
        let works = [(); 2].map(|()| {
            let hub = Arc::clone(&hub);
            thread::spawn(move || {
                let event = |attempt| {
                    move || TaskEvent::now(TaskId::new(), None, attempt, EventKind::Submitted)
                };
                let told = hub.begin(event(1));
                if told {
                    hub.end(event(2));
                }
                u64::from(told)
            })
        });
        hub.close();
        let (came, missed) = read(&mut stream);
        let told: u64 = works.map(|work| work.join().unwrap()).iter().sum();
        assert_eq!((came, missed), (2 * told, 0));
    });
}
