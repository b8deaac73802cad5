//! Which requests are answered, and the security headers of every answer.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri};

/// An origin, such as `http://10.0.0.1:8080`, as browsers write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin(String);

/// Why a host or an origin cannot be allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidOption {
    /// The text is not a host name without a port.
    #[error("{0:?} is not a host name: expected a name without port, such as `node7.example`")]
    Host(String),
    /// The text is not an origin: scheme and host, with or without a port.
    #[error("{0:?} is not an origin: expected scheme and host, such as `http://10.0.0.2:8080`")]
    Origin(String),
}

impl Origin {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidOption> {
        let invalid = || InvalidOption::Origin(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| invalid())?;
        let (scheme, authority) = (uri.scheme_str(), uri.authority());
        let (Some(scheme @ ("http" | "https")), Some(authority)) = (scheme, authority) else {
            return Err(invalid());
        };
        // What follows a `;` or a space would become a directive of the policy that contains it.
        let plain = |letter: char| letter.is_ascii_alphanumeric() || ".-:[]_".contains(letter);
        let rest = uri.path_and_query().is_none_or(|rest| rest.as_str() == "/");
        let host = authority.as_str().to_ascii_lowercase();
        if !rest || host.is_empty() || !host.chars().all(plain) {
            return Err(invalid());
        }
        let default = if scheme == "http" { ":80" } else { ":443" };
        let host = host.strip_suffix(default).unwrap_or(&host);
        Ok(Self(format!("{scheme}://{host}")))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Its `Host` is a name that was not allowed.
    Host,
    /// It comes from a page of another origin.
    Origin,
}

impl Refused {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Host => {
                "This server is not known by the name in the request's Host header. Ask for its IP \
                 address, or allow the name (--http-host NAME).\n"
            }
            Self::Origin => {
                "Pages of other origins may not read this server, unless their origin is allowed \
                 (--http-allow-origin ORIGIN).\n"
            }
        }
    }
}

/// Decides which requests are answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    hosts: Vec<String>,
    any_host: bool,
    origins: Vec<Origin>,
}

impl Guard {
    pub(crate) fn allow_host(&mut self, name: &str) -> Result<(), InvalidOption> {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
        if name.is_empty() || !name.chars().all(plain) {
            return Err(InvalidOption::Host(name.to_owned()));
        }
        self.hosts.push(name.to_ascii_lowercase());
        Ok(())
    }

    pub(crate) fn allow_any_host(&mut self) {
        self.any_host = true;
    }

    pub(crate) fn allow_origin(&mut self, origin: &str) -> Result<(), InvalidOption> {
        self.origins.push(Origin::parse(origin)?);
        Ok(())
    }

    pub(crate) fn origins(&self) -> impl Iterator<Item = &str> {
        self.origins.iter().map(Origin::as_str)
    }

    /// Checks a request. Returns the origin if the request comes from a page of another origin that
    /// may read the answer.
    pub(crate) fn check<B>(&self, request: &Request<B>) -> Result<Option<HeaderValue>, Refused> {
        let headers = request.headers();
        let named = headers.get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or("?"));
        let whole = request.uri().authority().map(http::uri::Authority::as_str);
        // If an attacker can point a name at this address (DNS rebinding), their page would count
        // as one of this origin. An address cannot be pointed elsewhere. Only browsers matter here,
        // and they always send the header.
        if !named.chain(whole).all(|host| self.is_own(host)) {
            return Err(Refused::Host);
        }
        let Some(origin) = headers.get(header::ORIGIN) else {
            // Images and scripts are fetched without an `Origin`; these headers say where the
            // request comes from.
            let site = text(headers, "sec-fetch-site");
            let foreign = matches!(site, Some("cross-site" | "same-site"));
            let navigates = text(headers, "sec-fetch-mode") == Some("navigate");
            return if foreign && !navigates { Err(Refused::Origin) } else { Ok(None) };
        };
        let asking = origin.to_str().ok().and_then(|origin| Origin::parse(origin).ok());
        let asking = asking.ok_or(Refused::Origin)?;
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        if host.is_some_and(|host| is_at(&asking, host)) {
            return Ok(None);
        }
        let allowed = self.origins.contains(&asking);
        allowed.then(|| Some(origin.clone())).ok_or(Refused::Origin)
    }

    /// Whether this is an IP address, a name of this machine, or an allowed name.
    fn is_own(&self, host: &str) -> bool {
        if self.any_host {
            return true;
        }
        let Ok(authority) = host.parse::<http::uri::Authority>() else { return false };
        let name = authority.host().to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        let bare = name.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(name);
        bare.parse::<std::net::IpAddr>().is_ok()
            || name == "localhost"
            || name.ends_with(".localhost")
            || self.hosts.iter().any(|host| host == name)
    }

    /// The `Content-Security-Policy` of the page: it allows the script and style with this nonce,
    /// and requests to this server and to allowed origins.
    pub(crate) fn policy(&self, nonce: &str) -> String {
        let allowed: Vec<&str> = std::iter::once("'self'").chain(self.origins()).collect();
        let allowed = allowed.join(" ");
        format!(
            "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
             img-src data:; connect-src {allowed}; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        )
    }
}

/// Whether an origin is that of this `Host`, with either scheme: a proxy in front may speak TLS.
fn is_at(origin: &Origin, host: &str) -> bool {
    ["http", "https"]
        .iter()
        .any(|scheme| Origin::parse(&format!("{scheme}://{host}")).as_ref() == Ok(origin))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether the method only reads.
pub(crate) fn reads(method: &Method) -> bool {
    [Method::GET, Method::HEAD].contains(method)
}

/// The headers of every answer: browsers must not guess its type, store it, frame it, or embed it
/// elsewhere.
pub(crate) const HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

#[cfg(test)]
mod tests;
