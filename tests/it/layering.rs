//! Which crate may know which: the arrows of the architecture, read off `cargo tree`.

use std::{collections::BTreeSet, process::Command};

/// The crates of this workspace that a package depends on directly, tests not counted.
fn arrows(package: &str) -> BTreeSet<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--package", package, "--edges", "normal", "--depth", "1", "--prefix"])
        .args(["none", "--all-features", "--offline", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs, because it runs this test");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    String::from_utf8_lossy(&tree.stdout)
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| name.starts_with("outwork-"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_arrow_points_at_core() {
    for (package, expected) in [
        ("outwork-core", &[][..]),
        ("outwork-local", &["outwork-core"]),
        ("outwork-amqp", &["outwork-core"]),
        ("outwork-cli", &["outwork-amqp", "outwork-core", "outwork-local"]),
    ] {
        let expected: BTreeSet<_> = expected.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(arrows(package), expected, "{package}");
    }
}

#[test]
fn core_needs_no_runtime() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--package", "outwork-core", "--edges", "normal", "--prefix", "none"])
        .args(["--offline", "--all-features"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs, because it runs this test");
    let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
    assert!(tree.contains("outwork-core"), "{tree}");
    for runtime in ["tokio ", "async-std ", "smol ", "async-executor "] {
        assert!(!tree.lines().any(|line| line.starts_with(runtime)), "{runtime}is below core");
    }
}
