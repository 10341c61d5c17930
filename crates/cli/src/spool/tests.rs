use proptest::{collection::vec, prelude::*};

use super::*;

const SMALL: Limits = Limits { memory: 4 << 10, outstanding: 64 << 10 };

fn finished(index: u64, output: usize) -> Finished<u64> {
    // Contents that differ by index, so that no entry can be taken for another.
    let fill = |salt: u64| (0..output as u64).map(|at| (index * 31 + at * salt) as u8).collect();
    let tag = index.to_string().into_bytes();
    Finished { index, tag, stdout: fill(7), stderr: fill(11), status: index * 3 }
}

/// Pops everything that is ready, and checks that it is the tasks from `from` on.
fn drain(spool: &mut Spool<u64>, from: u64, output: usize) -> u64 {
    let mut next = from;
    while let Some(popped) = spool.pop().unwrap() {
        assert_eq!(popped, finished(next, output));
        next += 1;
    }
    next
}

/// A spool whose temporary file is `file`.
fn over(file: std::fs::File) -> Spool<u64> {
    let mut spool = Spool::new(SMALL);
    spool.segments = Segments::over(file);
    spool
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_with_directory_and_way_out() {
    let mut spool = over(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let error = spool.insert(finished(1, 4 << 10)).expect_err("the device is full");
    let message = error.to_string();
    assert!(message.contains(env::temp_dir().to_str().unwrap()), "{message}");
    assert!(message.contains("TMPDIR") && message.contains("--unordered"), "{message}");
    assert_eq!(error.source.kind(), io::ErrorKind::StorageFull);
}

#[test]
fn nothing_comes_before_its_turn() {
    let mut spool = Spool::new(SMALL);
    assert_eq!(spool.pop().unwrap(), None);
    spool.insert(finished(1, 10)).unwrap();
    spool.insert(finished(3, 10)).unwrap();
    assert_eq!(spool.pop().unwrap(), None);
    spool.insert(finished(0, 10)).unwrap();
    assert_eq!(drain(&mut spool, 0, 10), 2);
    spool.insert(finished(2, 10)).unwrap();
    assert_eq!(drain(&mut spool, 2, 10), 4);
}

#[test]
fn small_outputs_stay_in_memory() {
    let mut spool = Spool::new(SMALL);
    (1..=4).for_each(|index| spool.insert(finished(index, 10)).unwrap());
    assert_eq!(spool.disk(), 0);
    assert!(spool.memory() > 80);
}

#[test]
fn what_does_not_fit_in_memory_goes_to_a_file_and_comes_back_whole() {
    let mut spool = Spool::new(SMALL);
    (1..20).rev().for_each(|index| spool.insert(finished(index, 1000)).unwrap());
    assert!(spool.memory() <= SMALL.memory, "{} bytes", spool.memory());
    assert!(spool.disk() > 18 * 2000);
    spool.insert(finished(0, 1000)).unwrap();
    assert_eq!(drain(&mut spool, 0, 1000), 20);
}

#[test]
fn the_file_is_freed_when_it_drains_empty() {
    let mut spool = Spool::new(SMALL);
    for round in 0..3 {
        let first = round * 20;
        (first + 1..first + 20).for_each(|index| spool.insert(finished(index, 1000)).unwrap());
        assert!(spool.disk() > 0);
        spool.insert(finished(first, 1000)).unwrap();
        assert_eq!(drain(&mut spool, first, 1000), first + 20);
        assert_eq!(spool.disk(), 0);
        assert_eq!(spool.held, 0);
        assert_eq!(spool.outstanding, 0);
    }
}

#[test]
fn a_reader_that_never_catches_up_does_not_make_the_files_grow() {
    let mut spool = Spool::new(SMALL);
    let behind = 30;
    (0..behind).for_each(|index| spool.insert(finished(index, 1000)).unwrap());
    for index in behind..behind + 1000 {
        spool.insert(finished(index, 1000)).unwrap();
        assert_eq!(spool.pop().unwrap(), Some(finished(index - behind, 1000)));
        assert!(spool.disk() <= 2 * SMALL.outstanding, "{} bytes at task {index}", spool.disk());
    }
}

#[test]
fn the_task_whose_turn_it_is_never_goes_to_a_file() {
    let mut spool = Spool::new(SMALL);
    spool.insert(finished(0, 1 << 20)).unwrap();
    assert_eq!(spool.disk(), 0);
    assert_eq!(spool.pop().unwrap(), Some(finished(0, 1 << 20)));
    assert_eq!(spool.memory(), spool.slots.capacity() * size_of::<Slot<u64>>());
}

#[test]
fn admission_stops_at_the_bound_and_goes_on_below_it() {
    let mut spool = Spool::new(SMALL);
    let mut index = 1;
    while spool.has_room() {
        spool.insert(finished(index, 1000)).unwrap();
        index += 1;
    }
    assert!(spool.outstanding - SMALL.outstanding < finished(index, 1000).len());
    spool.insert(finished(0, 1000)).unwrap();
    assert!(!spool.has_room());
    while !spool.has_room() {
        spool.pop().unwrap().expect("all have ended");
    }
    assert!(spool.outstanding < SMALL.outstanding);
}

#[test]
fn admission_stops_when_the_index_is_full_though_nothing_was_written() {
    let mut spool = Spool::new(SMALL);
    let mut index = 1;
    while spool.has_room() {
        spool.insert(finished(index, 0)).unwrap();
        index += 1;
    }
    assert!(spool.memory() <= SMALL.memory, "{} bytes", spool.memory());
    spool.insert(finished(0, 0)).unwrap();
    assert_eq!(drain(&mut spool, 0, 0), index);
    assert!(spool.has_room());
}

#[test]
fn a_limit_of_nothing_still_lets_one_task_through() {
    let mut spool = Spool::new(Limits { memory: 0, outstanding: 0 });
    for index in 0..3 {
        assert!(spool.has_room());
        spool.insert(finished(index, 100)).unwrap();
        assert_eq!(spool.pop().unwrap(), Some(finished(index, 100)));
    }
}

#[test]
fn a_spooled_entry_costs_at_most_24_bytes_of_memory() {
    assert!(size_of::<Slot<crate::job_end::JobEnd>>() <= 24);
    assert!(size_of::<Slot<u64>>() <= 24);
}

#[test]
fn memory_is_bounded_while_the_first_of_100_000_tasks_is_slowest() {
    let limits = Limits { memory: 16 << 20, outstanding: 1 << 30 };
    let mut spool = Spool::new(limits);
    for index in 1..100_000 {
        assert!(spool.has_room(), "no room for task {index}");
        spool.insert(finished(index, 200)).unwrap();
        assert!(spool.memory() <= limits.memory, "{} bytes at task {index}", spool.memory());
    }
    assert_eq!(spool.pop().unwrap(), None);
    assert!(spool.disk() > 20 << 20, "the rest is in files");
    spool.insert(finished(0, 200)).unwrap();
    assert_eq!(drain(&mut spool, 0, 200), 100_000);
    assert_eq!(spool.disk(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_order_of_ends_is_given_back_in_order(
        (order, sizes) in (1..60usize).prop_flat_map(|tasks| {
            let order = Just((0..tasks as u64).collect::<Vec<_>>()).prop_shuffle();
            (order, vec(0..600usize, tasks))
        }),
        memory in 0..8192usize,
    ) {
        let mut spool = Spool::new(Limits { memory, outstanding: 1024 });
        let mut popped = Vec::new();
        for index in order {
            spool.insert(finished(index, sizes[index as usize])).unwrap();
            while let Some(task) = spool.pop().unwrap() {
                popped.push(task);
            }
        }
        let expected: Vec<_> = sizes.iter().zip(0..).map(|(size, index)| finished(index, *size)).collect();
        prop_assert_eq!(popped, expected);
        prop_assert_eq!((spool.disk(), spool.held, spool.outstanding), (0, 0, 0));
    }
}
