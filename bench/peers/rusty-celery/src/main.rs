//! rusty-celery, in two processes.

#[path = "../../drive.rs"]
mod drive;

use celery::prelude::*;

#[celery::task]
async fn echo(value: String) -> TaskResult<String> {
    drive::done(&value);
    Ok(value)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let queue = drive::queue();
    let app = celery::app!(
        broker = AMQPBroker { drive::url() },
        tasks = [echo],
        task_routes = ["*" => &queue],
        prefetch_count = 256,
    )
    .await?;
    if drive::is_worker() {
        drive::end_with_input();
        app.consume_from(&[&queue]).await?;
        return Ok(());
    }
    drive::measure(async || {
        app.send_task(echo::new(drive::VALUE.to_owned())).await?;
        Ok(())
    })
    .await
}
