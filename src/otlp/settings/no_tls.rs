//! Takes the place of `otlp/settings/tls.rs` without the feature.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::otlp::settings::variables::try_text;
use crate::otlp::signal::Signal;

/// No certificates.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls;

impl Tls {
    pub(crate) fn find(
        signal: Signal,
        roots: Option<&Path>,
        client: Option<&(PathBuf, PathBuf)>,
    ) -> Result<Self, Error> {
        let wanted = "unset without the feature `tls`";
        if let Some(path) = roots {
            return Err(Error::setting("with_ca_certificate", &path.display().to_string(), wanted));
        }
        if let Some((chain, _)) = client {
            return Err(Error::setting("with_client_certificate", &chain.display().to_string(), wanted));
        }
        for name in
            ["CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"].iter().flat_map(|what| signal.variables(what))
        {
            if let Some(path) = try_text(&name)? {
                return Err(Error::setting(&name, &path, wanted));
            }
        }
        Ok(Self)
    }
}
