//! The spans around what is done with a task.

use outwork_core::{Task, TraceContext};
use tracing::{Span, field::display, info_span};

use crate::{topology::QueueName, wire::Envelope};

/// Around one attempt of a task on a worker, from its delivery until it is acknowledged.
pub(crate) fn attempt(envelope: &Envelope) -> Span {
    info_span!(
        target: "outwork_amqp::trace",
        "attempt",
        task_id = %envelope.id,
        task_name = %envelope.name,
        attempt = envelope.failures + 1,
        queue = %envelope.queue,
        trace_id = envelope.trace.as_ref().and_then(trace_id),
    )
}

/// Around the submission of a task, until the broker has confirmed it.
pub(crate) fn submit(task: &Task, usual: &QueueName) -> Span {
    info_span!(
        target: "outwork_amqp::trace",
        "submit",
        task_id = %task.id(),
        task_name = %task.name(),
        attempt = task.attempts_made() + 1,
        queue = task.options().queue.as_deref().unwrap_or_else(|| usual.as_str()),
        trace_id = task.options().trace.as_ref().and_then(trace_id),
    )
}

/// Around the submission of many tasks.
pub(crate) fn submit_many(tasks: &[Task]) -> Span {
    let first = tasks.first().map(|task| display(task.id()));
    info_span!(
        target: "outwork_amqp::trace",
        "submit_many",
        tasks = tasks.len(),
        task_id = first,
    )
}

/// The trace in the words of the W3C: version, trace, parent and flags, with dashes between.
fn trace_id(trace: &TraceContext) -> Option<&str> {
    let id = trace.traceparent.split('-').nth(1)?;
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_that_does_not_read_has_no_id() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let read = |parent: &str| {
            let trace = TraceContext { traceparent: parent.to_owned(), tracestate: None };
            trace_id(&trace).map(str::to_owned)
        };
        assert_eq!(read(&format!("00-{id}-00f067aa0ba902b7-01")).as_deref(), Some(id));
        for bad in ["", "00", "00-xyz-1-01", "00-4bf9-1-01", &"é".repeat(40)] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
