//! Things that break at every moment of a task's way, and what must hold afterwards.

mod broker;
pub mod client;
mod matrix;
pub mod queue;
mod scene;
pub mod victim;
pub mod worker;
