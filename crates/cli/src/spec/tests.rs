use super::*;

const ALIASES: &[&str] = &["gpu-box", "nightly"];

fn size(n: usize) -> Option<NonZeroUsize> {
    Some(NonZeroUsize::new(n).expect("not zero"))
}

#[track_caller]
fn check(text: &str, expected: ExecutorSpec) {
    assert_eq!(ExecutorSpec::parse(text, ALIASES), Ok(expected.clone()));
    assert_eq!(expected.to_string(), text);
}

#[track_caller]
fn check_nearest(text: &str, expected: &[&str]) {
    let error = ExecutorSpec::parse(text, ALIASES).expect_err("an unknown name");
    let SpecError::Unknown { name, nearest } = &error else { panic!("{error:?}") };
    assert_eq!(name, text.split(':').next().unwrap());
    assert_eq!(nearest, expected, "for {text:?}");
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest_ones() {
    check_nearest("thread", &["threads"]);
    check_nearest("theads:4", &["threads"]);
    check_nearest("THREADS", &["threads"]);
    check_nearest("process", &["processes"]);
    check_nearest("loop:2", &["loops"]);
    check_nearest("ampq", &["amqp"]);
    check_nearest("gpubox", &["gpu-box"]);
}

#[test]
fn a_name_like_no_other_is_answered_with_all_names() {
    let all =
        ["inline", "threads", "processes", "loops", "background", "amqp", "gpu-box", "nightly"];
    check_nearest("kubernetes", &all);
    check_nearest("", &all);
    check_nearest(":4", &all);
}

#[test]
fn the_answer_names_the_thing_and_the_way_out() {
    let message = |text| ExecutorSpec::parse(text, ALIASES).expect_err("refused").to_string();
    assert_eq!(message("thread"), "there is no executor \"thread\"; did you mean threads?");
    assert!(message("zzz").ends_with(
        "use one of inline, threads, processes, loops, background, amqp, gpu-box, nightly"
    ));
    assert_eq!(
        message("threads:0"),
        "\"0\" in --executor threads:0 is no pool size: use a whole number from 1"
    );
    assert_eq!(
        message("inline:3"),
        "executor \"inline\" has no size: write --executor inline without \":3\""
    );
}

#[test]
fn sizes_that_are_no_number_from_one_are_refused() {
    for name in ["threads", "processes", "loops"] {
        for size in ["0", "x", "", "-1", "1.5", "2:3", " 2", "99999999999999999999999"] {
            let expected = SpecError::BadSize { name: name.into(), size: size.into() };
            assert_eq!(ExecutorSpec::parse(&format!("{name}:{size}"), ALIASES), Err(expected));
        }
    }
}

#[test]
fn executors_without_a_size_refuse_one() {
    for name in ["inline", "background", "amqp", "gpu-box"] {
        let expected = SpecError::HasNoSize { name: name.into(), size: "3".into() };
        assert_eq!(ExecutorSpec::parse(&format!("{name}:3"), ALIASES), Err(expected));
    }
}

#[test]
fn every_spec_is_read_and_written_back() {
    check("inline", ExecutorSpec::Inline);
    check("threads", ExecutorSpec::Threads(None));
    check("threads:8", ExecutorSpec::Threads(size(8)));
    check("processes:1", ExecutorSpec::Processes(size(1)));
    check("loops", ExecutorSpec::Loops(None));
    check("loops:2", ExecutorSpec::Loops(size(2)));
    check("background", ExecutorSpec::Background);
    check("amqp", ExecutorSpec::Amqp);
    check("gpu-box", ExecutorSpec::Alias("gpu-box".into()));
}

#[test]
fn an_alias_is_known_only_where_it_is_configured() {
    assert!(matches!(ExecutorSpec::parse("gpu-box", &[]), Err(SpecError::Unknown { .. })));
}

#[test]
fn every_built_in_name_is_read() {
    for name in BUILT_IN {
        assert_eq!(ExecutorSpec::parse(name, &[]).map(|spec| spec.to_string()), Ok(name.into()));
    }
}

#[test]
fn a_size_that_contradicts_the_concurrency_is_refused() {
    let error = ExecutorSpec::Threads(size(4)).sized(size(2)).expect_err("4 is not 2");
    assert_eq!(
        error.to_string(),
        "--executor threads:4 and --concurrency 2 contradict each other: leave one of them out"
    );
}

#[test]
fn the_size_comes_from_whichever_option_gives_it() {
    let four = ExecutorSpec::Threads(size(4));
    assert_eq!(four.clone().sized(None).as_ref(), Ok(&four));
    assert_eq!(four.clone().sized(size(4)).as_ref(), Ok(&four));
    assert_eq!(ExecutorSpec::Loops(None).sized(size(2)), Ok(ExecutorSpec::Loops(size(2))));
    assert_eq!(ExecutorSpec::Loops(None).sized(None), Ok(ExecutorSpec::Loops(None)));
}

#[test]
fn a_concurrency_that_nothing_would_heed_is_refused() {
    for spec in [ExecutorSpec::Background, ExecutorSpec::Alias("gpu-box".into())] {
        let expected = SpecError::NoConcurrency { spec: spec.clone() };
        assert_eq!(spec.sized(size(2)), Err(expected));
    }
}
