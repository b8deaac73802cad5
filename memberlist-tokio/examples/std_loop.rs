//! The core alone, with only `std::net` and a loop: everything that an adapter has to do.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use memberlist_driver::bind;
use memberlist_proto::{
    Config, Event, Instant, LookupFailure, Memberlist, Peer, StreamFailure, StreamId, StreamOp,
};
/// The time between two checks of the sockets: nothing here wakes up when one becomes ready.
const TURN: Duration = Duration::from_millis(2);

struct Node {
    core: Memberlist,
    udp: UdpSocket,
    tcp: TcpListener,
    streams: BTreeMap<StreamId, Stream>,
    origin: std::time::Instant,
}

struct Stream {
    socket: TcpStream,
    unwritten: Vec<u8>,
    /// Whether the peer has ended its side.
    heard: bool,
    closing: bool,
}

impl Node {
    fn start(name: &str) -> Result<Self, Box<dyn Error>> {
        let (tcp, udp) = bind::sockets("127.0.0.1:0".parse()?)?;
        tcp.set_nonblocking(true)?;
        udp.set_nonblocking(true)?;
        let mut config = Config::local(name);
        config.advertise_port = udp.local_addr()?.port();
        let core = Memberlist::new(Instant::from_nanos(1), config, None, bind::seed()?)?;
        Ok(Self { core, udp, tcp, streams: BTreeMap::new(), origin: std::time::Instant::now() })
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(self.origin.elapsed().as_nanos() as u64)
    }

    /// Reads what has arrived, handles timeouts, and writes the core's output.
    fn turn(&mut self) {
        let mut buffer = vec![0; 65_536];
        while let Ok((len, from)) = self.udp.recv_from(&mut buffer) {
            // A real adapter would log the error.
            let _ = self.core.handle_packet(self.now(), from, &buffer[..len]);
        }
        while let Ok((socket, from)) = self.tcp.accept() {
            if let Some(id) = self.core.accept_stream(self.now(), from) {
                self.keep(id, socket);
            }
        }
        for id in self.streams.keys().copied().collect::<Vec<_>>() {
            self.read_and_write(id, &mut buffer);
        }
        self.core.handle_timeout(self.now());
        while let Some(op) = self.core.poll_stream() {
            self.carry_out(op);
        }
        while let Some(packet) = self.core.poll_transmit() {
            if self.udp.send_to(&packet.payload, packet.to).is_err() {
                self.core.handle_transmit_failed(self.now(), &packet);
            }
        }
        while let Some(lookup) = self.core.poll_lookup() {
            self.core.handle_lookup(self.now(), lookup.id, Err(LookupFailure::NotFound));
        }
        thread::sleep(TURN);
    }

    fn keep(&mut self, id: StreamId, socket: TcpStream) {
        let _ = socket.set_nonblocking(true);
        let stream = Stream { socket, unwritten: Vec::new(), heard: false, closing: false };
        self.streams.insert(id, stream);
    }

    fn carry_out(&mut self, op: StreamOp) {
        match op {
            StreamOp::Connect { id, to, .. } => match TcpStream::connect_timeout(&to, TURN * 50) {
                Ok(socket) => {
                    self.keep(id, socket);
                    self.core.handle_stream_connected(self.now(), id);
                }
                Err(_) => self.end(id, Some(StreamFailure::Refused)),
            },
            StreamOp::Write { id, data } => {
                self.streams.entry(id).and_modify(|it| it.unwritten.extend_from_slice(&data));
            }
            StreamOp::Close { id } => {
                self.streams.entry(id).and_modify(|it| it.closing = true);
            }
            StreamOp::Abort { id } => self.end(id, None),
        }
    }

    fn read_and_write(&mut self, id: StreamId, buffer: &mut [u8]) {
        let now = self.now();
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if !stream.heard {
            match stream.socket.read(buffer) {
                Ok(0) => {
                    stream.heard = true;
                    self.core.handle_stream_eof(now, id);
                }
                // An event also reports why an exchange failed.
                Ok(len) => drop(self.core.handle_stream_data(now, id, &buffer[..len])),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return self.end(id, Some(StreamFailure::Reset)),
            }
        }
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if let Ok(len) = stream.socket.write(&stream.unwritten) {
            stream.unwritten.drain(..len);
            self.core.handle_stream_written(now, id, len);
        }
        if stream.closing && stream.unwritten.is_empty() {
            self.end(id, None);
        }
    }

    fn end(&mut self, id: StreamId, cause: Option<StreamFailure>) {
        self.streams.remove(&id);
        self.core.handle_stream_closed(self.now(), id, cause);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut one, mut two) = (Node::start("one")?, Node::start("two")?);
    two.core.join(two.now(), &[Peer::from(one.udp.local_addr()?)]);
    while one.core.num_members() < 2 || two.core.stats().counters.probes == 0 {
        for node in [&mut one, &mut two] {
            node.turn();
            while let Some(event) = node.core.poll_event() {
                if let Event::Joined { node: member } = event {
                    println!("{} sees {}", node.core.local().name(), member.name());
                }
            }
        }
    }
    Ok(())
}
