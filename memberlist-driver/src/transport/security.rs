//! The handshake of a new connection before its first frame, if it has one.

use std::io;
use std::net::SocketAddr;
#[cfg(feature = "tls")]
use std::sync::Arc;

use super::link::Link;
#[cfg(feature = "tls")]
use super::tls::Certificates;
use crate::runtime::Stream;

/// Why a handshake failed, and the connection, if it can still be used to notify the peer.
pub(super) type Unwelcome<S> = (io::Error, Option<S>);

#[derive(Clone)]
pub(crate) enum Security {
    Plain,
    #[cfg(feature = "tls")]
    Tls(Arc<Certificates>),
}

impl Security {
    /// Secures a connection that this side opened to a peer.
    #[cfg_attr(not(feature = "tls"), allow(clippy::unused_async))]
    pub(super) async fn opened<S: Stream>(&self, stream: S, to: SocketAddr) -> io::Result<Link<S>> {
        let _ = stream.set_nodelay();
        match self {
            Self::Plain => {
                let _ = to;
                Ok(Link::plain(stream))
            }
            #[cfg(feature = "tls")]
            Self::Tls(certificates) => {
                let session = certificates.client(stream, to).await;
                let link = |session| Link::tls(session, certificates.requires_names());
                session.map(link).map_err(|(error, _)| error)
            }
        }
    }

    /// Secures a connection that a peer opened. An error returns the connection, so that the peer
    /// can still read the reason.
    #[cfg_attr(not(feature = "tls"), allow(clippy::unused_async))]
    pub(super) async fn accepted<S: Stream>(&self, stream: S) -> Result<Link<S>, Unwelcome<S>> {
        let _ = stream.set_nodelay();
        match self {
            Self::Plain => Ok(Link::plain(stream)),
            #[cfg(feature = "tls")]
            Self::Tls(certificates) => {
                let session = certificates.server(stream).await?;
                Ok(Link::tls(session, certificates.requires_names()))
            }
        }
    }
}
