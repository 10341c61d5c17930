//! [`alone`]: tests that need a process to themselves.

use std::{
    env,
    io::{Read, Seek},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{PATIENCE, ms};

const ALONE: &str = "OUTWORK_TEST_ALONE";

/// Runs a test in a process of its own, because it looks at what all tests share:
/// descriptors, the processor, or globals. `test` is any function inside the test.
#[track_caller]
pub fn alone<F: Fn()>(test: F, body: impl FnOnce()) {
    // Longer than anything in there waits, so that it can say what did not come.
    alone_for(PATIENCE * 2, test, body);
}

/// The same for a test that may take so long. It has a folder of its own for temporary files.
#[track_caller]
pub fn alone_for<F: Fn()>(most: Duration, test: F, body: impl FnOnce()) {
    let path = std::any::type_name_of_val(&test);
    let name = path.split_once("::").unwrap().1.rsplit_once("::").unwrap().0;
    if env::var_os(ALONE).is_some_and(|alone| alone == name) {
        return body();
    }
    let mut output = tempfile::tempfile().unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let child = Command::new(env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(ALONE, name)
        .env("TMPDIR", temporary.path())
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output.try_clone().unwrap())
        .spawn();
    let status = KillOnDrop(child.unwrap()).wait(most);
    let mut text = String::new();
    output.rewind().unwrap();
    output.read_to_string(&mut text).unwrap();
    let passed = status.is_some_and(|status| status.success()) && text.contains("1 passed");
    assert!(passed, "{status:?} (none: it did not end in time)\n{text}");
}

struct KillOnDrop(Child);

impl KillOnDrop {
    fn wait(mut self, most: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + most;
        while Instant::now() < deadline {
            if let Some(status) = self.0.try_wait().unwrap() {
                return Some(status);
            }
            thread::sleep(ms(1));
        }
        None
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        // It has ended already, unless the test gives up.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
