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

fn shakes_hands(host: &str, port: u16) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((host, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"AMQP\0\0\x09\x01")?;
    // A frame: its type, its channel and its length, and then what it holds and an end.
    let mut head = [0; 7];
    stream.read_exact(&mut head)?;
    let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
    let mut frame = vec![0; usize::try_from(length.min(1 << 17)).unwrap_or_default()];
    stream.read_exact(&mut frame)?;
    Ok(frame)
}

/// What the broker says in its half of the handshake.
pub(crate) fn version(host: &str, port: u16) -> Result<String> {
    let frame = shakes_hands(host, port).context("no handshake")?;
    version_in(&frame).context("the broker does not tell its version")
}

/// The text of the property of that name, in a table of properties.
fn version_in(frame: &[u8]) -> Option<String> {
    let name = b"\x07versionS";
    let at = frame.windows(name.len()).position(|window| window == name)? + name.len();
    let (length, text) = frame.get(at..)?.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    String::from_utf8(text.get(..length)?.to_vec()).ok()
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_properties() {
        let frame = b"..\x08platformS\0\0\0\x01E\x07versionS\0\0\0\x054.0.5\x00";
        assert_eq!(version_in(frame).unwrap(), "4.0.5");
        assert_eq!(version_in(b"\x07versionS\0\0\0\x09short"), None);
    }
}
