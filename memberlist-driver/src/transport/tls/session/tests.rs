//! Peers that say little, end early or speak something else, over a connection in memory.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Waker;

use memberlist_proto::StreamFailure;

use super::*;
use crate::driver::stream_failure;
use crate::transport::tls::{Certificates, ClientAuth, Tls};

/// One end of a connection, of which a test is the other, or another end.
#[derive(Clone, Default)]
struct End {
    input: Arc<Mutex<Way>>,
    output: Arc<Mutex<Way>>,
}

#[derive(Default)]
struct Way {
    bytes: VecDeque<u8>,
    /// No more than this is read at once.
    cut: Option<usize>,
    /// What follows the bytes; nothing, while it is open.
    end: Option<io::Result<()>>,
}

impl End {
    fn pair() -> (Self, Self) {
        let one = Self::default();
        let (input, output) = (Arc::clone(&one.output), Arc::clone(&one.input));
        (one, Self { input, output })
    }

    fn say(&self, bytes: &[u8]) {
        self.output.lock().unwrap().bytes.extend(bytes);
    }

    fn end(&self, how: io::Result<()>) {
        self.output.lock().unwrap().end = Some(how);
    }

    fn heard(&self) -> Vec<u8> {
        self.input.lock().unwrap().bytes.drain(..).collect()
    }
}

impl Stream for End {
    fn set_nodelay(&self) -> io::Result<()> {
        Ok(())
    }

    fn poll_readable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let way = self.input.lock().unwrap();
        if way.bytes.is_empty() && way.end.is_none() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut way = self.input.lock().unwrap();
        let len = way.bytes.len().min(buffer.len()).min(way.cut.unwrap_or(usize::MAX));
        if len > 0 {
            buffer.iter_mut().zip(way.bytes.drain(..len)).for_each(|(to, byte)| *to = byte);
            return Ok(len);
        }
        match &way.end {
            None => Err(io::ErrorKind::WouldBlock.into()),
            Some(Ok(())) => Ok(0),
            Some(Err(error)) => Err(error.kind().into()),
        }
    }

    /// After a reset, nothing can be written; what has come before can still be read.
    fn try_write(&mut self, data: &[u8]) -> io::Result<usize> {
        if let Some(Err(_)) = self.input.lock().unwrap().end {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.output.lock().unwrap().bytes.extend(data);
        Ok(data.len())
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.output.lock().unwrap().end = Some(Ok(()));
        Poll::Ready(Ok(()))
    }
}

thread_local! {
    static NEXT: Cell<u32> = const { Cell::new(0) };
}

/// Certificates that verify what others present, or take any.
fn certificates(verify: bool) -> Certificates {
    let number = NEXT.replace(NEXT.get() + 1);
    let folder: PathBuf = std::env::temp_dir().join(format!(
        "memberlist-session-{}-{:?}-{number}",
        std::process::id(),
        std::thread::current().id()
    ));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let made = rcgen::generate_simple_self_signed(["node".to_owned()]).expect("a certificate");
    let (certificate, key) = (folder.join("pem"), folder.join("key"));
    std::fs::write(&certificate, made.cert.pem()).expect("writable");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("writable");
    let settings = Tls::mutual(&certificate, key, &certificate).with(|it| {
        if !verify {
            (it.client_auth, it.insecure_skip_verify) = (ClientAuth::None, true);
        }
    });
    let loaded = Certificates::load(settings).expect("valid files");
    std::fs::remove_dir_all(folder).expect("it is there");
    loaded
}

fn peer() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7))
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Why a side's handshake failed, if it has.
fn failed<S>(shaken: Poll<Result<Session<S>, Unwelcome<S>>>) -> Option<StreamFailure> {
    match shaken {
        Poll::Pending => None,
        Poll::Ready(Ok(_)) => panic!("that was no handshake"),
        Poll::Ready(Err((error, _))) => Some(stream_failure(&error)),
    }
}

/// What a client says first.
fn greeting() -> Vec<u8> {
    let (end, far) = End::pair();
    let certificates = certificates(false);
    assert!(poll(pin!(certificates.client(end, peer()))).is_pending());
    far.heard()
}

const PLAIN: StreamFailure = StreamFailure::Tls(TlsFailure::PlainText);
const CUT: StreamFailure = StreamFailure::Tls(TlsFailure::Cut);

/// Plain text is known by its first byte, whatever follows and however it is cut; and the peer reads
/// an alert, by which it can know TLS.
#[test]
fn plain_text_is_known_by_its_first_byte() {
    let certificates = certificates(false);
    let texts: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\n\r\n",
        // Streams of each framing, and of none: a full state, encrypted, with a label.
        &[2],
        b"\x08\0\0\0\x0a\x06v0.1.0",
        b"\x06\x83",
        b"\x0a\0\0\x01",
        b"\xf4\x04blue",
    ];
    for (text, cut) in texts.into_iter().flat_map(|text| (1..=text.len()).map(move |it| (text, it)))
    {
        for ended in [None, Some(Ok(())), Some(Err(io::ErrorKind::ConnectionReset.into()))] {
            for serves in [true, false] {
                let (end, far) = End::pair();
                end.input.lock().unwrap().cut = Some(cut);
                far.say(text);
                // A reset would keep a client from greeting.
                if let Some(how) = ended.as_ref()
                    && (serves || how.is_ok())
                {
                    far.end(how.as_ref().copied().map_err(|error: &io::Error| error.kind().into()));
                }
                let found = if serves {
                    failed(poll(pin!(certificates.server(end))))
                } else {
                    failed(poll(pin!(certificates.client(end, peer()))))
                };
                assert_eq!(found, Some(PLAIN), "{text:?} in pieces of {cut}");
                if ended.is_none() {
                    let heard = far.heard();
                    let alert = heard.windows(2).any(|it| it == [0x15, 3]);
                    assert!(alert, "{heard:?} after {text:?} in pieces of {cut}");
                }
            }
        }
    }
}

/// A peer that begins with TLS and ends, by itself or by a reset, at any place, has cut it; before
/// that, it is waited for.
#[test]
fn a_handshake_that_ends_anywhere_is_cut() {
    let (certificates, greeting) = (certificates(false), greeting());
    assert_eq!(greeting[..2], [0x16, 3]);
    for len in 0..greeting.len() {
        for reset in [false, true] {
            let (end, far) = End::pair();
            let mut shaken = pin!(certificates.server(end));
            far.say(&greeting[..len]);
            assert_eq!(failed(poll(shaken.as_mut())), None, "{len} bytes");
            far.end(if reset { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) });
            assert_eq!(failed(poll(shaken.as_mut())), Some(CUT), "{len} bytes, reset: {reset}");
        }
    }
}

/// The peer says why, and resets the connection before this side has written: the reason counts, not
/// that nothing can be written.
#[test]
fn a_reason_is_read_although_nothing_can_be_written() {
    let certificates = certificates(false);
    let (end, far) = End::pair();
    far.say(&[0x15, 3, 3, 0, 2, 2, 48]);
    far.end(Err(io::ErrorKind::ConnectionReset.into()));
    let found = failed(poll(pin!(certificates.client(end, peer()))));
    assert_eq!(found, Some(StreamFailure::Tls(TlsFailure::RefusedIssuer)));

    // Without a reason, it is cut.
    let (end, far) = End::pair();
    far.end(Err(io::ErrorKind::ConnectionReset.into()));
    assert_eq!(failed(poll(pin!(certificates.client(end, peer())))), Some(CUT));
}

/// With TLS 1.3, a client is done before the server has looked at its certificate: the reason why it is
/// refused arrives when it writes already.
#[test]
fn a_late_reason_is_read_although_nothing_can_be_written() {
    let (lenient, strict) = (certificates(false), certificates(true));
    let (end, far) = End::pair();
    let mut client = pin!(lenient.client(end.clone(), peer()));
    let mut server = pin!(strict.server(far.clone()));
    let mut client = loop {
        let refused = poll(server.as_mut());
        if let Poll::Ready(Ok(mut session)) = poll(client.as_mut()).map_err(|(error, _)| error) {
            let refused =
                failed(if refused.is_pending() { poll(server.as_mut()) } else { refused });
            assert_eq!(refused, Some(StreamFailure::Tls(TlsFailure::UnknownIssuer)));
            far.end(Err(io::ErrorKind::ConnectionReset.into()));
            let error = session.try_write(b"a packet").expect_err("it is reset");
            assert_eq!(stream_failure(&error), StreamFailure::Tls(TlsFailure::Refused));
            break session;
        }
        assert!(refused.is_pending());
    };
    // Once it has been said, only the end is left.
    assert!(client.try_write(b"another").is_err());
}
