//! The only place that prints.

/// Says something to the person who watches.
#[expect(clippy::print_stderr, reason = "the stress has no data, and all its talk passes here")]
pub(crate) fn talk(text: &str) {
    eprintln!("{text}");
}
