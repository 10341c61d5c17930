use super::*;

#[track_caller]
fn check(text: &str, expected: Duration) {
    assert_eq!(parse_duration(text), Ok(expected), "{text:?}");
}

#[test]
fn what_is_no_duration_is_refused_with_its_text() {
    for text in
        ["", " ", "x", "-1", "+1", "1e3", "inf", "NaN", "1.2.3", ".5", "5.", "5 parsecs", "1,5"]
    {
        let error = parse_duration(text).expect_err("no duration");
        assert_eq!(error, DurationError::Malformed { text: text.into() });
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn what_does_not_fit_is_refused_as_too_long() {
    let overflowing = ["99999999999999999999999", "99999999999999999999999s", "584554531years"];
    for text in overflowing.into_iter().chain(["101years", "3162240001"]) {
        let too_long = DurationError::TooLong { text: text.into() };
        assert_eq!(parse_duration(text), Err(too_long), "{text}");
    }
}

#[test]
fn a_time_limit_of_zero_is_refused_however_it_is_written() {
    for text in ["0", "0.0", "0s", "0ms", "0m 0s", "0.0000000001"] {
        let error = parse_time_limit(text).expect_err("zero");
        assert_eq!(error, DurationError::ZeroLimit { text: text.into() });
    }
}

#[test]
fn a_time_limit_is_any_longer_duration() {
    assert_eq!(parse_time_limit("0.5"), Ok(Duration::from_millis(500)));
    assert_eq!(parse_time_limit("1ns"), Ok(Duration::from_nanos(1)));
}

#[test]
fn bare_numbers_are_seconds() {
    check("5", Duration::from_secs(5));
    check("0.5", Duration::from_millis(500));
    check("007.250", Duration::from_millis(7250));
    check("0", Duration::ZERO);
    check("3162240000", CENTURY);
}

#[test]
fn units_are_understood_and_add_up() {
    check("1s", Duration::from_secs(1));
    check("250ms", Duration::from_millis(250));
    check("2m", Duration::from_secs(120));
    check("1h 30m", Duration::from_secs(5400));
    check("1h30m", Duration::from_secs(5400));
}
