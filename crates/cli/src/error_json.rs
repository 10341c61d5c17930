//! The errors of tasks as JSON.

use outwork_core::{TaskError, TaskErrorKind};
use serde_json::{Map, Value};

/// An error as one flat object: `kind`, what belongs to that kind, `message`, and what else
/// there is.
pub(crate) fn error_json(error: &TaskError) -> Map<String, Value> {
    let mut object = Map::new();
    add_kind(&mut object, error.kind());
    object.insert("message".to_owned(), error.message().into());
    if !error.causes().is_empty() {
        object.insert("causes".to_owned(), error.causes().into());
    }
    if !error.notes().is_empty() {
        object.insert("notes".to_owned(), error.notes().into());
    }
    if !error.stderr_tail().is_empty() {
        object.insert("stderr_tail".to_owned(), error.stderr_tail().into());
    }
    object
}

fn add_kind(object: &mut Map<String, Value>, kind: &TaskErrorKind) {
    let value = serde_json::to_value(kind).unwrap_or(Value::Null);
    let (_, details) = variant(value);
    object.insert("kind".to_owned(), kind.name().into());
    match (kind, details) {
        (TaskErrorKind::TimedOut { limit, abandoned }, _) => {
            object.insert("limit_seconds".to_owned(), limit.as_secs_f64().into());
            object.insert("abandoned".to_owned(), (*abandoned).into());
        }
        (TaskErrorKind::Rejected(_), Some(reason)) => {
            let (reason, details) = variant(reason);
            object.insert("reason".to_owned(), reason);
            object.extend(details.and_then(into_object).unwrap_or_default());
        }
        (_, details) => object.extend(details.and_then(into_object).unwrap_or_default()),
    }
}

/// A variant as serde writes it: its name, or an object of its name and its fields.
fn variant(value: Value) -> (Value, Option<Value>) {
    match value {
        Value::Object(object) => match object.into_iter().next() {
            Some((name, details)) => (name.into(), Some(details)),
            None => (Value::Null, None),
        },
        name => (name, None),
    }
}

fn into_object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use outwork_core::Rejection;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(error: &TaskError, expected: Value) {
        assert_eq!(Value::Object(error_json(error)), expected);
    }

    #[test]
    fn an_error_is_one_flat_object() {
        let error = |kind| TaskError::new(kind, "m");
        check(&TaskError::failed("m"), json!({ "kind": "failed", "message": "m" }));
        check(
            &error(TaskErrorKind::Exited { code: 3 }),
            json!({ "kind": "exited", "code": 3, "message": "m" }),
        );
        let program = || "x".to_owned();
        check(
            &error(TaskErrorKind::Rejected(Rejection::ProgramNotFound { program: program() })),
            json!({
                "kind": "rejected", "reason": "program_not_found", "program": "x", "message": "m"
            }),
        );
        check(
            &error(TaskErrorKind::Rejected(Rejection::Closed)),
            json!({ "kind": "rejected", "reason": "closed", "message": "m" }),
        );
        let limit = Duration::from_millis(1500);
        check(
            &error(TaskErrorKind::TimedOut { limit, abandoned: false }),
            json!({
                "kind": "timed_out", "limit_seconds": 1.5, "abandoned": false, "message": "m"
            }),
        );
    }
}
