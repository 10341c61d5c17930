//! [`Node`]: a private node of the installed `rabbitmq-server`.

use std::{
    fs,
    io::Write,
    net::TcpStream,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    Tls,
    ready::{free_port, wait_for},
};

/// A node with a folder, ports, a name and an `epmd` of its own.
///
/// A shell keeps it: when the pipe to that shell closes, because the node was dropped or this
/// process has died, it kills the node and removes the folder.
#[derive(Debug)]
pub struct Node {
    programs: PathBuf,
    folder: PathBuf,
    ports: Ports,
    keeper: Mutex<Keeper>,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    amqp: u16,
    amqps: u16,
    dist: u16,
    epmd: u16,
}

#[derive(Debug)]
struct Keeper {
    shell: Child,
    orders: Option<ChildStdin>,
}

const KEEPER: &str = r#"
trap '' HUP INT TERM
epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 >/dev/null 2>&1 </dev/null &
epmd=$!
broker=
while read -r order; do
    "$1" >>"$2/out.log" 2>&1 </dev/null &
    broker=$!
    echo "$broker" >"$2/beam.new"
    mv "$2/beam.new" "$2/beam.pid"
done
kill -KILL $broker $epmd 2>/dev/null
wait
rm -rf "$2"
"#;

impl Node {
    /// Starts a node and waits until it answers.
    pub(crate) fn start(programs: &Path, tls: Option<&Tls>) -> Result<Self> {
        // Another process may take a free port before the broker does: then another is tried.
        let mut started = Self::start_once(programs, tls);
        for _ in 0..2 {
            if started.is_err() {
                started = Self::start_once(programs, tls);
            }
        }
        started
    }

    fn start_once(programs: &Path, tls: Option<&Tls>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("outwork-rabbitmq-").tempdir()?.keep();
        let ports = Ports {
            amqp: free_port()?,
            amqps: free_port()?,
            dist: free_port()?,
            epmd: free_port()?,
        };
        fs::create_dir(folder.join("home"))?;
        configure(&folder, ports, tls)?;
        let mut shell = Command::new("sh");
        shell
            .args(["-c", KEEPER, "keeper"])
            .arg(programs.join("rabbitmq-server"))
            .arg(&folder)
            .current_dir(&folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        set_apart(&mut shell, &folder, ports);
        let mut shell = shell.spawn().context("no shell for the broker")?;
        let orders = shell.stdin.take();
        let keeper = Mutex::new(Keeper { shell, orders });
        let node = Self { programs: programs.to_owned(), folder, ports, keeper };
        node.resume()?;
        Ok(node)
    }

    /// The port that it listens on, also after a restart.
    pub(crate) const fn port(&self) -> u16 {
        self.ports.amqp
    }

    /// Where all that it leaves is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) const fn tls_port(&self) -> u16 {
        self.ports.amqps
    }

    /// Kills it with no chance to say goodbye.
    pub(crate) fn kill(&self) -> Result<()> {
        let pid = self.pid()?;
        kill_process(pid, Signal::KILL)?;
        self.wait_gone(pid)
    }

    /// Stops its process without ending it, as a hung machine does.
    pub(crate) fn freeze(&self) -> Result<()> {
        Ok(kill_process(self.pid()?, Signal::STOP)?)
    }

    /// Lets a frozen process go on.
    pub(crate) fn thaw(&self) -> Result<()> {
        Ok(kill_process(self.pid()?, Signal::CONT)?)
    }

    /// Starts it again after it was killed, with what it had written to disk.
    pub(crate) fn resume(&self) -> Result<()> {
        match &mut self.lock().orders {
            Some(orders) => orders.write_all(b"start\n")?,
            None => bail!("the node is gone"),
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.folder.join("beam.pid").exists() {
            if Instant::now() > deadline {
                bail!("the broker's process was not started");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let pid = self.pid()?;
        wait_for("127.0.0.1", self.port(), || is_alive(pid)).with_context(|| {
            let log = fs::read_to_string(self.folder.join("out.log")).unwrap_or_default();
            format!("the broker does not start; it said:\n{log}")
        })
    }

    /// Runs `rabbitmqctl`.
    pub(crate) fn ctl(&self, args: &[&str]) -> Result<String> {
        let mut ctl = Command::new(self.programs.join("rabbitmqctl"));
        ctl.arg("-q").args(args).current_dir(&self.folder).stdin(Stdio::null());
        set_apart(&mut ctl, &self.folder, self.ports);
        let output = ctl.output().context("rabbitmqctl could not be run")?;
        if !output.status.success() {
            let said = [output.stdout.as_slice(), &output.stderr].concat();
            bail!("rabbitmqctl {}: {}", args.join(" "), String::from_utf8_lossy(&said));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn pid(&self) -> Result<Pid> {
        let text = fs::read_to_string(self.folder.join("beam.pid")).context("it does not run")?;
        let pid = text.trim().parse().ok().and_then(Pid::from_raw);
        pid.with_context(|| format!("{text:?} is not a process id"))
    }

    fn wait_gone(&self, pid: Pid) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        // Its threads may still be dying, and with them its sockets.
        while is_alive(pid) || TcpStream::connect(("127.0.0.1", self.port())).is_ok() {
            if Instant::now() > deadline {
                bail!("process {pid:?} of the broker does not go away");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(fs::remove_file(self.folder.join("beam.pid"))?)
    }

    fn lock(&self) -> MutexGuard<'_, Keeper> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn configure(folder: &Path, ports: Ports, tls: Option<&Tls>) -> Result<()> {
    let mut settings = format!("listeners.tcp.1 = 127.0.0.1:{}\n", ports.amqp);
    settings += "disk_free_limit.absolute = 10MB\n";
    if let Some(tls) = tls {
        let listener = format!("1 = 127.0.0.1:{}", ports.amqps);
        settings += &tls.settings(&listener, &folder.display().to_string());
        for (file, text) in tls.files() {
            fs::write(folder.join(file), text)?;
        }
    }
    fs::write(folder.join("rabbitmq.conf"), settings)?;
    Ok(fs::write(folder.join("enabled_plugins"), "[].\n")?)
}

/// Whether a process runs; one that only waits to be collected does not.
fn is_alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    let stat = stat.unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// Keeps a node apart from every other one on the machine.
fn set_apart(command: &mut Command, folder: &Path, ports: Ports) {
    // The variables of a broker that runs as a service here would lead astray.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RABBITMQ_") {
            command.env_remove(name);
        }
    }
    command
        .env("HOME", folder.join("home"))
        .env("ERL_EPMD_PORT", ports.epmd.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        // The process that is started is then the broker itself, and no script around it.
        .env("RUNNING_UNDER_SYSTEMD", "true")
        .env("RABBITMQ_NODENAME", format!("outwork{}@localhost", ports.amqp))
        .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODE_PORT", ports.amqp.to_string())
        .env("RABBITMQ_DIST_PORT", ports.dist.to_string())
        .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
        .env("RABBITMQ_LOG_BASE", folder.join("log"))
        .env("RABBITMQ_PID_FILE", folder.join("pid"))
        .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq"))
        .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("enabled_plugins"))
        .env(
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none \
             -kernel inet_dist_use_interface {127,0,0,1}",
        );
}

impl Drop for Node {
    fn drop(&mut self) {
        let mut keeper = self.lock();
        keeper.orders = None;
        // The shell has only to kill and to remove, and is no child to leave uncollected.
        let _ = keeper.shell.wait();
    }
}
