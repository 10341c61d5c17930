//! [`Container`]: a broker in a container.

use std::{
    fmt,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use testcontainers::{
    Container as Running, GenericImage, ImageExt, core::IntoContainerPort, runners::SyncRunner,
};

use crate::{
    Tls,
    ready::{free_port, wait_for},
    space::fresh_name,
};

/// Names the image.
pub(crate) const IMAGE: &str = "OUTWORK_TEST_RABBITMQ_IMAGE";

const DEFAULT_IMAGE: &str = "rabbitmq:4-management";

/// Where the broker reads its settings, and where its certificates are put.
const SETTINGS: &str = "/etc/rabbitmq/conf.d/90-tests.conf";
const CERTIFICATES: &str = "/etc/rabbitmq/tests-tls";

const AMQP: u16 = 5672;
const AMQPS: u16 = 5671;

/// A broker in a container of the image that `OUTWORK_TEST_RABBITMQ_IMAGE` names.
///
/// It keeps its ports and its files when it is killed and started again. Dropping it removes the
/// container. So does a shell that waits for the end of this process, also if that was killed
/// while the container was being made.
pub struct Container {
    // Dropped first: it waits for a container that is not there.
    _keeper: Keeper,
    _running: Running<GenericImage>,
    name: String,
    image: String,
    host: String,
    ports: Ports,
}

/// Ports of the host, which are chosen here because the engine would choose others at a restart.
#[derive(Debug, Clone, Copy)]
struct Ports {
    amqp: u16,
    amqps: u16,
}

/// A shell that removes the container when its standard input ends.
#[derive(Debug)]
struct Keeper(Child);

const KEEPER: &str = r#"
trap '' HUP INT TERM
read -r _
# The engine may still be about to make it.
for _ in 1 2 3 4 5; do
    if docker container inspect "$1"; then docker rm --force --volumes "$1"; break; fi
    sleep 1
done
"#;

/// Whether a Docker engine answers, and the program is there that removes what a killed test
/// leaves behind.
pub(crate) fn engine_answers() -> bool {
    static ANSWERS: OnceLock<bool> = OnceLock::new();
    *ANSWERS.get_or_init(|| docker(&["version", "--format", "{{.Server.Version}}"]).is_ok())
}

impl Container {
    /// Starts a container and waits until its broker answers.
    pub(crate) fn start(tls: Option<&Tls>) -> Result<Self> {
        // Another process may take a free port before the engine does: then another is tried.
        let mut started = Self::start_once(tls);
        for _ in 0..2 {
            if started.as_ref().is_err_and(is_about_ports) {
                started = Self::start_once(tls);
            }
        }
        started
    }

    fn start_once(tls: Option<&Tls>) -> Result<Self> {
        let image = std::env::var(IMAGE).unwrap_or_else(|_| DEFAULT_IMAGE.to_owned());
        let name = format!("outwork-{}", fresh_name());
        let ports = Ports { amqp: free_port()?, amqps: free_port()? };
        let keeper = Keeper::of(&name)?;
        let running = request(&image, &name, ports, tls).start().with_context(|| {
            format!(
                "no container of the image {image:?} ({IMAGE} names another one, and \
                 OUTWORK_TEST_BROKER=node takes the installed rabbitmq-server)"
            )
        })?;
        // The engine listens on both families, and not everybody tries the second.
        let host = running.get_host()?.to_string().replace("localhost", "127.0.0.1");
        let container = Self { _keeper: keeper, _running: running, name, image, host, ports };
        container.wait_until_ready()?;
        Ok(container)
    }

    fn wait_until_ready(&self) -> Result<()> {
        let mut asked = Instant::now();
        let is_alive = || {
            // Asking costs a process.
            let is_due = asked.elapsed() > Duration::from_secs(2);
            if is_due {
                asked = Instant::now();
            }
            !is_due || self.runs()
        };
        wait_for(&self.host, self.ports.amqp, is_alive).with_context(|| {
            let log = docker(&["logs", "--tail", "40", &self.name]).unwrap_or_default();
            format!("the broker in the container does not start; it said:\n{log}")
        })
    }

    fn runs(&self) -> bool {
        docker(&["container", "inspect", "--format", "{{.State.Running}}", &self.name])
            .is_ok_and(|state| state.trim() == "true")
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn image(&self) -> &str {
        &self.image
    }

    pub(crate) fn address(&self) -> (String, u16) {
        (self.host.clone(), self.ports.amqp)
    }

    pub(crate) fn tls_address(&self) -> (String, u16) {
        (self.host.clone(), self.ports.amqps)
    }

    /// Kills every process in it with no chance to say goodbye.
    pub(crate) fn kill(&self) -> Result<()> {
        self.order("kill")
    }

    /// Stops every process in it without ending it.
    pub(crate) fn freeze(&self) -> Result<()> {
        self.order("pause")
    }

    pub(crate) fn thaw(&self) -> Result<()> {
        self.order("unpause")
    }

    pub(crate) fn resume(&self) -> Result<()> {
        self.order("start")?;
        self.wait_until_ready()
    }

    fn order(&self, verb: &str) -> Result<()> {
        docker(&[verb, &self.name]).map(drop)
    }

    pub(crate) fn ctl(&self, args: &[&str]) -> Result<String> {
        docker(&[&["exec", &self.name, "rabbitmqctl", "-q"], args].concat())
    }
}

fn request(
    image: &str,
    name: &str,
    ports: Ports,
    tls: Option<&Tls>,
) -> testcontainers::ContainerRequest<GenericImage> {
    let (repository, tag) = match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (image, "latest"),
    };
    // Guests come from outside of the container: from the host that runs the tests.
    let mut settings = "loopback_users = none\ndisk_free_limit.absolute = 10MB\n".to_owned();
    let mut request = GenericImage::new(repository, tag)
        .with_container_name(name)
        .with_mapped_port(ports.amqp, AMQP.tcp())
        .with_env_var("RABBITMQ_NODENAME", "rabbit@localhost")
        .with_env_var(
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        )
        // The broker makes a table as large as this, and engines may allow a billion.
        .with_ulimit("nofile", 8192, Some(8192))
        .with_startup_timeout(Duration::from_secs(120));
    if let Some(tls) = tls {
        settings += &tls.settings(&format!("default = {AMQPS}"), CERTIFICATES);
        request = request.with_mapped_port(ports.amqps, AMQPS.tcp());
        for (file, text) in tls.files() {
            request =
                request.with_copy_to(format!("{CERTIFICATES}/{file}"), text.as_bytes().to_vec());
        }
    }
    request.with_copy_to(SETTINGS, settings.into_bytes())
}

fn is_about_ports(error: &anyhow::Error) -> bool {
    let text = format!("{error:?}");
    text.contains("already in use") || text.contains("already allocated")
}

/// Runs `docker` and returns what it prints.
fn docker(args: &[&str]) -> Result<String> {
    let output = Command::new("docker").args(args).stdin(Stdio::null()).output();
    let output = output.context("docker could not be run")?;
    if !output.status.success() {
        let said = [output.stdout.as_slice(), &output.stderr].concat();
        bail!("docker {}: {}", args.join(" "), String::from_utf8_lossy(&said));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Keeper {
    fn of(container: &str) -> Result<Self> {
        let shell = Command::new("sh")
            .args(["-c", KEEPER, "keeper", container])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("no shell to remove the container")?;
        ensure!(shell.stdin.is_some(), "the shell has no standard input");
        Ok(Self(shell))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.stdin = None;
        let _ = self.0.wait();
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Container").field("name", &self.name).finish_non_exhaustive()
    }
}
