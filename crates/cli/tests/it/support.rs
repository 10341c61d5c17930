use std::{
    cell::RefCell,
    ffi::OsStr,
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// More than anything here takes, also on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(40);

/// A directory of its own in which the binary runs.
pub struct Place(TempDir);

/// What came out.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

/// The binary while it runs.
pub struct Running {
    child: Child,
    pub stdin: Option<ChildStdin>,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    /// What was said and not asked for yet.
    unheard: RefCell<String>,
}

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_outwork"));
        command.args(args).current_dir(self.0.path());
        // A panic that a test asks for need not fill the log.
        let ours = ["OUTWORK_EXECUTOR", "OUTWORK_URL", "RUST_BACKTRACE", "RUST_LOG"];
        for name in ours.iter().chain(&["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"]) {
            command.env_remove(name);
        }
        // What a terminal can do: a machine that nobody sits at may not say.
        command.env("TERM", "xterm");
        command
    }

    /// Runs it to its end with this input.
    #[track_caller]
    pub fn run<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
        input: impl AsRef<[u8]>,
    ) -> Ran {
        let mut running = self.start(args);
        let (input, mut stdin) = (input.as_ref().to_vec(), running.stdin.take().unwrap());
        // It may end without having read everything.
        let feed = spawn(move || drop(stdin.write_all(&input)));
        let ran = running.ended();
        feed.join().unwrap();
        ran
    }

    pub fn start<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Running {
        Running::start(self.command(args))
    }

    /// Waits for a file that a program makes.
    #[track_caller]
    pub fn wait_for(&self, name: &str) {
        wait_until(&format!("file {name}"), || self.path(name).exists());
    }
}

/// Runs it in a directory that nobody looks into.
#[track_caller]
pub fn outwork<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>, input: impl AsRef<[u8]>) -> Ran {
    Place::new().run(args, input)
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = pieces(child.stdout.take().unwrap());
        let stderr = pieces(child.stderr.take().unwrap());
        let unheard = RefCell::default();
        Self { stdin: child.stdin.take(), child, stdout, stderr, unheard }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Sends a signal once it would not be ended by it.
    #[track_caller]
    pub fn signal_when_it_handles(&self, signal: Signal) {
        let handled = || {
            let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
            let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            let mask = u64::from_str_radix(mask.trim(), 16).unwrap();
            mask >> (signal.as_raw() - 1) & 1 == 1
        };
        wait_until("its handlers", handled);
        self.signal(signal);
    }

    /// Waits until it has said something on stderr, after what was waited for before.
    #[track_caller]
    pub fn said(&self, text: &str) {
        let mut stderr = self.unheard.borrow_mut();
        let at = loop {
            match stderr.find(text) {
                Some(at) => break at,
                None => {
                    let piece = self.stderr.recv_timeout(DEADLINE);
                    let piece =
                        piece.unwrap_or_else(|_| panic!("{text:?} was not said, but {stderr:?}"));
                    stderr.push_str(&String::from_utf8_lossy(&piece));
                }
            }
        };
        let end = stderr[at..].find('\n').map_or(stderr.len(), |end| at + end + 1);
        stderr.drain(..end);
    }

    /// Waits for so many bytes of stdout.
    #[track_caller]
    pub fn wrote(&self, bytes: usize) -> Vec<u8> {
        let mut stdout = Vec::new();
        while stdout.len() < bytes {
            stdout.extend(self.stdout.recv_timeout(DEADLINE).expect("it writes on"));
        }
        stdout
    }

    /// The most memory that it had so far, in MiB.
    pub fn peak_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    /// What remains to be read, once it has ended.
    #[track_caller]
    pub fn ended(mut self) -> Ran {
        drop(self.stdin.take());
        let stdout = self.rest(&self.stdout);
        let stderr = self.unheard.take() + &self.rest(&self.stderr);
        let status: ExitStatus = self.child.wait().unwrap();
        Ran { stdout, stderr, code: status.code().unwrap_or(-1) }
    }

    #[track_caller]
    fn rest(&self, pieces: &Receiver<Vec<u8>>) -> String {
        let end = Instant::now() + DEADLINE;
        let mut all = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match pieces.recv_timeout(left) {
                Ok(piece) => all.extend(piece),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    panic!("it did not end; so far: {}", String::from_utf8_lossy(&all))
                }
            }
        }
        String::from_utf8(all).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pieces(mut stream: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            if sender.send(buffer[..read].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

pub fn spawn(run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    thread::Builder::new().name("test-pipe".to_owned()).spawn(run).unwrap()
}

#[track_caller]
pub fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[track_caller]
pub fn lines(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

/// Numbers from 1, a line each.
pub fn seq(last: usize) -> String {
    (1..=last).map(|n| format!("{n}\n")).collect()
}
