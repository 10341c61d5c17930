//! Finding a program the way a shell does that stands where the command will.

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf, absolute},
};

use outwork_core::CommandSpec;
use rustix::fs::Access;

/// Where programs are looked for when the command's environment has no `PATH`.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Where a program is, or why it is nowhere.
#[derive(Debug)]
pub(super) enum Found {
    /// Its path, which always holds a slash.
    ///
    /// std looks up a bare name itself, in the wrong `PATH` or, when that was changed, by `fork`,
    /// which takes 40 ms for each GiB of this process.
    At(PathBuf),
    /// There are only files of that name that may not be executed.
    NotExecutable,
    /// There is no such file.
    Nowhere,
}

/// Finds the program of a command in the command's own `PATH` and working directory.
///
/// A name with a slash is taken as it is, relative to the working directory of the command.
///
/// # Errors
///
/// When the working directory of this process is not known.
pub(super) fn find(spec: &CommandSpec) -> io::Result<Found> {
    let program = Path::new(OsStr::from_bytes(spec.program().as_bytes()));
    let base = base(spec)?;
    if spec.program().as_bytes().contains(&b'/') {
        return Ok(Found::At(within(base.as_deref(), program)));
    }
    let mut found = Found::Nowhere;
    for folder in env::split_paths(&search_path(spec)) {
        // An empty entry is the working directory, too.
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        let path = within(base.as_deref(), &folder.join(program));
        if rustix::fs::access(&path, Access::EXEC_OK).is_ok() {
            if path.is_file() {
                return Ok(Found::At(path));
            }
        } else if path.is_file() {
            found = Found::NotExecutable;
        }
    }
    Ok(found)
}

/// The command's working directory as an absolute path, where it is not this process's own.
fn base(spec: &CommandSpec) -> io::Result<Option<PathBuf>> {
    spec.directory().map(|directory| absolute(OsStr::from_bytes(directory.as_bytes()))).transpose()
}

/// A path as it is seen from the base.
fn within(base: Option<&Path>, path: &Path) -> PathBuf {
    base.map_or_else(|| path.to_owned(), |base| base.join(path))
}

/// The `PATH` that the command will have.
fn search_path(spec: &CommandSpec) -> OsString {
    let own = spec.environment().iter().rev().find(|(key, _)| key.as_bytes() == b"PATH");
    let path = match own {
        Some((_, value)) => {
            value.as_ref().map(|value| OsString::from_vec(value.as_bytes().to_vec()))
        }
        None if spec.clears_env() => None,
        None => env::var_os("PATH"),
    };
    path.unwrap_or_else(|| DEFAULT_PATH.into())
}
