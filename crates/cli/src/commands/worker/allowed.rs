//! [`Allowed`]: the programs that a worker executes for others.

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf, absolute},
};

use outwork_core::OsBytes;
use rustix::fs::{Access, access};

use crate::failure::Failure;

/// The programs that a worker executes for others: found once, so that a later change of `PATH`
/// or of a folder in it allows nothing else.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    programs: Vec<Program>,
}

#[derive(Debug)]
struct Program {
    /// What others call it: the name of its file, as it was given.
    name: OsString,
    path: PathBuf,
}

/// What runs whatever it is told to, so that who may execute it may execute everything.
const SHELLS: [&str; 12] =
    ["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "csh", "tcsh", "fish", "busybox", "env"];

impl Allowed {
    /// Finds all of them.
    pub(super) fn find(asked: &[OsString]) -> Result<Self, Failure> {
        let programs = asked.iter().map(|program| Program::find(program));
        Ok(Self { programs: programs.collect::<Result<_, _>>()? })
    }

    /// Those that allow everything.
    pub(super) fn shells(&self) -> impl Iterator<Item = &Path> {
        self.programs.iter().filter(|program| program.is_shell()).map(|program| &*program.path)
    }

    /// What is executed for those who ask for this program: by its name, or by its whole path.
    pub(super) fn get(&self, asked: &OsBytes) -> Option<&Path> {
        let asked = OsStr::from_bytes(asked.as_bytes());
        let is_meant = |program: &&Program| program.name == asked || program.path == asked;
        self.programs.iter().find(is_meant).map(|program| &*program.path)
    }
}

impl Program {
    fn find(asked: &OsStr) -> Result<Self, Failure> {
        let path = match asked.as_bytes().contains(&b'/') {
            true => Some(absolute(asked)).transpose().map_err(Failure::usage)?,
            false => on_path(asked).map_err(Failure::usage)?,
        };
        let refused = |why: &str| {
            Failure::usage_message(format!(
                "--allow-exec {asked:?}: {why}; name a program in PATH, or give its path"
            ))
        };
        let path = path.ok_or_else(|| refused("there is no such program in PATH"))?;
        if !path.is_file() {
            return Err(refused("there is no such file"));
        }
        if access(&path, Access::EXEC_OK).is_err() {
            return Err(refused("it may not be executed"));
        }
        let name = path.file_name().map(OsStr::to_owned);
        Ok(Self { name: name.ok_or_else(|| refused("it has no name"))?, path })
    }

    /// By its name, or by that of the file that it leads to.
    fn is_shell(&self) -> bool {
        let leads_to = self.path.canonicalize().ok();
        let names = [Some(&*self.path), leads_to.as_deref()];
        let mut names = names.into_iter().flatten().filter_map(|path| path.file_name()?.to_str());
        names.any(|name| SHELLS.contains(&name))
    }
}

/// Where a shell would find the program.
fn on_path(name: &OsStr) -> io::Result<Option<PathBuf>> {
    let folders = env::var_os("PATH").unwrap_or_default();
    for folder in env::split_paths(&folders) {
        let path = absolute(if folder.as_os_str().is_empty() { Path::new(".") } else { &folder })?;
        let path = path.join(name);
        if path.is_file() && access(&path, Access::EXEC_OK).is_ok() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(programs: &[&str]) -> Allowed {
        let programs: Vec<_> = programs.iter().map(OsString::from).collect();
        Allowed::find(&programs).unwrap()
    }

    #[test]
    fn a_program_is_asked_for_by_its_name_or_by_its_whole_path() {
        let cat = allowed(&["cat"]);
        let path = cat.get(&"cat".into()).unwrap();
        assert!(path.is_absolute() && path.ends_with("cat"), "{path:?}");
        assert_eq!(cat.get(&path.into()), Some(path));
        for other in ["ls", "./cat", "/tmp/cat", "../bin/cat", "CAT", "cat ", ""] {
            assert_eq!(cat.get(&other.into()), None, "{other:?}");
        }
        assert_eq!(allowed(&[path.to_str().unwrap()]).get(&"cat".into()), Some(path));
        assert!(allowed(&[]).get(&"cat".into()).is_none());
    }

    #[test]
    fn what_cannot_be_executed_is_refused_at_once() {
        for missing in ["no-such-program", "/no/such/program", "/etc/passwd", "/tmp", ""] {
            let refused = Allowed::find(&[missing.into()]).unwrap_err();
            assert!(format!("{refused:?}").contains("allow-exec"), "{missing:?}");
        }
    }

    #[test]
    fn a_shell_is_known_by_its_name_and_by_where_it_leads() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("innocent");
        std::os::unix::fs::symlink("/bin/sh", &link).unwrap();
        let programs = allowed(&["sh", "cat", link.to_str().unwrap()]);
        assert_eq!(programs.shells().count(), 2);
    }
}
