//! [`alone`]: tests that need a process to themselves.

use std::{
    env,
    io::{Read, Seek},
    process::{Child, Command, Stdio},
};

use super::wait_until;

const ALONE: &str = "OUTWORK_TEST_ALONE";

/// Runs a test in a process of its own, because it looks at what all tests share:
/// descriptors, the processor, or globals. `test` is any function inside the test.
#[track_caller]
pub fn alone<F: Fn()>(test: F, body: impl FnOnce()) {
    let path = std::any::type_name_of_val(&test);
    let name = path.split_once("::").unwrap().1.rsplit_once("::").unwrap().0;
    if env::var_os(ALONE).is_some_and(|alone| alone == name) {
        return body();
    }
    let mut output = tempfile::tempfile().unwrap();
    let child = Command::new(env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(ALONE, name)
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output.try_clone().unwrap())
        .spawn();
    let mut child = KillOnDrop(child.unwrap());
    let mut status = None;
    wait_until(&format!("{name} has ended in its own process"), || {
        status = child.0.try_wait().unwrap();
        status.is_some()
    });
    let mut text = String::new();
    output.rewind().unwrap();
    output.read_to_string(&mut text).unwrap();
    assert!(status.unwrap().success() && text.contains("1 passed"), "{text}");
}

struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        // It has ended already, unless the test gives up.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
