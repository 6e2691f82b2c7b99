//! The certificate files that the settings name, read once. The transports parse them.

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use crate::error::Error;
use crate::otlp::settings::variables::try_text;
use crate::otlp::signal::Signal;

/// The certificates of a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls {
    /// The authorities to trust; without them, the built-in ones.
    pub(crate) roots: Option<Pem>,
    /// Our own certificate chain and its key, if receivers want one.
    pub(crate) client: Option<(Pem, Pem)>,
}

/// A PEM file.
#[derive(Clone)]
pub(crate) struct Pem {
    pub(crate) bytes: Vec<u8>,
    /// The setting that named the file, for errors.
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
    fn read(setting: &str, path: &Path) -> Result<Self, Error> {
        match fs::read(path) {
            Ok(bytes) => Ok(Self { bytes, setting: setting.to_owned(), path: path.to_owned() }),
            Err(error) => {
                Err(Error::setting(setting, &path.display().to_string(), "a file that can be read")
                    .with_source(error))
            }
        }
    }

    /// The error for a file without the content that is `wanted`.
    pub(crate) fn unusable(&self, wanted: &str) -> Error {
        Error::setting(&self.setting, &self.path.display().to_string(), wanted)
    }
}

impl Tls {
    /// The certificates that the program names, or else the environment.
    ///
    /// Without its certificates a connection fails, or trusts others than it should: none can be
    /// ignored.
    pub(crate) fn find(
        signal: Signal,
        roots: Option<&Path>,
        client: Option<&(PathBuf, PathBuf)>,
    ) -> Result<Self, Error> {
        let roots = match roots {
            Some(path) => Some(Pem::read("with_ca_certificate", path)?),
            None => variable(signal, "CERTIFICATE")?,
        };
        let client = match client {
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
        if let Some(path) = try_text(&name)? {
            return Pem::read(&name, Path::new(&path)).map(Some);
        }
    }
    Ok(None)
}
