//! What both programs do, for so many tasks and so many of them in flight. This process sends, and a second one of it works, which writes a byte for each task that is done.

use std::{env, io::Write, process::Stdio, time::Instant};

use anyhow::{Context, ensure};
use tokio::{
    io::AsyncReadExt,
    process::{ChildStdout, Command},
};

/// What each task gets.
pub const VALUE: &str = "7777777777777777777777777777777777777777777777777777777777777777";

pub fn url() -> String {
    env::var("OUTWORK_BENCH_URL").expect("OUTWORK_BENCH_URL is set")
}

pub fn queue() -> String {
    env::var("OUTWORK_BENCH_QUEUE").expect("OUTWORK_BENCH_QUEUE is set")
}

/// Whether this is the process that works.
pub fn is_worker() -> bool {
    env::args().nth(1).as_deref() == Some("work")
}

/// Says that a task is done.
pub fn done(value: &str) {
    assert_eq!(value, VALUE);
    let mut out = std::io::stdout();
    out.write_all(b".").and_then(|()| out.flush()).expect("the client reads");
}

/// Ends this process when its standard input ends.
pub fn end_with_input() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
}

/// Measures tasks per second, and prints them.
pub async fn measure(mut send: impl AsyncFnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut arguments = env::args().skip(1);
    let tasks: usize = arguments.next().context("how many tasks")?.parse()?;
    let in_flight: usize = arguments.next().context("how many in flight")?.parse()?;
    let mut worker = Command::new(env::current_exe()?)
        .arg("work")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut done = worker.stdout.take().context("its output is piped")?;
    slide(&mut send, &mut done, tasks / 10, in_flight).await?;
    let start = Instant::now();
    slide(&mut send, &mut done, tasks, in_flight).await?;
    println!("{}", tasks as f64 / start.elapsed().as_secs_f64());
    Ok(())
}

async fn slide(
    send: &mut impl AsyncFnMut() -> anyhow::Result<()>,
    done: &mut ChildStdout,
    tasks: usize,
    in_flight: usize,
) -> anyhow::Result<()> {
    let (mut sent, mut ended) = (0, 0);
    let mut bytes = [0; 1024];
    while ended < tasks {
        while sent < tasks && sent - ended < in_flight {
            send().await?;
            sent += 1;
        }
        let more = done.read(&mut bytes).await?;
        ensure!(more > 0, "the worker has ended");
        ended += more;
    }
    Ok(())
}
