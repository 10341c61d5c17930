//! What was typed of brokers and queues.

use std::path::PathBuf;

use clap::Args;
use outwork_amqp::QueueName;

use crate::broker::parse_queue;

/// Where the broker is.
#[derive(Clone, Debug, Args)]
pub(crate) struct BrokerArgs {
    /// Where RabbitMQ is: amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps:// for TLS
    ///
    /// Without it OUTWORK_URL says so, else the configuration, else it is on this machine. A
    /// password in an argument can be seen by everybody on the machine.
    #[arg(long, value_name = "URL", conflicts_with = "url_file", help_heading = BROKER)]
    pub(crate) url: Option<String>,

    /// Read that URL from FILE
    #[arg(long, value_name = "FILE", help_heading = BROKER)]
    pub(crate) url_file: Option<PathBuf>,

    /// Trust the certificate authorities in FILE as well, for amqps://
    ///
    /// One certificate in PEM form or several, beside those that the system trusts. Without it
    /// the configuration says so, as tls_ca.
    #[arg(long, value_name = "FILE", help_heading = BROKER)]
    pub(crate) tls_ca: Option<PathBuf>,
}

const BROKER: &str = "Broker options";

/// To which queue tasks go.
#[derive(Clone, Debug, Args)]
pub(crate) struct QueueArgs {
    /// The queue that tasks go to, by default outwork
    #[arg(long, value_name = "Q", value_parser = parse_queue, help_heading = BROKER)]
    pub(crate) queue: Option<QueueName>,
}
