//! Things that break at every moment of a task's way, and what must hold afterwards.

mod broker;
mod client;
mod matrix;
mod queue;
mod scene;
pub mod victim;
mod worker;
