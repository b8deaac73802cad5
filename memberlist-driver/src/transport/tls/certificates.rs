//! The certificates as they were last read, and handshakes that use them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use super::failure::in_io;
use super::session::Session;
use super::verify::Lenient;
use super::{ClientAuth, Tls, TlsError};
use crate::runtime::Stream;
use crate::transport::security::Unwelcome;

pub(crate) struct Certificates {
    settings: Tls,
    server_name: Option<ServerName<'static>>,
    current: Mutex<Loaded>,
    seen: Mutex<Seen>,
    /// Whether the files are being read again.
    reading: AtomicBool,
}

/// The result of the last reading of the files.
struct Seen {
    /// Their modification times and lengths before that.
    stamps: Vec<Stamp>,
    failure: Option<TlsError>,
}

/// The right to read the files again: only one holds it at a time, since reading may take any time.
pub(super) struct Reading(Arc<Certificates>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.reading.store(false, Ordering::Release);
    }
}

#[derive(Clone)]
struct Loaded {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

/// When a file was last modified, and its length.
type Stamp = Option<(SystemTime, u64)>;

impl Certificates {
    /// How often the files are checked for changes.
    pub(super) const PERIOD: Duration = Duration::from_secs(1);

    pub(crate) fn load(settings: Tls) -> Result<Self, TlsError> {
        settings.check_names()?;
        let server_name = settings
            .server_name
            .clone()
            .map(|name| ServerName::try_from(name.clone()).map_err(|_| TlsError::ServerName(name)));
        let server_name = server_name.transpose()?;
        let seen = Mutex::new(Seen { stamps: stamps(&settings), failure: None });
        let current = Mutex::new(read(&settings)?);
        Ok(Self { settings, server_name, current, seen, reading: AtomicBool::new(false) })
    }

    /// Begins to read the files again; `None` if they are being read already.
    pub(super) fn begin_reading(self: &Arc<Self>) -> Option<Reading> {
        let began = !self.reading.swap(true, Ordering::AcqRel);
        began.then(|| Reading(Arc::clone(self)))
    }

    /// Whether a member's certificate must be for its name.
    pub(crate) fn requires_names(&self) -> bool {
        self.settings.require_certificate_name
    }

    fn current(&self) -> Loaded {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Performs the handshake on a connection that this node has opened.
    pub(crate) async fn client<S: Stream>(
        &self,
        stream: S,
        to: SocketAddr,
    ) -> Result<Session<S>, Unwelcome<S>> {
        let address = || ServerName::IpAddress(to.ip().to_canonical().into());
        let name = self.server_name.clone().unwrap_or_else(address);
        let tls = match ClientConnection::new(self.current().client, name) {
            Ok(tls) => tls,
            Err(error) => return Err((in_io(&error), Some(stream))),
        };
        Session::shake(stream, tls.into()).await
    }

    /// Performs the handshake on a connection that this node has accepted.
    pub(crate) async fn server<S: Stream>(&self, stream: S) -> Result<Session<S>, Unwelcome<S>> {
        let tls = match ServerConnection::new(self.current().server) {
            Ok(tls) => tls,
            Err(error) => return Err((in_io(&error), Some(stream))),
        };
        Session::shake(stream, tls.into()).await
    }
}

impl Reading {
    /// Reads the files again if they have changed, or could not be used the last time; returns
    /// whether new certificates are now in force. If the files cannot be used, the old certificates
    /// stay.
    ///
    /// # Errors
    ///
    /// Why they cannot be used, unless neither the files nor the reason have changed since the last
    /// time.
    pub(super) fn read(&self) -> Result<bool, TlsError> {
        let certificates = &self.0;
        let stamps = stamps(&certificates.settings);
        let mut seen = certificates.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = seen.stamps != stamps;
        if !changed && seen.failure.is_none() {
            return Ok(false);
        }
        seen.stamps = stamps;
        match read(&certificates.settings) {
            Ok(loaded) => {
                seen.failure = None;
                *certificates.current.lock().unwrap_or_else(PoisonError::into_inner) = loaded;
                Ok(true)
            }
            Err(error) => {
                let known = !changed && seen.failure.as_ref() == Some(&error);
                seen.failure = Some(error.clone());
                if known { Ok(false) } else { Err(error) }
            }
        }
    }
}

fn stamps(settings: &Tls) -> Vec<Stamp> {
    let stamp = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    settings.files().map(stamp).collect()
}

fn read(settings: &Tls) -> Result<Loaded, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let unusable = |error: rustls::Error| TlsError::Unusable(error.to_string());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let verifier = client_verifier(settings, &provider)?;
    let own = own(&settings.certificate, &settings.key)?;
    let mut server = server
        .with_client_cert_verifier(verifier)
        .with_single_cert(own.0, own.1)
        .map_err(|error| mismatch(&settings.certificate, &error))?;
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;

    let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let client = if settings.insecure_skip_verify {
        let lenient = Arc::new(Lenient { provider, asks: true, requires: true });
        client.dangerous().with_custom_certificate_verifier(lenient)
    } else {
        let roots = authorities(settings.ca.as_deref().ok_or(TlsError::NoCa)?)?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let verifier = verifier.build().map_err(|error| TlsError::Unusable(error.to_string()))?;
        client.with_webpki_verifier(verifier)
    };
    let mut client = match &settings.client_certificate {
        Some((certificate, key)) => {
            let own = self::own(certificate, key)?;
            client
                .with_client_auth_cert(own.0, own.1)
                .map_err(|error| mismatch(certificate, &error))?
        }
        None => client.with_no_client_auth(),
    };
    client.resumption = Resumption::disabled();
    Ok(Loaded { client: Arc::new(client), server: Arc::new(server) })
}

fn client_verifier(
    settings: &Tls,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let lenient = |asks, requires| {
        let provider = Arc::clone(provider);
        Ok(Arc::new(Lenient { provider, asks, requires }) as Arc<dyn ClientCertVerifier>)
    };
    let optional = match settings.client_auth {
        ClientAuth::None => return lenient(false, false),
        ClientAuth::Request => return lenient(true, false),
        ClientAuth::RequireAny => return lenient(true, true),
        ClientAuth::VerifyIfGiven => true,
        ClientAuth::RequireAndVerify => false,
    };
    let roots = authorities(settings.client_ca.as_deref().ok_or(TlsError::NoClientCa)?)?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let verifier = if optional { verifier.allow_unauthenticated() } else { verifier };
    verifier.build().map_err(|error| TlsError::Unusable(error.to_string()))
}

fn own(
    certificate: &Path,
    key: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let chain = chain(certificate)?;
    let key_found = PrivateKeyDer::from_pem_file(key);
    Ok((chain, key_found.map_err(|error| problem(key, &words(&error, "private key")))?))
}

fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(path)? {
        roots.add(certificate).map_err(|error| problem(path, &error.to_string()))?;
    }
    Ok(roots)
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| problem(path, &words(&error, "certificate")))?;
    if found.is_empty() {
        return Err(problem(path, "it has no certificate"));
    }
    Ok(found)
}

/// What is wrong with a file; never its content.
fn words(error: &rustls::pki_types::pem::Error, what: &str) -> String {
    use rustls::pki_types::pem::Error;
    match error {
        Error::Io(error) => error.to_string(),
        Error::NoItemsFound => format!("it has no {what}"),
        _ => "it is not valid PEM".into(),
    }
}

fn problem(path: &Path, problem: &str) -> TlsError {
    TlsError::File { path: path.into(), problem: problem.into() }
}

fn mismatch(certificate: &Path, error: &rustls::Error) -> TlsError {
    let words = match error {
        rustls::Error::InconsistentKeys(_) => "the key is not that of the certificate".into(),
        other => other.to_string(),
    };
    problem(certificate, &words)
}

#[cfg(test)]
mod tests;
