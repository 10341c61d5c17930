use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use super::*;

/// How long half of the starts take at most.
fn p50_of_a_start(program: &Program) -> Duration {
    let mut times: Vec<_> = (0..40)
        .map(|_| {
            let start = Instant::now();
            let mut started = program.start().unwrap();
            let took = start.elapsed();
            started.process.kill().unwrap();
            started.process.wait().unwrap();
            took
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

/// With `fork` it would be 40 ms: the page tables of this heap would be copied.
#[test]
fn a_start_from_a_heap_of_1_gib_takes_less_than_2_ms() {
    let heap = black_box(vec![1_u8; 1 << 30]);
    let program = Program::named(Path::new("/bin/cat")).unwrap();
    let mut best = Duration::MAX;
    // The claim is about the code, and the machine may be busy.
    for _ in 0..10 {
        best = best.min(p50_of_a_start(&program));
        if best < Duration::from_millis(2) {
            return drop(heap);
        }
    }
    panic!("it takes {best:?}");
}

#[test]
fn a_worker_leads_a_group_of_its_own() {
    let program = Program::named(Path::new("/bin/cat")).unwrap();
    let mut started = program.start().unwrap();
    let pid = Pid::from_child(&started.process);
    assert_eq!(rustix::process::getpgid(Some(pid)).unwrap(), pid);
    started.process.kill().unwrap();
    started.process.wait().unwrap();
}
