//! The least work with which a runtime can answer a packet.

use std::io;
use std::net::UdpSocket;

use memberlist_proto::wire::message::{Ack, Message};

use crate::runtimes::{AsyncStd, Smol, Tokio};

/// A loop that waits for packets and answers each, until its runtime ends.
pub(crate) trait Bare {
    fn serve(socket: UdpSocket);
}

fn ack() -> Vec<u8> {
    let mut ack = Vec::new();
    Message::Ack(Ack { seq_no: 7, ..Ack::default() }).encode(&mut ack);
    ack
}

impl Bare for Tokio {
    fn serve(socket: UdpSocket) {
        socket.set_nonblocking(true).expect("a socket");
        let socket = tokio::net::UdpSocket::from_std(socket).expect("a socket");
        tokio::spawn(async move {
            let (ack, mut buffer) = (ack(), [0; 2048]);
            loop {
                socket.readable().await?;
                while let Ok((_, from)) = socket.try_recv_from(&mut buffer) {
                    socket.try_send_to(&ack, from)?;
                }
            }
            #[allow(unreachable_code)] // It says what the loop fails with.
            io::Result::Ok(())
        });
    }
}

impl Bare for AsyncStd {
    fn serve(socket: UdpSocket) {
        async_std::task::spawn(answer(socket));
    }
}

impl Bare for Smol {
    fn serve(socket: UdpSocket) {
        smol::spawn(answer(socket)).detach();
    }
}

/// Both runtimes use the same reactor.
async fn answer(socket: UdpSocket) -> io::Result<()> {
    let socket = smol::Async::new(socket)?;
    let (ack, mut buffer) = (ack(), [0; 2048]);
    loop {
        socket.readable().await?;
        while let Ok((_, from)) = socket.get_ref().recv_from(&mut buffer) {
            socket.get_ref().send_to(&ack, from)?;
        }
    }
}
