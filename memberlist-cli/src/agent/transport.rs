//! The flags of the transport, and Alertmanager's file for TLS.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use memberlist_driver::transport::{ClientAuth, Framing, Tls, Transport};
use serde::Deserialize;

use crate::failure::Failure;

/// The longest file that is read.
const FILE_MAX: u64 = 1 << 20;

/// How packets and streams travel. Without any of these flags: UDP and TCP.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct TransportArgs {
    /// Carry packets over TCP connections, framed as these programs do it; without a flag for TLS,
    /// unencrypted
    #[arg(long, value_enum)]
    framing: Option<FramingArg>,

    /// Use TLS as configured in this file, in Alertmanager's YAML format [default framing:
    /// alertmanager]
    #[arg(long, value_name = "FILE", conflicts_with = "tls_cert")]
    tls_config: Option<PathBuf>,

    /// Use TLS with this certificate in both directions, and require one from other nodes
    #[arg(long, value_name = "FILE", requires_all = ["tls_key", "tls_ca"])]
    tls_cert: Option<PathBuf>,

    /// Private key of the certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Certificate of the authority that issued the certificates of all nodes
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_ca: Option<PathBuf>,

    /// Name for which the certificates of other nodes must be valid [default: the IP address
    /// connected to]
    #[arg(long, value_name = "NAME", requires = "tls_cert")]
    tls_server_name: Option<String>,

    /// Require that a member's certificate has the member's name among its DNS names
    #[arg(long)]
    tls_require_name: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FramingArg {
    /// Many packets on each connection.
    Alertmanager,
    /// Mimir, Loki, Tempo, Pyroscope: a connection for each packet.
    Dskit,
}

impl TransportArgs {
    pub(super) fn transport(&self) -> Result<Transport, Failure> {
        let framing = self.framing.map(|framing| match framing {
            FramingArg::Alertmanager => Framing::Alertmanager,
            FramingArg::Dskit => Framing::Dskit,
        });
        let mut tls = match (&self.tls_config, &self.tls_cert, &self.tls_key, &self.tls_ca) {
            (Some(file), ..) => Some(load(file).map_err(|error| {
                Failure::usage(format_args!("--tls-config: {}: {error}", file.display()))
            })?),
            (None, Some(certificate), Some(key), Some(ca)) => {
                let mut tls = Tls::mutual(certificate, key, ca);
                tls.server_name.clone_from(&self.tls_server_name);
                Some(tls)
            }
            _ => None,
        };
        if let Some(tls) = &mut tls {
            tls.require_certificate_name = self.tls_require_name;
        }
        Ok(match (tls, framing) {
            (None, _) if self.tls_require_name => {
                return Err(Failure::usage("--tls-require-name: there is no TLS"));
            }
            (Some(tls), framing) => Transport::tls(framing.unwrap_or(Framing::Alertmanager), tls),
            (None, Some(framing)) => Transport::tcp(framing),
            (None, None) => Transport::udp_tcp(),
        })
    }
}

/// Alertmanager's `--cluster.tls-config`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tls_server_config: Server,
    tls_client_config: Option<Client>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Server {
    cert_file: PathBuf,
    key_file: PathBuf,
    client_ca_file: Option<PathBuf>,
    client_auth_type: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    ca_file: Option<PathBuf>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    server_name: Option<String>,
    #[serde(default)]
    insecure_skip_verify: bool,
}

fn load(path: &Path) -> Result<Tls, String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > FILE_MAX {
        return Err(format!("it is {length} bytes long, and at most {FILE_MAX} are read"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    parse(&text, path.parent().unwrap_or(Path::new("")))
}

/// Parses the file; paths in it are relative to its folder.
fn parse(text: &str, folder: &Path) -> Result<Tls, String> {
    let file: File = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let server = file.tls_server_config;
    let client = file.tls_client_config.unwrap_or_default();
    let path = |path: PathBuf| folder.join(path);
    let client_certificate = match (client.cert_file, client.key_file) {
        (Some(certificate), Some(key)) => Some((path(certificate), path(key))),
        (None, None) => None,
        _ => return Err("`cert_file` and `key_file` go together".into()),
    };
    let client_auth = match server.client_auth_type.as_deref() {
        // If the file does not say, Alertmanager asks for no certificate, which is rarely meant.
        None | Some("RequireAndVerifyClientCert") => ClientAuth::RequireAndVerify,
        Some("NoClientCert") => ClientAuth::None,
        Some("RequestClientCert") => ClientAuth::Request,
        Some("RequireAnyClientCert") => ClientAuth::RequireAny,
        Some("VerifyClientCertIfGiven") => ClientAuth::VerifyIfGiven,
        Some(other) => return Err(format!("not a valid `client_auth_type`: {other:?}")),
    };
    Ok(Tls::mutual(path(server.cert_file), path(server.key_file), "").with(|tls| {
        tls.client_ca = server.client_ca_file.map(path);
        tls.client_auth = client_auth;
        tls.ca = client.ca_file.map(path);
        tls.client_certificate = client_certificate;
        tls.server_name = client.server_name;
        tls.insecure_skip_verify = client.insecure_skip_verify;
    }))
}

#[cfg(test)]
mod tests;
