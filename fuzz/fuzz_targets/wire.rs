//! Whatever comes on the channel between a pool and a worker is a frame or an error, and never
//! a panic, a hang, or more memory than was sent.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| outwork_local::fuzz_wire(bytes));
