//! The URL and headers of a signal: by the program, else by the environment.
//!
//! An invalid value is an error, as ignoring it would send data elsewhere or nowhere.

use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::error::Error;
use crate::otlp::settings::choices::Protocol;
use crate::otlp::settings::variables::{pairs, secret_text, shown_key, try_text};
use crate::otlp::signal::Signal;

/// The endpoint that the program sets.
#[derive(Clone, Copy)]
pub(crate) enum Endpoint<'a> {
    /// The signal's path is appended.
    Base(&'a str),
    /// `with_logs_url` or `with_traces_url`: used as it is.
    Url(&'a str),
}

/// The signal's path is appended to base URLs, but not for gRPC, and not to the signal's own
/// variable.
pub(crate) fn url(signal: Signal, endpoint: Option<Endpoint<'_>>, protocol: Protocol) -> Result<Uri, Error> {
    let joined = |name: &str, base: &str| match protocol {
        Protocol::Grpc => checked(name, base),
        _ => joined(name, base, signal),
    };
    match endpoint {
        Some(Endpoint::Base(base)) => return joined("with_endpoint", base),
        Some(Endpoint::Url(url)) => return checked(signal.url_setting(), url),
        None => {}
    }
    let [own, general] = signal.variables("ENDPOINT");
    if let Some(url) = try_text(&own)? {
        return checked(&own, &url);
    }
    match (try_text(&general)?, protocol) {
        (Some(base), _) => joined(&general, &base),
        (None, Protocol::Grpc) => joined("the default endpoint", "http://localhost:4317"),
        (None, _) => joined("the default endpoint", "http://localhost:4318"),
    }
}

/// A URL without what may be a secret: its user and password, and its query.
pub(crate) fn without_secrets(url: &Uri) -> String {
    let scheme = url.scheme_str().unwrap_or("http");
    let authority = url.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{}", url.path())
}

/// The same for a text that need not be a URL.
pub(crate) fn redacted(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let rest = rest.rsplit('@').next().unwrap_or_default();
    if scheme.is_empty() {
        rest.to_owned()
    } else {
        format!("{scheme}://{rest}")
    }
}

fn joined(name: &str, base: &str, signal: Signal) -> Result<Uri, Error> {
    let uri = checked(name, base)?;
    if uri.query().is_some() {
        let wanted = "a base URL without a query: a path is added to it";
        return Err(Error::setting(name, &redacted(base), wanted));
    }
    checked(name, &format!("{}{}", base.trim_end_matches('/'), signal.path()))
}

fn checked(name: &str, url: &str) -> Result<Uri, Error> {
    let wanted = match cfg!(feature = "tls") || !url.starts_with("https:") {
        true => "an http:// or https:// URL",
        false => "an http:// URL, unless spanlog has the feature `tls`",
    };
    let invalid = || Error::setting(name, &redacted(url), wanted);
    let uri: Uri = url.parse().map_err(|error| invalid().with_source(error))?;
    let is_https = cfg!(feature = "tls") && uri.scheme() == Some(&Scheme::HTTPS);
    let is_http = uri.scheme() == Some(&Scheme::HTTP) || is_https;
    match is_http && uri.host().is_some_and(|host| !host.is_empty()) && !url.contains('#') {
        true => Ok(uri),
        false => Err(invalid()),
    }
}

/// The headers of the environment and those of the program, which take precedence.
///
/// Values are never part of an error's text: they may be secrets.
pub(crate) fn headers(signal: Signal, own: &[(String, String)]) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for name in signal.variables("HEADERS") {
        let Some(list) = secret_text(&name)? else { continue };
        let wanted = "a list of key=value with percent-encoded values";
        let pairs = pairs(&list).map_err(|pair| Error::setting(&name, &pair, wanted))?;
        for (key, value) in &pairs {
            add(&mut headers, &name, key, value)?;
        }
        break;
    }
    for (key, value) in own {
        add(&mut headers, "with_header", key, value)?;
    }
    Ok(headers)
}

/// Sets a header, and replaces one with the same name.
pub(crate) fn add(headers: &mut HeaderMap, source: &str, key: &str, value: &str) -> Result<(), Error> {
    let shown = shown_key(key, value);
    let wrong = || Error::setting(source, shown, "a header's name with a value of visible ASCII");
    let name: HeaderName = key.parse().map_err(|_| wrong())?;
    let mut value: HeaderValue = value.parse().map_err(|_| wrong())?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}
