//! A program and its arguments, and how they are written on one line.

use std::{
    ffi::{OsStr, OsString},
    fmt::{self, Display, Write},
    os::unix::ffi::OsStrExt,
};

/// A program with its arguments, as the operating system takes them: byte strings, never a shell.
///
/// `Display` writes what a shell (bash, zsh, ksh) would need to read the same arguments back.
/// That text is one line of UTF-8 whatever the bytes are, and different commands give different texts,
/// so the joblog can hold it and `--resume` can compare it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandLine {
    program: OsString,
    args: Vec<OsString>,
}

impl CommandLine {
    pub(crate) fn new(program: OsString, args: Vec<OsString>) -> Self {
        Self { program, args }
    }

    pub(crate) fn program(&self) -> &OsStr {
        &self.program
    }

    pub(crate) fn args(&self) -> &[OsString] {
        &self.args
    }
}

impl Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_quoted(f, self.program.as_bytes())?;
        for arg in &self.args {
            f.write_char(' ')?;
            write_quoted(f, arg.as_bytes())?;
        }
        Ok(())
    }
}

/// The plainest quoting that `arg` allows: none, `'…'`, or `$'…'` where a byte needs an escape.
fn write_quoted(f: &mut impl Write, arg: &[u8]) -> fmt::Result {
    match std::str::from_utf8(arg) {
        Ok(text) if is_plain(text) => f.write_str(text),
        Ok(text) if !text.contains(char::is_control) => write_single_quoted(f, text),
        _ => write_escaped(f, arg),
    }
}

/// Whether no shell gives any character of `text` a meaning.
fn is_plain(text: &str) -> bool {
    // Before a `=` that is not part of an option a shell sees a variable or, in zsh, a command.
    let safe: &[u8] = if text.starts_with('-') { b"_@+:,./-=" } else { b"_@+:,./-" };
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || safe.contains(&byte);
    !text.is_empty() && text.bytes().all(is_safe)
}

fn write_single_quoted(f: &mut impl Write, text: &str) -> fmt::Result {
    write!(f, "'{}'", text.replace('\'', r"'\''"))
}

fn write_escaped(f: &mut impl Write, arg: &[u8]) -> fmt::Result {
    f.write_str("$'")?;
    for chunk in arg.utf8_chunks() {
        for character in chunk.valid().chars() {
            write_escaped_char(f, character)?;
        }
        write_hex(f, chunk.invalid())?;
    }
    f.write_char('\'')
}

fn write_escaped_char(f: &mut impl Write, character: char) -> fmt::Result {
    match character {
        '\n' => f.write_str(r"\n"),
        '\t' => f.write_str(r"\t"),
        '\r' => f.write_str(r"\r"),
        '\\' | '\'' => write!(f, r"\{character}"),
        _ if character.is_control() => write_hex(f, character.encode_utf8(&mut [0; 4]).as_bytes()),
        _ => f.write_char(character),
    }
}

/// Two digits always: a shell reads at most two, so a hexadecimal character may follow.
fn write_hex(f: &mut impl Write, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, r"\x{byte:02x}"))
}

#[cfg(test)]
mod tests;
