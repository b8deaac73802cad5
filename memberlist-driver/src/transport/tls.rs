//! TLS: which certificates a node presents, and which it accepts. Needs the feature `tls`.

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
/// All files are PEM. They are read at the start, and again within seconds after they change:
/// existing connections continue, and new ones use the new certificates. If the files cannot be
/// used, the old certificates stay in force. Sessions are not resumed, so every connection is
/// verified.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tls {
    /// The certificate that this node presents on connections that it accepts, followed by the
    /// intermediate certificates.
    pub certificate: PathBuf,
    /// The private key of [`certificate`](Self::certificate).
    pub key: PathBuf,
    /// The authorities that verify the certificates of nodes that connect. Required if
    /// [`client_auth`](Self::client_auth) verifies them.
    pub client_ca: Option<PathBuf>,
    /// Whether a node that connects must present a certificate.
    pub client_auth: ClientAuth,
    /// The authorities that verify the certificates of nodes that this node connects to. Required
    /// unless [`insecure_skip_verify`](Self::insecure_skip_verify) is set: the operating system's
    /// authorities are not used.
    pub ca: Option<PathBuf>,
    /// The certificate that this node presents when it connects, and its private key; `None`
    /// presents none.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// The name that the certificate of every node that this node connects to must have. If `None`,
    /// it must have the IP address that was connected to.
    pub server_name: Option<String>,
    /// Accepts any certificate of the nodes that this node connects to. Any machine on the network
    /// path can then impersonate them.
    pub insecure_skip_verify: bool,
    /// Requires that a member's certificate has the member's name as one of its DNS names. This is
    /// checked when this node connects to a member's address, and for packets that claim a member's
    /// address as their sender's. Without it, a certificate only says who may take part in the
    /// cluster, not as which member. Needs [`ClientAuth::RequireAndVerify`], and no
    /// [`insecure_skip_verify`](Self::insecure_skip_verify).
    pub require_certificate_name: bool,
}

impl Tls {
    /// Mutual TLS, with one certificate for both directions and one file of authorities for all
    /// nodes. Nodes that connect must present a certificate. The arguments are paths of PEM files.
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

    /// Applies `change` to these values and returns them.
    #[must_use = "the changed values are returned"]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Checks that names can be trusted, if they are required.
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
    /// Client certificates must be verified, but `client_ca` is not set.
    #[error("TLS: client certificates are to be verified, and no `client_ca` says against what")]
    NoClientCa,
    /// Certificates of other nodes must be verified, but `ca` is not set.
    #[error("TLS: certificates of other nodes are to be verified, and no `ca` says against what")]
    NoCa,
    /// Names must be checked, but certificates are not verified or not required.
    #[error(
        "TLS: `require_certificate_name` needs client certificates that are required and verified, \
         and no `insecure_skip_verify`"
    )]
    UnverifiedNames,
    /// `server_name` is neither a host name nor an IP address.
    #[error("TLS: not a valid server name: {0}")]
    ServerName(String),
    /// The TLS library rejects the settings for another reason, which this text says.
    #[error("TLS: {0}")]
    Unusable(String),
}

impl<R: Runtime> Framed<R> {
    /// Spawns a task that reads the certificates again when their files change.
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
                // Reading may be slow, and is not started twice at a time.
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
