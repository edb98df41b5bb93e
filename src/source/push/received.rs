//! Records that are posted: `POST` with one JSON object per line. One partition; cannot be read again.
//!
//! Lines go into a bounded queue. When the engine falls behind, the queue is full and requests wait: the client's connection stalls, and
//! nothing is dropped. A request is answered when its last line has found room, so what was answered 202 is in memory, not yet in a match. One with
//! `?ack=commit` is answered when an epoch with its records is committed: then no crash takes them away.

use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::HttpBody as _;
use axum::http::{HeaderValue, Method, StatusCode, header};
use flate2::write::MultiGzDecoder;
use std::io::Write as _;
use tokio::sync::mpsc::{self, error::TryRecvError};

use super::Address;
use super::commit::{Ack, Commits, Desk, NoAck, Reserved, Waiting};
use crate::epoch::Epoch;
use crate::event::formats::RECORD_BYTES_MAX;
use crate::event::formats::split::trim_end;
use crate::http::{self, Listener, Mounted, Request, Response, Taken};
use crate::source::{Error, Extent, Polled, Progress, Record, Source, SourcePosition};
use crate::time::Timestamp;

/// How many pieces of bodies wait; each holds as much as was received at once, and at most one record more.
const PIECES: usize = 16;

/// How many records a poll hands out.
const BATCH: usize = 1_024;

/// How much of a packed body is unpacked at once: so much may become a thousand times as much.
const PACKED_BYTES: usize = 1_024;

/// How long a source that ends lets requests be answered that wait; those in the midst of their body may take longer than that.
const LEAVE: Duration = Duration::from_millis(200);

/// What waits in the queue.
#[derive(Debug)]
enum Item {
    Lines(Piece),
    /// Of a request whose lines are all before it.
    Ack(Ack),
}

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
    queue: mpsc::Receiver<Item>,
    piece: Piece,
    /// How much of the piece was given out.
    taken: usize,
    given: u64,
    waiting: Waiting,
    /// Kept last: it waits for answers that say why there is no other.
    _leaving: Leaving,
}

/// Held by every request of a source; dropped by the source, it gives the others a moment.
#[derive(Debug)]
struct Leaving(Arc<()>);

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
        let (desk, waiting) = Desk::new();
        let here = Arc::new(());
        let leaving = Leaving(Arc::clone(&here));
        let answering = Arc::new(move |request| -> http::Answer {
            let (receiving, here) = (Receiving::new(sender.clone()), Arc::clone(&here));
            let answer = receive(request, receiving, desk.clone());
            Box::pin(async move {
                let response = answer.await;
                drop(here);
                response
            })
        });
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
            waiting,
            _leaving: leaving,
        })
    }

    /// Fetches the next lines; false when there are none. Requests whose lines were all given out wait for an epoch from now on.
    fn fetch(&mut self) -> bool {
        loop {
            match self.queue.try_recv() {
                Ok(Item::Lines(piece)) => {
                    (self.piece, self.taken) = (piece, 0);
                    return true;
                }
                Ok(Item::Ack(ack)) => self.waiting.add(ack),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// The address that is listened at, with the port that the system chose.
    #[must_use]
    pub fn address(&self) -> std::net::SocketAddr {
        self.mounted.address()
    }
}

impl Source for HttpPush {
    fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<Polled, Error> {
        if !self.waiting.is_known() {
            self.waiting.tell(Commits::Never);
        }
        if self.taken == self.piece.bytes.len() && !self.fetch() {
            return Ok(Polled::Waiting);
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
        if self.taken == self.piece.bytes.len() {
            self.fetch();
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

    /// None: what was posted is gone. But what was handed out until now belongs to the epoch that ends here.
    fn positions(&self) -> Option<Vec<(u32, SourcePosition)>> {
        self.waiting.barrier();
        None
    }

    /// There is nowhere to go on; but a run that asks for it keeps state, and commits.
    fn seek(&mut self, _: &[(u32, SourcePosition)]) -> Result<(), Error> {
        self.waiting.tell(Commits::Yes);
        Ok(())
    }

    fn committed(&mut self, epoch: Epoch) -> Result<(), Error> {
        self.waiting.committed(epoch);
        Ok(())
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let began = Instant::now();
        while Arc::strong_count(&self.0) > 1 && began.elapsed() < LEAVE {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A request that cannot be taken, or not to its end.
#[derive(Debug, PartialEq, Eq)]
struct Refused(StatusCode, String);

/// When a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AckAt {
    /// When its records are in memory.
    Memory,
    /// When an epoch with them is committed.
    Commit,
}

/// A body on its way to the queue.
struct Receiving {
    queue: mpsc::Sender<Item>,
    /// The beginning of a line.
    rest: Vec<u8>,
    accepted: u64,
}

async fn receive(request: Request, mut receiving: Receiving, desk: Desk) -> Response {
    let place = request.extensions().get::<http::Place>().cloned();
    let reserved = match asked(&request) {
        Ok(AckAt::Memory) => Ok(None),
        Ok(AckAt::Commit) => reserve(&desk).await.map(Some),
        Err(refused) => Err(refused),
    };
    let reserved = match reserved {
        Ok(reserved) => reserved,
        Err(refused) => return answer(0, None, Err(refused)),
    };
    let received = receiving.request(request).await;
    let Some(reserved) = reserved else {
        return answer(receiving.accepted, None, received);
    };
    // All that it held has been handed on.
    if let Some(place) = place {
        place.leave();
    }
    match committed(&receiving.queue, reserved).await {
        Some(epoch) => answer(receiving.accepted, Some(epoch), received),
        None => {
            let what =
                "the run ended before an epoch with these records was committed; send them again";
            let refused = Refused(StatusCode::SERVICE_UNAVAILABLE, what.to_owned());
            answer(0, None, Err(refused))
        }
    }
}

/// What a request asks for. Parts of the query that are not known are for others on the way.
fn asked(request: &Request) -> Result<AckAt, Refused> {
    if request.method() != Method::POST {
        let what = "post one JSON object per line".to_owned();
        return Err(Refused(StatusCode::METHOD_NOT_ALLOWED, what));
    }
    let mut ack = AckAt::Memory;
    for part in request.uri().query().unwrap_or_default().split('&') {
        match part.split_once('=').unwrap_or((part, "")) {
            ("ack", "commit") => ack = AckAt::Commit,
            ("ack", other) => {
                let what = format!("ack={other} is not known; write ack=commit, or leave it away");
                return Err(Refused(StatusCode::BAD_REQUEST, what));
            }
            _ => {}
        }
    }
    Ok(ack)
}

/// A place for a request that wants to wait.
async fn reserve(desk: &Desk) -> Result<Reserved, Refused> {
    desk.reserve().await.map_err(|none| match none {
        NoAck::Never => Refused(
            StatusCode::BAD_REQUEST,
            "ack=commit: this run keeps no state, so nothing is ever committed; start it with state, or post without ack=commit".to_owned(),
        ),
        NoAck::TooMany => Refused(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many requests wait for an epoch to be committed; send more records with each".to_owned(),
        ),
        NoAck::Stopping => Refused(StatusCode::SERVICE_UNAVAILABLE, "stopping".to_owned()),
    })
}

/// Waits until all that is in the queue is committed; `None` when it never will be.
async fn committed(queue: &mpsc::Sender<Item>, reserved: Reserved) -> Option<Epoch> {
    let (ack, told) = reserved.ack();
    queue.send(Item::Ack(ack)).await.ok()?;
    told.await.ok()
}

/// What became of a request: how many records are in the queue, or in an epoch, whatever went wrong after them.
fn answer(accepted: u64, epoch: Option<Epoch>, received: Result<(), Refused>) -> Response {
    let mut body = serde_json::json!({ "accepted": accepted });
    if let Some(Epoch(epoch)) = epoch {
        body["epoch"] = epoch.into();
    }
    let status = match received {
        Ok(()) if epoch.is_some() => StatusCode::OK,
        Ok(()) => StatusCode::ACCEPTED,
        Err(Refused(status, error)) => {
            body["error"] = error.into();
            status
        }
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
    fn new(queue: mpsc::Sender<Item>) -> Receiving {
        Receiving {
            queue,
            rest: Vec::new(),
            accepted: 0,
        }
    }

    async fn request(&mut self, request: Request) -> Result<(), Refused> {
        let (head, mut body) = request.into_parts();
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
            if self.queue.send(Item::Lines(piece)).await.is_err() {
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

    /// One that belongs to a run with state.
    fn durable(path: &str) -> HttpPush {
        let mut push = open(path, 0);
        push.seek(&[]).expect("never fails");
        push
    }

    fn posting(at: SocketAddr, path: &str, body: &str) -> thread::JoinHandle<(u16, String)> {
        let (path, body) = (path.to_owned(), body.to_owned());
        thread::spawn(move || post(at, &path, body.as_bytes()))
    }

    /// Polls until so many records were handed out, and a little longer.
    #[track_caller]
    fn hand_out(push: &mut HttpPush, count: usize) {
        let (mut seen, mut quiet, began) = (0, 0, Instant::now());
        while quiet < 30 {
            seen += records(push).len();
            quiet = if seen == count { quiet + 1 } else { 0 };
            assert!(
                seen <= count && began.elapsed() < Duration::from_secs(20),
                "{seen}"
            );
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_request_is_answered_when_an_epoch_with_its_records_is_committed() {
        let mut push = durable("/events");
        let at = push.address();
        let first = posting(at, "/events?ack=commit&team=7", "{\"a\":1}\n{\"a\":2}");
        hand_out(&mut push, 2);
        assert!(!first.is_finished());
        assert_eq!(push.positions(), None);
        // Handed out behind the barrier: the next epoch has it.
        let second = posting(at, "/events?ack=commit", "{\"a\":3}\n");
        hand_out(&mut push, 1);
        assert!(!first.is_finished());
        push.committed(Epoch(7)).unwrap();
        let committed = |n, epoch| (200, format!("{{\"accepted\":{n},\"epoch\":{epoch}}}"));
        assert_eq!(first.join().unwrap(), committed(2, 7));
        // An epoch that was given up is not committed; the next one has its records, too.
        assert_eq!(push.positions(), None);
        thread::sleep(Duration::from_millis(30));
        assert!(!second.is_finished());
        let third = posting(at, "/events?ack=commit", "{\"a\":4}");
        hand_out(&mut push, 1);
        assert_eq!(push.positions(), None);
        push.committed(Epoch(9)).unwrap();
        assert_eq!(second.join().unwrap(), committed(1, 9));
        assert_eq!(third.join().unwrap(), committed(1, 9));
        // One without records waits for all that was posted before it.
        assert_eq!(post(at, "/events", b"{\"a\":5}").0, 202);
        let all = posting(at, "/events?ack=commit", "");
        hand_out(&mut push, 1);
        push.positions();
        push.committed(Epoch(10)).unwrap();
        assert_eq!(all.join().unwrap(), committed(0, 10));
    }

    #[test]
    fn lines_before_one_that_is_refused_are_committed_when_that_is_answered() {
        let mut push = durable("/events");
        let at = push.address();
        let large = format!("{{}}\n{}\n", "x".repeat(RECORD_BYTES_MAX + 2));
        let posted = posting(at, "/events?ack=commit", &large);
        hand_out(&mut push, 1);
        assert!(!posted.is_finished());
        push.positions();
        push.committed(Epoch(1)).unwrap();
        let (status, body) = posted.join().unwrap();
        assert!(
            status == 413 && body.starts_with("{\"accepted\":1,\"epoch\":1,\"error\":"),
            "{status} {body}"
        );
    }

    #[test]
    fn without_state_a_request_for_a_commit_is_refused_at_once() {
        let mut push = open("/events", 0);
        let at = push.address();
        // It is not known yet.
        let early = posting(at, "/events?ack=commit", "{}");
        thread::sleep(Duration::from_millis(100));
        assert!(!early.is_finished());
        assert_eq!(records(&mut push), []);
        let refused = "{\"accepted\":0,\"error\":\"ack=commit: this run keeps no state, so nothing is ever committed; start it with state, or post without ack=commit\"}";
        assert_eq!(early.join().unwrap(), (400, refused.to_owned()));
        assert_eq!(
            post(at, "/events?ack=commit", b"{}"),
            (400, refused.to_owned())
        );
        assert_eq!(records(&mut push), []);
        let (status, body) = post(at, "/events?ack=disk", b"{}");
        assert!(
            status == 400
                && body.contains("ack=disk is not known; write ack=commit, or leave it away"),
            "{body}"
        );
        assert_eq!(post(at, "/events?token=1", b"{}").0, 202);
    }

    #[test]
    fn a_request_that_waits_for_a_commit_is_told_when_the_run_ends() {
        let mut push = durable("/events");
        let at = push.address();
        let handed_out = posting(at, "/events?ack=commit", "{}");
        hand_out(&mut push, 1);
        push.positions();
        let waiting = posting(at, "/events?ack=commit", "{}\n{}\n");
        thread::sleep(Duration::from_millis(50));
        drop(push);
        let told = "{\"accepted\":0,\"error\":\"the run ended before an epoch with these records was committed; send them again\"}";
        for posted in [handed_out, waiting] {
            // Answered before the source is gone: a process that ends has nothing to say any more.
            assert_eq!(posted.join().unwrap(), (503, told.to_owned()));
        }
        let unknown = open("/events", 0);
        let posted = posting(unknown.address(), "/events?ack=commit", "{}");
        thread::sleep(Duration::from_millis(50));
        drop(unknown);
        let (status, body) = posted.join().unwrap();
        assert!(
            status == 503 && body.contains("stopping"),
            "{status} {body}"
        );
    }

    #[test]
    fn requests_that_wait_for_a_commit_keep_no_others_out_until_they_are_too_many() {
        let mut push = durable("/events");
        let at = push.address();
        let waiting: Vec<_> = (0..256)
            .map(|_| posting(at, "/events?ack=commit", "{}"))
            .collect();
        hand_out(&mut push, 256);
        let (status, body) = post(at, "/events?ack=commit", b"{}");
        assert!(
            status == 503
                && body.contains("\"accepted\":0")
                && body.contains("send more records with each"),
            "{status} {body}"
        );
        assert_eq!(post(at, "/events", b"{}").0, 202);
        push.positions();
        push.committed(Epoch(1)).unwrap();
        for posted in waiting {
            assert_eq!(posted.join().unwrap().0, 200);
        }
        // Clients that go away take no places with them.
        let body = "POST /events?ack=commit HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\n{}";
        for _ in 0..300 {
            TcpStream::connect(at)
                .unwrap()
                .write_all(body.as_bytes())
                .unwrap();
        }
        thread::sleep(Duration::from_millis(200));
        while !records(&mut push).is_empty() {
            thread::sleep(Duration::from_millis(20));
        }
        push.positions();
        push.committed(Epoch(2)).unwrap();
        let posted = posting(at, "/events?ack=commit", "{}");
        hand_out(&mut push, 1);
        push.positions();
        push.committed(Epoch(3)).unwrap();
        assert_eq!(posted.join().unwrap().0, 200);
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
