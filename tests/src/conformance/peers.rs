//! Peers that misbehave.

use std::io::Write as _;
use std::net::{TcpStream, UdpSocket};

use super::{Adapter, Kit as _, member};

/// What cannot become a message ends its stream and nothing else.
pub async fn a_peer_that_speaks_nonsense_harms_nobody<A: Adapter>() {
    let [(one, _told), (two, _heard)] = A::pair().await;
    let mut silent = Vec::new();
    for bytes in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", &[6, 0x83], &[0xf4], &[255; 5000]] {
        let mut stream = TcpStream::connect(one.bound_address()).expect("it listens");
        stream.write_all(bytes).expect("it reads");
        silent.push(stream);
    }
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    for bytes in [&b""[..], b"junk", &[7, 255, 0], &[9; 1400], &[12, 0, 0, 0, 0, 1]] {
        socket.send_to(bytes, one.bound_address()).expect("sent");
    }
    let mut first = silent.swap_remove(1);
    // What cannot become a message is closed.
    A::end_of(&mut first).await;
    two.ping(member(&one)).await.expect("it still answers");
    assert_eq!(one.num_members(), 2);
}
