//! [`Choice`]: which kind of broker is asked for.

use anyhow::{Result, bail};

/// Which kind of broker is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The first that there is.
    Best,
    /// The one that a URL names.
    Given,
    /// A container, or an error.
    Container,
    /// A private node of the installed programs, or an error.
    Node,
}

/// Asks for one kind.
const VARIABLE: &str = "OUTWORK_TEST_BROKER";

impl Choice {
    pub(crate) fn of_environment() -> Result<Self> {
        Self::of(std::env::var(VARIABLE).ok().as_deref())
    }

    fn of(word: Option<&str>) -> Result<Self> {
        Ok(match word {
            None | Some("") => Self::Best,
            Some("given") => Self::Given,
            Some("container") => Self::Container,
            Some("node") => Self::Node,
            Some(word) => bail!("{VARIABLE}={word}: say given, container or node"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_there_is_not_is_refused() {
        assert_eq!(Choice::of(None).unwrap(), Choice::Best);
        assert_eq!(Choice::of(Some("node")).unwrap(), Choice::Node);
        assert!(Choice::of(Some("docker")).unwrap_err().to_string().contains("container"));
    }
}
