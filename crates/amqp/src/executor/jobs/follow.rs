//! Reading the stream of the jobs.

use futures_util::StreamExt;
use lapin::{
    Channel, Connection, Consumer,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use tokio::sync::mpsc;

use crate::{
    connection::{ConnectOptions, in_time, open_channel},
    executor::remote::{JobNews, WantedJobs},
    wire::JobRecord,
};

/// How many records may be on their way.
const PREFETCH: u16 = 500;

/// Tells everything that the stream has on a job, and what comes, until nobody listens.
pub(in crate::executor) async fn follow_jobs(
    options: &ConnectOptions,
    connection: &Connection,
    wanted: WantedJobs,
    answers: mpsc::UnboundedSender<JobNews>,
) {
    match open(options, connection, &wanted).await {
        Ok((channel, consumer)) => {
            let options = options.clone();
            tokio::spawn(async move {
                let forwarding = forward(&options, &channel, consumer, &wanted, &answers);
                if let Err(lost) = forwarding.await {
                    // Who asked may have gone.
                    return drop(answers.send(JobNews::Lost(lost)));
                }
                // A channel that is closed before it is dropped takes nothing along.
                let closing = channel.close(200, "done".into());
                let closed = in_time(options.broker(), "channel.close", options.limit(), closing);
                if let Err(error) = closed.await {
                    tracing::debug!(%error, "a channel was lost before it was closed");
                }
            });
        }
        // Who asked may have gone.
        Err(why) => drop(answers.send(JobNews::Lost(why))),
    }
}

async fn open(
    options: &ConnectOptions,
    connection: &Connection,
    wanted: &WantedJobs,
) -> Result<(Channel, Consumer), String> {
    let channel = open_channel(options, connection).await.map_err(|error| error.to_string())?;
    let mut arguments = FieldTable::default();
    let since = u64::try_from(wanted.since / 1000).unwrap_or_default();
    arguments.insert(ShortString::from("x-stream-offset"), AMQPValue::Timestamp(since));
    let (stream, tag) = (options.names().jobs_stream(), ShortString::from("jobs"));
    let consume = async {
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        channel.basic_consume(stream, tag, BasicConsumeOptions::default(), arguments).await
    };
    let consumer = in_time(options.broker(), "reading the jobs", options.limit(), consume).await;
    Ok((channel, consumer.map_err(|error| error.to_string())?))
}

/// Ends when nobody listens any more; fails, with the reason, when the stream is lost.
async fn forward(
    options: &ConnectOptions,
    channel: &Channel,
    mut consumer: Consumer,
    wanted: &WantedJobs,
    answers: &mpsc::UnboundedSender<JobNews>,
) -> Result<(), String> {
    loop {
        let delivery = tokio::select! {
            delivery = consumer.next() => delivery,
            () = answers.closed() => return Ok(()),
        };
        let delivery =
            delivery.ok_or("the stream has ended")?.map_err(|error| error.to_string())?;
        // Only gives credit for more: nothing is removed from a stream.
        let ack = channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default());
        in_time(options.broker(), "reading the jobs", options.limit(), ack)
            .await
            .map_err(|error| error.to_string())?;
        let id = JobRecord::id_of(&delivery.properties);
        let news = if id == Some(wanted.mark) {
            Some(JobNews::CaughtUp)
        } else if id == Some(wanted.id) {
            let record = JobRecord::read(&delivery.properties, &delivery.data);
            record.ok().map(|record| JobNews::Record(Box::new(record)))
        } else {
            None
        };
        if let Some(news) = news
            && answers.send(news).is_err()
        {
            return Ok(());
        }
    }
}
