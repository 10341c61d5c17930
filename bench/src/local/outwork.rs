//! The binary of the rows that run one.

use std::{
    cell::OnceCell,
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};

use crate::{args::LocalArgs, output};

/// The `outwork` that was named, or one that cargo builds when it is first asked for.
pub(super) struct Binary(OnceCell<PathBuf>);

impl Binary {
    pub(super) fn new(args: &LocalArgs) -> Self {
        Self(args.outwork.clone().map_or_else(OnceCell::new, OnceCell::from))
    }

    pub(super) fn path(&self) -> anyhow::Result<&Path> {
        if let Some(path) = self.0.get() {
            return Ok(path);
        }
        let path = build()?;
        Ok(self.0.get_or_init(|| path))
    }
}

/// Has cargo build the release binary beside this one, which does nothing when it is fresh, and returns its path.
fn build() -> anyhow::Result<PathBuf> {
    let this = env::current_exe().context("the path of this program")?;
    let target = this.ancestors().nth(2).context("this program is not in a target folder")?;
    let outwork = target.join("release/outwork");

    output::talk(&format!("building {}", outwork.display()));
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--release", "--package", "outwork-cli", "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .context("cargo did not start")?;

    ensure!(status.success(), "cargo could not build outwork-cli");
    ensure!(outwork.exists(), "outwork-cli has no binary `outwork` yet");
    Ok(outwork)
}
