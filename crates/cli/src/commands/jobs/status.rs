//! What is known of a job, written down.

use humantime::format_rfc3339_millis;
use outwork_amqp::JobStatus;
use serde_json::json;

use crate::error_json::error_json;

/// For people: a line for each thing.
pub(super) fn text(job: &JobStatus) -> String {
    let error = job.outcome.as_ref().and_then(|outcome| outcome.error());
    let rows = [
        ("id", Some(job.id.to_string())),
        ("task", Some(job.name.to_string())),
        ("queue", Some(job.queue.to_string())),
        ("state", Some(job.state.to_string())),
        ("since", Some(format_rfc3339_millis(job.at).to_string())),
        ("submitted", Some(format_rfc3339_millis(job.submitted_at).to_string())),
        ("attempt", (job.attempt > 0).then(|| job.attempt.to_string())),
        ("worker", job.worker.clone()),
        ("error", error.map(|error| format!("{}: {error}", error.kind().name()))),
    ];
    let rows = rows.into_iter().filter_map(|(name, value)| Some((name, value?)));
    rows.map(|(name, value)| format!("{name:9}  {value}\n")).collect()
}

/// For programs: one object.
pub(super) fn json(job: &JobStatus) -> String {
    let mut object = json!({
        "id": job.id,
        "task": job.name.as_str(),
        "queue": job.queue.as_str(),
        "state": job.state.to_string(),
        "since": format_rfc3339_millis(job.at).to_string(),
        "submitted": format_rfc3339_millis(job.submitted_at).to_string(),
        "attempt": job.attempt,
        "worker": job.worker,
    });
    if let Some(error) = job.outcome.as_ref().and_then(|outcome| outcome.error()) {
        object["error"] = error_json(error).into();
    }
    object.to_string()
}
