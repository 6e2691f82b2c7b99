//! Certificates, as tonic takes them.

use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::otlp::settings::tls::Tls;

pub(crate) fn config(tls: &Tls) -> ClientTlsConfig {
    let config = match &tls.roots {
        Some(roots) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&roots.bytes)),
        None => ClientTlsConfig::new().with_webpki_roots(),
    };
    match &tls.client {
        Some((chain, key)) => config.identity(Identity::from_pem(&chain.bytes, &key.bytes)),
        None => config,
    }
}
