//! What workers print and tell.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use outwork_core::{Executor, ExecutorExt, Shutdown, StreamTarget, TaskOptions};
use outwork_local::WorkerOutput;
use tracing::{Event, Metadata, Subscriber, field::Visit, span, subscriber::set_global_default};

use super::{builder, pool};
use crate::support::{
    LATER, alone, outcome, stop, submit,
    tasks::{NOOP, PANIC, PRINT, TELL},
    wait_until,
};

fn print(stdout: &str, stderr: &str) -> outwork_core::Task {
    PRINT.task(&(stdout.to_owned(), stderr.to_owned())).unwrap()
}

#[test]
fn what_each_of_many_tasks_prints_is_its_own_to_the_byte() {
    let pool = pool(2);
    let options = TaskOptions::new().stdout(StreamTarget::memory()).stderr(StreamTarget::memory());
    let handles: Vec<_> = (0..60)
        .map(|number| {
            // Without a newline at the end, which is held back most easily.
            let words = format!("{number} ").repeat(1 + number % 7);
            let task = print(&words, &words.to_uppercase()).with_options(options.clone());
            (words, submit(&pool, task))
        })
        .collect();
    for (words, handle) in handles {
        let outcome = outcome(handle);
        assert_eq!(outcome.stdout().text().unwrap(), words);
        assert_eq!(outcome.stderr().text().unwrap(), words.to_uppercase());
    }
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn more_than_a_pipe_takes_is_captured() {
    let pool = pool(1);
    let words = "0123456789".repeat(100_000);
    let options = TaskOptions::new().stdout(StreamTarget::memory());
    let task = print(&words, "").with_options(options);
    assert_eq!(outcome(submit(&pool, task)).stdout().text().unwrap(), words);
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn a_file_gets_what_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a/b");
    let pool = pool(1);
    let options = TaskOptions::new().stderr(StreamTarget::file(&file));
    let task = print("", "to the file").with_options(options);
    assert_eq!(outcome(submit(&pool, task)).stderr().len(), 11);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "to the file");
    stop(&pool, Shutdown::drain(LATER));
}

#[derive(Debug, Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn has(&self, words: &[&str]) -> bool {
        let all = self.0.lock().unwrap();
        all.iter().any(|one| words.iter().all(|word| one.contains(word)))
    }
}

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!(" {}={value:?}", field.name()));
    }
}

impl Subscriber for Heard {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _attributes: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut words = format!("{} {}", metadata.level(), metadata.target());
        event.record(&mut Fields(&mut words));
        self.0.lock().unwrap().push(words);
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

#[test]
fn events_of_a_worker_are_told_here_with_level_target_and_task() {
    fn test() {}
    alone(test, || {
        let heard = Heard::default();
        set_global_default(heard.clone()).unwrap();
        let pool = pool(1);
        let task = TELL.task(&"hello from afar".to_owned()).unwrap();
        let id = task.id().to_string();
        assert!(outcome(submit(&pool, task)).is_success());
        wait_until("the event is told", || heard.has(&["WARN child::told", "hello from afar"]));
        assert!(heard.has(&["hello from afar", "answer=42", &id]), "{heard:?}");
        stop(&pool, Shutdown::drain(LATER));
    });
}

#[test]
fn lines_that_nobody_captures_can_be_told_with_their_worker() {
    fn test() {}
    alone(test, || {
        let heard = Heard::default();
        set_global_default(heard.clone()).unwrap();
        let pool = builder(1).output(WorkerOutput::Log).build().unwrap();
        assert!(outcome(submit(&pool, print("one\ntwo\n", "bad\n"))).is_success());
        wait_until("the lines are told", || {
            heard.has(&["INFO outwork::stdout", "two"])
                && heard.has(&["WARN outwork::stderr", "bad"])
        });
        stop(&pool, Shutdown::drain(LATER));
    });
}

#[test]
fn a_panic_leaves_the_worker_alive() {
    let pool = builder(1).output(WorkerOutput::Discard).build().unwrap();
    let panicked = outcome(submit(&pool, PANIC.task(&"on purpose".to_owned()).unwrap()));
    assert!(panicked.error().unwrap().message().contains("on purpose"), "{panicked:?}");
    pool.blocking_call(NOOP, &()).unwrap();
    assert_eq!(pool.status().counts.lost, 0);
    stop(&pool, Shutdown::drain(LATER));
}
