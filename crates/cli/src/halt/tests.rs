use super::*;

fn after(failures: u64, halt: Halt) -> HaltPolicy {
    HaltPolicy::After { failures: NonZeroU64::new(failures).expect("not zero"), halt }
}

#[test]
fn unknown_ways_to_halt_are_refused_with_their_text() {
    let texts = ["", "later", "NOW", "now,", "now,done=1", "now,success=1", "soon,fail", ",fail=1"];
    for text in texts.into_iter().chain(["never,fail=1", "now;fail=1", "1", " now"]) {
        let error = text.parse::<HaltPolicy>().expect_err("no way to halt");
        assert_eq!(error, HaltError::Malformed { text: text.into() });
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn counts_that_are_no_number_from_one_are_refused() {
    for count in ["0", "-1", "x", "", "1.5", "10%", "1,fail=2", "99999999999999999999"] {
        let text = format!("soon,fail={count}");
        let expected = HaltError::BadCount { text: text.clone(), count: count.into() };
        assert_eq!(text.parse::<HaltPolicy>(), Err(expected));
    }
}

#[test]
fn the_first_failure_halts_unless_a_count_is_given() {
    assert_eq!("now".parse(), Ok(after(1, Halt::Now)));
    assert_eq!("soon".parse(), Ok(after(1, Halt::Soon)));
    assert_eq!("soon,fail=3".parse(), Ok(after(3, Halt::Soon)));
    assert_eq!("now,fail=1".parse(), Ok(after(1, Halt::Now)));
}

#[test]
fn never_is_the_default() {
    assert_eq!("never".parse(), Ok(HaltPolicy::Never));
    assert_eq!(HaltPolicy::default(), HaltPolicy::Never);
}

#[test]
fn the_run_ends_with_the_nth_failure_and_stays_ended() {
    let mut counter = HaltCounter::new(after(2, Halt::Soon));
    assert_eq!(counter.decision(), None);
    counter.count_failure();
    assert_eq!(counter.decision(), None);
    counter.count_failure();
    assert_eq!(counter.decision(), Some(Halt::Soon));
    counter.count_failure();
    assert_eq!((counter.decision(), counter.failed()), (Some(Halt::Soon), 3));
}

#[test]
fn without_a_policy_failures_are_only_counted() {
    let mut counter = HaltCounter::new(HaltPolicy::Never);
    (0..1000).for_each(|_| counter.count_failure());
    assert_eq!((counter.decision(), counter.failed()), (None, 1000));
}
