//! Waiting for a broker to answer.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// How long a broker may take to start on a busy machine.
const STARTUP: Duration = Duration::from_secs(120);

/// Waits for the first AMQP handshake, which is the only thing that shows that a broker is up.
pub(crate) fn wait_for(host: &str, port: u16, mut is_alive: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + STARTUP;
    while Instant::now() < deadline {
        if shakes_hands(host, port).is_ok() {
            return Ok(());
        }
        if !is_alive() {
            bail!("the broker ended while it was starting");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("no broker answered on {host}:{port} within {STARTUP:?}")
}

fn shakes_hands(host: &str, port: u16) -> std::io::Result<()> {
    let mut stream = TcpStream::connect((host, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"AMQP\0\0\x09\x01")?;
    let mut start = [0];
    stream.read_exact(&mut start)
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}
