//! The certificates, as ureq takes them.

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
            // The client would leave it out, and then trust nobody.
            if !is_der_sequence(certificate.der()) {
                return Err(pem.unusable(wanted));
            }
            certificates.push(certificate);
        }
    }
    match certificates.is_empty() {
        true => Err(pem.unusable(wanted)),
        false => Ok(certificates),
    }
}

/// Whether bytes have the outer form of a certificate: a DER sequence of exactly their length, which
/// begins with another one.
fn is_der_sequence(der: &[u8]) -> bool {
    let content = |der: &[u8]| -> Option<(usize, usize)> {
        let [0x30, first, rest @ ..] = der else { return None };
        match *first {
            short @ ..0x80 => Some((2, usize::from(short))),
            long => {
                let digits = rest.get(..usize::from(long & 0x7f)).filter(|digits| digits.len() <= 4)?;
                let len = digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit));
                Some((2 + digits.len(), len))
            }
        }
    };
    content(der).is_some_and(|(header, len)| {
        der.len() == header + len
            && content(&der[header..]).is_some_and(|(header, inner)| header + inner <= len)
    })
}
