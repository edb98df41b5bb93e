use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;
use std::time::Instant;

use leitmotif::engine::snapshot::Phase;

use super::*;
use crate::cli::sample;

fn local() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// A server whose snapshot and trouble can be changed while it runs.
struct Watched {
    server: Server,
    snapshot: Arc<Mutex<Snapshot>>,
    stuck: Arc<Mutex<Option<String>>>,
}

fn watched() -> Watched {
    let snapshot = Arc::new(Mutex::new(sample::snapshot()));
    let stuck = Arc::new(Mutex::new(None));
    let (seen, trouble) = (Arc::clone(&snapshot), Arc::clone(&stuck));
    let view = View {
        snapshot: Box::new(move || seen.lock().unwrap().clone()),
        stuck: Box::new(move || trouble.lock().unwrap().clone()),
    };
    Watched {
        server: Server::start(local(), view).unwrap(),
        snapshot,
        stuck,
    }
}

/// Status, headers and body.
fn get(address: SocketAddr, path: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

#[test]
fn metrics_are_served_as_their_format_wants() {
    let watched = watched();
    let (status, head, body) = get(watched.server.address(), "/metrics");
    assert_eq!(status, 200);
    assert!(
        head.contains(&format!("content-type: {}", metrics::CONTENT_TYPE)),
        "{head}"
    );
    assert!(
        body.contains("leitmotif_matches_total{pattern=\"busy_minute\"} 170\n"),
        "{body}"
    );
    watched.snapshot.lock().unwrap().patterns[1].matches = 171;
    let (_, _, body) = get(watched.server.address(), "/metrics");
    assert!(
        body.contains("leitmotif_matches_total{pattern=\"busy_minute\"} 171\n"),
        "{body}"
    );
}

#[test]
fn engine_is_ready_only_while_it_runs() {
    let watched = watched();
    let phases = [
        (
            Phase::Starting,
            503,
            r#"{"ready":false,"phase":"starting","why":"not all sources have been read from yet"}"#,
        ),
        (Phase::Running, 200, r#"{"ready":true,"phase":"running"}"#),
        (
            Phase::Stopping,
            503,
            r#"{"ready":false,"phase":"stopping","why":"it was asked to end and finishes what was read"}"#,
        ),
        (
            Phase::Ended,
            503,
            r#"{"ready":false,"phase":"ended","why":"it has ended"}"#,
        ),
    ];
    for (phase, wanted, said) in phases {
        watched.snapshot.lock().unwrap().phase = phase;
        let (status, _, body) = get(watched.server.address(), "/ready");
        assert_eq!((status, body.as_str()), (wanted, said));
    }
}

#[test]
fn engine_is_well_until_something_is_stuck() {
    let watched = watched();
    let (status, _, body) = get(watched.server.address(), "/health");
    assert_eq!((status, body.as_str()), (200, r#"{"healthy":true}"#));
    *watched.stuck.lock().unwrap() = Some("shard 1 has not answered for 30s".to_owned());
    let (status, _, body) = get(watched.server.address(), "/health");
    let said = r#"{"healthy":false,"why":"shard 1 has not answered for 30s"}"#;
    assert_eq!((status, body.as_str()), (503, said));
}

#[test]
fn status_is_the_whole_snapshot_and_patterns_are_a_part_of_it() {
    let watched = watched();
    let (status, _, body) = get(watched.server.address(), "/status");
    assert_eq!(status, 200);
    assert_eq!(
        serde_json::from_str::<Snapshot>(&body).unwrap(),
        sample::snapshot()
    );
    let (status, _, body) = get(watched.server.address(), "/patterns");
    assert_eq!(status, 200);
    let said = r#"{"name":"busy_minute","matches":170,"timeouts":3,"suppressed":4,"evicted":5,"partial_matches":[{"step":"window","count":9}]}]"#;
    assert!(body.ends_with(said), "{body}");
}

#[test]
fn unknown_page_names_those_that_exist() {
    let watched = watched();
    let (status, _, body) = get(watched.server.address(), "/metric");
    assert_eq!(status, 404);
    assert!(body.contains("/metrics"), "{body}");
}

#[test]
fn taken_address_is_told_with_the_way_out() {
    let watched = watched();
    let view = View {
        snapshot: Box::new(Snapshot::default),
        stuck: Box::new(|| None),
    };
    let address = watched.server.address();
    let error = Server::start(address, view).err().unwrap().to_string();
    assert_eq!(
        error,
        format!(
            "metrics can't be served at {address}: another process listens there; end it, or name another port with --http"
        )
    );
}

#[test]
fn dropped_server_listens_no_more_even_if_somebody_holds_on() {
    let watched = watched();
    let address = watched.server.address();
    let mut held = TcpStream::connect(address).unwrap();
    write!(held, "GET /health HTTP/1.1\r\nHost: x\r\n").unwrap();
    let began = Instant::now();
    drop(watched);
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(TcpStream::connect(address).is_err());
}
