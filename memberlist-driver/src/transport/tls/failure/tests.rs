use super::*;
use crate::driver::stream_failure;
use memberlist_proto::StreamFailure;

#[test]
fn failures_reach_the_core_and_keep_their_detail() {
    let cases = [
        (Error::InvalidCertificate(CertificateError::Expired), TlsFailure::Expired),
        (Error::InvalidCertificate(CertificateError::NotValidYet), TlsFailure::NotYetValid),
        (Error::InvalidCertificate(CertificateError::NotValidForName), TlsFailure::WrongName),
        (Error::InvalidCertificate(CertificateError::UnknownIssuer), TlsFailure::UnknownIssuer),
        (Error::InvalidCertificate(CertificateError::Revoked), TlsFailure::InvalidCertificate),
        (Error::NoCertificatesPresented, TlsFailure::NoCertificate),
        (Error::AlertReceived(AlertDescription::UnknownCA), TlsFailure::RefusedIssuer),
        (Error::AlertReceived(AlertDescription::CertificateRequired), TlsFailure::RefusedWithout),
        (Error::AlertReceived(AlertDescription::BadCertificate), TlsFailure::Refused),
        (Error::InvalidMessage(InvalidMessage::InvalidContentType), TlsFailure::PlainText),
        (Error::DecryptError, TlsFailure::Handshake),
    ];
    for (error, expected) in cases {
        let detail = error.to_string();
        let error = in_io(&error);
        assert_eq!(stream_failure(&error), StreamFailure::Tls(expected));
        assert_eq!(error.to_string(), format!("{expected} ({detail})"));
    }
    assert_eq!(stream_failure(&cut(TlsFailure::Cut)), StreamFailure::Tls(TlsFailure::Cut));
}
