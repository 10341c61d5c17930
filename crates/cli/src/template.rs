//! The arguments of `outwork exec`, with the places where an input line goes.

mod path;

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
};

use crate::{command_line::CommandLine, input::Record};

/// A program and its arguments in which tokens stand for parts of an input line.
///
/// | token | stands for |
/// |---|---|
/// | `{}` | the line (`-I STR` renames this one token) |
/// | `{.}` | the line without its extension |
/// | `{/}` | its last path component |
/// | `{//}` | its directory, `.` when it names none |
/// | `{/.}` | its last path component without the extension |
/// | `{#}` | its number, from 1 |
///
/// A token counts anywhere inside an argument and any number of times; every other brace is literal.
/// Without a token in the program or any argument the line is appended as the last argument.
/// Bytes are passed on as they are: there is no shell and no encoding between the input and the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    program: Argument,
    args: Vec<Argument>,
    appends_line: bool,
}

/// One argument, cut at its tokens.
type Argument = Vec<Piece>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(Vec<u8>),
    Token(Token),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Line,
    WithoutExtension,
    Basename,
    Dirname,
    BasenameWithoutExtension,
    Number,
}

/// The tokens that `-I` does not rename. None is the beginning of another.
const FIXED_TOKENS: [(&[u8], Token); 5] = [
    (b"{.}", Token::WithoutExtension),
    (b"{/}", Token::Basename),
    (b"{//}", Token::Dirname),
    (b"{/.}", Token::BasenameWithoutExtension),
    (b"{#}", Token::Number),
];

/// What `-I` renames when it is given.
const LINE_TOKEN: &[u8] = b"{}";

/// Why a template, or one run of it, is not possible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error("no program to run: name one after `--`, as in `outwork exec -- gzip {{}}`")]
    NoProgram,
    #[error("-I needs a text that stands for the input line; the empty text is everywhere")]
    EmptyPlaceholder,
    #[error(
        "input line {number} holds a NUL byte, which no argument can; \
         if the input is NUL-separated, say so with -0"
    )]
    NulByte { number: u64 },
}

impl Template {
    /// Reads `argv`, the program first. `placeholder` is the value of `-I`.
    ///
    /// Where `placeholder` overlaps another token, it is looked for first.
    pub(crate) fn parse(
        argv: &[OsString],
        placeholder: Option<&OsStr>,
    ) -> Result<Self, TemplateError> {
        let placeholder = placeholder.map_or(LINE_TOKEN, OsStr::as_bytes);
        if placeholder.is_empty() {
            return Err(TemplateError::EmptyPlaceholder);
        }
        let mut arguments = argv.iter().map(|arg| cut(arg.as_bytes(), placeholder));
        let program = arguments.next().filter(|program| !program.is_empty());
        let program = program.ok_or(TemplateError::NoProgram)?;
        let args: Vec<Argument> = arguments.collect();
        let appends_line = !has_token(&program) && !args.iter().any(has_token);
        Ok(Self { program, args, appends_line })
    }

    /// The command for one input record.
    ///
    /// The record of `--no-input` has no line: tokens stand for the empty line and nothing is appended.
    pub(crate) fn expand(&self, record: &Record) -> Result<CommandLine, TemplateError> {
        if record.bytes().contains(&0) {
            return Err(TemplateError::NulByte { number: record.number });
        }
        let mut args: Vec<_> = self.args.iter().map(|arg| fill(arg, record)).collect();
        if let (true, Some(line)) = (self.appends_line, &record.line) {
            args.push(OsString::from_vec(line.clone()));
        }
        Ok(CommandLine::new(fill(&self.program, record), args))
    }
}

fn has_token(argument: &Argument) -> bool {
    argument.iter().any(|piece| matches!(piece, Piece::Token(_)))
}

/// Cuts `argument` at its tokens, from left to right.
fn cut(argument: &[u8], placeholder: &[u8]) -> Argument {
    let mut pieces = Vec::new();
    let mut literal = Vec::new();
    let mut rest = argument;
    while let Some((&byte, after_byte)) = rest.split_first() {
        let Some((token, after_token)) = strip_token(rest, placeholder) else {
            literal.push(byte);
            rest = after_byte;
            continue;
        };
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::Token(token));
        rest = after_token;
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    pieces
}

/// The token that `text` begins with, and what follows it.
fn strip_token<'a>(text: &'a [u8], placeholder: &[u8]) -> Option<(Token, &'a [u8])> {
    let strip = |(spelling, token): (&[u8], Token)| Some((token, text.strip_prefix(spelling)?));
    strip((placeholder, Token::Line)).or_else(|| FIXED_TOKENS.into_iter().find_map(strip))
}

fn fill(argument: &Argument, record: &Record) -> OsString {
    let mut bytes = Vec::new();
    for piece in argument {
        match piece {
            Piece::Literal(literal) => bytes.extend_from_slice(literal),
            Piece::Token(token) => token.append_to(&mut bytes, record),
        }
    }
    OsString::from_vec(bytes)
}

impl Token {
    fn append_to(self, bytes: &mut Vec<u8>, record: &Record) {
        let line = record.bytes();
        match self {
            Self::Line => bytes.extend_from_slice(line),
            Self::WithoutExtension => bytes.extend_from_slice(path::without_extension(line)),
            Self::Basename => bytes.extend_from_slice(path::basename(line)),
            Self::Dirname => bytes.extend_from_slice(path::dirname(line)),
            Self::BasenameWithoutExtension => {
                bytes.extend_from_slice(path::without_extension(path::basename(line)));
            }
            Self::Number => bytes.extend_from_slice(record.number.to_string().as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests;
