//! Devices, with events that the program builds: one falls silent, and minutes are summed up.
//!
//! An absence happens when time passes, not when a record comes. Here the program says how late it is, with `advance_to`: a timer of yours would do that with the wall
//! clock, less what records need to reach you.
//!
//! ```text
//! cargo run --example iot
//! ```

use std::time::Duration;

use leitmotif::{Engine, Error, Event, Match, Span, Timestamp, Value, Watermark};

const PATTERNS: &str = r#"
event Reading { at: timestamp time, device: string, celsius: float }

# No reading for a minute and a half.
pattern silent {
  key device
  match last: Reading
   then not Reading for 90s
  emit offline { device, last_seen: last.at }
}

# Each full minute, by the clock.
pattern minutes {
  key device
  match readings: Reading+ tumble 1m
  emit minute { device, readings: count(readings), hottest: max(readings.celsius) }
}
"#;

fn main() -> Result<(), Error> {
    let mut engine = Engine::builder()
        .patterns_text("devices.motif", PATTERNS)
        .delay(Duration::from_secs(5))
        .build()?;

    // 09:00:00 on some day. Times are milliseconds since 1970.
    let start = Timestamp(1_714_640_400_000);
    let after = |seconds: i64| start.plus(Span(seconds * 1_000));

    // Both report every 20 seconds; the pump stops after a minute.
    for nth in 0..9 {
        let celsius = 20.0 + f64::from(nth);
        for device in ["oven", "pump"] {
            if device == "pump" && nth > 3 {
                continue;
            }
            let reading = Event::of("Reading", after(i64::from(nth) * 20));
            engine.push(reading.set("device", device).set("celsius", celsius))?;
        }
        for found in engine.matches() {
            show(&found);
        }
    }

    // Nothing comes any more. Five minutes later the clock alone finds that the oven is silent as well.
    println!("(silence)");
    engine.advance_to(Watermark(after(460)));
    for found in engine.matches() {
        show(&found);
    }
    Ok(())
}

fn show(found: &Match) {
    println!("{} {found}", Value::from(found.at()));
}
