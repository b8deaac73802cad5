//! Why a TLS connection could not be established: as the core's [`TlsFailure`], and in more detail
//! for the log.

use std::io;

use memberlist_proto::TlsFailure;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

/// A failure of TLS, as the reason of an [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("{failure}{detail}")]
pub(crate) struct Refusal {
    #[source]
    pub(crate) failure: TlsFailure,
    /// Empty, or a text in parentheses.
    detail: String,
}

pub(super) fn in_io(error: &Error) -> io::Error {
    refusal(failure(error), error)
}

/// The peer has ended the connection too early.
pub(super) fn cut(failure: TlsFailure) -> io::Error {
    refused(failure, String::new())
}

/// A failure that rustls does not report.
pub(super) fn refused(failure: TlsFailure, detail: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, Refusal { failure, detail })
}

fn refusal(failure: TlsFailure, error: &Error) -> io::Error {
    refused(failure, format!(" ({error})"))
}

fn failure(error: &Error) -> TlsFailure {
    use AlertDescription as Alert;
    match error {
        Error::InvalidCertificate(certificate) => of_certificate(certificate),
        Error::NoCertificatesPresented => TlsFailure::NoCertificate,
        Error::AlertReceived(alert) => match alert {
            Alert::CertificateExpired => TlsFailure::RefusedExpired,
            Alert::UnknownCA => TlsFailure::RefusedIssuer,
            Alert::CertificateRequired => TlsFailure::RefusedWithout,
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::AccessDenied
            // A certificate signed by another authority of the same name.
            | Alert::DecryptError => TlsFailure::Refused,
            _ => TlsFailure::Handshake,
        },
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => TlsFailure::PlainText,
        _ => TlsFailure::Handshake,
    }
}

fn of_certificate(error: &CertificateError) -> TlsFailure {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFailure::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsFailure::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFailure::WrongName
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            TlsFailure::UnknownIssuer
        }
        _ => TlsFailure::InvalidCertificate,
    }
}

#[cfg(test)]
mod tests;
