//! [`ExecutorConfig`]: how to build an executor, as data.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::BuildError;

/// How to build an executor: its kind and its settings.
///
/// It survives serialisation; settings that the kind does not know are refused when it is
/// built. Nothing of the moment is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutorConfig {
    kind: String,
    #[serde(default = "ExecutorConfig::version_1")]
    version: u32,
    #[serde(default)]
    settings: Value,
}

impl ExecutorConfig {
    const fn version_1() -> u32 {
        1
    }

    /// A configuration with the settings of that kind.
    ///
    /// # Panics
    ///
    /// Never for settings that are plain structs, which all settings are.
    #[must_use]
    pub fn new(kind: impl Into<String>, settings: &impl Serialize) -> Self {
        let settings = serde_json::to_value(settings).unwrap_or(Value::Null);
        Self { kind: kind.into(), version: Self::version_1(), settings }
    }

    /// The alias of the kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Reads the settings.
    ///
    /// # Errors
    ///
    /// When a setting is unknown, of the wrong type, or of a later version.
    pub fn settings<S: DeserializeOwned + Default>(&self) -> Result<S, BuildError> {
        let error =
            |message: String| BuildError::InvalidConfig { kind: self.kind.clone(), message };
        if self.version != Self::version_1() {
            return Err(error(format!("version {} is not known here, only 1", self.version)));
        }
        match &self.settings {
            Value::Null => Ok(S::default()),
            settings => S::deserialize(settings).map_err(|e| error(e.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Settings {
        workers: u32,
    }

    #[test]
    fn a_configuration_survives_json() {
        let config = ExecutorConfig::new("some-pool", &Settings { workers: 3 });
        let json = serde_json::to_string(&config).unwrap();
        let back: ExecutorConfig = serde_json::from_str(&json).unwrap();
        assert_eq!(back, config);
        assert_eq!(back.settings::<Settings>().unwrap(), Settings { workers: 3 });
    }

    #[test]
    fn unknown_settings_and_versions_are_refused() {
        for json in [
            r#"{"kind":"p","settings":{"worker":3}}"#,
            r#"{"kind":"p","settings":{"workers":"3"}}"#,
            r#"{"kind":"p","version":2}"#,
        ] {
            let config: ExecutorConfig = serde_json::from_str(json).unwrap();
            assert!(config.settings::<Settings>().is_err(), "{json}");
        }
        assert!(serde_json::from_str::<ExecutorConfig>(r#"{"kind":"p","setting":{}}"#).is_err());
    }
}
