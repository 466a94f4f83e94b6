//! A bundle over HTTP: one GET, read as it comes. What makes it safe is its signature, not its way.
//!
//! Not here: names (an address is asked for by number), TLS, following to other places.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
/// A head has no more octets.
const HEAD: u64 = 16 * 1024;

fn wrong(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

/// The server and the path in `http://ADDRESS[:PORT]/PATH`.
fn parse(url: &str) -> io::Result<(SocketAddr, &str)> {
    let rest = url.strip_prefix("http://");
    let rest = rest.ok_or_else(|| wrong("an address is http://192.0.2.1:8000/release.bundle"))?;
    let end = rest.find('/').unwrap_or(rest.len());
    let (server, path) = rest.split_at(end);
    let with_port = || server.parse::<SocketAddr>().ok();
    let without = || Some(SocketAddr::new(server.parse::<IpAddr>().ok()?, 80));
    let address = with_port().or_else(without);
    let address = address.ok_or_else(|| wrong("the server is no number"))?;
    if path.bytes().any(|octet| !octet.is_ascii_graphic()) {
        return Err(wrong("the path has characters that no path has"));
    }
    Ok((address, if path.is_empty() { "/" } else { path }))
}

/// Opens what is at `url`.
///
/// # Errors
/// Where there is no server, or it does not give it.
pub(super) fn open(url: &str) -> io::Result<impl Read + use<>> {
    let (address, path) = parse(url)?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // HTTP/1.0: no pieces, and the connection ends with the body.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    body(BufReader::new(stream))
}

fn body<R: BufRead>(mut from: R) -> io::Result<R> {
    let mut head = from.by_ref().take(HEAD);
    let mut line = String::new();
    head.read_line(&mut line)?;
    let status = line.split(' ').nth(1).unwrap_or_default();
    if status != "200" {
        return Err(io::Error::other(format!("the server says {status:?}")));
    }
    loop {
        line.clear();
        head.read_line(&mut line)?;
        match line.as_str() {
            "\r\n" | "\n" => return Ok(from),
            "" => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_number_and_a_path() {
        let (address, path) = parse("http://192.0.2.1:8000/a/b.bundle").expect("right");
        assert_eq!(
            (address.to_string().as_str(), path),
            ("192.0.2.1:8000", "/a/b.bundle")
        );
        let (address, path) = parse("http://[2001:db8::1]:81").expect("right");
        assert_eq!(
            (address.to_string().as_str(), path),
            ("[2001:db8::1]:81", "/")
        );
        assert_eq!(parse("http://192.0.2.1/x").expect("right").0.port(), 80);
        for url in [
            "https://192.0.2.1/",
            "http://name/",
            "192.0.2.1",
            "http://192.0.2.1/a\r\nb",
        ] {
            assert!(parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn only_the_body_of_a_good_answer_is_read() {
        let answer = b"HTTP/1.0 200 OK\r\nContent-Type: x\r\n\r\nbody";
        let mut text = String::new();
        let mut rest = body(&answer[..]).expect("good");
        rest.read_to_string(&mut text).expect("text");
        assert_eq!(text, "body");
        assert!(body(&b"HTTP/1.0 404 Not Found\r\n\r\nbody"[..]).is_err());
        assert!(body(&answer[..30]).is_err());
        assert!(body(&b""[..]).is_err());
    }
}
