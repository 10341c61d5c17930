//! [`Space`]: the part of a broker that one test has for itself.

/// The part of a broker that one test has for itself.
#[derive(Debug, Clone)]
pub struct Space {
    url: String,
    prefix: String,
    vhost: String,
}

impl Space {
    pub(crate) fn new(url: String, prefix: &str, vhost: &str) -> Self {
        Self { url, prefix: prefix.to_owned(), vhost: vhost.to_owned() }
    }

    /// The URL to connect to, credentials and virtual host included.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The prefix of all names that the test uses.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The virtual host.
    #[must_use]
    pub fn vhost(&self) -> &str {
        &self.vhost
    }
}

pub(crate) fn fresh_name() -> String {
    format!("t{}", uuid::Uuid::new_v4().simple())
}

/// What makes virtual hosts, in the broker's own language: one call for all of them.
pub(crate) fn creation(names: &[String]) -> String {
    let list = names.iter().map(|name| format!("<<\"{name}\">>")).collect::<Vec<_>>().join(",");
    format!(
        "lists:foreach(fun(V) -> rabbit_vhost:add(V, <<\"tests\">>), \
         rabbit_auth_backend_internal:set_permissions(<<\"guest\">>, V, <<\".*\">>, <<\".*\">>, \
         <<\".*\">>, <<\"tests\">>) end, [{list}])."
    )
}
