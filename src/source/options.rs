//! Options behind a place, as `generate:cards?rate=1000&seed=7` has them.

use std::ops::RangeInclusive;

use crate::time::Span;

/// Options that nobody has asked for yet.
#[derive(Debug)]
pub(crate) struct Options<'a> {
    given: Vec<(&'a str, &'a str)>,
    /// Names that were asked for.
    known: Vec<&'static str>,
}

impl<'a> Options<'a> {
    /// Takes `name=value&name=value` apart; a text without anything holds no options.
    pub(crate) fn parse(text: &'a str) -> Result<Options<'a>, String> {
        let mut given: Vec<(&str, &str)> = Vec::new();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| format!("option \"{part}\" has no value; write {part}=…"))?;
            if given.iter().any(|(other, _)| *other == name) {
                return Err(format!("option \"{name}\" is given twice; keep one"));
            }
            given.push((name, value));
        }
        Ok(Options {
            given,
            known: Vec::new(),
        })
    }

    /// The value of an option, if it was given.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<&'a str> {
        self.known.push(name);
        let at = self.given.iter().position(|(given, _)| *given == name)?;
        Some(self.given.swap_remove(at).1)
    }

    /// Every option whose name begins so, by what follows.
    pub(crate) fn beginning_with(&mut self, prefix: &'static str) -> Vec<(&'a str, &'a str)> {
        self.known.push(prefix);
        let mut taken = Vec::new();
        self.given
            .retain(|(name, value)| match name.strip_prefix(prefix) {
                Some(rest) if !rest.is_empty() => {
                    taken.push((rest, *value));
                    false
                }
                _ => true,
            });
        taken
    }

    /// A whole number; `_` may stand between digits.
    pub(crate) fn number(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, String> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let number = text.replace('_', "").parse().ok();
        number
            .filter(|number| range.contains(number))
            .map(Some)
            .ok_or_else(|| {
                format!(
                    "{name}={text} is no number from {} to {}",
                    range.start(),
                    range.end()
                )
            })
    }

    /// A duration.
    pub(crate) fn span(
        &mut self,
        name: &'static str,
        range: RangeInclusive<Span>,
    ) -> Result<Option<Span>, String> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let span: Span = text
            .parse()
            .map_err(|error| format!("{name}={text}: {error}"))?;
        if range.contains(&span) {
            Ok(Some(span))
        } else {
            let (least, most) = (range.start(), range.end());
            Err(format!("{name}={text} is not between {least} and {most}"))
        }
    }

    /// A size in bytes: `500`, `64KiB`, `128MiB`, `2GiB`.
    pub(crate) fn bytes(&mut self, name: &'static str, least: u64) -> Result<Option<u64>, String> {
        const UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
        let (unit, scale) = unit.copied().unwrap_or(("", 1));
        let number = text.strip_suffix(unit).and_then(|text| text.parse().ok());
        number
            .and_then(|number: u64| number.checked_mul(scale))
            .filter(|bytes| *bytes >= least)
            .map(Some)
            .ok_or_else(|| {
                format!("{name}={text} is no size of {least} bytes or more; write such as 64KiB, 128MiB or 2GiB")
            })
    }

    /// Every option that was given is one that was asked for.
    pub(crate) fn end(mut self) -> Result<(), String> {
        match self.given.first() {
            None => Ok(()),
            Some((name, _)) => {
                self.known.sort_unstable();
                let shown = self.known.iter().map(|known| match known.ends_with('.') {
                    true => format!("{known}…"),
                    false => (*known).to_owned(),
                });
                let known = shown.collect::<Vec<_>>().join(", ");
                Err(format!("no option \"{name}\"; options are {known}"))
            }
        }
    }
}

/// A text with every `${VAR}` replaced by what `lookup` knows of it; `$${` stands for `${`.
pub(crate) fn expanded(
    text: &str,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, opened) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = &opened[2..];
            continue;
        }
        expanded.push_str(before);
        let Some((name, after)) = opened[2..].split_once('}') else {
            return Err(
                "${ is not closed; write ${VAR}, or $${ for the characters themselves".to_owned(),
            );
        };
        let value = lookup(name).ok_or_else(|| {
            format!("environment variable \"{name}\" is not set; set it, or write $${{ for the characters themselves")
        })?;
        expanded.push_str(&value);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Taken = (Option<u64>, Option<Span>, Option<u64>);

    fn check(text: &str) -> Result<Taken, String> {
        let mut options = Options::parse(text)?;
        let taken = (
            options.number("rate", 1..=1_000_000)?,
            options.span("every", Span(1_000)..=Span(86_400_000))?,
            options.bytes("max", 1_024)?,
        );
        options.end()?;
        Ok(taken)
    }

    #[test]
    fn options_are_taken_in_any_order() {
        assert_eq!(check(""), Ok((None, None, None)));
        assert_eq!(
            check("max=2MiB&rate=10_000&every=1h30m"),
            Ok((Some(10_000), Some(Span(5_400_000)), Some(2 << 20)))
        );
        assert_eq!(check("max=2048"), Ok((None, None, Some(2_048))));
    }

    #[test]
    fn options_with_a_prefix_are_taken_by_what_follows_it() {
        let mut options = Options::parse("kafka.a.b=1=2&rate=3&kafka.c=&kafka.=4").unwrap();
        assert_eq!(
            options.beginning_with("kafka."),
            [("a.b", "1=2"), ("c", "")]
        );
        assert_eq!(options.number("rate", 0..=9), Ok(Some(3)));
        assert_eq!(
            options.end().unwrap_err(),
            "no option \"kafka.\"; options are kafka.…, rate"
        );
    }

    #[test]
    fn a_wrong_option_is_refused_with_the_way_out() {
        let error = |text| check(text).unwrap_err();
        assert_eq!(
            error("rat=1"),
            "no option \"rat\"; options are every, max, rate"
        );
        assert_eq!(error("rate"), "option \"rate\" has no value; write rate=…");
        assert_eq!(
            error("rate=1&rate=2"),
            "option \"rate\" is given twice; keep one"
        );
        assert_eq!(error("rate=0"), "rate=0 is no number from 1 to 1000000");
        assert_eq!(error("rate=x"), "rate=x is no number from 1 to 1000000");
        assert_eq!(error("every=1ms"), "every=1ms is not between 1s and 1d");
        assert_eq!(
            error("max=12MB"),
            "max=12MB is no size of 1024 bytes or more; write such as 64KiB, 128MiB or 2GiB"
        );
        assert!(error("max=99999999999999GiB").contains("is no size"));
    }
}
