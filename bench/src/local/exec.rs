//! Rows of `outwork exec`.

use std::{
    cell::OnceCell,
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};

use crate::{
    args::LocalArgs,
    feed, output, peer,
    row::{Goal, OUTWORK, Row, Side},
};

/// Running `/bin/true` once per input line, two at a time, 2000 lines, beside `xargs -P2 -n1`.
///
/// Commands per second from the program's start to its exit, as a shell would see it.
pub(super) fn beside_xargs(args: &LocalArgs) -> Row {
    let commands = args.run.scaled(2000);
    Row {
        name: "exec /bin/true, 2 at a time, beside xargs",
        unit: "commands/s",
        goal: Some(Goal::RatioAtLeast(1.3)),
        ours: ours(args, commands),
        peer: Some(Side::new("xargs -P2 -n1", move || peer::xargs::rate(commands))),
    }
}

/// The same beside GNU `parallel -j2`, 500 lines for both, because parallel is slow.
pub(super) fn beside_parallel(args: &LocalArgs) -> Row {
    let commands = args.run.scaled(500);
    Row {
        name: "exec /bin/true, 2 at a time, beside parallel",
        unit: "commands/s",
        goal: Some(Goal::RatioAtLeast(5.0)),
        ours: ours(args, commands),
        peer: Some(Side::new("parallel -j2", move || peer::parallel::rate(commands))),
    }
}

fn ours(args: &LocalArgs, commands: usize) -> Side {
    let given = args.outwork.clone();
    let built = OnceCell::new();
    Side::new(OUTWORK, move || {
        let outwork = match (&given, built.get()) {
            (Some(path), _) | (None, Some(path)) => path,
            (None, None) => {
                let path = build()?;
                built.get_or_init(|| path)
            }
        };
        rate(outwork, commands)
    })
}

/// Commands per second of `outwork exec` on its thread pool.
fn rate(outwork: &Path, commands: usize) -> anyhow::Result<f64> {
    feed::rate(
        Command::new(outwork).args(["exec", "--executor", "threads:2", "-j2", "--", "/bin/true"]),
        commands,
        "give its place with --outwork",
    )
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
