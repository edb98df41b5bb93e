//! Rows posted to whoever takes them by HTTP.
//!
//! Every row arrives at least once: what failed for a reason that may pass (no connection, 408, 429, 5xx) is sent again, waiting longer each time,
//! for ever unless told otherwise. Meanwhile rows pile up before this sink until sources pause. Whoever must not act twice looks at `match_id`. What
//! the receiver refuses for good ends the run.

use std::io::Read as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use ureq::Agent;
use ureq::http::{HeaderMap, StatusCode, Uri, header};

use super::receiver::{Body, Receiver};
use super::{Error, Retries, Sink};
use crate::source::generate::Random;

/// The first wait is about this long, each later one twice the one before.
const WAIT_MIN: Duration = Duration::from_millis(100);

/// The longest wait that nobody asked for.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The longest wait that a receiver may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// How long one request may take.
const REQUEST_MAX: Duration = Duration::from_secs(60);
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// How much of a refusal is shown.
const SHOWN_BYTES: usize = 200;

/// How much of an answer is read so that its connection can be used again.
const ANSWER_BYTES: u64 = 64 * 1024;

/// A request is sent before it grows beyond this.
const BODY_BYTES: usize = 1 << 20;

/// Posts rows.
#[derive(Debug)]
pub struct Webhook {
    agent: Agent,
    receiver: Receiver,
    authorization: Option<String>,
    /// Whole rows that were not posted.
    pending: Vec<u8>,
    waits: Waits,
    retries: Retries,
}

/// How long to wait before the next try.
#[derive(Debug)]
struct Waits {
    random: Random,
    /// Failures in a row.
    failures: u32,
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Taken,
    /// May work later; the receiver may have said when.
    Later(Option<Duration>),
    Refused,
}

/// Why a try failed.
enum Failure {
    /// Worth another one; not before so long.
    Passing(String, Option<Duration>),
    Lasting(String),
}

impl Webhook {
    /// Prepares to post; connects to nobody.
    ///
    /// # Errors
    /// When the address is none, or the variable with the token is not set.
    pub fn new(receiver: &Receiver) -> Result<Webhook, Error> {
        let usage = |reason: String| Error::usage(format!("output \"{receiver}\": {reason}"));
        if let Err(error) = receiver.url.parse::<Uri>() {
            return Err(usage(format!(
                "is no address: {error}; write such as https://alerts.example:8443/hook"
            )));
        }
        let authorization = match &receiver.bearer {
            None => None,
            Some(name) => match std::env::var(name) {
                Ok(token) => Some(format!("Bearer {token}")),
                Err(error) => {
                    return Err(usage(format!(
                        "bearer={name}: {error}; put the token into this variable"
                    )));
                }
            },
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_global(Some(REQUEST_MAX))
            .user_agent(concat!("leitmotif/", env!("CARGO_PKG_VERSION")))
            .build();
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let seed = since.map_or(0, |since| since.as_nanos() as u64);
        Ok(Webhook {
            agent: Agent::new_with_config(config),
            receiver: receiver.clone(),
            authorization,
            pending: Vec::new(),
            waits: Waits {
                random: Random::of(seed, 0),
                failures: 0,
            },
            retries: Retries::default(),
        })
    }

    /// Posts pending rows in requests as large as allowed; fewer rows than fill a request only when everything is to go.
    fn post_pending(&mut self, all: bool) -> Result<(), Error> {
        let pending = std::mem::take(&mut self.pending);
        let mut start = 0;
        while let Some(length) = self.request_length(&pending[start..], all) {
            let end = start + length;
            let body = match self.receiver.body {
                Body::Lines { .. } => &pending[start..end],
                // One JSON object, without the line break.
                Body::Object => pending[start..end].trim_ascii_end(),
            };
            self.post(body)?;
            start = end;
        }
        self.pending = pending;
        self.pending.drain(..start);
        Ok(())
    }

    /// How many bytes of these rows go into the next request; `None` when it would not be full, or there are none.
    fn request_length(&self, rows: &[u8], all: bool) -> Option<usize> {
        let rows_max = match self.receiver.body {
            Body::Lines { rows_max } => rows_max as usize,
            Body::Object => 1,
        };
        let mut length = 0;
        let ends = memchr::memchr_iter(b'\n', rows).map(|at| at + 1);
        for (count, end) in ends.enumerate() {
            if count == rows_max || (count > 0 && end > BODY_BYTES) {
                return Some(length);
            }
            length = end;
            if count + 1 == rows_max {
                return Some(length);
            }
        }
        (all && length > 0).then_some(length)
    }

    /// Posts until it is taken.
    fn post(&mut self, body: &[u8]) -> Result<(), Error> {
        let began = Instant::now();
        loop {
            let (reason, at_least) = match self.post_once(body) {
                Ok(()) => {
                    self.waits.failures = 0;
                    return Ok(());
                }
                Err(Failure::Passing(reason, at_least)) => (reason, at_least),
                Err(Failure::Lasting(reason)) => {
                    return Err(Error::usage(format!(
                        "output \"{}\": {reason}",
                        self.receiver
                    )));
                }
            };
            let wait = self.waits.next(at_least);
            if let Some(retry) = self
                .receiver
                .retry
                .filter(|retry| began.elapsed() + wait > *retry)
            {
                return Err(Error::usage(format!(
                    "output \"{}\": {reason}, and would not take rows within retry={retry:?}; see to the receiver, or allow it more time",
                    self.receiver
                )));
            }
            let output = &self.receiver;
            tracing::warn!(%output, %reason, ?wait, "rows were not taken; they are sent again");
            self.retries.again();
            std::thread::sleep(wait);
        }
    }

    fn post_once(&self, body: &[u8]) -> Result<(), Failure> {
        let kind = match self.receiver.body {
            Body::Lines { .. } => "application/x-ndjson",
            Body::Object => "application/json",
        };
        let mut request = self
            .agent
            .post(&self.receiver.url)
            .header(header::CONTENT_TYPE, kind);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let mut response = match request.send(body) {
            Ok(response) => response,
            Err(error) if lasts(&error) => return Err(Failure::Lasting(error.to_string())),
            Err(error) => return Err(Failure::Passing(error.to_string(), None)),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let mut answer = Vec::new();
        // An answer that breaks off is as good as what came of it.
        let _ = response
            .body_mut()
            .as_reader()
            .take(ANSWER_BYTES)
            .read_to_end(&mut answer);
        match verdict(status, &headers, Timestamp::now()) {
            Verdict::Taken => Ok(()),
            Verdict::Later(at_least) => {
                Err(Failure::Passing(format!("answered {status}"), at_least))
            }
            Verdict::Refused => {
                let location = headers
                    .get(header::LOCATION)
                    .filter(|_| status.is_redirection());
                let told = match location {
                    Some(location) => format!("moved to {location:?}; name that address"),
                    None => String::from_utf8_lossy(&answer[..answer.len().min(SHOWN_BYTES)])
                        .trim()
                        .to_owned(),
                };
                let told = match told.as_str() {
                    "" => "see to the receiver, or name another address",
                    told => told,
                };
                Err(Failure::Lasting(format!(
                    "rows were refused with {status}: {told}"
                )))
            }
        }
    }
}

/// Whether a request fails the same way next time.
fn lasts(error: &ureq::Error) -> bool {
    matches!(
        error,
        ureq::Error::BadUri(_)
            | ureq::Error::Http(_)
            | ureq::Error::InvalidProxyUrl
            | ureq::Error::TlsRequired
    )
}

fn verdict(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Verdict {
    if status.is_success() {
        return Verdict::Taken;
    }
    let passing = status.is_server_error()
        || status == StatusCode::REQUEST_TIMEOUT
        || status == StatusCode::TOO_MANY_REQUESTS;
    if !passing {
        return Verdict::Refused;
    }
    let after = headers
        .get(header::RETRY_AFTER)
        .and_then(|after| after.to_str().ok());
    Verdict::Later(after.and_then(|after| retry_after(after, now)))
}

/// Seconds, or a date.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let wait = match text.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = rfc2822::DateTimeParser::new()
                .parse_timestamp(text.trim())
                .ok()?;
            Duration::try_from(date.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

impl Waits {
    /// Twice as long each time; half of it by chance, so that many who failed together don't come back together.
    fn next(&mut self, at_least: Option<Duration>) -> Duration {
        let whole = WAIT_MIN
            .saturating_mul(2_u32.saturating_pow(self.failures))
            .min(WAIT_MAX);
        self.failures += 1;
        let half = whole / 2;
        let chance = Duration::from_micros(self.random.below(half.as_micros() as u64 + 1));
        (half + chance).max(at_least.unwrap_or_default())
    }
}

impl Sink for Webhook {
    fn write(&mut self, rows: &[u8]) -> Result<(), Error> {
        self.pending.extend_from_slice(rows);
        self.post_pending(false)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.post_pending(true)
    }

    fn retries(&self) -> Retries {
        self.retries.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver as Inbox, channel};
    use std::thread;

    /// What the server is to do with a request.
    #[derive(Clone, Copy)]
    enum Reply {
        Answer(&'static str),
        /// Take it and say nothing.
        HangUp,
    }

    const OK: Reply = Reply::Answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");

    /// Type and body of a request.
    type Got = (String, String);

    /// A server with a plan; the last reply is for all later requests.
    fn serve(plan: &'static [Reply]) -> (String, Inbox<Got>) {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook?team=7", server.local_addr().unwrap());
        let (sender, inbox) = channel();
        thread::spawn(move || {
            let mut at = 0;
            for stream in server.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                while let Some(got) = request(&mut stream) {
                    let reply = plan[at.min(plan.len() - 1)];
                    at += 1;
                    if sender.send(got).is_err() {
                        return;
                    }
                    match reply {
                        Reply::HangUp => break,
                        Reply::Answer(answer) => {
                            stream.get_mut().write_all(answer.as_bytes()).unwrap()
                        }
                    }
                }
            }
        });
        (url, inbox)
    }

    fn request(stream: &mut BufReader<std::net::TcpStream>) -> Option<Got> {
        let (mut kind, mut length, mut line) = (String::new(), 0, String::new());
        stream
            .read_line(&mut line)
            .ok()
            .filter(|count| *count > 0)?;
        assert_eq!(line, "POST /hook?team=7 HTTP/1.1\r\n");
        loop {
            line.clear();
            stream.read_line(&mut line).ok()?;
            if line == "\r\n" {
                break;
            }
            let (name, value) = line.split_once(':').unwrap();
            match name.to_lowercase().as_str() {
                "content-type" => kind = value.trim().to_owned(),
                "content-length" => length = value.trim().parse().unwrap(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        Some((kind, String::from_utf8(body).unwrap()))
    }

    fn webhook(url: &str, options: &str) -> Webhook {
        Webhook::new(&Receiver::parse(&format!("{url}#{options}")).unwrap()).unwrap()
    }

    fn bodies(inbox: &Inbox<Got>) -> Vec<String> {
        inbox.try_iter().map(|(_, body)| body).collect()
    }

    #[test]
    fn rows_are_posted_in_batches_and_the_rest_at_a_flush() {
        let (url, inbox) = serve(&[OK]);
        let mut sink = webhook(&url, "batch=2");
        sink.write(b"{\"n\":1}\n").unwrap();
        assert_eq!(bodies(&inbox), Vec::<String>::new());
        sink.write(b"{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n{\"n\":5}\n")
            .unwrap();
        assert_eq!(
            bodies(&inbox),
            ["{\"n\":1}\n{\"n\":2}\n", "{\"n\":3}\n{\"n\":4}\n"]
        );
        sink.flush().unwrap();
        let (kind, body) = inbox.try_recv().unwrap();
        assert_eq!(
            (kind.as_str(), body.as_str()),
            ("application/x-ndjson", "{\"n\":5}\n")
        );
        sink.flush().unwrap();
        assert_eq!(bodies(&inbox), Vec::<String>::new());
    }

    #[test]
    fn json_is_one_object_per_request() {
        let (url, inbox) = serve(&[OK]);
        let mut sink = webhook(&url, "format=json");
        sink.write(b"{\"n\":1}\n{\"n\":2}\n").unwrap();
        let got: Vec<Got> = inbox.try_iter().collect();
        let json = |body: &str| ("application/json".to_owned(), body.to_owned());
        assert_eq!(got, [json("{\"n\":1}"), json("{\"n\":2}")]);
    }

    #[test]
    fn a_request_stays_small_however_many_rows_it_may_hold() {
        let (url, inbox) = serve(&[OK]);
        let mut sink = webhook(&url, "batch=100000");
        let row = format!("\"{}\"\n", "x".repeat(BODY_BYTES / 3));
        sink.write(row.repeat(4).as_bytes()).unwrap();
        sink.flush().unwrap();
        let rows: Vec<usize> = bodies(&inbox)
            .iter()
            .map(|body| body.lines().count())
            .collect();
        assert_eq!(rows, [2, 2]);
    }

    #[test]
    fn what_fails_for_now_is_sent_again_until_it_is_taken() {
        const PLAN: &[Reply] = &[
            Reply::Answer("HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy"),
            Reply::HangUp,
            Reply::Answer("HTTP/1.1 429 Slow\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"),
            OK,
        ];
        let (url, inbox) = serve(PLAN);
        let mut sink = webhook(&url, "");
        let began = Instant::now();
        sink.write(b"{}\n").unwrap();
        sink.flush().unwrap();
        assert!(began.elapsed() >= Duration::from_secs(1));
        assert_eq!(bodies(&inbox), ["{}\n"; 4]);
        assert_eq!(sink.retries().count(), 3);
    }

    #[test]
    fn a_receiver_that_is_not_there_is_waited_for_no_longer_than_told() {
        let closed = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let mut sink = webhook(&format!("http://{closed}/hook"), "retry=300ms");
        sink.write(b"{}\n").unwrap();
        let error = sink.flush().expect_err("nobody there").to_string();
        assert!(
            error.starts_with(&format!("output \"http://{closed}/hook\": ")),
            "{error}"
        );
        assert!(error.contains("within retry=300ms"), "{error}");
        assert!(sink.retries().count() > 0);
    }

    #[test]
    fn what_is_refused_for_good_ends_the_run_and_says_why() {
        const LONG: &str = concat!(
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 252\r\n\r\n",
            "no such team",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        );
        let (url, _inbox) = serve(&[Reply::Answer(LONG)]);
        let mut sink = webhook(&url, "");
        sink.write(b"{}\n").unwrap();
        let error = sink.flush().expect_err("refused").to_string();
        let (shown, told) = error
            .split_once(": rows were refused with 400 Bad Request: ")
            .expect("why");
        assert!(
            shown.ends_with("/hook\"") && told.starts_with("no such team"),
            "{error}"
        );
        assert_eq!(told.len(), SHOWN_BYTES);
        const MOVED: Reply =
            Reply::Answer("HTTP/1.1 301 Moved\r\nlocation: http://b/\r\ncontent-length: 0\r\n\r\n");
        let (url, _inbox) = serve(&[MOVED]);
        let mut sink = webhook(&url, "");
        sink.write(b"{}\n").unwrap();
        let error = sink.flush().expect_err("moved").to_string();
        assert!(
            error.ends_with("moved to \"http://b/\"; name that address"),
            "{error}"
        );
        const GONE: Reply = Reply::Answer("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
        let (url, _inbox) = serve(&[GONE]);
        let mut sink = webhook(&url, "");
        sink.write(b"{}\n").unwrap();
        let error = sink.flush().expect_err("refused").to_string();
        assert!(
            error.ends_with("with 404 Not Found: see to the receiver, or name another address"),
            "{error}"
        );
    }

    #[test]
    fn a_token_that_is_not_there_is_said_at_once() {
        let receiver = Receiver::parse("http://a#bearer=LEITMOTIF_NO_SUCH_VARIABLE").unwrap();
        let error = Webhook::new(&receiver).expect_err("not set").to_string();
        assert!(
            error.ends_with("put the token into this variable"),
            "{error}"
        );
    }

    #[test]
    fn a_receiver_says_when_it_wants_to_be_asked_again() {
        let now: Timestamp = "2024-05-02T09:00:00Z".parse().unwrap();
        let seconds = |text| retry_after(text, now).map(|wait| wait.as_secs());
        assert_eq!(seconds("7"), Some(7));
        assert_eq!(seconds("86400"), Some(600));
        assert_eq!(seconds("Thu, 02 May 2024 09:00:30 GMT"), Some(30));
        assert_eq!(seconds("Thu, 02 May 2024 08:00:00 GMT"), Some(0));
        assert_eq!(seconds("soon"), None);
    }

    #[test]
    fn waits_grow_and_vary_within_their_bounds() {
        let mut waits = Waits {
            random: Random::of(1, 1),
            failures: 0,
        };
        let mut whole = WAIT_MIN;
        for _ in 0..40 {
            let wait = waits.next(None);
            assert!(wait >= whole / 2 && wait <= whole, "{wait:?} of {whole:?}");
            whole = (whole * 2).min(WAIT_MAX);
        }
        let asked = Duration::from_secs(100);
        assert_eq!(waits.next(Some(asked)), asked);
        let all: std::collections::BTreeSet<Duration> = (0..10).map(|_| waits.next(None)).collect();
        assert!(all.len() > 5);
    }
}
