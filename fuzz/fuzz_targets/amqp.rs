//! Whatever comes out of a queue is a message or an error, and never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| outwork_amqp::fuzz_wire(bytes));
