//! Where the broker is, as flags, environment and configuration say together.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use outwork_amqp::{BrokerUrl, ConnectOptions, QueueName};

use crate::{
    args::BrokerArgs,
    config_file::ConfigFile,
    failure::{Failure, tell},
};

/// Where the broker is when nobody says: on this machine, as its default user.
const DEFAULT_URL: &str = "amqp://localhost";

/// How long the broker may take to answer. A person waits for it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A file of a URL is not longer, and one of certificates hardly.
const LONGEST_FILE: u64 = 1 << 20;

/// How to connect: the flags win over the environment, and that over the file.
pub(crate) fn find(args: &BrokerArgs, file: &ConfigFile) -> Result<ConnectOptions, Failure> {
    let named = match (&args.url, &args.url_file) {
        (Some(url), _) => {
            if BrokerUrl::has_password(url) {
                tell(PASSWORD_SEEN);
            }
            Named::Url(url, "--url")
        }
        (None, Some(path)) => Named::File(path, "--url-file"),
        (None, None) => match (&file.url, &file.url_file) {
            (Some(url), _) => Named::Url(url, "OUTWORK_URL, or url in the configuration"),
            (None, Some(path)) => Named::File(path, "url_file in the configuration"),
            (None, None) => Named::Url(DEFAULT_URL, "the default"),
        },
    };
    let options = named.options().map_err(Failure::usage)?.timeout(TIMEOUT);
    match (&args.tls_ca, &file.tls_ca) {
        (Some(path), _) => trust(options, path, "--tls-ca"),
        (None, Some(path)) => trust(options, path, "tls_ca in the configuration"),
        (None, None) => Ok(options),
    }
    .map_err(Failure::usage)
}

/// Trusts the certificate authorities in a file as well.
fn trust(options: ConnectOptions, path: &Path, by: &str) -> anyhow::Result<ConnectOptions> {
    let text = read(path).with_context(|| format!("{by} {path:?} cannot be read"))?;
    options.trust(text).with_context(|| format!("{by} {path:?}"))
}

const PASSWORD_SEEN: &str = "the password in --url can be seen by everybody on this machine; \
    OUTWORK_URL and --url-file keep it from them";

/// A URL, or where it stands, and who named it.
enum Named<'a> {
    Url(&'a str, &'static str),
    File(&'a PathBuf, &'static str),
}

impl Named<'_> {
    fn options(&self) -> anyhow::Result<ConnectOptions> {
        match self {
            Self::Url(url, by) => ConnectOptions::new(url).context(*by),
            Self::File(path, by) => {
                let url = read(path).with_context(|| format!("{by} {path:?} cannot be read"))?;
                ConnectOptions::new(url.trim()).with_context(|| format!("{by} {path:?}"))
            }
        }
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    let length = fs::metadata(path)?.len();
    anyhow::ensure!(
        length <= LONGEST_FILE,
        "it has {length} bytes, and {LONGEST_FILE} are allowed"
    );
    Ok(fs::read_to_string(path)?)
}

/// Reads the name of a queue.
pub(crate) fn parse_queue(text: &str) -> Result<QueueName, String> {
    QueueName::new(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(url: Option<&str>, url_file: Option<&Path>) -> BrokerArgs {
        let (url, url_file) = (url.map(str::to_owned), url_file.map(Path::to_owned));
        BrokerArgs { url, url_file, tls_ca: None }
    }

    fn file(text: &str) -> ConfigFile {
        toml::from_str(text).unwrap()
    }

    #[track_caller]
    fn check(args: &BrokerArgs, config: &str, expected: &str) {
        let found = find(args, &file(config)).unwrap();
        assert_eq!(found.broker().to_string(), format!("amqp://guest@{expected}:5672/"));
    }

    #[test]
    fn flags_win_over_the_configuration_and_that_over_this_machine() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("url");
        fs::write(&path, "amqp://from-file\n").unwrap();
        let config = "url = 'amqp://configured'";
        let config_file = format!("url_file = {path:?}");
        check(&args(Some("amqp://flag"), None), config, "flag");
        check(&args(None, Some(&path)), config, "from-file");
        check(&args(None, None), config, "configured");
        check(&args(None, None), &config_file, "from-file");
        check(&args(None, None), "", "localhost");
    }

    #[test]
    fn an_authority_that_cannot_be_used_is_named_with_who_named_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        fs::write(&path, "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n").unwrap();
        let flag = |url, path: &Path| BrokerArgs {
            tls_ca: Some(path.to_owned()),
            ..args(Some(url), None)
        };
        assert!(find(&flag("amqps://h", &path), &ConfigFile::default()).is_ok());
        let said = |args: &BrokerArgs, config: &str| {
            format!("{:?}", find(args, &file(config)).unwrap_err())
        };
        let missing = said(&flag("amqps://h", &dir.path().join("none")), "");
        assert!(missing.contains("--tls-ca") && missing.contains("cannot be read"), "{missing}");
        let plain = said(&flag("amqp://h", &path), "");
        assert!(plain.contains("amqps://"), "{plain}");
        fs::write(&path, "garbage").unwrap();
        let garbage = said(&args(Some("amqps://h"), None), &format!("tls_ca = {path:?}"));
        assert!(garbage.contains("tls_ca in the configuration"), "{garbage}");
    }

    #[test]
    fn what_cannot_be_used_is_named_without_its_password() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("url");
        fs::write(&path, "http://u:secret@h").unwrap();
        for args in [args(Some("http://u:secret@h"), None), args(None, Some(&path))] {
            let error = format!("{:?}", find(&args, &ConfigFile::default()).unwrap_err());
            assert!(error.contains("--url") && error.contains("amqp://"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let missing = args(None, Some(&dir.path().join("none")));
        assert!(find(&missing, &ConfigFile::default()).is_err());
    }
}
