//! The HTTP client: who is trusted, how long is waited, and how "no connection" is told from
//! everything else that can go wrong.
//!
//! ureq counts the TLS handshake to connecting, so its errors alone cannot tell a host that is not
//! there from one that takes the connection and then says nothing. The two are different to us (a
//! reason to use the last good copy, and a reason to stop), so the two steps before the first byte
//! are wrapped, and only their errors become [`NotConnected`].

use std::io;
use std::path::Path;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, RustlsConnector,
    TcpConnector, Transport,
};
use ureq::{Agent, Error, ProxyProtocol, Timeout};

/// How long a name or a connection is waited for.
pub(super) const CONNECT: Duration = Duration::from_secs(10);

/// There is no connection: no such name, nobody there, no way, a proxy that says no.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotConnected(String);

impl NotConnected {
    fn wrap(error: Error) -> Error {
        let text = match error {
            Error::HostNotFound => "the name is not known".to_owned(),
            Error::Timeout(Timeout::Resolve) => {
                "no answer to the question for its address".to_owned()
            }
            Error::Timeout(_) => "no answer to the attempt to connect".to_owned(),
            Error::Io(error) => error.to_string(),
            other => other.to_string(),
        };
        Error::Other(Box::new(Self(text)))
    }
}

/// Why there is no connection; `None` when there was one.
pub(super) fn not_connected(error: &Error) -> Option<String> {
    match error {
        Error::Other(inner) => inner
            .downcast_ref::<NotConnected>()
            .map(ToString::to_string),
        // A proxy that cannot or will not is no answer of the publisher.
        Error::ConnectProxyFailed(why) => Some(format!("the proxy says: {why}")),
        Error::InvalidProxyUrl => Some("the address of the proxy is not valid".to_owned()),
        _ => None,
    }
}

/// The authorities of a PEM file.
///
/// # Errors
/// When it cannot be read or holds no certificate.
pub(super) fn authorities(file: &Path) -> io::Result<RootCerts> {
    let pem = std::fs::read(file)?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(io::Error::other)? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(io::Error::other("it holds no certificate in PEM form"));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

/// A client. Proxies are taken from the environment (`HTTPS_PROXY`, `NO_PROXY`).
pub(super) fn agent(trusted: RootCerts, timeout: Duration) -> Agent {
    let config = Config::builder()
        .https_only(true)
        .http_status_as_error(false)
        // Redirects are followed by hand: where to is a question of trust.
        .max_redirects(0)
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(timeout))
        .user_agent(concat!("holdfast/", env!("CARGO_PKG_VERSION")))
        .tls_config(TlsConfig::builder().root_certs(trusted).build())
        .build();
    let connector =
        ().chain(ConnectProxyConnector::default())
            .chain(Tcp::default())
            .chain(RustlsConnector::default());
    Agent::with_parts(config, connector, Dns::default())
}

#[derive(Debug, Default)]
struct Tcp(TcpConnector);

impl<In: Transport> Connector<In> for Tcp {
    type Out = <TcpConnector as Connector<In>>::Out;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        // Going around a proxy that we cannot speak to is not ours to decide.
        let wanted = details
            .config
            .proxy()
            .filter(|proxy| !proxy.is_no_proxy(details.uri));
        let odd = wanted.is_some_and(|proxy| {
            !matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https)
        });
        if odd && chained.is_none() {
            let why = "the proxy named in the environment is a SOCKS proxy; HTTPS_PROXY must name an HTTP proxy";
            return Err(Error::Other(Box::new(NotConnected(why.to_owned()))));
        }
        self.0.connect(details, chained).map_err(NotConnected::wrap)
    }
}

#[derive(Debug, Default)]
struct Dns(DefaultResolver);

impl Resolver for Dns {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        self.0
            .resolve(uri, config, timeout)
            .map_err(NotConnected::wrap)
    }
}
