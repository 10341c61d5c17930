use super::*;

fn descriptors() -> Vec<String> {
    let all = fs::read_dir("/proc/self/fd").unwrap();
    let target = |entry: fs::DirEntry| fs::read_link(entry.path()).ok();
    let mut all: Vec<_> = all
        .filter_map(|entry| Some(target(entry.unwrap())?.display().to_string()))
        .filter(|target| !target.ends_with("/fd"))
        .collect();
    all.sort();
    all
}

fn children() -> String {
    let mut all = String::new();
    for thread in fs::read_dir("/proc/self/task").unwrap() {
        let path = thread.unwrap().path().join("children");
        all += &fs::read_to_string(path).unwrap_or_default();
    }
    all
}

fn one_of_each(commands: Commands) {
    let start = |spec| Job::start(commands, spec);
    start(program("true")).end().ok();
    start(program("cat").stdin(vec![0; 100_000])).end().ok();
    start(program("true").stdin(vec![0; 100_000])).end().ok();
    start(program("false")).end().error();
    start(program("no-such-program")).end().error();
    start(program("/etc/passwd")).end().error();
    start(program("true").cwd("/no/such")).end().error();
    let stopped = start(program("sleep").arg("1000"));
    stopped.raise(StopLevel::Requested);
    stopped.end().error();
    start(program("sleep").arg("1000")).end.abort();
}

#[test]
fn neither_descriptors_nor_zombies_stay_behind() {
    alone("leaks::neither_descriptors_nor_zombies_stay_behind", || {
        one_of_each(Commands::default());
        wait_until("no child is left", || children().is_empty());
        let before = descriptors();
        for round in 0..25 {
            one_of_each(BOTH[round % 2]);
        }
        wait_until("no child is left", || children().is_empty());
        wait_until("no descriptor is left", || descriptors().len() <= before.len());
        assert_eq!(descriptors(), before);
    });
}
