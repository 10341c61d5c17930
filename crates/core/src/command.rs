//! [`CommandSpec`]: a program to be executed, as data.

use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{BuildError, OsBytes};

/// A program to be executed: arguments as they are, never through a shell unless asked for.
///
/// The program runs in a process group of its own with its standard input closed.
/// Its output goes to the targets of the task's options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandSpec {
    #[serde(deserialize_with = "non_empty")]
    program: OsBytes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    arg0: Option<OsBytes>,
    #[serde(default)]
    args: Vec<OsBytes>,
    #[serde(default)]
    cwd: Option<OsBytes>,
    #[serde(default)]
    clear_env: bool,
    #[serde(default)]
    env: Vec<(OsBytes, Option<OsBytes>)>,
    #[serde(default)]
    stdin: Option<Bytes>,
}

/// How a command ended, as the result of its task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandReport {
    /// The exit code, which is 0: any other is the task's error.
    pub code: i32,
}

fn non_empty<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<OsBytes, D::Error> {
    let program = OsBytes::deserialize(reader)?;
    check(&program).map_err(serde::de::Error::custom)?;
    Ok(program)
}

fn check(program: &OsBytes) -> Result<(), BuildError> {
    let invalid = |reason: &str| BuildError::InvalidSetting {
        setting: "program",
        value: format!("{program:?}"),
        reason: reason.to_owned(),
    };
    if program.is_empty() {
        Err(invalid("name a program to execute"))
    } else if program.as_bytes().contains(&0) {
        Err(invalid("a program's name holds no NUL byte"))
    } else {
        Ok(())
    }
}

impl CommandSpec {
    /// A program without arguments. A name without a slash is looked up in `PATH`.
    ///
    /// # Errors
    ///
    /// When the program's name is empty or holds a NUL byte.
    pub fn new(program: impl Into<OsBytes>) -> Result<Self, BuildError> {
        let program = program.into();
        check(&program)?;
        Ok(Self {
            program,
            arg0: None,
            args: Vec::new(),
            cwd: None,
            clear_env: false,
            env: Vec::new(),
            stdin: None,
        })
    }

    /// A line for `/bin/sh -c`, for those who want a shell.
    #[must_use]
    pub fn shell(line: impl Into<OsBytes>) -> Self {
        Self {
            program: "/bin/sh".into(),
            arg0: None,
            args: vec!["-c".into(), line.into()],
            cwd: None,
            clear_env: false,
            env: Vec::new(),
            stdin: None,
        }
    }

    /// Sets what the program is told to be called, and shows in its messages; otherwise it is
    /// the program as it was given.
    #[must_use]
    pub fn arg0(mut self, name: impl Into<OsBytes>) -> Self {
        self.arg0 = Some(name.into());
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsBytes>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsBytes>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets the working directory; otherwise it is the executor's.
    #[must_use]
    pub fn cwd(mut self, directory: impl AsRef<Path>) -> Self {
        self.cwd = Some(directory.as_ref().into());
        self
    }

    /// Starts from an empty environment instead of the executor's.
    #[must_use]
    pub fn clear_env(mut self) -> Self {
        self.clear_env = true;
        self.env.clear();
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, key: impl Into<OsBytes>, value: impl Into<OsBytes>) -> Self {
        self.env.push((key.into(), Some(value.into())));
        self
    }

    /// Removes a variable that would be inherited.
    #[must_use]
    pub fn env_remove(mut self, key: impl Into<OsBytes>) -> Self {
        self.env.push((key.into(), None));
        self
    }

    /// Feeds bytes to the standard input, which is then closed.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Bytes>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// The program.
    #[must_use]
    pub const fn program(&self) -> &OsBytes {
        &self.program
    }

    /// What the program is told to be called.
    #[must_use]
    pub fn name(&self) -> &OsBytes {
        self.arg0.as_ref().unwrap_or(&self.program)
    }

    /// The arguments.
    #[must_use]
    pub fn arguments(&self) -> &[OsBytes] {
        &self.args
    }

    /// The working directory, where it is not the executor's.
    #[must_use]
    pub const fn directory(&self) -> Option<&OsBytes> {
        self.cwd.as_ref()
    }

    /// Whether the environment starts empty.
    #[must_use]
    pub const fn clears_env(&self) -> bool {
        self.clear_env
    }

    /// Variables to set (`Some`) and to remove (`None`), in order.
    #[must_use]
    pub fn environment(&self) -> &[(OsBytes, Option<OsBytes>)] {
        &self.env
    }

    /// What the standard input is fed.
    #[must_use]
    pub const fn input(&self) -> Option<&Bytes> {
        self.stdin.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_program_is_refused_at_construction_and_on_the_wire() {
        assert!(CommandSpec::new("").is_err());
        assert!(CommandSpec::new("a\0b").is_err());
        assert!(serde_json::from_str::<CommandSpec>(r#"{"program":""}"#).is_err());
    }

    #[test]
    fn a_person_can_write_one_in_json() {
        let spec: CommandSpec =
            serde_json::from_str(r#"{"program":"echo","args":["a b"]}"#).unwrap();
        assert_eq!(spec, CommandSpec::new("echo").unwrap().arg("a b"));
    }
}
