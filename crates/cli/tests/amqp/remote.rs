use serde_json::Value;

use crate::{
    farm::{Farm, drained},
    support::{lines, seq, wait_until},
};

#[test]
fn another_machine_gives_exactly_what_the_local_run_gives() {
    let farm = Farm::new();
    let _worker = farm.worker(&["--allow-exec", "sha256sum"]);
    let source = std::fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap();
    let paths = source.map(|entry| entry.unwrap().path().display().to_string() + "\n");
    // Files, folders that it fails for, and what is not there.
    let list = paths.collect::<String>() + "/no/such/file\n";
    farm.place.write("files", list);
    let args = ["exec", "-a", "files", "--", "sha256sum", "{}"];
    let here = farm.run(&args);
    assert!(here.stdout.contains("Cargo.toml") && here.stderr.contains("/no/such/file"));
    assert_eq!(farm.remote(&args), here);
}

#[test]
fn a_program_that_was_not_allowed_is_refused_and_never_runs() {
    let farm = Farm::new();
    let worker = farm.worker(&["--allow-exec", "echo"]);
    let made = farm.place.path("made");
    let made = made.to_str().unwrap();
    let script = format!("touch {made}");
    for program in [&["touch", made][..], &["sh", "-c", &script], &["/bin/../bin/echo"]] {
        let ran = farm.remote(&[&["exec", "--no-input", "--"], program].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{program:?}");
        assert!(ran.stderr.contains("--allow-exec"), "{}", ran.stderr);
    }
    let ran = farm.remote(&["run", "outwork.exec", r#"{"program":"echo","cwd":"/"}"#]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(farm.remote(&["exec", "--no-input", "--", "echo", "a b"]).stdout, "a b\n");
    drained(worker);
    assert!(!farm.place.path("made").exists());
}

#[test]
fn programs_run_in_the_directory_and_the_environment_of_the_worker() {
    let farm = Farm::new();
    let _worker = farm.worker(&["--allow-exec", "pwd", "--allow-exec", "printenv"]);
    let other = crate::support::Place::new();
    let mut command = farm.command(&["exec", "--executor", "amqp", "--queue", &farm.queue]);
    command.args(["--no-input", "--", "pwd"]).current_dir(other.path(""));
    let ran = crate::support::Running::start(command).ended();
    let here = farm.place.path("").canonicalize().unwrap();
    assert_eq!(ran.stdout.trim_end(), here.to_str().unwrap());
    // Where the broker is, and with which password, is nothing for programs.
    let ran = farm.remote(&["exec", "--no-input", "--", "printenv", "OUTWORK_URL"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
}

#[test]
fn output_above_8_mib_is_an_error_with_its_beginning_and_its_end() {
    let farm = Farm::new();
    let _worker = farm.worker(&["--allow-exec", "seq"]);
    let fits = farm.remote(&["exec", "--no-input", "--", "seq", "1000000"]);
    assert_eq!((fits.code, fits.stdout), (0, seq(1_000_000)));
    for last in ["3000000", "30000000"] {
        let ran = farm.remote(&["exec", "--json", "--no-input", "--", "seq", last]);
        let run: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!((ran.code, &run["error"]["kind"]), (1, &"output_too_large".into()));
        let stdout = run["stdout"].as_str().unwrap();
        assert!(stdout.starts_with("1\n2\n"), "the beginning");
        assert!(last == "30000000" || stdout.ends_with("2999999\n3000000\n"), "the end");
        assert!(stdout.len() < 1 << 20, "{}", stdout.len());
    }
}

#[test]
fn tasks_are_mapped_in_order_and_the_demo_ones_only_where_they_are_wanted() {
    let farm = Farm::new();
    farm.place.write("numbers", seq(300));
    let plain = farm.worker(&[]);
    let ran = farm.remote(&["run", "demo.echo", "1"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("--demo-tasks"), "{}", ran.stderr);
    assert_eq!(farm.remote(&["map", "no.such.task", "-a", "numbers"]).code, 4);
    assert_eq!(drained(plain).code, 0);
    let _worker = farm.worker(&["--demo-tasks"]);
    assert_eq!(farm.remote(&["run", "demo.echo", "[1]"]).stdout, "[1]\n");
    let mapped = farm.remote(&["map", "demo.echo", "-a", "numbers"]);
    assert_eq!(mapped, farm.run(&["map", "demo.echo", "-a", "numbers"]));
    let bench = farm.remote(&["bench", "--tasks", "50", "--json"]);
    let bench: Value = serde_json::from_str(&bench.stdout).unwrap();
    assert_eq!((&bench["executor"], &bench["in_flight"]), (&"amqp".into(), &256.into()));
}

#[test]
fn what_is_too_large_to_travel_is_refused_here_and_the_next_task_is_not() {
    let farm = Farm::new();
    let _worker = farm.worker(&["--demo-tasks"]);
    farm.place.write("lines", format!("\"{}\"\n2\n", "x".repeat(17 << 20)));
    let ran = farm.remote(&["map", "demo.echo", "-a", "lines"]);
    let results: Vec<Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let message = results[0]["error"]["message"].as_str().unwrap();
    assert!(message.contains("8388608"), "{message}");
    assert_eq!((&results[1]["ok"], ran.code), (&2.into(), 1));
}

#[test]
fn processes_execute_what_the_worker_allows_and_nothing_else() {
    let farm = Farm::new();
    let _worker = farm.worker(&["--executor", "processes:1", "--allow-exec", "echo"]);
    assert_eq!(farm.remote(&["exec", "--no-input", "--", "echo", "1"]).stdout, "1\n");
    assert_eq!(farm.remote(&["exec", "--no-input", "--", "cat"]).code, 4);
}

#[test]
fn an_alias_of_the_configuration_names_the_queue() {
    let farm = Farm::new();
    let _worker = farm.worker(&["--allow-exec", "echo"]);
    let queue = &farm.queue;
    let config =
        format!("[executors.farm]\nkind = \"amqp\"\nsettings = {{ queue = \"{queue}\" }}\n");
    farm.place.write("outwork.toml", config);
    let ran = farm.run(&["exec", "--executor", "farm", "--no-input", "--", "echo", "1"]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("1\n", 0), "{}", ran.stderr);
}

#[test]
fn a_run_can_be_resumed_and_its_signals_are_those_of_every_run() {
    let farm = Farm::new();
    let _worker = farm.worker(&["--allow-exec", "sleep", "--concurrency", "1"]);
    farm.place.write("lines", "0\n0\n300\n300\n");
    let args = ["exec", "-a", "lines", "--joblog", "log", "--", "sleep"];
    let running = farm.start_remote(&args);
    wait_until("two runs have ended", || lines(&farm.place.path("log")) == 3);
    running.signal(rustix::process::Signal::TERM);
    running.said("once more cancels");
    running.signal(rustix::process::Signal::TERM);
    let ran = running.ended();
    assert_eq!(ran.code, 143, "{}", ran.stderr);
    assert_eq!(lines(&farm.place.path("log")), 3, "what was cancelled is not recorded");
}
