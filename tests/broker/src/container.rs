//! [`Container`]: a broker in a container.

use std::{
    fmt,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use testcontainers::{
    Container as Running, GenericImage, ImageExt,
    core::{ExecCommand, IntoContainerPort},
    runners::SyncRunner,
};

use crate::ready::wait_for;

const DEFAULT_IMAGE: &str = "rabbitmq:4-management";

/// Lets guests in from outside of the container, as from the host that runs the tests.
const COMMAND: &str = "mkdir -p /etc/rabbitmq/conf.d; \
    printf 'loopback_users = none\n' >/etc/rabbitmq/conf.d/90-tests.conf; exec rabbitmq-server";

/// A broker in a container of the image that `OUTWORK_TEST_RABBITMQ_IMAGE` names.
///
/// Dropping it removes the container. So does a shell that waits for the end of this process.
pub struct Container {
    running: Running<GenericImage>,
    address: (String, u16),
    keeper: Child,
}

/// Whether a Docker engine answers, and the program is there that removes what a killed test
/// leaves behind.
pub(crate) fn engine_answers() -> bool {
    static ANSWERS: OnceLock<bool> = OnceLock::new();
    *ANSWERS.get_or_init(|| {
        Command::new("docker")
            .args(["version", "--format", "{{.Server.Version}}"])
            .stdin(Stdio::null())
            .output()
            .is_ok_and(|output| output.status.success())
    })
}

impl Container {
    pub(crate) fn start() -> Result<Self> {
        let image = std::env::var("OUTWORK_TEST_RABBITMQ_IMAGE");
        let image = image.unwrap_or_else(|_| DEFAULT_IMAGE.to_owned());
        let (name, tag) = image.rsplit_once(':').unwrap_or((&image, "latest"));
        let running = GenericImage::new(name, tag)
            .with_exposed_port(5672.tcp())
            .with_env_var("RABBITMQ_NODENAME", "rabbit@localhost")
            .with_cmd(["sh", "-c", COMMAND])
            .with_startup_timeout(Duration::from_secs(120))
            .start()
            .with_context(|| format!("no container of {image}"))?;
        let keeper = keep(running.id())?;
        let address = (running.get_host()?.to_string(), running.get_host_port_ipv4(5672.tcp())?);
        wait_for(&address.0, address.1, || true)?;
        Ok(Self { running, address, keeper })
    }

    pub(crate) fn address(&self) -> (String, u16) {
        self.address.clone()
    }

    pub(crate) fn ctl(&self, args: &[&str]) -> Result<String> {
        let command = ["rabbitmqctl", "-q"].iter().chain(args).map(|arg| (*arg).to_owned());
        let mut done = self.running.exec(ExecCommand::new(command))?;
        let (out, err) = (done.stdout_to_vec()?, done.stderr_to_vec()?);
        let said = String::from_utf8_lossy(&[out.as_slice(), &err].concat()).into_owned();
        let code = done.exit_code()?;
        ensure!(code == Some(0), "rabbitmqctl {}: {said}", args.join(" "));
        Ok(String::from_utf8_lossy(&out).into_owned())
    }
}

/// Removes the container when the pipe to this shell closes.
fn keep(id: &str) -> Result<Child> {
    Command::new("sh")
        .args(["-c", "trap '' HUP INT TERM; read -r _; docker rm -f \"$1\"", "keeper", id])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("no shell to remove the container")
}

impl Drop for Container {
    fn drop(&mut self) {
        self.keeper.stdin = None;
        let _ = self.keeper.wait();
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Container").field("address", &self.address).finish_non_exhaustive()
    }
}
