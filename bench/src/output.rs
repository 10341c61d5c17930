//! The only place that prints: data on stdout, talk on stderr.

use std::io::{self, Write};

/// Writes data.
///
/// # Errors
///
/// Stdout refused it, as a closed pipe does.
pub(crate) fn data(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Says something to the person who watches.
#[expect(clippy::print_stderr, reason = "talk belongs on stderr, and all of it passes here")]
pub(crate) fn talk(text: &str) {
    eprintln!("{text}");
}

/// Three digits at least: 0.042, 1.37, 25.1, 1234.
pub(crate) fn plain(value: f64) -> String {
    let decimals = match value.abs() {
        hundreds if hundreds >= 100.0 => 0,
        tens if tens >= 10.0 => 1,
        ones if ones >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}
