//! A broker that wants TLS and a password, and allows no more than is needed.

use std::fs;

use assert_cmd::Command;

use super::broker::{Broker, Sent, shared};

const PATTERNS: &str = r#"event Txn { at: timestamp time, card: string, amount: int }
pattern large {
  key card
  match txn: Txn where amount > 500
  emit large { card, amount: txn.amount }
}
"#;

/// As the documentation has it.
const CONFIG: &str = r#"
[kafka]
"security.protocol" = "SASL_SSL"
"sasl.mechanism" = "SCRAM-SHA-512"
"sasl.username" = "leitmotif"
"sasl.password" = "${KAFKA_PASSWORD}"
"ssl.ca.location" = "CERTIFICATE"
"#;

/// The rights that the documentation names, in its words.
fn allow(broker: &Broker, read: &str, written: &str) {
    for right in [
        ["topic", read, "read", "describe"],
        ["topic", written, "write", "read"],
        ["group", "fraud", "read", "read"],
        ["transactional-id", "leitmotif-*", "write", "describe"],
        ["group", "leitmotif-*", "read", "read"],
    ] {
        broker.script(&[&["allow"], &right[..]].concat());
    }
}

#[test]
fn a_run_goes_from_topic_to_topic_by_tls_and_password_with_the_documented_rights() {
    let Some(broker) = shared().and_then(|_| Broker::start_with(&["--secured"])) else {
        return;
    };
    let (cards, alerts) = (broker.topic("cards", 2), broker.topic("alerts", 1));
    let record = |card: &str, amount| Sent {
        value: Some(format!(
            r#"{{"at":1700000000000,"card":"{card}","amount":{amount}}}"#
        )),
        ..Sent::default()
    };
    broker.send(
        &cards,
        &[record("c1", 900), record("c2", 1), record("c3", 901)],
    );
    let folder = tempfile::tempdir().expect("a folder");
    let at = broker.told("secured");
    let password = fs::read_to_string(broker.told("password")).expect("a password");
    fs::write(folder.path().join("p.motif"), PATTERNS).expect("written");
    let config = CONFIG.replace("CERTIFICATE", &broker.told("certificate"));
    fs::write(folder.path().join("leitmotif.toml"), config).expect("written");
    let run = |password: &str| {
        let done = Command::new(assert_cmd::cargo::cargo_bin!("leitmotif"))
            .current_dir(folder.path())
            .env("KAFKA_PASSWORD", password)
            .args(["run", "p.motif", "--config", "leitmotif.toml"])
            .args(["--state", "state", "--restart", "none"])
            .arg(format!(
                "--source=Txn=kafka://{at}/{cards}?group=fraud&end=latest"
            ))
            .arg(format!("--output=kafka://{at}/{alerts}"))
            .output();
        let done = done.expect("runs");
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!told.contains(password), "{told}");
        (done.status.success(), told)
    };
    let rows = || -> Vec<String> {
        let rows = broker.read(&alerts, "read_committed").into_iter();
        rows.map(|row| row.key.expect("a key")).collect()
    };
    let (fine, told) = run("something else");
    assert!(!fine && told.contains("uthentication"), "{told}");
    let (fine, told) = run(&password);
    assert!(
        !fine && told.contains("check the name") | told.contains("may not"),
        "{told}"
    );
    allow(&broker, &cards, &alerts);
    let (fine, told) = run(&password);
    assert!(fine, "{told}");
    assert_eq!(rows(), ["c1", "c3"]);
    // Goes on where the first run ended, with the same transactional id.
    broker.send(&cards, &[record("c4", 902)]);
    let (fine, told) = run(&password);
    assert!(fine, "{told}");
    assert_eq!(rows(), ["c1", "c3", "c4"]);
}
