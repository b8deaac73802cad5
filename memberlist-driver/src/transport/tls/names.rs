//! The names in a certificate.

use std::io;

use memberlist_proto::TlsFailure;
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::failure::refused;

/// The DNS names in the peer's certificate, exactly as written there. A wildcard matches no
/// member's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names(Vec<String>);

impl Names {
    /// The names in the first certificate of a chain that has been verified.
    pub(super) fn of(chain: Option<&[CertificateDer<'_>]>) -> Self {
        let own = chain.and_then(<[_]>::first).and_then(|own| EndEntityCert::try_from(own).ok());
        Self(own.iter().flat_map(|own| own.valid_dns_names()).map(str::to_owned).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// The error if the peer's certificate is not for the member whose address it uses.
pub(crate) fn misnamed(names: &Names, member: &str) -> io::Error {
    let listed = names.0.join(", ");
    refused(TlsFailure::WrongName, format!(" (it is for: {listed}; the member is {member})"))
}

#[cfg(test)]
mod tests;
