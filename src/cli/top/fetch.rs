//! Asks an engine how it is: one small request, so no client library for it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use leitmotif::engine::snapshot::Snapshot;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// The most an answer is read of, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Where an engine tells its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `host:port`
    authority: String,
    /// Before `/status`.
    path: String,
}

impl Address {
    /// Takes `http://127.0.0.1:9464` apart; scheme and, on this machine, host may be left out.
    ///
    /// # Errors
    /// When it is no such address.
    pub fn parse(text: &str) -> Result<Address> {
        let wrong = || {
            anyhow!(
                "\"{text}\" is no address of an engine; write one such as http://127.0.0.1:9464"
            )
        };
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            Some(("https", _)) => {
                bail!("\"{text}\": https is not spoken here; name the engine's own http address")
            }
            Some(_) => return Err(wrong()),
            None => text,
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "80"));
        if port.parse::<u16>().is_err()
            || host.contains(|c: char| c.is_whitespace() || c == '@')
            || rest.is_empty()
        {
            return Err(wrong());
        }
        let host = if host.is_empty() { "127.0.0.1" } else { host };
        let path = path.trim_end_matches('/');
        let path = path.strip_suffix("/status").unwrap_or(path);
        Ok(Address {
            authority: format!("{host}:{port}"),
            path: path.to_owned(),
        })
    }

    /// What the engine answers.
    ///
    /// # Errors
    /// When it can't be reached, or what answers is no engine.
    pub fn status(&self) -> Result<Snapshot> {
        let answer = self.ask().map_err(|error| {
            let why = match error.kind() {
                ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
                ErrorKind::TimedOut | ErrorKind::WouldBlock => format!("no answer within {}s", PATIENCE.as_secs()),
                _ => error.to_string(),
            };
            anyhow!("the engine at http://{} can't be reached: {why}; start it with leitmotif run … --http {}, or name another address", self.authority, self.authority)
        })?;
        let body = body(&answer);
        body.and_then(|body| serde_json::from_slice(body).ok()).ok_or_else(|| {
            anyhow!("what answers at http://{}{} is no engine of this version; name the address that leitmotif run was given with --http", self.authority, self.path)
        })
    }

    fn ask(&self) -> std::io::Result<Vec<u8>> {
        let mut last = std::io::Error::from(ErrorKind::AddrNotAvailable);
        for address in self.authority.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => return self.converse(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// In HTTP/1.0, whose answers come in one piece and end with the connection.
    fn converse(&self, mut stream: TcpStream) -> std::io::Result<Vec<u8>> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let Address { authority, path } = self;
        let request = format!(
            "GET {path}/status HTTP/1.0\r\nHost: {authority}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
        Ok(answer)
    }
}

/// The body of an answer that says that all is well.
fn body(answer: &[u8]) -> Option<&[u8]> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status = head.lines().next()?.split(' ').nth(1)?;
    (status == "200").then(|| &answer[end + 4..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_may_leave_out_what_is_clear() {
        let check = |text, authority: &str, path: &str| {
            let wanted = Address {
                authority: authority.to_owned(),
                path: path.to_owned(),
            };
            assert_eq!(Address::parse(text).unwrap(), wanted, "{text}");
        };
        check("http://127.0.0.1:9464", "127.0.0.1:9464", "");
        check("http://127.0.0.1:9464/", "127.0.0.1:9464", "");
        check("http://box/engines/3/", "box:80", "/engines/3");
        check(":9464/status", "127.0.0.1:9464", "");
        check("box:9464", "box:9464", "");
        check("[::1]:9464", "[::1]:9464", "");
        for wrong in ["", "ftp://a", "https://a:1", "a b:1", "a:x", "me@a:1"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_answers_that_say_all_is_well_have_a_body() {
        assert_eq!(body(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n{}"), Some(&b"{}"[..]));
        assert_eq!(body(b"HTTP/1.0 404 Not Found\r\n\r\n{}"), None);
        assert_eq!(body(b"SSH-2.0-x\r\n"), None);
        assert_eq!(body(b""), None);
    }
}
