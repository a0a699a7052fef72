//! Getting the texts of all sources, or the reason why not.

use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

use ureq::http::{Response, StatusCode, Uri, header};
use ureq::tls::RootCerts;
use ureq::{Agent, Body, Error, Timeout};

use super::Refusal;
use super::agent::{self, CONNECT};
use super::guards::shown;
use super::spec::{Asked, AskedSource, Format};

/// The longest answer; Cloudflare's have less than 2 KiB.
const LONGEST: u64 = 64 * 1024;
/// How many times an answer may say "over there".
const REDIRECTS: usize = 3;

/// Why a text is not there.
#[derive(Debug)]
pub(super) enum Fault {
    /// There was no connection at all.
    Unreachable(Refusal),
    /// Something answered, and not as it should.
    Refused(Refusal),
}

/// Asks all sources at the same time; their texts in the order of the sources.
///
/// # Errors
/// A refusal by any of them counts more than that another is unreachable.
pub(super) fn fetch(asked: &Asked<'_>, trusted: RootCerts) -> Result<Vec<String>, Fault> {
    let agent = &agent::agent(trusted, asked.timeout);
    let answers: Vec<Result<String, Fault>> = thread::scope(|scope| {
        let ask = |source| scope.spawn(move || get(agent, source, asked.timeout));
        let running: Vec<_> = asked.sources.iter().map(ask).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(died())))
            .collect()
    });
    let (mut texts, mut unreachable) = (Vec::new(), None);
    for answer in answers {
        match answer {
            Ok(text) => texts.push(text),
            Err(fault @ Fault::Refused(_)) => return Err(fault),
            Err(fault @ Fault::Unreachable(_)) => {
                unreachable.get_or_insert(fault);
            }
        }
    }
    unreachable.map_or(Ok(texts), Err)
}

fn died() -> Fault {
    Fault::Refused(Refusal {
        url: String::new(),
        why: "the client died; this is a mistake in holdfast".to_owned(),
        hint: None,
    })
}

/// One source, redirects included.
fn get(agent: &Agent, source: &AskedSource<'_>, timeout: Duration) -> Result<String, Fault> {
    let deadline = Instant::now() + timeout;
    let fail = |error: &Error| fault(&source.url, error, timeout);
    let refuse = |why: String, hint: Option<&str>| {
        Fault::Refused(Refusal {
            url: source.url.clone(),
            why,
            hint: hint.map(str::to_owned),
        })
    };
    let accept = match source.spec.format {
        Format::Json(_) => "application/json",
        Format::Lines(_) => "text/plain",
    };
    let mut url: Uri = source
        .url
        .parse()
        .map_err(|_| refuse("not an address".to_owned(), None))?;
    for hop in 0..=REDIRECTS {
        let request = agent.get(&url).header(header::ACCEPT, accept);
        let response = if hop == 0 {
            request.call()
        } else {
            // Only here, because it costs a second reading of the authorities.
            let left = deadline.saturating_duration_since(Instant::now());
            request.config().timeout_global(Some(left)).build().call()
        };
        let response = response.map_err(|error| fail(&error))?;
        if !is_redirect(response.status()) {
            check_head(&response, &source.spec.format).map_err(|(why, hint)| refuse(why, hint))?;
            return read(response).map_err(|error| match error {
                Unread::Broken(error) => fail(&error),
                Unread::Odd(why) => refuse(why, None),
            });
        }
        url = next(&url, &response).map_err(|why| {
            refuse(
                why,
                Some("if the publisher has moved, give the new address"),
            )
        })?;
    }
    Err(refuse(format!("more than {REDIRECTS} redirects"), None))
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where a redirect leads: the same host and port over https, or nowhere.
fn next(from: &Uri, response: &Response<Body>) -> Result<Uri, String> {
    let location = response
        .headers()
        .get(header::LOCATION)
        .and_then(|value| value.to_str().ok());
    let Some(location) = location else {
        return Err("it redirects without saying where".to_owned());
    };
    let to =
        resolve(from, location).ok_or_else(|| format!("it redirects to {}", shown(location)))?;
    if to.scheme_str() != Some("https") {
        return Err(format!(
            "it redirects to the unprotected address {}",
            shown(location)
        ));
    }
    let same = |a: &Uri, b: &Uri| {
        let host = |uri: &Uri| uri.host().unwrap_or_default().to_ascii_lowercase();
        host(a) == host(b) && a.port_u16().unwrap_or(443) == b.port_u16().unwrap_or(443)
    };
    if same(from, &to) {
        Ok(to)
    } else {
        Err(format!("it redirects to another host: {}", shown(location)))
    }
}

/// A `Location` against the address that sent it (RFC 3986 §5.2, without `..`).
fn resolve(from: &Uri, location: &str) -> Option<Uri> {
    let authority = from.authority()?;
    let absolute = if location.starts_with("//") {
        format!("https:{location}")
    } else if location.starts_with('/') {
        format!("https://{authority}{location}")
    } else if location.contains("://") {
        location.to_owned()
    } else {
        let folder = from
            .path()
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder);
        format!("https://{authority}{folder}/{location}")
    };
    absolute.parse().ok()
}

/// Status, type and announced length.
fn check_head(
    response: &Response<Body>,
    format: &Format,
) -> Result<(), (String, Option<&'static str>)> {
    let status = response.status();
    if status != StatusCode::OK {
        let busy = matches!(status.as_u16(), 429 | 500..=599);
        return Err((
            format!("it answers {status}"),
            busy.then_some("try again later"),
        ));
    }
    let announced = response
        .headers()
        .get(header::CONTENT_TYPE)
        .map(|value| value.to_str().unwrap_or_default());
    let essence = announced
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let plain = essence == "text/plain";
    let fits = match format {
        Format::Lines(_) => plain,
        Format::Json(_) => plain || essence == "application/json" || essence.ends_with("+json"),
    };
    if !fits {
        let wanted = match format {
            Format::Lines(_) => "text/plain",
            Format::Json(_) => "application/json",
        };
        let why = format!(
            "the answer is of the type {}, not {wanted}",
            shown(announced.unwrap_or("none"))
        );
        return Err((
            why,
            Some("a browser check or a captive portal answers instead: open the address by hand"),
        ));
    }
    match response.body().content_length() {
        Some(length) if length > LONGEST => Err((
            format!("the answer has {length} bytes; at most {LONGEST} are expected"),
            None,
        )),
        Some(_) | None => Ok(()),
    }
}

enum Unread {
    Broken(Error),
    Odd(String),
}

fn read(mut response: Response<Body>) -> Result<String, Unread> {
    let mut bytes = Vec::new();
    let reader = response.body_mut().as_reader();
    reader
        .take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Unread::Broken(error.into()))?;
    if bytes.len() as u64 > LONGEST {
        return Err(Unread::Odd(format!(
            "the answer is longer than {LONGEST} bytes"
        )));
    }
    String::from_utf8(bytes).map_err(|_| Unread::Odd("the answer is not UTF-8 text".to_owned()))
}

/// What an error of the client means.
fn fault(url: &str, error: &Error, timeout: Duration) -> Fault {
    let refusal = |why, hint: Option<&str>| Refusal {
        url: url.to_owned(),
        why,
        hint: hint.map(str::to_owned),
    };
    if let Some(why) = agent::not_connected(error) {
        return Fault::Unreachable(refusal(format!("no connection: {why}"), None));
    }
    let (why, hint) = match error {
        Error::Timeout(Timeout::Connect) => (
            format!(
                "it takes the connection, but has not agreed on TLS after {} s",
                CONNECT.as_secs()
            ),
            None,
        ),
        Error::Timeout(_) => (
            format!(
                "it takes the connection, but has not answered completely after {} s",
                timeout.as_secs()
            ),
            None,
        ),
        Error::Rustls(error) => tls(&error.to_string()),
        Error::Io(error)
            if error
                .get_ref()
                .is_some_and(|inner| inner.to_string().contains("certificate")) =>
        {
            tls(&error.to_string())
        }
        Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            ("the answer ends too early".to_owned(), None)
        }
        other => (format!("the connection failed: {other}"), None),
    };
    Fault::Refused(refusal(why, hint))
}

fn tls(error: &str) -> (String, Option<&'static str>) {
    let hint =
        "`ca_file` names an authority of your own; a wrong clock also makes certificates invalid";
    (
        format!("its certificate is not trusted: {error}"),
        Some(hint),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(from: &str, location: &str) -> Result<String, String> {
        let response = Response::builder()
            .status(302)
            .header(header::LOCATION, location);
        let response = response.body(Body::builder().data("")).unwrap();
        next(&from.parse().unwrap(), &response).map(|uri| uri.to_string())
    }

    #[test]
    fn redirects_stay_on_their_host() {
        let from = "https://a.example/x/ips";
        for (location, to) in [
            ("/y", "https://a.example/y"),
            ("https://A.example:443/y", "https://A.example:443/y"),
            ("//a.example/y", "https://a.example/y"),
            ("ips-v4", "https://a.example/x/ips-v4"),
        ] {
            assert_eq!(redirect(from, location).unwrap(), to);
        }
        for location in [
            "https://b.example/x",
            "https://a.example:8443/x",
            "https://a.example.evil.example/x",
            "https://a.example@evil.example/x",
            "//evil.example/x",
            "http://a.example/x",
            "ftp://a.example/x",
            "https://",
        ] {
            assert!(redirect(from, location).is_err(), "{location}");
        }
    }

    #[test]
    fn what_the_server_says_is_shown_printable() {
        let why = redirect("https://a.example/", "https://evil.example/\u{e9}");
        assert!(why.is_err(), "{why:?}");
    }
}
