//! [`Tls`]: the certificates of a broker.

/// The certificate of a broker, its key and who signed it, each as PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Who signed the certificate.
    pub authority: String,
    /// The certificate, for the host `localhost`.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl Tls {
    /// The files that the settings name.
    pub(crate) fn files(&self) -> [(&'static str, &str); 3] {
        [("ca.pem", &self.authority), ("cert.pem", &self.certificate), ("key.pem", &self.key)]
    }

    /// Lets the broker listen with these certificates, which are in that folder.
    pub(crate) fn settings(&self, listener: &str, folder: &str) -> String {
        format!(
            "listeners.ssl.{listener}\n\
             ssl_options.cacertfile = {folder}/ca.pem\n\
             ssl_options.certfile = {folder}/cert.pem\n\
             ssl_options.keyfile = {folder}/key.pem\n\
             ssl_options.verify = verify_none\n\
             ssl_options.fail_if_no_peer_cert = false\n"
        )
    }
}
