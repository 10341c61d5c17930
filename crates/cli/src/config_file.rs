//! The configuration file `outwork.toml` and the environment.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
};

use figment::{
    Figment,
    providers::{Env, Format, Toml},
};
use outwork_amqp::BrokerUrl;
use outwork_core::ExecutorConfig;
use serde::{Deserialize, Serialize};

use crate::{failure::Failure, spec};

/// The file that is read where none is named.
pub(crate) const FILE_NAME: &str = "outwork.toml";

/// What `config init` writes.
pub(crate) const TEMPLATE: &str = r#"# The configuration of outwork. Flags win over the environment, and that over this file.

# Where tasks run: inline, threads[:N], processes[:N], loops[:N], background,
# amqp, or a name from below. In the environment: OUTWORK_EXECUTOR.
#executor = "threads"

# Where RabbitMQ is, or the file that says so. In the environment: OUTWORK_URL.
#url = "amqp://localhost"
#url_file = "/etc/outwork/url"
# Who else is trusted to sign its certificate, for amqps://: a file in PEM form.
#tls_ca = "/etc/outwork/ca.pem"

# Executors of your own naming, for `--executor NAME`.
#[executors.wide]
#kind = "thread-pool"
#settings = { workers = 16 }
"#;

/// The variables of the environment that set what the file can, without their prefix. Others may be
/// anybody's: Kubernetes makes `OUTWORK_PORT` of a service of that name.
const VARIABLES: [&str; 2] = ["executor", "url"];

/// What the configuration file and the environment say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ConfigFile {
    /// Where tasks run without `--executor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) executor: Option<String>,
    /// Where the broker is. Shown without its password.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "without_password")]
    pub(crate) url: Option<String>,
    /// The file that says where the broker is, when `url` does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url_file: Option<PathBuf>,
    /// The certificate authorities that are trusted beside those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_ca: Option<PathBuf>,
    /// Executors by the names that the user gave them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) executors: BTreeMap<String, ExecutorConfig>,
}

impl ConfigFile {
    /// Reads the named file, or the one in the working directory where there is one, and the
    /// environment.
    pub(crate) fn load(named: Option<&Path>) -> Result<Self, Failure> {
        let mut figment = Figment::new();
        if let Some(path) = Self::path(named)? {
            figment = figment.merge(Toml::file_exact(path));
        }
        if figment.contains("url") && figment.contains("url_file") {
            return Err(Failure::usage_message(
                "the configuration has both url and url_file: leave one of them out",
            ));
        }
        let config: Self = figment
            .merge(Env::prefixed("OUTWORK_").only(&VARIABLES))
            .extract()
            .map_err(|error| Failure::usage_message(format!("the configuration: {error}")))?;
        config.check_names()?;
        Ok(config)
    }

    /// The file that is read: a named one has to be there.
    pub(crate) fn path(named: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
        let Some(path) = named else {
            let path = Path::new(FILE_NAME);
            return Ok(path.exists().then(|| path.to_owned()));
        };
        match path.metadata() {
            Ok(metadata) if !metadata.is_file() => {
                Err(Failure::usage_message(format!("--config {path:?} is not a file")))
            }
            Ok(_) => Ok(Some(path.to_owned())),
            Err(error) => Err(Failure::usage(
                anyhow::Error::new(error).context(format!("cannot read --config {path:?}")),
            )),
        }
    }

    fn check_names(&self) -> Result<(), Failure> {
        match self.executors.keys().find(|name| spec::BUILT_IN.contains(&name.as_str())) {
            Some(name) => Err(Failure::usage_message(format!(
                "the configuration names an executor {name:?}, which is the name of a stock one: \
                 choose another"
            ))),
            None => Ok(()),
        }
    }
}

fn without_password<S: serde::Serializer>(
    url: &Option<String>,
    writer: S,
) -> Result<S::Ok, S::Error> {
    let shown = url.as_ref().map(|url| match url.parse::<BrokerUrl>() {
        Ok(url) => url.to_string(),
        Err(_) => "(it does not read)".to_owned(),
    });
    shown.serialize(writer)
}

/// The variables of the environment that begin like ours and mean nothing.
pub(crate) fn unknown_variables() -> Vec<String> {
    let ours = |name: &str| {
        let name = name.strip_prefix("OUTWORK_")?.to_lowercase();
        (name != "config" && !VARIABLES.contains(&name.as_str())).then_some(())
    };
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| ours(name).is_some()).collect()
}
