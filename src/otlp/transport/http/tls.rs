//! Certificates, as ureq takes them.

use ureq::tls::{parse_pem, Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig};

use crate::error::Error;
use crate::otlp::settings::tls::{Pem, Tls};

pub(crate) fn config(tls: &Tls) -> Result<TlsConfig, Error> {
    let mut config = TlsConfig::builder();
    if let Some(roots) = &tls.roots {
        config = config.root_certs(RootCerts::new_with_certs(&certificates(roots)?));
    }
    if let Some((chain, key)) = &tls.client {
        let wanted = "a PEM file with a private key";
        let parsed =
            PrivateKey::from_pem(&key.bytes).map_err(|error| key.unusable(wanted).with_source(error))?;
        config = config.client_cert(Some(ClientCert::new_with_certs(&certificates(chain)?, parsed)));
    }
    Ok(config.build())
}

fn certificates(pem: &Pem) -> Result<Vec<Certificate<'static>>, Error> {
    let wanted = "a PEM file with certificates";
    let mut certificates = Vec::new();
    for item in parse_pem(&pem.bytes) {
        if let PemItem::Certificate(certificate) =
            item.map_err(|error| pem.unusable(wanted).with_source(error))?
        {
            certificates.push(certificate);
        }
    }
    match certificates.is_empty() {
        true => Err(pem.unusable(wanted)),
        false => Ok(certificates),
    }
}
