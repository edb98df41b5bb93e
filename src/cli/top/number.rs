//! Numbers as they fit into a column.

/// `12,345` per second; one decimal below ten.
pub fn rate(per_second: f64) -> String {
    if per_second > 0.0 && per_second < 9.95 {
        return format!("{per_second:.1}");
    }
    count(per_second.round() as u64)
}

/// `12,345`
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// `1.5 MB`
pub fn bytes(number: f64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut rest = number;
    let mut unit = 0;
    while rest >= 1_000.0 && unit + 1 < UNITS.len() {
        rest /= 1_000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{rest:.0} {}", UNITS[unit]),
        _ => format!("{rest:.1} {}", UNITS[unit]),
    }
}

/// `850ms`, `2.3s`, `4m12s`, `3h5m`, `2d4h`: never more than two units.
pub fn duration(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let seconds = seconds.abs();
    let whole = seconds as u64;
    let two = |size: u64, unit: &str, small: u64, small_unit: &str| {
        format!(
            "{sign}{}{unit}{}{small_unit}",
            whole / size,
            whole % size / small
        )
    };
    match whole {
        0 if seconds < 0.0005 => format!("{sign}{:.0}µs", seconds * 1e6),
        0 if seconds < 0.01 => format!("{sign}{:.1}ms", seconds * 1e3),
        0 => format!("{sign}{:.0}ms", seconds * 1e3),
        1..60 => format!("{sign}{seconds:.1}s"),
        60..3_600 => two(60, "m", 1, "s"),
        3_600..86_400 => two(3_600, "h", 60, "m"),
        _ => two(86_400, "d", 3_600, "h"),
    }
}

/// `75 %`, of a ratio.
pub fn percent(ratio: f64) -> String {
    format!("{:.0} %", ratio.clamp(0.0, 1.0) * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_keep_their_meaning() {
        assert_eq!(
            [0.0, 0.04, 3.25, 9.96, 1_234_567.8].map(rate),
            ["0", "0.0", "3.2", "10", "1,234,568"]
        );
        assert_eq!(
            [0, 999, 1_000, 1_000_000].map(count),
            ["0", "999", "1,000", "1,000,000"]
        );
        assert_eq!(
            [12.0, 1_500.0, 2.5e6, 9e15].map(bytes),
            ["12 B", "1.5 kB", "2.5 MB", "9000.0 TB"]
        );
        let shown = [
            0.0001, 0.0025, 0.85, 2.34, 252.0, 11_100.0, 187_200.0, -61.0,
        ]
        .map(duration);
        assert_eq!(
            shown,
            [
                "100µs", "2.5ms", "850ms", "2.3s", "4m12s", "3h5m", "2d4h", "-1m1s"
            ]
        );
        assert_eq!([0.0, 0.754, 1.2].map(percent), ["0 %", "75 %", "100 %"]);
    }
}
