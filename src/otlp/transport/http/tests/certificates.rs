//! TLS, with certificates of an authority that is made here.

use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::otlp::settings::tls::Pem;
use crate::otlp::transport::http::tests::receiver::{response, Act, Receiver};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> Pem {
        pem(self.0.pem())
    }

    /// A certificate of 127.0.0.1, and its key.
    fn certify(&self) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([String::from("127.0.0.1")]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.0.der().to_vec())).unwrap();
        roots
    }
}

fn pem(text: impl Into<String>) -> Pem {
    Pem { bytes: text.into().into(), setting: "test".into(), path: PathBuf::from("test.pem") }
}

/// A receiver that shows a certificate of `authority`, and asks for one of `clients`.
fn receiver(authority: &Authority, clients: Option<&Authority>, requests: usize) -> Receiver {
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let config = match clients {
        None => config.unwrap().with_no_client_auth(),
        Some(clients) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(clients.roots()), provider).build();
            config.unwrap().with_client_cert_verifier(verifier.unwrap())
        }
    };
    let (certificate, key) = authority.certify();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let config = Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap());
    let wrap = move |stream: TcpStream| -> std::io::Result<Box<dyn receiver::Stream>> {
        let connection = ServerConnection::new(config.clone()).unwrap();
        Ok(Box::new(StreamOwned::new(connection, stream)))
    };
    Receiver::wrapped(vec![Act::Send(response(200, &[], b"")); requests], Box::new(wrap))
}

fn client(receiver: &Receiver, tls: Tls) -> Http {
    let url = receiver.url().replace("http:", "https:");
    Http::new(Target { tls, ..target(&url) }, None).unwrap()
}

#[test]
fn only_the_given_authority_is_trusted() {
    let (ours, other) = (Authority::new(), Authority::new());
    let receiver = receiver(&ours, None, 2);
    let trusting = |authority: &Authority| Tls { roots: Some(authority.pem()), client: None };
    for tls in [Tls::default(), trusting(&other)] {
        let said = send(&mut client(&receiver, tls), b"request");
        assert!(
            matches!(&said, Answer::TryAgain { why, .. } if why.contains("invalid peer certificate")),
            "{said:?}"
        );
    }
    assert!(receiver.requests().is_empty());
    let before = receiver.connections();
    let mut http = client(&receiver, trusting(&ours));
    assert_eq!(send(&mut http, b"1"), accepted());
    assert_eq!(send(&mut http, b"2"), accepted());
    assert_eq!((receiver.requests().len(), receiver.connections()), (2, before + 1));
}

#[test]
fn a_client_certificate_is_shown() {
    let (ours, clients, other) = (Authority::new(), Authority::new(), Authority::new());
    let receiver = receiver(&ours, Some(&clients), 1);
    let showing = |shown: Option<&Authority>| Tls {
        roots: Some(ours.pem()),
        client: shown.map(|authority| {
            let (certificate, key) = authority.certify();
            (pem(certificate.pem()), pem(key.serialize_pem()))
        }),
    };
    for shown in [None, Some(&other)] {
        let said = send(&mut client(&receiver, showing(shown)), b"request");
        assert!(is_again(&said), "{said:?}");
    }
    assert!(receiver.requests().is_empty());
    assert_eq!(send(&mut client(&receiver, showing(Some(&clients))), b"request"), accepted());
}

#[test]
fn files_without_what_they_should_hold_are_errors() {
    let authority = Authority::new();
    let (certificate, key) = authority.certify();
    let (certificate, key) = (pem(certificate.pem()), pem(key.serialize_pem()));
    let torn = pem("-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n");
    // Base64, but of no certificate.
    let garbage = pem("-----BEGIN CERTIFICATE-----\nMIIBAGFiY2RlZmdo\n-----END CERTIFICATE-----\n");
    let pem_of = |parts: &[&Pem]| {
        let texts = parts.iter().map(|part| String::from_utf8(part.bytes.clone()).unwrap());
        pem(texts.collect::<String>())
    };
    let wrong = [
        Tls { roots: Some(pem("")), client: None },
        Tls { roots: Some(key.clone()), client: None },
        Tls { roots: Some(torn.clone()), client: None },
        Tls { roots: Some(garbage.clone()), client: None },
        Tls { roots: Some(pem_of(&[&certificate, &garbage])), client: None },
        Tls { roots: None, client: Some((key.clone(), key.clone())) },
        Tls { roots: None, client: Some((certificate.clone(), certificate.clone())) },
        Tls { roots: None, client: Some((certificate, torn)) },
    ];
    for tls in wrong {
        let error = Http::new(Target { tls, ..target("https://127.0.0.1/") }, None).unwrap_err();
        assert!(error.is_setting() && error.to_string().contains("test.pem"), "{error}");
    }
}
