//! Parts of a path as GNU parallel cuts them.
//!
//! `std::path` cuts differently: it ignores trailing slashes and takes `.bashrc` for a name without extension.

/// All but the last `.` of the last component and what follows it: `a/b.tar.gz` → `a/b.tar`, `.bashrc` → ``.
pub(super) fn without_extension(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|byte| matches!(byte, b'.' | b'/')) {
        Some(at) if path[at] == b'.' => &path[..at],
        _ => path,
    }
}

/// What follows the last slash, nothing when the path ends in one: `a/b` → `b`, `a/` → ``.
pub(super) fn basename(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => &path[at + 1..],
        None => path,
    }
}

/// The directory as dirname(1) gives it: `a/b/` → `a`, `a` → `.`, `/a` → `/`.
pub(super) fn dirname(path: &[u8]) -> &[u8] {
    let trimmed = without_trailing_slashes(path);
    match trimmed.iter().rposition(|byte| *byte == b'/') {
        _ if trimmed.is_empty() && !path.is_empty() => b"/",
        None => b".",
        Some(at) => match without_trailing_slashes(&trimmed[..at]) {
            [] => b"/",
            directory => directory,
        },
    }
}

fn without_trailing_slashes(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |at| at + 1);
    &path[..end]
}
