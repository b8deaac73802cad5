//! `memberlist cert`: creates a certificate authority and certificates, for trying out TLS.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::failure::Failure;
use crate::stdout;

/// A day.
const DAY: Duration = Duration::from_secs(86_400);

/// Create a certificate authority and certificates of nodes, for trying out TLS.
///
/// The folder gets `ca.pem` and `ca.key`, unless it already has them, and for each node NAME.pem,
/// NAME.key and NAME.yml; the last is a file for `memberlist agent --tls-config` and
/// `alertmanager --cluster.tls-config`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder for the files; created if it does not exist
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Names of the nodes, used for the names of their files
    #[arg(value_name = "NAME", default_value = "node")]
    names: Vec<String>,

    /// IP address or host name by which other nodes connect, part of every certificate (repeatable)
    #[arg(long, value_name = "HOST", default_values = ["127.0.0.1", "::1", "localhost"])]
    host: Vec<String>,

    /// How long the certificates are valid
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    for name in &args.names {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.starts_with('.') || name == "ca" || !name.chars().all(plain) {
            return Err(Failure::usage(format_args!("not a valid name for files: {name:?}")));
        }
    }
    let subjects = args.host.iter().map(|host| subject(host)).collect::<Result<Vec<_>, _>>()?;
    fs::create_dir_all(&args.out).map_err(|error| failed(&args.out, &error))?;
    let until = SystemTime::now() + DAY * args.days;
    let authority = authority(&args.out, until)?;
    for name in &args.names {
        issue(&authority, &args.out, name, &subjects, until)?;
        stdout::put(format!("{}\n", args.out.join(format!("{name}.yml")).display()))?;
    }
    Ok(())
}

fn subject(host: &str) -> Result<SanType, Failure> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(ip));
    }
    let wrong = |_| Failure::usage(format_args!("not a valid host: {host:?}"));
    Ok(SanType::DnsName(host.try_into().map_err(wrong)?))
}

/// The authority of the folder, which is created if there is none.
fn authority(folder: &Path, until: SystemTime) -> Result<Issuer<'static, KeyPair>, Failure> {
    let (certificate, key) = (folder.join("ca.pem"), folder.join("ca.key"));
    if certificate.exists() && key.exists() {
        let [text, secret] = [&certificate, &key]
            .map(|path| fs::read_to_string(path).map_err(|error| failed(path, &error)));
        let secret = KeyPair::from_pem(&secret?).map_err(|error| failed(&key, &error))?;
        return Issuer::from_ca_cert_pem(&text?, secret)
            .map_err(|error| failed(&certificate, &error));
    }
    let mut params = params("memberlist test authority", until);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let pair = KeyPair::generate().map_err(Failure::failed)?;
    let made = params.self_signed(&pair).map_err(Failure::failed)?;
    write(&key, &pair.serialize_pem(), true)?;
    write(&certificate, &made.pem(), false)?;
    Ok(Issuer::new(params, pair))
}

fn issue(
    authority: &Issuer<'_, KeyPair>,
    folder: &Path,
    name: &str,
    subjects: &[SanType],
    until: SystemTime,
) -> Result<(), Failure> {
    let mut params = params(name, until);
    params.subject_alt_names = subjects.to_vec();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let pair = KeyPair::generate().map_err(Failure::failed)?;
    let made = params.signed_by(&pair, authority).map_err(Failure::failed)?;
    write(&folder.join(format!("{name}.key")), &pair.serialize_pem(), true)?;
    write(&folder.join(format!("{name}.pem")), &made.pem(), false)?;
    let settings = format!(
        "tls_server_config:
  cert_file: {name}.pem
  key_file: {name}.key
  client_ca_file: ca.pem
  client_auth_type: RequireAndVerifyClientCert
tls_client_config:
  ca_file: ca.pem
  cert_file: {name}.pem
  key_file: {name}.key
"
    );
    write(&folder.join(format!("{name}.yml")), &settings, false)
}

fn params(name: &str, until: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    // The clocks of other machines may be behind.
    params.not_before = (SystemTime::now() - DAY).into();
    params.not_after = until.into();
    params
}

/// Replaces a file. A secret one is never readable for other users.
fn write(path: &Path, text: &str, secret: bool) -> Result<(), Failure> {
    let fresh = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        if secret {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        #[cfg(not(unix))]
        let _ = secret;
        options.open(&fresh)?.write_all(text.as_bytes())?;
        fs::rename(&fresh, path)
    };
    write().map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format_args!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
