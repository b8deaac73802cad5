//! Certificates for tests: an authority, and the certificates that it issues.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::binary::scratch;

/// A certificate authority, and the folder of its files, which is removed when this is dropped.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

/// A certificate and its key, as files.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl Authority {
    /// Creates an authority with a folder of its own.
    #[track_caller]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        let folder = scratch("certificates");
        // Each authority has a name of its own: with a shared one, it would be taken for a known
        // one.
        let name = folder.file_name().expect("a folder").to_string_lossy().into_owned();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let authority = Self { issuer, folder };
        std::fs::write(authority.file(), authority.issuer.pem()).expect("the folder is writable");
        authority
    }

    /// The file of its certificate.
    pub fn file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The folder of its files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Issues a certificate for these addresses and names, which is valid now.
    #[track_caller]
    pub fn issue(&self, file: &str, names: &[&str]) -> Issued {
        self.issue_until(file, names, SystemTime::now() + Duration::from_secs(86_400))
    }

    /// Writes the TLS configuration, for Alertmanager and our agent, of a node with a certificate
    /// for these addresses and names; with `server_name`, it expects the certificates of others to
    /// be for that name.
    #[track_caller]
    pub fn settings(&self, file: &str, names: &[&str], server_name: Option<&str>) -> PathBuf {
        let issued = self.issue(file, names);
        let [certificate, key, ca] =
            [issued.certificate, issued.key, self.file()].map(|path| path.display().to_string());
        let server_name =
            server_name.map(|name| format!("  server_name: {name}\n")).unwrap_or_default();
        let text = format!(
            "tls_server_config:\n  cert_file: {certificate}\n  key_file: {key}\n  \
             client_ca_file: {ca}\n  client_auth_type: RequireAndVerifyClientCert\n\
             tls_client_config:\n  ca_file: {ca}\n  cert_file: {certificate}\n  \
             key_file: {key}\n{server_name}"
        );
        let path = self.folder.join(format!("{file}.yml"));
        std::fs::write(&path, text).expect("the folder is writable");
        path
    }

    /// Issues a certificate that is valid until `until`. One that exists is replaced.
    #[track_caller]
    pub fn issue_until(&self, file: &str, names: &[&str], until: SystemTime) -> Issued {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names
            .iter()
            .map(|name| match name.parse::<IpAddr>() {
                Ok(ip) => SanType::IpAddress(ip),
                Err(_) => SanType::DnsName((*name).try_into().expect("a DNS name")),
            })
            .collect();
        params.distinguished_name.push(rcgen::DnType::CommonName, file);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = (until - Duration::from_secs(30 * 86_400)).into();
        params.not_after = until.into();
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.issuer).expect("a certificate");
        let at = |kind: &str| self.folder.join(format!("{file}.{kind}"));
        let issued = Issued { certificate: at("pem"), key: at("key") };
        // The key comes before the certificate, and each is written at once: a reader never finds
        // half of either.
        for (path, text) in
            [(&issued.key, key.serialize_pem()), (&issued.certificate, signed.pem())]
        {
            let fresh = path.with_extension("fresh");
            std::fs::write(&fresh, text).expect("the folder is writable");
            std::fs::rename(&fresh, path).expect("the folder is writable");
        }
        issued
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        // Fails only if the disk does; the target folder is cleaned anyway.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
