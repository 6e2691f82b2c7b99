//! The configuration of HTTP clients.

use http::Uri;
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;
use ureq::Agent;

pub(crate) fn config() -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        // Callers interpret the status.
        .http_status_as_error(false)
        // A redirect could send the headers, which may be secrets, to anyone.
        .max_redirects(0)
        .max_redirects_will_error(false)
}

/// Host and port, without what is before an @: it may be a secret.
pub(crate) fn host(url: &Uri) -> &str {
    let authority = url.authority().map_or("", |authority| authority.as_str());
    authority.rsplit('@').next().unwrap_or_default()
}
