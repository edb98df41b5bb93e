//! A topic keyed otherwise than a pattern is, written to another one first: two runs one after the other give what one run over the same events does.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::broker::{Broker, Sent, shared};

const PARTITIONS: i32 = 3;

/// Each a hundredth of a second after the other.
const EVENTS: u64 = 20_000;

const SHOPS: u64 = 40;

const TXN: &str = "event Txn { ts: timestamp time, card: string, shop: string, amount: decimal }";

const BY_SHOP: &str = "pattern by_shop {
  key card
  match t: Txn within 1s
  emit shop_txn { shop: t.shop, card, amount: t.amount }
}";

/// A payment as the first run has written it.
const SHOP_TXN: &str = "event ShopTxn {
  at: timestamp time from \"to\",
  shop: string,
  card: string from \"record.card\",
  amount: decimal from \"record.amount\",
}";

/// The same as it comes.
const AS_IT_COMES: &str =
    "event ShopTxn { at: timestamp time from \"ts\", shop: string, card: string, amount: decimal }";

const SHOPS_WATCHED: &str = "pattern busy_shop {
  key shop
  match t: ShopTxn{3,} tumble 10s
  having count(t) > 20
  emit busy { shop, payments: count(t), paid: sum(t.amount) }
}

pattern jump {
  key shop
  match small: ShopTxn where amount < 20
   then large: ShopTxn where amount > 970
  within 5s
  emit jumps { shop, small: small.card, large: large.card }
}";

/// Payments by card, dealt to partitions by that.
fn payments() -> Vec<Sent> {
    let mut chance = 7_u64;
    let mut below = |bound: u64| {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (chance >> 33) % bound
    };
    let payment = |number: u64| {
        let (card, shop, amount) = (below(500), below(SHOPS), below(1_000));
        let at = 1_700_000_000_000 + number * 10;
        Sent {
            partition: (card % PARTITIONS as u64) as i32,
            key: Some(format!("c{card}")),
            value: Some(format!(
                "{{\"ts\":{at},\"card\":\"c{card}\",\"shop\":\"s{shop}\",\"amount\":{amount}}}"
            )),
            ..Sent::default()
        }
    };
    (0..EVENTS).map(payment).collect()
}

fn run(folder: &Path, args: &[&str]) {
    let mut run = Command::new(env!("CARGO_BIN_EXE_leitmotif"));
    let done = run.current_dir(folder).arg("run").args(args).output();
    let done = done.expect("it runs");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    // One that came too late would be missed below; here it is said why.
    assert!(said.contains("+ 0 late + 0 malformed"), "{said}");
}

/// A row without what tells where its events lay.
fn told(row: &str) -> String {
    let mut row: Value = serde_json::from_str(row).expect("JSON");
    let members = row.as_object_mut().expect("a row");
    assert!(members.remove("match_id").is_some());
    row.to_string()
}

/// Every payment is in the topic once, under its shop, in the partition of that.
fn is_keyed_by_shop(broker: &Broker, topic: &str) {
    let mut partitions: BTreeMap<String, i32> = BTreeMap::new();
    let records = broker.read(topic, "read_committed");
    assert_eq!(records.len() as u64, EVENTS);
    for record in records {
        let row: Value =
            serde_json::from_str(record.value.as_deref().expect("a row")).expect("JSON");
        let key = record.key.expect("a key");
        assert_eq!(row["record"]["shop"], key.as_str());
        // The row's own key is still that of its pattern.
        assert_eq!(row["key"], row["record"]["card"]);
        let at = *partitions.entry(key).or_insert(record.partition);
        assert_eq!(at, record.partition);
    }
    assert_eq!(partitions.len() as u64, SHOPS);
    let used: std::collections::BTreeSet<i32> = partitions.values().copied().collect();
    assert!(used.len() > 1, "{partitions:?}");
}

#[test]
fn a_topic_that_is_keyed_anew_gives_the_alerts_of_one_run() {
    let Some(broker) = shared() else { return };
    let at = &broker.address;
    let cards = broker.topic("cards", PARTITIONS);
    broker.send(&cards, &payments());
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, parts: [&str; 2]| {
        fs::write(folder.path().join(name), parts.join("\n")).expect("written");
    };
    write("by_shop.motif", [TXN, BY_SHOP]);
    write("shops.motif", [SHOP_TXN, SHOPS_WATCHED]);
    write("alone.motif", [AS_IT_COMES, SHOPS_WATCHED]);

    let alone = format!("--source=ShopTxn=kafka://{at}/{cards}?end=latest");
    run(
        folder.path(),
        &["alone.motif", "--delay=1s", &alone, "--output=alone.ndjson"],
    );
    let text = fs::read_to_string(folder.path().join("alone.ndjson")).expect("rows");
    let mut wanted: Vec<String> = text.lines().map(told).collect();
    wanted.sort_unstable();
    let of = |output: &str| {
        let output = format!("\"output\":\"{output}\"");
        wanted.iter().filter(|row| row.contains(&output)).count()
    };
    assert!(of("busy") > 100 && of("jumps") > 100, "few rows say little");

    // By one process, whose rows are in order of time over all partitions; and by a group, where each partition comes as it comes.
    for (join, delay) in [(false, "--delay=1s"), (true, "--delay=10m")] {
        let [shops, alerts] = ["shop-txns", "alerts"].map(|name| broker.topic(name, 4));
        let group = |name: &str| format!("--join={name}-{alerts}");
        let (first, second) = (group("by-shop"), group("shops"));
        let state = |name: &str| format!("--state={name}-{alerts}");
        let (by_shop, of_shops) = (state("by-shop"), state("shops"));
        let source = format!("--source=Txn=kafka://{at}/{cards}?key=card&end=latest");
        let output = format!("--output=kafka://{at}/{shops}?key=shop");
        let mut args = vec!["by_shop.motif", "--delay=1s", "--checkpoint=200ms"];
        args.extend([&by_shop, &source, &output].map(String::as_str));
        if join {
            args.push(&first);
        }
        run(folder.path(), &args);
        is_keyed_by_shop(broker, &shops);

        let source = format!("--source=ShopTxn=kafka://{at}/{shops}?key=shop&end=latest");
        let output = format!("--output=kafka://{at}/{alerts}");
        let mut args = vec!["shops.motif", delay, "--checkpoint=200ms"];
        args.extend([&second, &of_shops, &source, &output].map(String::as_str));
        run(folder.path(), &args);
        let seen = broker.read(&alerts, "read_committed").into_iter();
        let mut seen: Vec<String> = seen.filter_map(|row| Some(told(&row.value?))).collect();
        seen.sort_unstable();
        assert!(
            seen == wanted,
            "{} rows instead of {}",
            seen.len(),
            wanted.len()
        );
    }
}
