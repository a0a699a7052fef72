//! An HTTP request as a check in effect: does the site answer through its front?

use std::time::Duration;

use ureq::http::{HeaderName, StatusCode};
use ureq::tls::RootCerts;
use ureq::{Agent, Error};

use super::agent;

const PATIENCE: Duration = Duration::from_secs(15);

/// Asks `url` and tells what was seen: `Ok(Ok(…))` when the answer has the `header` and none of the
/// statuses `not_status`, `Ok(Err(…))` when it has not. Blocks. Redirects are not followed: the
/// answer is that of the address asked.
///
/// # Errors
/// When no answer came, so that nothing can be told.
pub fn check_url(
    url: &str,
    header: Option<&str>,
    not_status: &[u16],
) -> Result<Result<String, String>, String> {
    let agent: Agent = agent::agent(RootCerts::PlatformVerifier, PATIENCE);
    let response = agent
        .get(url)
        .call()
        .map_err(|error| match agent::not_connected(&error) {
            Some(why) => format!("{url}: no connection: {why}"),
            None => match error {
                Error::RequireHttpsOnly(_) => format!("{url}: only https is asked"),
                other => format!("{url}: {other}"),
            },
        })?;
    let status: StatusCode = response.status();
    let seen = format!("{url} answers {status}");
    if not_status.contains(&status.as_u16()) {
        return Ok(Err(seen));
    }
    match header.map(str::parse::<HeaderName>) {
        None => Ok(Ok(seen)),
        Some(Err(_)) => Err(format!(
            "{} is no name of a header",
            header.unwrap_or_default()
        )),
        Some(Ok(name)) if response.headers().contains_key(&name) => {
            Ok(Ok(format!("{seen} with {name}")))
        }
        Some(Ok(name)) => Ok(Err(format!("{seen} without {name}"))),
    }
}
