//! A quiet morning of cards and one of devices, with a few stories in it that the patterns of `patterns/fraud` and `patterns/iot` find.
//!
//! Every record says its event type in the field `type`. Records are written in order of time.

use std::io::{self, Write};

use leitmotif::source::generate::Random;

/// What the two mornings start at.
const DAY: &str = "2024-05-02";
const NINE_MS: u64 = 9 * 3_600_000;

/// A list of records that is put in order at the end.
#[derive(Default)]
struct Morning {
    /// Milliseconds since nine o'clock, event type, fields but `type` and `at`.
    records: Vec<(u64, &'static str, String)>,
}

impl Morning {
    fn add(&mut self, at_ms: u64, ty: &'static str, fields: String) {
        self.records.push((at_ms, ty, fields));
    }

    fn write(mut self, out: &mut impl Write) -> io::Result<()> {
        self.records.sort_by_key(|(at_ms, ..)| *at_ms);
        for (at_ms, ty, fields) in self.records {
            let ms = NINE_MS + at_ms;
            let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
            writeln!(
                out,
                r#"{{"type":"{ty}","at":"{DAY}T{hour:02}:{minute:02}:{second:02}.{:03}Z",{fields}}}"#,
                ms % 1_000
            )?;
        }
        Ok(())
    }
}

const MERCHANTS: [&str; 12] = [
    "bakery-lune",
    "books-and-co",
    "city-parking",
    "corner-grocer",
    "fuel-stop-7",
    "gym-atlas",
    "hotel-mirabel",
    "metro-cards",
    "pharmacy-sol",
    "shoe-barn",
    "stream-tunes",
    "wine-cellar",
];

/// Name, latitude and longitude in thousandths of a degree.
const CITIES: [(i64, i64); 4] = [
    (48_857, 2_352),
    (52_520, 13_405),
    (40_417, -3_704),
    (51_507, -128),
];

fn degrees(thousandths: i64) -> String {
    let sign = if thousandths < 0 { "-" } else { "" };
    let size = thousandths.unsigned_abs();
    format!("{sign}{}.{:03}", size / 1_000, size % 1_000)
}

fn txn(card: u64, cents: u64, merchant: &str, status: &str, place: Option<(i64, i64)>) -> String {
    let place = place.map_or_else(String::new, |(lat, lon)| {
        format!(r#","lat":{},"lon":{}"#, degrees(lat), degrees(lon))
    });
    format!(
        r#""card":"c{card:03}","amount":{}.{:02},"merchant":"{merchant}","status":"{status}"{place}"#,
        cents / 100,
        cents % 100
    )
}

/// Minutes and seconds in milliseconds.
const fn at(minutes: u64, seconds: u64) -> u64 {
    minutes * 60_000 + seconds * 1_000
}

/// Three hours of cards, logins, transfers and cash deposits.
pub fn write_cards(out: &mut impl Write) -> io::Result<()> {
    let mut morning = Morning::default();
    shopping(&mut morning);
    banking(&mut morning);
    card_stories(&mut morning);
    bank_stories(&mut morning);
    morning.write(out)
}

/// Cards that pay near home, a few times each.
fn shopping(morning: &mut Morning) {
    for number in 0..280 {
        let mut random = Random::of(2, number);
        // Cards from 100 on: the stories have those below for themselves.
        let card = 100 + random.below(60);
        let (lat, lon) = CITIES[(card % 4) as usize];
        let place = (
            lat + random.below(40) as i64 - 20,
            lon + random.below(40) as i64 - 20,
        );
        let cents = if random.below(100) < 3 {
            random.between(280, 500)
        } else {
            random.between(600, 14_000)
        };
        let status = if random.below(100) < 4 {
            "declined"
        } else {
            "ok"
        };
        let merchant = MERCHANTS[random.below(12) as usize];
        let online = random.below(100) < 25;
        let fields = txn(card, cents, merchant, status, (!online).then_some(place));
        morning.add(random.below(at(180, 0)), "Txn", fields);
    }
}

/// People who log in, pay a bill and pay in some cash.
fn banking(morning: &mut Morning) {
    for user in 0..25 {
        let mut random = Random::of(3, user);
        let start = random.below(at(160, 0));
        let ip = format!(
            "81.{}.{}.{}",
            random.below(200),
            random.below(250),
            random.below(250)
        );
        let login = |known: bool, ok: bool| {
            format!(
                r#""user":"u{user:02}","ip":"{ip}","device":"phone-{user:02}","known":{known},"ok":{ok}"#
            )
        };
        if random.below(100) < 20 {
            morning.add(start, "Login", login(true, false));
        }
        morning.add(
            start + at(0, 12),
            "Login",
            login(random.below(100) < 90, true),
        );
        if random.below(100) < 60 {
            let fields = format!(
                r#""user":"u{user:02}","amount":{}.00,"payee":"p{:03}""#,
                random.between(20, 900),
                random.below(400)
            );
            morning.add(start + at(2, random.below(60)), "Transfer", fields);
        }
        if random.below(100) < 40 {
            let fields = format!(
                r#""account":"a{user:02}","amount":{}.00,"kind":"cash","branch":"b{}""#,
                random.between(5, 200) * 10,
                random.below(6)
            );
            morning.add(start + at(9, random.below(60)), "Deposit", fields);
        }
    }
}

fn card_stories(morning: &mut Morning) {
    // A probe of one euro, then the card is drained elsewhere.
    morning.add(at(21, 4), "Txn", txn(7, 100, "stream-tunes", "ok", None));
    morning.add(at(21, 52), "Txn", txn(7, 89_900, "gadget-hall", "ok", None));
    // The same shape at one merchant: no alert, but it stays on the watch list.
    morning.add(at(40, 0), "Txn", txn(8, 150, "city-parking", "ok", None));
    morning.add(
        at(41, 30),
        "Txn",
        txn(8, 62_000, "city-parking", "ok", None),
    );
    // A stolen number is tried at one merchant after the other.
    for (number, merchant) in MERCHANTS.iter().take(7).enumerate() {
        let number = number as u64;
        let fields = txn(13, 120 + 15 * number, merchant, "declined", None);
        morning.add(at(62, 9 * number), "Txn", fields);
    }
    // Paris, and half an hour later New York.
    morning.add(
        at(75, 0),
        "Txn",
        txn(21, 2_450, "bakery-lune", "ok", Some(CITIES[0])),
    );
    morning.add(
        at(104, 40),
        "Txn",
        txn(
            21,
            31_900,
            "fifth-avenue-shoes",
            "ok",
            Some((40_713, -74_006)),
        ),
    );
    // Eight purchases in forty seconds.
    for number in 0..8 {
        let fields = txn(
            34,
            4_900 + 700 * number,
            MERCHANTS[(number % 3) as usize],
            "ok",
            None,
        );
        morning.add(at(130, 5 * number), "Txn", fields);
    }
    // One terminal refuses card after card.
    for card in 40..46 {
        for attempt in 0..3 {
            let fields = txn(card, 1_999, "kiosk-12", "declined", None);
            morning.add(at(150, (card - 40) * 35 + attempt * 6), "Txn", fields);
        }
    }
}

fn bank_stories(morning: &mut Morning) {
    // A new device, a new password, the account is emptied.
    let login = r#""user":"u77","ip":"203.0.113.9","device":"desktop-x","known":false,"ok":true"#;
    morning.add(at(50, 0), "Login", login.to_owned());
    let change = r#""user":"u77","ip":"203.0.113.9""#;
    morning.add(at(53, 10), "PasswordChange", change.to_owned());
    let transfer = r#""user":"u77","amount":4800.00,"payee":"p999""#;
    morning.add(at(58, 30), "Transfer", transfer.to_owned());
    // The same by the owner, who passes the challenge.
    let login = r#""user":"u78","ip":"81.20.30.40","device":"phone-new","known":false,"ok":true"#;
    morning.add(at(70, 0), "Login", login.to_owned());
    let change = r#""user":"u78","ip":"81.20.30.40""#;
    morning.add(at(71, 0), "PasswordChange", change.to_owned());
    morning.add(
        at(72, 0),
        "Challenge",
        r#""user":"u78","passed":true"#.to_owned(),
    );
    let transfer = r#""user":"u78","amount":3000.00,"payee":"p012""#;
    morning.add(at(75, 0), "Transfer", transfer.to_owned());
    // Somebody tries passwords until one fits.
    for attempt in 0..6 {
        let fields = format!(
            r#""user":"u79","ip":"198.51.100.23","device":"script","known":false,"ok":{}"#,
            attempt == 5
        );
        morning.add(at(95, 4 * attempt), "Login", fields);
    }
    // Cash just below the reporting threshold, branch after branch.
    for (number, amount) in [9_500, 9_200, 9_800].into_iter().enumerate() {
        let fields =
            format!(r#""account":"a88","amount":{amount}.00,"kind":"cash","branch":"b{number}""#);
        morning.add(at(30 + 45 * number as u64, 0), "Deposit", fields);
    }
}

fn reading(device: u64, metric: &str, hundredths: u64) -> String {
    format!(
        r#""device":"d{device:02}","metric":"{metric}","value":{}.{:02}"#,
        hundredths / 100,
        hundredths % 100
    )
}

/// Half an hour of machines, their heartbeats and links, and the doors of the cold store.
pub fn write_devices(out: &mut impl Write) -> io::Result<()> {
    let mut morning = Morning::default();
    for device in 0..4 {
        machine(&mut morning, device);
    }
    // Machine 2 heats up, then shakes.
    for (number, value) in [8_700, 8_950, 9_180, 9_440].into_iter().enumerate() {
        morning.add(
            at(12, 20 * number as u64),
            "Reading",
            reading(2, "temp", value),
        );
    }
    morning.add(at(13, 25), "Reading", reading(2, "vibration", 412));
    // Machine 3 heats up and cools down again.
    for (number, value) in [8_650, 8_900, 8_400].into_iter().enumerate() {
        morning.add(
            at(18, 20 * number as u64),
            "Reading",
            reading(3, "temp", value),
        );
    }
    doors(&mut morning);
    // The link of machine 1 comes and goes.
    for number in 0..4 {
        let fields = |up| format!(r#""device":"d01","up":{up}"#);
        morning.add(at(22, 20 * number), "Link", fields(false));
        morning.add(at(22, 20 * number + 8), "Link", fields(true));
    }
    morning.write(out)
}

fn machine(morning: &mut Morning, device: u64) {
    for minute in 0..30 {
        let mut random = Random::of(4, device * 1_000 + minute);
        // Machine 0 falls silent for six minutes.
        if device != 0 || !(10..16).contains(&minute) {
            let beat = format!(r#""device":"d{device:02}""#);
            morning.add(at(minute, 7 * device), "Beat", beat);
        }
        // Not between the readings of the stories of machines 2 and 3.
        if device < 2 || !(12..20).contains(&minute) {
            let temp = reading(device, "temp", random.between(6_000, 7_900));
            morning.add(at(minute, 15 + device), "Reading", temp);
        }
        if minute % 2 == 0 {
            let vibration = reading(device, "vibration", random.between(20, 160));
            morning.add(at(minute, 40 + device), "Reading", vibration);
        }
    }
}

fn doors(morning: &mut Morning) {
    let door = |name: &str, state: &str| format!(r#""door":"{name}","state":"{state}""#);
    for minute in (1..28).step_by(4) {
        morning.add(at(minute, 0), "Door", door("cold-1", "open"));
        morning.add(at(minute, 45), "Door", door("cold-1", "closed"));
    }
    // Left open for eleven minutes.
    morning.add(at(6, 0), "Door", door("cold-2", "open"));
    morning.add(at(17, 0), "Door", door("cold-2", "closed"));
}
