//! Everything that needs RabbitMQ, in one binary with one broker.
#![allow(clippy::unwrap_used, unreachable_pub, reason = "helpers of tests are tests as well")]
#![allow(clippy::print_stdout, reason = "tests print what they found")]

// What the tests are written with.
mod proxy;
mod support;

// From the connection up to whole clusters.
mod cancel;
mod chunks;
mod conformance;
mod connect;
mod delay;
mod drain;
mod faults;
mod garbage;
mod guarantees;
mod jobs;
mod options;
mod round_trip;
mod telemetry;
mod tls;
