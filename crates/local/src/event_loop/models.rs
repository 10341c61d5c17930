//! However a loop is replaced, what it was given ends once, on one thread or the other.
//!
//! What is modelled is the whole pool, with its engine and its watch, by a clock that the model
//! moves. A loop is stuck while a poll of it waits for a thread of the model, and may be taken
//! for stuck whenever the model goes on elsewhere in the middle of a poll. A stop is over when
//! every thread has left, those that were replaced too.

mod abandon;
mod place;
mod scene;
mod shutdown;
mod stuck;
