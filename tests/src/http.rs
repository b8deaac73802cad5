//! As much of HTTP as is needed to talk to Alertmanager.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);

/// A status code and a body.
#[derive(Debug)]
pub struct Response {
    /// The status code, such as 200.
    pub status: u16,
    /// The body as it was received.
    pub body: String,
}

/// Sends one request, and returns the reply. It is of HTTP 1.0, so that the reply is not chunked
/// and the connection is closed after it.
///
/// # Errors
/// The connection or the reply failed, for this reason.
pub fn request(
    server: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
) -> Result<Response, String> {
    let mut stream = TcpStream::connect_timeout(&server, TIMEOUT).map_err(|e| e.to_string())?;
    stream.set_read_timeout(Some(TIMEOUT)).map_err(|e| e.to_string())?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: {server}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).map_err(|e| e.to_string())?;
    stream.write_all(body.as_bytes()).map_err(|e| e.to_string())?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).map_err(|e| e.to_string())?;
    let (head, body) = reply.split_once("\r\n\r\n").ok_or("the reply has no body")?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Response { status: status.ok_or("the reply has no status")?, body: body.to_owned() })
}
