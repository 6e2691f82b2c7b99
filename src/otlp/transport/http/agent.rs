//! The configuration of HTTP clients, in which the direct path and the SDK's exporters agree.

use http::Uri;
use ureq::config::ConfigBuilder;
use ureq::tls::{parse_pem, Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig};
use ureq::typestate::AgentScope;
use ureq::Agent;

use crate::error::Error;
use crate::otlp::settings::tls::{Pem, Tls};

pub(crate) fn config(tls: &Tls) -> Result<ConfigBuilder<AgentScope>, Error> {
    let config = Agent::config_builder()
        // Callers interpret the status.
        .http_status_as_error(false)
        // A redirect could send the headers, which may be secrets, to anyone.
        .max_redirects(0)
        .max_redirects_will_error(false);
    Ok(config.tls_config(tls_config(tls)?))
}

/// Host and port, without what is before an @: it may be a secret.
pub(crate) fn host(url: &Uri) -> &str {
    let authority = url.authority().map_or("", |authority| authority.as_str());
    authority.rsplit('@').next().unwrap_or_default()
}

fn tls_config(tls: &Tls) -> Result<TlsConfig, Error> {
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
