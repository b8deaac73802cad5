//! TLS: which certificates a node presents, and which it accepts. Feature `tls`.

mod certificates;
mod failure;
mod names;
mod session;
mod verify;

use std::path::{Path, PathBuf};
use std::time::Instant;

pub(crate) use self::certificates::Certificates;
pub(crate) use self::failure::Refusal;
pub(super) use self::names::{Names, misnamed};
pub(super) use self::session::Session;
use super::framed::Framed;
use super::security::Security;
use crate::log::Target;
use crate::node::unless;
use crate::runtime::{Runtime, Timer as _};

/// Which certificates a node presents, and which it accepts from others.
///
/// All files are PEM. They are read at the start, and again when they change: connections that stand
/// go on, and new ones use the new certificates. Files that cannot be used leave the old ones in
/// force. Sessions are not resumed, so that every connection is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tls {
    /// This node's certificate for connections that come in, with the intermediate ones behind it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities whose certificates other nodes may present when they connect.
    pub client_ca: Option<PathBuf>,
    /// Whether a node that connects must present a certificate.
    pub client_auth: ClientAuth,
    /// The authorities whose certificates the nodes may present that this node connects to.
    pub ca: Option<PathBuf>,
    /// The certificate, and its key, that this node presents when it connects.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// The name that certificates of other nodes must be for. Without it, each must name the IP
    /// address that was connected to.
    pub server_name: Option<String>,
    /// Accept any certificate of the nodes that this one connects to. Any machine on the way can then
    /// take their place.
    pub insecure_skip_verify: bool,
    /// A member's certificate must be for its name, as one of its DNS names: where this node connects
    /// to a member's address, and for packets that give one as their sender's. Otherwise a
    /// certificate only says who may take part. Needs [`ClientAuth::RequireAndVerify`], and the
    /// other nodes' certificates to be verified.
    pub require_certificate_name: bool,
}

impl Tls {
    /// Mutual TLS with one certificate for both directions, and one authority for all nodes. A
    /// certificate is required from nodes that connect.
    pub fn mutual(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
        ca: impl Into<PathBuf>,
    ) -> Self {
        let (certificate, key, ca) = (certificate.into(), key.into(), ca.into());
        Self {
            client_ca: Some(ca.clone()),
            client_auth: ClientAuth::RequireAndVerify,
            ca: Some(ca),
            client_certificate: Some((certificate.clone(), key.clone())),
            server_name: None,
            insecure_skip_verify: false,
            require_certificate_name: false,
            certificate,
            key,
        }
    }

    /// These values with some of them changed, as an expression.
    #[must_use = "the changed values are returned"]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Whether names can be trusted, if they are to be checked.
    fn check_names(&self) -> Result<(), TlsError> {
        let verified =
            self.client_auth == ClientAuth::RequireAndVerify && !self.insecure_skip_verify;
        if self.require_certificate_name && !verified {
            return Err(TlsError::UnverifiedNames);
        }
        Ok(())
    }

    fn files(&self) -> impl Iterator<Item = &Path> {
        let client =
            self.client_certificate.iter().flat_map(|(certificate, key)| [certificate, key]);
        let authorities = self.client_ca.iter().chain(&self.ca);
        [&self.certificate, &self.key]
            .into_iter()
            .chain(client)
            .chain(authorities)
            .map(PathBuf::as_path)
    }
}

/// Whether nodes that connect must present a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked for one (Go: `NoClientCert`).
    None,
    /// They are asked for one; any or none will do (Go: `RequestClientCert`).
    Request,
    /// They must present one; any will do (Go: `RequireAnyClientCert`).
    RequireAny,
    /// They are asked for one; one that they present must be valid (Go: `VerifyClientCertIfGiven`).
    VerifyIfGiven,
    /// They must present a valid one (Go: `RequireAndVerifyClientCert`).
    #[default]
    RequireAndVerify,
}

/// Why TLS cannot be used as configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be used.
    #[error("TLS: {}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Client certificates are to be verified, and nothing says by which authority.
    #[error("TLS: client certificates are to be verified, and no `client_ca` says against what")]
    NoClientCa,
    /// Certificates of other nodes are to be verified, and nothing says by which authority.
    #[error("TLS: certificates of other nodes are to be verified, and no `ca` says against what")]
    NoCa,
    /// Names are to be checked in certificates that are not verified, or not asked for.
    #[error(
        "TLS: `require_certificate_name` needs client certificates that are required and verified, \
         and no `insecure_skip_verify`"
    )]
    UnverifiedNames,
    /// The name that certificates must be for is not a host name or an address.
    #[error("TLS: not a valid server name: {0}")]
    ServerName(String),
    /// A certificate and its key do not belong together, or are of a kind that is not supported.
    #[error("TLS: {0}")]
    Unusable(String),
}

impl<R: Runtime> Framed<R> {
    /// Has a task read the certificates again when their files change.
    pub(super) fn watch_certificates(&self) {
        let Security::Tls(certificates) = &self.security else { return };
        let Some(seat) = self.hub.seat() else { return };
        let (framed, certificates) = (self.clone(), certificates.clone());
        self.runtime.spawn(async move {
            let mut timer = framed.runtime.timer(Instant::now());
            loop {
                timer.reset(Instant::now() + Certificates::PERIOD);
                let fires = std::future::poll_fn(|cx| timer.poll(cx));
                if unless(|cx| seat.poll_closed(cx), fires).await.is_none() {
                    return;
                }
                // Files may be slow; then they are not read twice at a time.
                let Some(reading) = certificates.begin_reading() else { continue };
                let hub = framed.hub.clone();
                framed.runtime.spawn_blocking(move || match reading.read() {
                    Ok(false) => {}
                    Ok(true) => super::figures::count(&hub.figures.certificates_reloaded),
                    Err(error) => {
                        super::figures::count(&hub.figures.certificate_errors);
                        let error = std::io::Error::other(error);
                        hub.failed(Target::Stream, "reading the certificates again", &error);
                    }
                });
            }
        });
    }
}
