//! The lifecycle attempt by attempt, over a backend that the test plays by hand.
//!
//! What every executor has to keep is in the conformance suite; here are the orders of events
//! that no executor can be made to show on demand.

mod address;
mod batch;
mod cancel;
mod deadline;
mod diary;
mod extremes;
mod hand_over;
mod interrupted;
mod many;
#[cfg(shuttle)]
mod models;
mod recording;
mod retry;
mod stage;
mod surroundings;

use stage::{Drive, SECOND, Stage, end, poll, reply, story};

use super::*;
use crate::blocking::block_on;
