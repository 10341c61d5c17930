//! `--executor SPEC`: where tasks run.

use std::{
    fmt::{self, Display},
    num::NonZeroUsize,
};

use outwork_core::nearest_names;

/// An executor as the command line names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExecutorSpec {
    Inline,
    /// `threads[:N]`, like the two below; without `N` the pool chooses its size.
    Threads(Option<NonZeroUsize>),
    Processes(Option<NonZeroUsize>),
    Loops(Option<NonZeroUsize>),
    Background,
    Amqp,
    /// An executor that the config file describes.
    Alias(String),
}

/// The names that every installation has. An alias must not be one of them: it could not be reached.
pub(crate) const BUILT_IN: [&str; 6] =
    ["inline", "threads", "processes", "loops", "background", "amqp"];

/// Why a text is no executor, or not with these options. Every case is a usage error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SpecError {
    #[error("there is no executor {name:?}; {}", Suggestion(.nearest))]
    Unknown {
        name: String,
        /// The valid names like it, nearest first; all valid names when none is like it.
        nearest: Vec<String>,
    },
    #[error("{size:?} in --executor {name}:{size} is no pool size: use a whole number from 1")]
    BadSize { name: String, size: String },
    #[error("executor {name:?} has no size: write --executor {name} without \":{size}\"")]
    HasNoSize { name: String, size: String },
    #[error(
        "executor {spec} has no --concurrency: leave it out, or use threads, processes or loops"
    )]
    NoConcurrency { spec: ExecutorSpec },
    #[error(
        "--executor {spec} and --concurrency {concurrency} contradict each other: \
         leave one of them out"
    )]
    Contradiction { spec: ExecutorSpec, concurrency: NonZeroUsize },
}

impl ExecutorSpec {
    /// Reads `text`, which may also be one of `aliases`, the executors of the config file.
    pub(crate) fn parse(text: &str, aliases: &[&str]) -> Result<Self, SpecError> {
        let (name, size) = match text.split_once(':') {
            Some((name, size)) => (name, Some(size)),
            None => (text, None),
        };
        match name {
            "threads" => Ok(Self::Threads(parse_size(name, size)?)),
            "processes" => Ok(Self::Processes(parse_size(name, size)?)),
            "loops" => Ok(Self::Loops(parse_size(name, size)?)),
            "inline" => without_size(name, size, Self::Inline),
            "background" => without_size(name, size, Self::Background),
            "amqp" => without_size(name, size, Self::Amqp),
            _ if aliases.contains(&name) => without_size(name, size, Self::Alias(name.into())),
            _ => Err(SpecError::Unknown { name: name.into(), nearest: nearest(name, aliases) }),
        }
    }

    /// The executor with the size that `:N` or `--concurrency` asks for, which must not contradict
    /// each other.
    pub(crate) fn sized(self, concurrency: Option<NonZeroUsize>) -> Result<Self, SpecError> {
        let Some(wanted) = concurrency else { return Ok(self) };
        match self.own_size() {
            Some(own) if own != wanted => {
                Err(SpecError::Contradiction { spec: self, concurrency: wanted })
            }
            _ => match self {
                Self::Threads(_) => Ok(Self::Threads(concurrency)),
                Self::Processes(_) => Ok(Self::Processes(concurrency)),
                Self::Loops(_) => Ok(Self::Loops(concurrency)),
                spec => Err(SpecError::NoConcurrency { spec }),
            },
        }
    }

    fn own_size(&self) -> Option<NonZeroUsize> {
        match self {
            Self::Threads(size) | Self::Processes(size) | Self::Loops(size) => *size,
            Self::Inline | Self::Background | Self::Amqp | Self::Alias(_) => None,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Inline => "inline",
            Self::Threads(_) => "threads",
            Self::Processes(_) => "processes",
            Self::Loops(_) => "loops",
            Self::Background => "background",
            Self::Amqp => "amqp",
            Self::Alias(name) => name,
        }
    }
}

/// Writes the SPEC that was read.
impl Display for ExecutorSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.own_size().map_or(Ok(()), |size| write!(f, ":{size}"))
    }
}

fn parse_size(name: &str, size: Option<&str>) -> Result<Option<NonZeroUsize>, SpecError> {
    let parse = |size: &str| {
        size.parse().map_err(|_| SpecError::BadSize { name: name.into(), size: size.into() })
    };
    size.map(parse).transpose()
}

fn without_size(
    name: &str,
    size: Option<&str>,
    spec: ExecutorSpec,
) -> Result<ExecutorSpec, SpecError> {
    match size {
        Some(size) => Err(SpecError::HasNoSize { name: name.into(), size: size.into() }),
        None => Ok(spec),
    }
}

/// The valid names most like `name`, nearest first, or all of them when none is like it.
fn nearest(name: &str, aliases: &[&str]) -> Vec<String> {
    let all = || BUILT_IN.iter().chain(aliases).copied();
    let alike = nearest_names(name, all());
    let valid = if alike.is_empty() { all().collect() } else { alike };
    valid.into_iter().map(String::from).collect()
}

/// Writes names as advice: `did you mean threads?`, `use one of inline, threads`.
struct Suggestion<'a>(&'a [String]);

impl Display for Suggestion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [only] => write!(f, "did you mean {only}?"),
            several => write!(f, "use one of {}", several.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests;
