//! Connections with TLS, to a broker whose certificate was made for the test.

use std::time::{Duration, Instant};

use outwork_amqp::{AmqpExecutor, ConnectError, ConnectErrorKind, ConnectOptions, QueueName};
use outwork_core::{Executor, blocking::block_on};
use outwork_test_broker::{Broker, Tls};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};

use crate::support::{ECHO, PATIENCE, Place};

/// More than a person should have to wait for the answer.
const LONGEST: Duration = Duration::from_secs(15);

/// Who signs certificates.
fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A broker with a certificate for a host, and who signed that.
fn broker(host: &str) -> (Broker, String) {
    let authority = authority("of these tests");
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap().pem();
    let tls = Tls { authority: authority.pem(), certificate, key: key.serialize_pem() };
    (Broker::with_tls(&tls).unwrap(), authority.pem())
}

/// The URL of a place on the broker, by another scheme at another port.
fn url(place: &Place, scheme: &str, port: u16) -> String {
    let vhost = place.space.vhost();
    format!("{scheme}://guest:guest@localhost:{port}/{vhost}")
}

fn refused(options: ConnectOptions) -> ConnectError {
    let start = Instant::now();
    let error = block_on(AmqpExecutor::builder(options).connect()).unwrap_err();
    assert!(start.elapsed() < LONGEST, "{error} after {:?}", start.elapsed());
    error
}

#[track_caller]
fn must_say(error: &ConnectError, kind: ConnectErrorKind, words: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is missing: {text}");
    }
}

#[test]
fn a_task_travels_encrypted_when_its_authority_is_trusted_and_not_at_all_otherwise() {
    let (broker, signer) = broker("localhost");
    let place = Place::on(&broker);
    let plain = broker.address().1;
    let (_, port) = broker.tls_address().unwrap();
    let options = || ConnectOptions::new(&url(&place, "amqps", port)).unwrap();

    let _worker = place.worker(1);
    let queue = QueueName::new("jobs").unwrap();
    let trusting = options().trust(signer).unwrap();
    let client = block_on(AmqpExecutor::builder(trusting).queue(queue).connect()).unwrap();
    let handle = block_on(client.submit(ECHO.task(&"hidden".to_owned()).unwrap())).unwrap();
    let outcome = handle.decoded::<String>().wait_timeout(PATIENCE).unwrap();
    assert_eq!(outcome.into_result().unwrap(), "hidden");
    let told = broker.ctl(&["list_connections", "ssl", "--silent"]).unwrap();
    assert!(told.contains("true") && told.contains("false"), "{told}");

    // Neither the system nor somebody else vouches for it.
    let stranger = options().trust(authority("of nobody").pem()).unwrap();
    for unknown in [options(), stranger] {
        must_say(&refused(unknown), ConnectErrorKind::Untrusted, &["certificate", "authority"]);
    }

    // Each scheme at the port of the other.
    let to_plain = ConnectOptions::new(&url(&place, "amqps", plain)).unwrap();
    must_say(&refused(to_plain), ConnectErrorKind::Unreachable, &["TLS", "amqp://"]);
    let to_tls = ConnectOptions::new(&url(&place, "amqp", port)).unwrap();
    must_say(&refused(to_tls), ConnectErrorKind::Unreachable, &["TLS", "amqps://"]);
}

#[test]
fn a_certificate_for_another_host_is_not_trusted() {
    let (broker, signer) = broker("elsewhere.example");
    let place = Place::on(&broker);
    let (_, port) = broker.tls_address().unwrap();
    let options = ConnectOptions::new(&url(&place, "amqps", port)).unwrap();
    let error = refused(options.trust(signer).unwrap());
    must_say(&error, ConnectErrorKind::Untrusted, &["localhost", "certificate"]);
}
