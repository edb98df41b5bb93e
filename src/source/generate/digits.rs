//! Writes numbers as text without the machinery of `format!`, which would take longer than everything else about a generated record.

/// `00` to `99`, one after the other.
const PAIRS: [u8; 200] = pairs();

const fn pairs() -> [u8; 200] {
    let mut pairs = [0; 200];
    let mut at = 0;
    while at < 100 {
        pairs[2 * at] = b'0' + (at / 10) as u8;
        pairs[2 * at + 1] = b'0' + (at % 10) as u8;
        at += 1;
    }
    pairs
}

/// Appends a number with as many digits as it has.
pub fn append(number: u64, out: &mut Vec<u8>) {
    padded::<1>(number, out);
}

/// Appends a number with zeros before it, `WIDTH` digits or more.
pub fn padded<const WIDTH: usize>(mut number: u64, out: &mut Vec<u8>) {
    // As long as the longest number.
    let mut text = [b'0'; 20];
    let mut start = text.len();
    while number >= 10 {
        let pair = 2 * (number % 100) as usize;
        number /= 100;
        start -= 2;
        text[start..start + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if number > 0 {
        start -= 1;
        text[start] = b'0' + number as u8;
    }
    out.extend_from_slice(&text[start.min(text.len() - WIDTH)..]);
}

/// Appends hundredths as a number with two digits behind the point.
pub fn hundredths(number: u64, out: &mut Vec<u8>) {
    append(number / 100, out);
    out.push(b'.');
    padded::<2>(number % 100, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(number: u64) {
        let written = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = vec![b'x'];
            write(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(&|out| append(number, out)), format!("x{number}"));
        assert_eq!(
            written(&|out| padded::<7>(number, out)),
            format!("x{number:07}")
        );
        assert_eq!(
            written(&|out| hundredths(number, out)),
            format!("x{}.{:02}", number / 100, number % 100)
        );
    }

    #[test]
    fn numbers_at_the_edges_are_written_as_format_writes_them() {
        for number in [0, 1, 9, 10, 11, 99, 100, 101, 999, 1_000, 1_009, u64::MAX] {
            check(number);
        }
    }

    proptest! {
        #[test]
        fn numbers_are_written_as_format_writes_them(number: u64, shift in 0_u32..64) {
            check(number >> shift);
        }
    }
}
