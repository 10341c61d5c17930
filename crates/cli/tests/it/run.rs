use serde_json::Value;

use crate::support::{Place, outwork};

#[test]
fn a_result_is_json_on_stdout() {
    for executor in ["inline", "threads:1", "loops:1", "background"] {
        let args = ["run", "demo.echo", r#"{"a":[1,null,"ä"]}"#, "--executor", executor];
        let ran = outwork(args, "");
        assert_eq!((ran.stdout.as_str(), ran.code), ("{\"a\":[1,null,\"ä\"]}\n", 0));
    }
    assert_eq!(outwork(["run", "demo.echo"], "").stdout, "null\n");
    assert_eq!(outwork(["run", "demo.sleep", "0.01"], "").stdout, "0.01\n");
}

#[test]
fn an_error_is_told_with_its_kind() {
    let ran = outwork(["run", "demo.fail", r#""boom""#], "");
    assert_eq!((ran.stdout.as_str(), ran.code), ("", 1));
    assert_eq!(ran.stderr, "outwork: task demo.fail (failed): boom\n");
    let ran = outwork(["run", "demo.panic", r#""help""#, "--json"], "");
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (&json["error"]["kind"], &json["error"]["message"]),
        (&"panicked".into(), &"help".into())
    );
}

#[test]
fn arguments_that_do_not_fit_name_the_task_and_the_type() {
    let ran = outwork(["run", "demo.sleep", r#""long""#], "");
    assert!(ran.stderr.contains("demo.sleep") && ran.stderr.contains("f64"), "{}", ran.stderr);
    assert_eq!(ran.code, 1);
}

#[test]
fn tasks_as_json_say_what_they_take_and_give() {
    let tasks: Vec<Value> = serde_json::from_str(&outwork(["tasks", "--json"], "").stdout).unwrap();
    let sleep = tasks.iter().find(|task| task["name"] == "demo.sleep").unwrap();
    assert_eq!((&sleep["kind"], &sleep["arguments"]), (&"async".into(), &"f64".into()));
}

#[test]
fn a_benchmark_is_one_object() {
    let args = ["bench", "--tasks", "500", "--in-flight", "8", "--payload", "10", "--json"];
    let bench: Value = serde_json::from_str(&outwork(args, "").stdout).unwrap();
    for key in ["tasks_per_s", "p50_us", "p99_us"] {
        assert!(bench[key].as_f64().unwrap() > 0.0, "{bench}");
    }
}

#[test]
fn the_configuration_names_executors_and_flags_win() {
    let place = Place::new();
    let config = "executor = \"wide\"\n[executors.wide]\nkind = \"inline\"\n";
    place.write("outwork.toml", config);
    let executor = |args: &[&str], variable: Option<&str>| {
        let mut command = place.command([&["bench", "--tasks", "1", "--json"], args].concat());
        command.envs(variable.map(|value| ("OUTWORK_EXECUTOR", value)));
        let output = command.output().unwrap();
        let bench: Value = serde_json::from_slice(&output.stdout).unwrap();
        bench["executor"].as_str().unwrap().to_owned()
    };
    assert_eq!(executor(&[], None), "wide");
    assert_eq!(executor(&[], Some("loops:1")), "loops:1");
    assert_eq!(executor(&["--executor", "background"], Some("loops:1")), "background");
    assert_eq!(place.run(["config", "check"], "").code, 0);
}

#[test]
fn a_configuration_that_cannot_be_used_is_refused() {
    let place = Place::new();
    for (config, word) in [
        ("executors = 3", "executors"),
        ("executr = \"inline\"", "executr"),
        ("[executors.inline]\nkind = \"inline\"", "inline"),
        ("[executors.x]\nkind = \"thread-pool\"\nsettings = { worker = 1 }", "worker"),
        ("[executors.x]\nkind = \"threadpol\"", "thread"),
        ("executor = \"treads\"", "threads"),
    ] {
        place.write("outwork.toml", config);
        let ran = place.run(["config", "check"], "");
        assert_eq!(ran.code, 2, "{config}: {}", ran.stderr);
        assert!(ran.stderr.contains(word), "{config}: {}", ran.stderr);
    }
}

#[test]
fn a_configuration_to_start_from_is_written_once() {
    let place = Place::new();
    assert_eq!(place.run(["config", "init"], "").code, 0);
    assert_eq!(place.run(["config", "check"], "").code, 0);
    assert_eq!(place.run(["config", "init"], "").code, 2);
}

#[test]
fn completions_and_the_manual_are_written() {
    assert!(outwork(["completions", "bash"], "").stdout.contains("_outwork"));
    let manual = outwork(["man"], "").stdout;
    assert!(manual.contains(".TH") && manual.contains("joblog"), "{manual}");
}
