//! TLS, as tonic takes it.

use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Error as TonicError, Identity};

use crate::error::Error;
use crate::otlp::settings::tls::Tls;
use crate::otlp::settings::Target;
use crate::otlp::transport::http;

/// The endpoint with TLS, if its URL says so.
pub(super) fn apply(to: &Target, endpoint: Endpoint) -> Result<Result<Endpoint, TonicError>, Error> {
    // tonic would find out about certificates when it connects.
    http::tls::config(&to.tls)?;
    Ok(match to.url.scheme_str() {
        Some("https") => endpoint.tls_config(config(&to.tls)),
        _ => Ok(endpoint),
    })
}

fn config(tls: &Tls) -> ClientTlsConfig {
    let config = match &tls.roots {
        Some(roots) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&roots.bytes)),
        None => ClientTlsConfig::new().with_webpki_roots(),
    };
    match &tls.client {
        Some((chain, key)) => config.identity(Identity::from_pem(&chain.bytes, &key.bytes)),
        None => config,
    }
}
