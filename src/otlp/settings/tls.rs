//! Certificates: the files that were named, read once. What is in them is for the transport to say.

use std::path::PathBuf;
use std::{fmt, fs};

use crate::error::Error;
use crate::otlp::settings::signal::Signal;
use crate::otlp::settings::variables::demanded;

/// Whom to trust, and who we are. Empty: the built-in roots, and nobody.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls {
    pub(crate) roots: Option<Pem>,
    /// Certificate chain and key.
    pub(crate) client: Option<(Pem, Pem)>,
}

/// A PEM file.
#[derive(Clone)]
pub(crate) struct Pem {
    pub(crate) bytes: Vec<u8>,
    /// The setting that named the file, and its path: for errors.
    pub(crate) setting: String,
    pub(crate) path: PathBuf,
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may be a key.
        f.debug_struct("Pem").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Pem {
    fn read(setting: &str, path: PathBuf) -> Result<Self, Error> {
        match fs::read(&path) {
            Ok(bytes) => Ok(Self { bytes, setting: setting.to_owned(), path }),
            Err(error) => {
                Err(Error::setting(setting, &path.display().to_string(), "a file that can be read")
                    .with_source(error))
            }
        }
    }

    /// That the file does not hold what it should.
    pub(crate) fn unusable(&self, wanted: &str) -> Error {
        Error::setting(&self.setting, &self.path.display().to_string(), wanted)
    }
}

/// What the builder was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) roots: Option<PathBuf>,
    pub(crate) client: Option<(PathBuf, PathBuf)>,
}

impl Tls {
    /// Without its certificates a connection fails, or trusts others than it should: none can be ignored.
    pub(crate) fn find(signal: Signal, told: Told) -> Result<Self, Error> {
        let roots = match told.roots {
            Some(path) => Some(Pem::read("with_ca_certificate", path)?),
            None => variable(signal, "CERTIFICATE")?,
        };
        let client = match told.client {
            Some((certificate, key)) => {
                let setting = "with_client_certificate";
                Some((Pem::read(setting, certificate)?, Pem::read(setting, key)?))
            }
            None => match (variable(signal, "CLIENT_CERTIFICATE")?, variable(signal, "CLIENT_KEY")?) {
                (Some(certificate), Some(key)) => Some((certificate, key)),
                (None, None) => None,
                (Some(alone), None) => return Err(alone.unusable("set together with its CLIENT_KEY")),
                (None, Some(alone)) => return Err(alone.unusable("set together with its CLIENT_CERTIFICATE")),
            },
        };
        Ok(Self { roots, client })
    }
}

fn variable(signal: Signal, what: &str) -> Result<Option<Pem>, Error> {
    for name in signal.variables(what) {
        if let Some(path) = demanded(&name)? {
            return Pem::read(&name, path.into()).map(Some);
        }
    }
    Ok(None)
}
