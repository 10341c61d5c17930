//! Durations on the command line.

use std::time::Duration;

/// Why a text is not a duration that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DurationError {
    #[error("{text:?} is no duration: write seconds (5, 0.5) or units (250ms, 2m, 1h 30m)")]
    Malformed { text: String },
    #[error("{text:?} is more than a century: give less, or leave the option out for no limit")]
    TooLong { text: String },
    #[error(
        "a time limit of {text:?} would stop every task at its start: \
         give a longer one, or leave --time-limit out for none"
    )]
    ZeroLimit { text: String },
}

/// More is refused: a deadline that far away is outside of what clocks can count.
const CENTURY: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// Reads a duration of at most a century: units (`250ms`, `2m`, `1h 30m`) or a bare number of seconds (`5`, `0.5`).
pub(crate) fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let too_long = || DurationError::TooLong { text: text.into() };
    let duration = if is_decimal(text) {
        let seconds: f64 = text.parse().expect("digits with at most one point are a number");
        Duration::try_from_secs_f64(seconds).map_err(|_| too_long())?
    } else {
        humantime::parse_duration(text).map_err(|error| match error {
            humantime::DurationError::NumberOverflow => too_long(),
            _ => DurationError::Malformed { text: text.into() },
        })?
    };
    if duration <= CENTURY { Ok(duration) } else { Err(too_long()) }
}

/// Reads the value of `--time-limit`: a duration above zero.
pub(crate) fn parse_time_limit(text: &str) -> Result<Duration, DurationError> {
    match parse_duration(text)? {
        Duration::ZERO => Err(DurationError::ZeroLimit { text: text.into() }),
        limit => Ok(limit),
    }
}

/// Whether `text` is digits with at most one point. A float's parser would take `inf`, `1e9` and `-1` too.
fn is_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    [whole, fraction]
        .iter()
        .all(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests;
