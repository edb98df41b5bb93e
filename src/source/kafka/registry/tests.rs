//! A registry that answers as it is told to, and what becomes of questions.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use super::address::RegistryAddress;
use super::asked::{Answer, Knowing, Registry};
use super::http::Client;
use super::unread;
use crate::event::formats::avro::Schemas;
use crate::event::formats::protobuf::Unread;
use crate::source::kafka::Described;
use crate::source::options::Options;

const PATIENCE: Duration = Duration::from_secs(60);

const TEXT: &str = r#"{"type":"record","name":"R","fields":[]}"#;

/// Answers in order, and what it was asked.
#[derive(Clone, Default)]
struct Scripted {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<u32>>>,
}

impl Scripted {
    fn new(answers: impl IntoIterator<Item = Answer>) -> Scripted {
        Scripted {
            answers: Arc::new(Mutex::new(answers.into_iter().collect())),
            asked: Arc::default(),
        }
    }

    fn asked(&self) -> Vec<u32> {
        self.asked.lock().unwrap().clone()
    }
}

impl Knowing for Scripted {
    fn ask(&self, id: u32) -> Answer {
        self.asked.lock().unwrap().push(id);
        let next = self.answers.lock().unwrap().pop_front();
        next.unwrap_or(Answer::Away("nothing is scripted".to_owned()))
    }
}

fn record(id: u32) -> Vec<u8> {
    [&[0][..], &id.to_be_bytes()].concat()
}

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "not within a minute: {what}");
        sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_number_is_asked_for_once_and_waited_for_while_nobody_answers() {
    let away = || Answer::Away("down".to_owned());
    let known = || Answer::Schema(TEXT.to_owned(), Vec::new());
    let scripted = Scripted::new([away(), away(), known(), Answer::Unknown]);
    let schemas = Schemas::new();
    let mut registry = Registry::new(schemas.clone(), Box::new(scripted.clone()));
    assert_eq!(registry.wanted(&record(7)), Some(7));
    let mut other = registry.clone();
    assert_eq!(other.wanted(&record(7)), Some(7));
    until("it is answered", || {
        registry.is_answered(7).expect("no failure")
    });
    assert_eq!(scripted.asked(), [7, 7, 7]);
    assert_eq!(registry.wanted(&record(7)), None);
    assert_eq!(other.wanted(&record(7)), None);
    // One that nobody knows is known to be unknown.
    assert_eq!(registry.wanted(&record(8)), Some(8));
    until("it is answered", || {
        registry.is_answered(8).expect("no failure")
    });
    assert_eq!(registry.wanted(&record(8)), None);
    assert_eq!(scripted.asked(), [7, 7, 7, 8]);
    // What has no number waits for nothing.
    assert_eq!(registry.wanted(b"{}"), None);
    assert_eq!(registry.wanted(b""), None);
}

#[test]
fn a_registry_that_refuses_fails_whoever_waits() {
    let scripted = Scripted::new([Answer::Refused("who are you".to_owned())]);
    let mut registry = Registry::new(Schemas::new(), Box::new(scripted));
    assert_eq!(registry.wanted(&record(7)), Some(7));
    until("it fails", || registry.is_answered(7).is_err());
    assert_eq!(registry.is_answered(7), Err("who are you".to_owned()));
}

/// Serves answers, one connection each, in order: by path, what is answered. Tells the heads of requests.
fn serve(answers: Vec<(&'static str, String)>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (told, heads): (Sender<String>, _) = channel();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.expect("a connection");
            let mut head = String::new();
            let mut lines = BufReader::new(&connection);
            while lines.read_line(&mut head).expect("a line") > 2 {}
            let path = head.split(' ').nth(1).unwrap_or_default();
            let found = answers.iter().find(|(known, _)| *known == path);
            let missing = answer(
                "404 Not Found",
                r#"{"error_code":40403,"message":"Schema not found"}"#,
            );
            let text = found.map_or(missing, |(_, text)| text.clone());
            connection.write_all(text.as_bytes()).expect("answered");
            let _ = told.send(head);
        }
    });
    (url, heads)
}

fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn client(options: &str) -> Client {
    let mut options = Options::parse(options).expect("options");
    let address = RegistryAddress::take(&mut options).expect("an address");
    Client::new(&address.expect("there is one")).expect("a client")
}

#[test]
fn answers_of_a_registry_mean_what_they_say() {
    let told = |body: &serde_json::Value| answer("200 OK", &body.to_string());
    let (url, heads) = serve(vec![
        ("/schemas/ids/1", told(&serde_json::json!({"schema": TEXT}))),
        (
            "/schemas/ids/2",
            told(&serde_json::json!({"schema": "…", "schemaType": "PROTOBUF"})),
        ),
        ("/schemas/ids/3", answer("503 Busy", "")),
        ("/schemas/ids/4", answer("401 Unauthorized", "")),
        ("/schemas/ids/5", answer("404 Not Found", "<html>")),
        ("/schemas/ids/6", answer("200 OK", "<html>")),
        (
            "/schemas/ids/7",
            told(&serde_json::json!({"schema": TEXT, "references": [
                {"name": "geo.Place", "subject": "a/b c", "version": 3}]})),
        ),
        (
            "/subjects/a%2Fb%20c/versions/3",
            told(&serde_json::json!({"schema": "other", "references": [
                {"name": "geo.Place", "subject": "a/b c", "version": 3}]})),
        ),
        ("/", answer("200 OK", "{}")),
    ]);
    let client = client(&format!(
        "registry={url}/&registry.user=me&registry.password=pw"
    ));
    assert_eq!(client.check(), Ok(()));
    let schema = Answer::Schema(TEXT.to_owned(), vec![]);
    assert_eq!(client.ask(1), schema);
    assert_eq!(
        client.ask(2),
        Answer::Unusable("schema 2 is one of PROTOBUF, where Avro is read".to_owned())
    );
    let shown = |answer: Answer| format!("{answer:?}");
    assert!(shown(client.ask(3)).starts_with("Away("));
    let refused = shown(client.ask(4));
    assert!(
        refused.starts_with("Refused(") && refused.contains("registry.user"),
        "{refused}"
    );
    assert!(shown(client.ask(5)).contains("<html>; check that registry= is the address"));
    assert!(shown(client.ask(6)).contains("answers what is no schema"));
    assert_eq!(
        client.ask(7),
        Answer::Schema(TEXT.to_owned(), vec!["other".to_owned()])
    );
    assert_eq!(client.ask(8), Answer::Unknown);
    for head in heads.try_iter() {
        assert!(head.contains("Basic bWU6cHc="), "{head}");
    }
}

#[test]
fn of_several_registries_the_first_that_knows_answers() {
    let body = serde_json::json!({"schema": TEXT}).to_string();
    let (knows, _heads) = serve(vec![("/schemas/ids/1", answer("200 OK", &body))]);
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        format!("http://{}", listener.local_addr().expect("an address"))
    };
    let both = client(&format!("registry={nobody},{knows}"));
    assert_eq!(both.check(), Ok(()));
    assert_eq!(both.ask(1), Answer::Schema(TEXT.to_owned(), vec![]));
    // The one that is away may know it.
    assert!(matches!(both.ask(2), Answer::Away(_)));
    let none = client(&format!("registry={nobody}"));
    let error = none.check().unwrap_err();
    assert!(
        error.starts_with(&format!("no schema registry answers at {nobody}")),
        "{error}"
    );
}

#[test]
fn a_message_that_is_not_there_is_named_with_the_way_out() {
    let described = Described {
        descriptors: "shop.pb".into(),
        message: "shop.Paymnt".to_owned(),
        framed: false,
    };
    let names = ["shop.Place", "shop.Payment"].map(str::to_owned);
    let check = |why: Unread, wanted: &str| assert_eq!(unread(&why, &described), wanted);
    check(
        Unread::Missing(names.into()),
        "has no message \"shop.Paymnt\"; did you mean \"shop.Payment\"?",
    );
    check(
        Unread::Missing(vec!["other.Thing".to_owned(); 9]),
        "has no message \"shop.Paymnt\"; there are: other.Thing, other.Thing, other.Thing, other.Thing, other.Thing, other.Thing, other.Thing, other.Thing, …",
    );
    check(
        Unread::Descriptors("odd".to_owned()),
        "is no compiled descriptor file: odd; write it with protoc --include_imports --descriptor_set_out=FILE",
    );
}
