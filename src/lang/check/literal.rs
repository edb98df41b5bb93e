//! Texts that must stand in the file, since they are prepared once: regular expressions, networks, time zones.

use std::sync::Arc;

use super::constant::folded;
use super::expression::{Checker, a};
use super::ty::{self, Ty, Typed};
use crate::lang::ast;
use crate::lang::pattern::{Expr, Regex};
use crate::lang::span::Span;

/// The most bytes a compiled regular expression may take.
const REGEX_BYTES_MAX: usize = 1 << 20;

impl Checker<'_, '_> {
    /// A time zone that stands in the file must exist.
    pub(super) fn literal_zone(&mut self, zone: &Typed) {
        let Some(name) = zone.literal_text() else {
            if zone.ty == ty::STRING {
                let place = self.place(zone.span);
                self.report
                    .add(
                        "E086",
                        place,
                        "a time zone must be written in the file",
                        "not a text literal",
                    )
                    .help("write its name: \"Europe/Paris\"");
            }
            return;
        };
        let (name, place) = (name.to_owned(), self.place(zone.span));
        super::closer::check_zone(self.report, place, &name);
    }

    pub(super) fn literal_network(&mut self, network: &Typed) {
        let place = self.place(network.span);
        let Some(text) = network.literal_text() else {
            if network.ty == ty::STRING {
                self.report
                    .add(
                        "E086",
                        place,
                        "a network must be written in the file",
                        "not a text literal",
                    )
                    .help("write it as \"10.0.0.0/8\"");
            }
            return;
        };
        if !is_network(text) {
            self.report
                .add(
                    "E088",
                    place,
                    format!("`{text}` is no network"),
                    "not an address with the length of its prefix",
                )
                .help("write an IPv4 or IPv6 network: \"10.0.0.0/8\", \"2001:db8::/32\"");
        }
    }

    /// `matches(text, "regex")`
    pub(super) fn matches(&mut self, arguments: &[ast::Expr], span: Span) -> Typed {
        let mut typed: Vec<Typed> = arguments
            .iter()
            .map(|argument| self.expression(argument))
            .collect();
        if !self.has_count(
            "matches(string, \"regular expression\")",
            typed.len(),
            2,
            2,
            span,
        ) {
            return Typed::unknown(span);
        }
        let unknown = Typed {
            ty: ty::BOOL,
            ..Typed::unknown(span)
        };
        let (regex, text) = (typed.remove(1), typed.remove(0));
        let place = self.place(text.span);
        let found = text.ty;
        let text = text.fit(ty::STRING);
        if text.is_none() {
            self.report
                .add(
                    "E084",
                    place,
                    format!("`matches` wants a string here, not {}", a(found)),
                    format!("this is {}", a(found)),
                )
                .help("write `matches(string, \"regular expression\")`");
        }
        let place = self.place(regex.span);
        let Some(pattern) = regex.literal_text() else {
            if regex.ty != Ty::Unknown {
                self.report
                    .add("E086", place, "a regular expression must be written in the file", "not a text literal")
                    .help("it is compiled once, before any event; for a text that varies use `contains`, `starts_with` or `ends_with`");
            }
            return unknown;
        };
        match regex::RegexBuilder::new(pattern)
            .size_limit(REGEX_BYTES_MAX)
            .build()
        {
            Ok(compiled) => match text {
                Some(text) => {
                    let expr = Expr::Matches(Box::new(text), Regex(Arc::new(compiled)));
                    Typed::new(folded(expr), ty::BOOL, span)
                }
                None => unknown,
            },
            Err(error) => {
                let (message, help) = regex_mistake(&error);
                self.report
                    .add("E087", place, message, "cannot be compiled")
                    .help(help);
                unknown
            }
        }
    }
}

fn regex_mistake(error: &regex::Error) -> (String, String) {
    match error {
        regex::Error::CompiledTooBig(limit) => (
            format!("this regular expression takes more than {limit} bytes when compiled"),
            "use smaller counts in `{n,m}` and fewer classes such as `\\w`".to_owned(),
        ),
        other => {
            let told = other.to_string();
            let last = told
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ")
                .to_owned();
            (
                format!("this regular expression is wrong: {last}"),
                "in text a backslash is written twice: \"^\\\\d+$\"".to_owned(),
            )
        }
    }
}

fn is_network(text: &str) -> bool {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<std::net::IpAddr>() else {
        return false;
    };
    let bits: u32 = if address.is_ipv4() { 32 } else { 128 };
    length.is_none_or(|length| length.parse().is_ok_and(|length: u32| length <= bits))
}
