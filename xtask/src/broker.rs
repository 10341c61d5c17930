//! A broker for the tests, installed where there is none.

use std::{
    path::Path,
    process::{Command, Stdio},
};

/// Sees to it that the tests find a broker: a given one, a container, or an installed one.
///
/// On Debian and Ubuntu, where nothing else is there, it is installed. It need not run: each
/// test binary starts a node of its own.
pub(crate) fn provide() {
    if is_there() {
        return;
    }
    let Some(install) = installer() else {
        say("no RabbitMQ here, and none can be installed: the tests that need one will fail");
        return;
    };
    say("no RabbitMQ and no Docker here: installing rabbitmq-server for the tests");
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

fn is_there() -> bool {
    std::env::var_os("OUTWORK_TEST_AMQP_URL").is_some()
        || Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server").exists()
        || succeeds("sh", &["-c", "command -v rabbitmq-server"])
        || succeeds("docker", &["version"])
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
