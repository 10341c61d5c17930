//! `cargo xtask broker`: every test that needs RabbitMQ, which is installed where there is none.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};

/// On which broker to test, and what.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct BrokerArgs {
    /// The kind of broker: given, container or node; without it, the first that there is
    #[arg(long, value_name = "KIND", value_parser = ["given", "container", "node"])]
    on: Option<String>,

    /// Leave out what takes long: the conformance suite, faults, floods, and delays
    #[arg(long)]
    quick: bool,

    /// Arguments of `cargo test`, such as `--release` or a part of a test's name
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, conflicts_with = "quick")]
    cargo: Vec<String>,
}

/// Names the kind of broker to the tests.
const KIND: &str = "OUTWORK_TEST_BROKER";

/// The test binaries that need a broker. Built with the features of all others, so that what was
/// built for those serves here as well.
const TESTS: [&str; 6] = ["--workspace", "--all-features", "--test", "broker", "--test", "amqp"];

/// What a quick run leaves out: whatever takes long, or measures times that a busy machine does
/// not keep.
const SLOW: [&str; 8] = [
    "conformance::",
    "connect::",
    "delay::",
    "faults::",
    "garbage::",
    "options::",
    "telemetry::",
    "worker::",
];

impl BrokerArgs {
    /// Everything, on the first broker that there is.
    pub(crate) fn all(cargo: &[String]) -> Self {
        Self { cargo: cargo.to_vec(), ..Self::default() }
    }
}

/// Sees to it that there is a broker, and runs the tests that need one.
pub(crate) fn run(args: &BrokerArgs) -> anyhow::Result<()> {
    let kind = args.on.clone().or_else(|| std::env::var(KIND).ok());
    provide(kind.as_deref());
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut tests = Command::new(cargo);
    tests.arg("test").args(TESTS).args(&args.cargo);
    if args.quick {
        tests.arg("--").args(SLOW.iter().flat_map(|name| ["--skip", name]));
    }
    if let Some(kind) = kind {
        tests.env(KIND, kind);
    }
    let status = tests.status().context("cargo could not be started")?;
    ensure!(status.success(), "cargo test failed: {status}");
    Ok(())
}

/// Sees to it that the tests find a broker of that kind.
///
/// On Debian and Ubuntu, where none is there, the package of RabbitMQ is installed. It need not
/// run: each test binary starts a node of its own.
fn provide(kind: Option<&str>) {
    if is_there(kind) {
        return;
    }
    let Some(install) = installer() else {
        say("no RabbitMQ here, and none can be installed: the tests that need one will fail");
        return;
    };
    say("no RabbitMQ for the tests here: installing rabbitmq-server");
    for step in [&["update"][..], &["install", "--yes", "--no-install-recommends", PACKAGE]] {
        let done = Command::new(install[0])
            .args(&install[1..])
            .args(step)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .status();
        if !done.is_ok_and(|status| status.success()) {
            say("that failed: the tests that need a broker will fail, and say what to install");
            return;
        }
    }
}

const PACKAGE: &str = "rabbitmq-server";

fn is_there(kind: Option<&str>) -> bool {
    let is_given = || std::env::var_os("OUTWORK_TEST_AMQP_URL").is_some();
    let is_installed = || {
        Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server").exists()
            || succeeds("sh", &["-c", "command -v rabbitmq-server"])
    };
    match kind {
        Some("node") => is_installed(),
        // What is missing of these cannot be installed here, and the tests say it.
        Some("given" | "container") => true,
        _ => is_given() || is_installed() || succeeds("docker", &["version"]),
    }
}

/// How packages are installed here, if that may be done without asking.
fn installer() -> Option<&'static [&'static str]> {
    if !succeeds("apt-get", &["--version"]) {
        None
    } else if succeeds("sh", &["-c", "test $(id -u) = 0"]) {
        Some(&["apt-get"])
    } else if succeeds("sudo", &["--non-interactive", "true"]) {
        Some(&["sudo", "--non-interactive", "--preserve-env=DEBIAN_FRONTEND", "apt-get"])
    } else {
        None
    }
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[expect(clippy::print_stderr, reason = "a command of the project talks to the person at it")]
fn say(what: &str) {
    eprintln!("xtask: {what}");
}
