//! Records that are posted: `POST` with one JSON object per line. One partition; cannot be read again.
//!
//! Lines go into a bounded queue. When the engine falls behind, the queue is full and requests wait: the client's connection stalls, and
//! nothing is dropped. A request is answered when its last line has found room, so what was answered 202 is in memory, not yet in a match.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::HttpBody as _;
use axum::http::{HeaderValue, Method, StatusCode, header};
use flate2::write::MultiGzDecoder;
use std::io::Write as _;
use tokio::sync::mpsc::{self, error::TryRecvError};

use super::Address;
use crate::event::formats::RECORD_BYTES_MAX;
use crate::event::formats::split::trim_end;
use crate::http::{self, Listener, Mounted, Request, Response, Taken};
use crate::source::{Error, Extent, Polled, Progress, Record, Source};
use crate::time::Timestamp;

/// How many pieces of bodies wait; each holds as much as was received at once, and at most one record more.
const PIECES: usize = 16;

/// How many records a poll hands out.
const BATCH: usize = 1_024;

/// How much of a packed body is unpacked at once: so much may become a thousand times as much.
const PACKED_BYTES: usize = 1_024;

/// Lines that arrived together.
#[derive(Debug, Default)]
struct Piece {
    bytes: Vec<u8>,
    arrived: Option<Timestamp>,
}

/// Takes records that are posted to an address.
#[derive(Debug)]
pub struct HttpPush {
    /// Kept before the queue, so that requests are refused before it is gone.
    mounted: Mounted,
    queue: mpsc::Receiver<Piece>,
    piece: Piece,
    /// How much of the piece was given out.
    taken: usize,
    given: u64,
}

impl HttpPush {
    /// Begins to listen. Sources of one address and different paths share it.
    ///
    /// # Errors
    /// When the address cannot be listened at, or another source has this path.
    pub fn open(address: &Address) -> Result<HttpPush, Error> {
        let failed = |reason: std::io::Error| {
            Error(format!(
                "source \"{address}\": cannot listen: {reason}; name another port or an address of this machine"
            ))
        };
        let at = address.resolve().map_err(failed)?;
        let listener = Listener::at(at).map_err(failed)?;
        let (sender, queue) = mpsc::channel(PIECES);
        let answering =
            Arc::new(move |request| -> http::Answer { Box::pin(receive(request, sender.clone())) });
        let mounted = listener.mount(&address.path, answering).map_err(|Taken| {
            Error(format!(
                "source \"{address}\": another source has this path; name another one"
            ))
        })?;
        Ok(HttpPush {
            mounted,
            queue,
            piece: Piece::default(),
            taken: 0,
            given: 0,
        })
    }

    /// The address that is listened at, with the port that the system chose.
    #[must_use]
    pub fn address(&self) -> std::net::SocketAddr {
        self.mounted.address()
    }
}

impl Source for HttpPush {
    fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<Polled, Error> {
        if self.taken == self.piece.bytes.len() {
            match self.queue.try_recv() {
                Ok(piece) => (self.piece, self.taken) = (piece, 0),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => {
                    return Ok(Polled::Waiting);
                }
            }
        }
        for _ in 0..BATCH {
            let rest = &self.piece.bytes[self.taken..];
            if rest.is_empty() {
                break;
            }
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            self.taken += rest.len().min(end + 1);
            let bytes = trim_end(&rest[..end]);
            if !bytes.is_empty() {
                self.given += 1;
                take(Record {
                    bytes,
                    partition: 0,
                    offset: self.given,
                    arrived: self.piece.arrived,
                    heads_file: false,
                });
            }
        }
        Ok(Polled::More)
    }

    fn partitions(&self) -> Vec<u32> {
        vec![0]
    }

    fn extent(&self) -> Extent {
        Extent::Unbounded
    }

    fn progress(&self) -> Option<Progress> {
        None
    }
}

/// A request that cannot be taken, or not to its end.
#[derive(Debug, PartialEq, Eq)]
struct Refused(StatusCode, String);

/// A body on its way to the queue.
struct Receiving {
    queue: mpsc::Sender<Piece>,
    /// The beginning of a line.
    rest: Vec<u8>,
    accepted: u64,
}

async fn receive(request: Request, queue: mpsc::Sender<Piece>) -> Response {
    let mut receiving = Receiving {
        queue,
        rest: Vec::new(),
        accepted: 0,
    };
    let received = receiving.request(request).await;
    answer(receiving.accepted, received)
}

/// What became of a request: how many records are in the queue, whatever went wrong after them.
fn answer(accepted: u64, received: Result<(), Refused>) -> Response {
    let (status, body) = match received {
        Ok(()) => (
            StatusCode::ACCEPTED,
            serde_json::json!({ "accepted": accepted }),
        ),
        Err(Refused(status, error)) => (
            status,
            serde_json::json!({ "accepted": accepted, "error": error }),
        ),
    };
    let mut response = Response::new(format!("{body}\n").into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    match status {
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        _ => {}
    }
    response
}

impl Receiving {
    async fn request(&mut self, request: Request) -> Result<(), Refused> {
        let (head, mut body) = request.into_parts();
        if head.method != Method::POST {
            let what = "post one JSON object per line".to_owned();
            return Err(Refused(StatusCode::METHOD_NOT_ALLOWED, what));
        }
        let packing = head.headers.get(header::CONTENT_ENCODING);
        let mut unpacking = match packing.map(HeaderValue::as_bytes) {
            None | Some(b"identity") => None,
            Some(b"gzip" | b"x-gzip") => Some(MultiGzDecoder::new(Vec::new())),
            Some(other) => {
                let other = String::from_utf8_lossy(other);
                let what =
                    format!("content-encoding \"{other}\" is not known; send gzip, or as it is");
                return Err(Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, what));
            }
        };
        let broken = |what: String| Refused(StatusCode::BAD_REQUEST, what);
        while let Some(frame) =
            std::future::poll_fn(|wait| Pin::new(&mut body).poll_frame(wait)).await
        {
            let frame = frame.map_err(|error| broken(format!("the body broke off: {error}")))?;
            let Ok(bytes) = frame.into_data() else {
                continue;
            };
            match &mut unpacking {
                None => self.feed(&bytes).await?,
                Some(decoder) => {
                    for part in bytes.chunks(PACKED_BYTES) {
                        decoder
                            .write_all(part)
                            .map_err(|error| broken(format!("no gzip: {error}")))?;
                        let unpacked = std::mem::take(decoder.get_mut());
                        self.feed(&unpacked).await?;
                    }
                }
            }
        }
        if let Some(mut decoder) = unpacking {
            decoder
                .try_finish()
                .map_err(|error| broken(format!("no gzip: {error}")))?;
            let unpacked = std::mem::take(decoder.get_mut());
            self.feed(&unpacked).await?;
        }
        // The last line may go without its break.
        let last = std::mem::take(&mut self.rest);
        self.pass_on(last).await
    }

    /// Takes some of the body and passes its whole lines on.
    async fn feed(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.rest.extend_from_slice(bytes);
        let whole = memchr::memrchr(b'\n', &self.rest).map_or(0, |last| last + 1);
        if whole > 0 {
            let rest = self.rest.split_off(whole);
            let lines = std::mem::replace(&mut self.rest, rest);
            self.pass_on(lines).await?;
        }
        // With room for a carriage return.
        if self.rest.len() > RECORD_BYTES_MAX + 1 {
            return Err(too_large());
        }
        Ok(())
    }

    /// Waits until the queue has room. Lines before one that is too large are taken.
    async fn pass_on(&mut self, mut bytes: Vec<u8>) -> Result<(), Refused> {
        let (mut count, mut start, mut refused) = (0, 0, None);
        while start < bytes.len() {
            let length = memchr::memchr(b'\n', &bytes[start..]).unwrap_or(bytes.len() - start);
            let line = trim_end(&bytes[start..start + length]);
            if line.len() > RECORD_BYTES_MAX {
                bytes.truncate(start);
                refused = Some(too_large());
                break;
            }
            count += u64::from(!line.is_empty());
            start += length + 1;
        }
        if count > 0 {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            let arrived = since
                .ok()
                .and_then(|since| i64::try_from(since.as_millis()).ok());
            let piece = Piece {
                bytes,
                arrived: arrived.map(Timestamp),
            };
            if self.queue.send(piece).await.is_err() {
                let what = "stopping".to_owned();
                return Err(Refused(StatusCode::SERVICE_UNAVAILABLE, what));
            }
            self.accepted += count;
        }
        refused.map_or(Ok(()), Err)
    }
}

fn too_large() -> Refused {
    let what = format!("a line is larger than {RECORD_BYTES_MAX} bytes");
    Refused(StatusCode::PAYLOAD_TOO_LARGE, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader, Read as _, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::thread;
    use std::time::{Duration, Instant};

    fn open(path: &str, port: u16) -> HttpPush {
        HttpPush::open(&Address {
            host: "127.0.0.1".to_owned(),
            port,
            path: path.to_owned(),
        })
        .expect("a free port")
    }

    /// Sends a request and gives back status and body.
    fn send(at: SocketAddr, head: &str, body: &[u8]) -> (u16, String, String) {
        let mut stream = TcpStream::connect(at).unwrap();
        let length = body.len();
        let _ = write!(
            stream,
            "{head} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        );
        // A server that refuses may not read all of it.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.trim_end().to_owned(), head.to_lowercase())
    }

    fn post(at: SocketAddr, path: &str, body: &[u8]) -> (u16, String) {
        let (status, body, _) = send(at, &format!("POST {path}"), body);
        (status, body)
    }

    fn records(push: &mut HttpPush) -> Vec<(u64, String)> {
        let mut records = Vec::new();
        while push
            .poll(&mut |record| {
                assert!(record.arrived.is_some());
                let text = String::from_utf8_lossy(record.bytes).into_owned();
                records.push((record.offset, text));
            })
            .expect("never fails")
            != Polled::Waiting
        {}
        records
    }

    #[test]
    fn posted_lines_are_records_and_their_number_is_answered() {
        let mut push = open("/events", 0);
        assert_eq!(records(&mut push), []);
        let at = push.address();
        let accepted = |n| (202, format!("{{\"accepted\":{n}}}"));
        assert_eq!(post(at, "/events", b"{\"a\":1}"), accepted(1));
        assert_eq!(
            post(at, "/events", b"{\"a\":2}\r\n\n{\"a\":3}\n"),
            accepted(2)
        );
        assert_eq!(post(at, "/events", b""), accepted(0));
        let wanted = [(1, "{\"a\":1}"), (2, "{\"a\":2}"), (3, "{\"a\":3}")];
        let wanted = wanted.map(|(offset, text)| (offset, text.to_owned()));
        assert_eq!(records(&mut push), wanted);
    }

    #[test]
    fn a_packed_body_is_unpacked() {
        let mut push = open("/events", 0);
        let text: String = (0..20_000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        let packed = encoder.finish().unwrap();
        let head = "POST /events HTTP/1.1\r\ncontent-encoding: gzip\r\nx:";
        let at = push.address();
        let whole = packed.clone();
        let sending = thread::spawn(move || send(at, head, &whole));
        let mut lines = Vec::new();
        while lines.len() < 20_000 {
            lines.extend(records(&mut push).into_iter().map(|(_, line)| line));
            thread::sleep(Duration::from_millis(1));
        }
        assert!(lines.iter().map(String::as_str).eq(text.lines()));
        assert_eq!(sending.join().unwrap().0, 202);
        let (status, body, _) = send(at, head, b"plain");
        assert!(status == 400 && body.contains("no gzip"), "{status} {body}");
        let head = "POST /events HTTP/1.1\r\ncontent-encoding: br\r\nx:";
        assert_eq!(send(at, head, b"").0, 415);
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let mut push = open("/events", 0);
        let at = push.address();
        let (status, _, head) = send(at, "GET /events", b"");
        assert!(status == 405 && head.contains("allow: post"), "{head}");
        let (status, body) = post(at, "/other", b"{}");
        assert_eq!(
            (status, body.as_str()),
            (404, "nothing is here; paths are /events")
        );
        // Lines before the one that is too large are taken.
        for tail in ["", "\n"] {
            let large = "x".repeat(RECORD_BYTES_MAX + 2);
            let body = format!("{{}}\n{large}{tail}");
            let (status, body) = post(at, "/events", body.as_bytes());
            assert_eq!(status, 413, "{body}");
            assert!(body.starts_with("{\"accepted\":1,"), "{body}");
        }
        let largest = "x".repeat(RECORD_BYTES_MAX);
        assert_eq!(post(at, "/events", largest.as_bytes()).0, 202);
        let lengths = records(&mut push)
            .iter()
            .map(|(_, line)| line.len())
            .collect::<Vec<_>>();
        assert_eq!(lengths, [2, 2, RECORD_BYTES_MAX]);
    }

    #[test]
    fn a_request_waits_while_the_queue_is_full_and_nothing_is_lost() {
        let mut push = open("/events", 0);
        let at = push.address();
        let body = b"{\"some\":\"record\"}\n".repeat(2_000_000);
        let sending = thread::spawn(move || post(at, "/events", &body));
        thread::sleep(Duration::from_millis(300));
        assert!(!sending.is_finished());
        let (mut count, began) = (0, Instant::now());
        while count < 2_000_000 {
            let mut one = 0;
            let polled = push.poll(&mut |_| one += 1).expect("never fails");
            assert!(one <= BATCH);
            count += one;
            if polled == Polled::Waiting {
                thread::sleep(Duration::from_millis(1));
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{count}");
        }
        let (status, body) = sending.join().unwrap();
        assert_eq!((status, body.as_str()), (202, "{\"accepted\":2000000}"));
    }

    #[test]
    fn a_request_that_waits_is_told_when_the_engine_stops() {
        let push = open("/events", 0);
        let at = push.address();
        let body = b"{\"some\":\"record\"}\n".repeat(2_000_000);
        let sending = thread::spawn(move || {
            let mut stream = TcpStream::connect(at).unwrap();
            write!(
                stream,
                "POST /events HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n",
                body.len()
            )
            .unwrap();
            let mut writing = stream.try_clone().unwrap();
            // The rest finds nobody.
            thread::spawn(move || writing.write_all(&body));
            let mut head = String::new();
            let mut lines = BufReader::new(stream).lines();
            while let Some(Ok(line)) = lines
                .next()
                .filter(|line| line.as_ref().is_ok_and(|line| !line.is_empty()))
            {
                head.push_str(&line.to_lowercase());
            }
            head
        });
        thread::sleep(Duration::from_millis(200));
        drop(push);
        let head = sending.join().unwrap();
        assert!(
            head.starts_with("http/1.1 503") && head.contains("retry-after: 1"),
            "{head}"
        );
    }

    #[test]
    fn sources_share_an_address_but_not_a_path() {
        let mut cards = open("/cards", 0);
        let at = cards.address();
        let mut sensors = open("/sensors", at.port());
        assert_eq!(post(at, "/cards", b"{\"card\":1}").0, 202);
        assert_eq!(post(at, "/sensors", b"{\"device\":1}").0, 202);
        assert_eq!(records(&mut cards), [(1, "{\"card\":1}".to_owned())]);
        assert_eq!(records(&mut sensors), [(1, "{\"device\":1}".to_owned())]);
        let address = Address {
            host: "localhost".to_owned(),
            port: at.port(),
            path: "/cards".to_owned(),
        };
        let taken = HttpPush::open(&Address {
            host: "127.0.0.1".to_owned(),
            ..address.clone()
        });
        let taken = taken.expect_err("taken").to_string();
        assert!(
            taken.ends_with("another source has this path; name another one"),
            "{taken}"
        );
        // One that has left is unavailable for a while, not unknown.
        drop(cards);
        assert_eq!(post(at, "/cards", b"{}").0, 503);
        let mut again = open("/cards", at.port());
        assert_eq!(post(at, "/cards", b"{}").0, 202);
        assert_eq!(records(&mut again), [(1, "{}".to_owned())]);
        // And when all have left, the address is free.
        drop((again, sensors));
        let socket = (0..100).find_map(|_| {
            thread::sleep(Duration::from_millis(10));
            std::net::TcpListener::bind(at).ok()
        });
        assert!(socket.is_some());
    }

    #[test]
    fn an_address_of_another_machine_is_refused() {
        let address = Address {
            host: "192.0.2.1".to_owned(),
            port: 80,
            path: "/".to_owned(),
        };
        let error = HttpPush::open(&address).expect_err("not here").to_string();
        assert!(
            error.starts_with("source \"http://192.0.2.1:80/\": cannot listen: "),
            "{error}"
        );
    }
}
