//! The mistakes that people make.

use super::super::diagnostic::Diagnostic;
use super::super::diagnostic::codes_syntax as codes;
use super::super::lexer::shorten;
use super::super::token::{Start, Tok};
use super::{Mend, Mistake};

type Found = (Diagnostic, Option<Mend>);

/// What is wrong, and how to go on if that is clear.
pub(in crate::lang) fn explain(m: &Mistake<'_>) -> Found {
    // From the special to the general; the first that fits is it.
    let known: [fn(&Mistake<'_>) -> Option<Found>; 14] = [
        assignment,
        and_then,
        followed_by,
        step_comma,
        negation,
        lonely_all,
        keyword_as_operand,
        comparison_chain,
        loop_place,
        connector_bound,
        missing_unit,
        missing_comma,
        keyword_as_name,
        extra_words,
    ];
    known
        .iter()
        .find_map(|mistake| mistake(m))
        .unwrap_or_else(|| (m.unexpected(), None))
}

/// `a = b`
fn assignment(m: &Mistake<'_>) -> Option<Found> {
    (m.tok(0)? == Tok::Assign && m.expects("==")).then(|| {
        let diagnostic = m
            .error(
                codes::ASSIGNMENT,
                m.place(),
                "`=` compares nothing",
                "one `=`",
            )
            .help("write `==`");
        (diagnostic, replace(m.at, 1, Tok::Equal))
    })
}

/// `a and then b`, where `then` was taken for a field or `and` for nothing.
fn and_then(m: &Mistake<'_>) -> Option<Found> {
    let and = if m.tok(0) == Some(Tok::And) && matches!(m.tok(1)?, Tok::Then | Tok::Next) {
        m.at
    } else if matches!(m.back_tok(1)?, Tok::Then | Tok::Next) && m.back_tok(2)? == Tok::And {
        m.at - 2
    } else {
        return None;
    };
    let (first, then) = (m.tokens[and], m.tokens[and + 1]);
    let word = then.text(m.text);
    let diagnostic = m
        .error(
            codes::FOREIGN_CONNECTOR,
            first.span.to(then.span),
            format!("steps are joined by `{word}` alone"),
            "not a connector",
        )
        .help(format!("write `{word}`"));
    Some((diagnostic, remove(and, 1)))
}

/// `a followed by b`, `a followedBy b`, `a -> b`
fn followed_by(m: &Mistake<'_>) -> Option<Found> {
    if !m.in_sequence() {
        return None;
    }
    let arrow = |at: usize| {
        let pair = m.tokens.get(at..at + 2)?;
        let adjacent = pair[0].span.end == pair[1].span.start;
        (pair[0].tok == Tok::Minus && pair[1].tok == Tok::Greater && adjacent).then_some((at, 2))
    };
    let phrase = || {
        let word = m.word(0).to_ascii_lowercase().replace('_', "");
        match word.as_str() {
            "followedby" => Some((m.at, 1)),
            "followed" => Some((m.at, 1 + usize::from(m.tok(1) == Some(Tok::By)))),
            _ => None,
        }
    };
    let (at, length) = phrase()
        .or_else(|| arrow(m.at))
        .or_else(|| arrow(m.at.checked_sub(1)?))?;
    let place = m.tokens[at].span.to(m.tokens[at + length - 1].span);
    let diagnostic = m
        .error(
            codes::FOREIGN_CONNECTOR,
            place,
            "steps are joined by `then`, `then any` or `next`",
            "not a connector",
        )
        .help("write `then`; `next` allows no event between, `then any` tries every later event");
    Some((diagnostic, replace(at, length, Tok::Then)))
}

/// `a, b`
fn step_comma(m: &Mistake<'_>) -> Option<Found> {
    let fits = m.in_sequence() && m.tok(0)? == Tok::Comma && m.expects("then");
    fits.then(|| {
        let diagnostic = m
            .error(
                codes::FOREIGN_CONNECTOR,
                m.place(),
                "steps are joined by `then`, `then any` or `next`",
                "not a connector",
            )
            .help("write `then` instead of the comma; any order is `all(a: A, b: B)`");
        (diagnostic, replace(m.at, 1, Tok::Then))
    })
}

/// `not x: A`, `not A+`, `not (…)`, `not A until B`
fn negation(m: &Mistake<'_>) -> Option<Found> {
    if !m.in_sequence() {
        return None;
    }
    let tok = m.tok(0)?;
    let after_name = m.back_tok(2) == Some(Tok::Not);
    let (message, help, mend) = match tok {
        Tok::ParenOpen if m.back_tok(1)? == Tok::Not => (
            "only a single event can be ruled out, not a sequence",
            "write `not A where …` for each event that must not happen",
            None,
        ),
        Tok::Colon if after_name => (
            "what must not happen binds no variable",
            "write `not Type where …`",
            remove(m.at - 1, 2),
        ),
        Tok::Plus | Tok::Star | Tok::Question | Tok::Coalesce if after_name => (
            "what must not happen has no loop",
            "one event is enough to break the rule: write `not Type where …`",
            remove(m.at, 1),
        ),
        Tok::BraceOpen if after_name => (
            "what must not happen has no loop",
            "to rule out several events, match them in a pattern of their own and negate its output",
            None,
        ),
        Tok::Until
            if m.tokens[..m.at].iter().rev().any(|t| t.tok == Tok::Not) && !m.expects("until") =>
        {
            (
                "what must not happen has no `until`",
                "write `not Type where … for 5m` to end it",
                None,
            )
        }
        _ => return None,
    };
    let diagnostic = m
        .error(codes::NEGATION, m.place(), message, "not after `not`")
        .help(help);
    Some((diagnostic, mend))
}

/// `all(a)`
fn lonely_all(m: &Mistake<'_>) -> Option<Found> {
    if !m.in_sequence() || m.tok(0)? != Tok::ParenClose || !m.expects(",") {
        return None;
    }
    let mut depth = 0_usize;
    let open = m.tokens[..m.at].iter().rposition(|token| match token.tok {
        Tok::ParenClose => {
            depth += 1;
            false
        }
        Tok::ParenOpen if depth == 0 => true,
        Tok::ParenOpen => {
            depth -= 1;
            false
        }
        _ => false,
    })?;
    let all = m.tokens[open.checked_sub(1)?];
    (all.tok == Tok::All).then(|| {
        let diagnostic = m
            .error(
                codes::LONELY_ALL,
                all.span.to(m.place()),
                "`all` takes at least two members",
                "only one",
            )
            .help("write `all(a: A, b: B)`; a single member needs no `all`");
        (diagnostic, remove(open - 1, 1))
    })
}

/// `where then b: B`, where the keyword was taken for a field.
fn keyword_as_operand(m: &Mistake<'_>) -> Option<Found> {
    let keyword = m.previous()?;
    let before = m.back(2)?;
    let starts_operand = matches!(
        before.tok,
        Tok::Where
            | Tok::Having
            | Tok::And
            | Tok::Or
            | Tok::Not
            | Tok::In
            | Tok::Equal
            | Tok::NotEqual
            | Tok::Less
            | Tok::LessEqual
            | Tok::Greater
            | Tok::GreaterEqual
            | Tok::Plus
            | Tok::Minus
            | Tok::Star
            | Tok::Slash
            | Tok::Percent
            | Tok::Coalesce
    );
    let clause = matches!(
        keyword.tok,
        Tok::Then
            | Tok::Next
            | Tok::Where
            | Tok::Until
            | Tok::Within
            | Tok::Having
            | Tok::Skip
            | Tok::Limit
            | Tok::Bound
            | Tok::Emit
            | Tok::Timeout
            | Tok::Match
            | Tok::For
    );
    let literal = matches!(
        m.tok(0)?,
        Tok::Duration(_) | Tok::Int(_) | Tok::Number | Tok::Text
    );
    let name = m.tokens[m.at].is_word() && m.expects_operator() && !m.expects_operand();
    (starts_operand && clause && (literal || name)).then(|| {
        let (word, after) = (keyword.text(m.text), before.text(m.text));
        let diagnostic = m
            .error(
                codes::MISSING_OPERAND,
                keyword.span,
                format!("expected an expression after `{after}`, found `{word}`"),
                format!("taken for a field called `{word}`"),
            )
            .help(format!(
                "write an expression between `{after}` and `{word}`, or remove `{after}`"
            ));
        let operand = Mend {
            at: m.at - 1,
            remove: 0,
            insert: Some(Tok::Null),
        };
        (diagnostic, Some(operand))
    })
}

fn compares(tok: Tok) -> bool {
    matches!(
        tok,
        Tok::Equal | Tok::NotEqual | Tok::Less | Tok::LessEqual | Tok::Greater | Tok::GreaterEqual
    )
}

/// `a < b < c`
fn comparison_chain(m: &Mistake<'_>) -> Option<Found> {
    let chained =
        compares(m.tok(0)?) && m.expects_operator() && !m.expects("==") && !m.expects("=");
    chained.then(|| {
        let diagnostic = m
            .error(
                codes::COMPARISON_CHAIN,
                m.place(),
                "comparisons do not chain",
                "compares the result of a comparison",
            )
            .help("write `a < b and b < c`");
        (diagnostic, replace(m.at, 1, Tok::And))
    })
}

/// `A where x {3}`, `A where x+ then …`, `A gap 5m`
fn loop_place(m: &Mistake<'_>) -> Option<Found> {
    if !m.in_sequence() {
        return None;
    }
    let tok = m.tok(0);
    let closer = matches!(
        tok,
        Some(Tok::Gap | Tok::Tumble | Tok::Hop | Tok::For | Tok::Consecutive | Tok::Combinations)
    );
    if closer && m.expects("where") && m.expects("+") {
        let word = m.word(0);
        let diagnostic = m
            .error(
                codes::LOOP_PLACE,
                m.place(),
                format!("`{word}` belongs to a loop"),
                "no loop before it",
            )
            .help(format!("write how often first: `Type+ {word} …`"));
        return Some((diagnostic, None));
    }
    let after_condition = m.expects_operator() || m.expects_operand();
    let sign = (m.expects_operator() && matches!(tok, Some(Tok::BraceOpen | Tok::Question)))
        || (m.expects_operand()
            && matches!(m.back_tok(1), Some(Tok::Plus | Tok::Star | Tok::Coalesce))
            && !tok.is_some_and(|tok| {
                tok.is_keyword() && m.expects(tok.written().unwrap_or_default())
            }));
    // `+ then` reads `then` as an operand; what follows tells.
    let swallowed = matches!(m.back_tok(1), Some(Tok::Then | Tok::Next | Tok::Within))
        && matches!(m.back_tok(2), Some(Tok::Plus | Tok::Star | Tok::Coalesce));
    if !(after_condition && (sign || closer) || swallowed) {
        return None;
    }
    let place = match (swallowed, sign) {
        (true, _) => m.back(2)?.span,
        (_, true) if !matches!(tok, Some(Tok::BraceOpen | Tok::Question)) => m.back(1)?.span,
        _ => m.place(),
    };
    let diagnostic = m
        .error(
            codes::LOOP_PLACE,
            place,
            "a loop stands right after its event type, before `where`",
            "too late",
        )
        .help("write `Type+ where …` or `Type{3,} gap 5m where …`");
    Some((diagnostic, None))
}

/// `then b: B within 5m then c: C`
fn connector_bound(m: &Mistake<'_>) -> Option<Found> {
    let fits = m.in_sequence()
        && m.tok(0)? == Tok::Within
        && matches!(m.tok(1)?, Tok::Duration(_))
        && matches!(m.tok(2)?, Tok::Then | Tok::Next);
    if !fits {
        return None;
    }
    let (bound, connector) = (m.word(1), m.word(2));
    let diagnostic = m
        .error(
            codes::CONNECTOR_BOUND,
            m.place().to(m.tokens[m.at + 1].span),
            "the bound of a connector stands right after the connector",
            "behind the step it bounds",
        )
        .help(format!(
            "write `{connector} within {bound} …` before the step; the bound of the whole sequence stands after its last step"
        ));
    Some((diagnostic, remove(m.at, 2)))
}

/// `within 10`
fn missing_unit(m: &Mistake<'_>) -> Option<Found> {
    let fits = matches!(m.tok(0)?, Tok::Int(_) | Tok::Number)
        && m.expects("duration")
        && !m.expects("int");
    fits.then(|| {
        let digits = shorten(m.word(0));
        let help = if m.tok(0) == Some(Tok::Number) {
            "durations are whole numbers with units: `1m30s`, not `1.5m`".to_owned()
        } else {
            format!("write `{digits}s`, `{digits}m` or `{digits}h`; the units are d h m s ms")
        };
        let diagnostic = m
            .error(
                codes::NO_UNIT,
                m.place(),
                "this duration has no unit",
                "a number alone",
            )
            .help(help);
        (diagnostic, replace(m.at, 1, Tok::Duration(0)))
    })
}

/// `{ a: 1 b: 2 }`
fn missing_comma(m: &Mistake<'_>) -> Option<Found> {
    let next = m.tok(0)?;
    let starts = m.tokens[m.at].is_word()
        || matches!(
            next,
            Tok::Int(_) | Tok::Number | Tok::Text | Tok::Duration(_)
        );
    let listed = matches!(m.tokens[0].tok, Tok::Key | Tok::From)
        && super::foreign_clause(m.word(0)).is_none();
    if !starts || !m.expects(",") || (!listed && m.is_complete()) {
        return None;
    }
    let last = m.previous()?;
    let between = format!(
        "`{}` and `{}`",
        shorten(last.text(m.text)),
        shorten(m.word(0))
    );
    let diagnostic = m
        .error(
            codes::MISSING_COMMA,
            m.place(),
            format!("a comma is missing between {between}"),
            "a comma must stand before this",
        )
        .help("separate fields and arguments with `,`");
    let mend = Mend {
        at: m.at,
        remove: 0,
        insert: Some(Tok::Comma),
    };
    Some((diagnostic, Some(mend)))
}

/// `match then: A`, `then within: A`, `event match { … }`
fn keyword_as_name(m: &Mistake<'_>) -> Option<Found> {
    // `within`, `any` and their like were taken for what they mean.
    let late = m.tok(0)? == Tok::Colon && m.in_sequence() && !m.expects(":");
    let at = if late { m.at.checked_sub(1)? } else { m.at };
    let token = m.tokens[at];
    let before = at.checked_sub(1).map(|at| m.tokens[at].tok);
    let after = m.tokens.get(at + 1).map(|token| token.tok);
    let names = matches!(
        (before, after),
        (_, Some(Tok::Colon))
            | (
                Some(Tok::Event | Tok::Table | Tok::Emit | Tok::Each | Tok::Timeout),
                Some(Tok::BraceOpen)
            )
    );
    (token.tok.is_keyword() && names && (late || m.expects("word"))).then(|| {
        let word = token.text(m.text);
        let diagnostic = m
            .error(
                codes::KEYWORD_AS_NAME,
                token.span,
                format!("`{word}` is a keyword and names no event type, output or variable"),
                "a keyword",
            )
            .help(format!(
                "choose another name, such as `{word}_`; only fields may be called `{word}`"
            ));
        (diagnostic, replace(at, 1, Tok::Word))
    })
}

/// What stands behind a complete clause.
fn extra_words(m: &Mistake<'_>) -> Option<Found> {
    let clauses = "from key unkeyed match within having skip limit bound emit timeout";
    if clauses.split(' ').any(|clause| clause == m.word(0)) {
        return None;
    }
    if m.start != Start::Clause
        || m.at >= m.tokens.len()
        || m.at == 0
        || !m.tokens[m.at].is_word()
        || !m.is_complete()
    {
        return None;
    }
    let word = m.word(0);
    let help = super::foreign_clause(word).unwrap_or(super::CLAUSES);
    let clause = m.tokens[0].text(m.text);
    let diagnostic = m
        .error(
            codes::UNKNOWN_CLAUSE,
            m.place(),
            format!("`{}` starts no clause of a pattern", shorten(word)),
            format!("not a clause, and no part of `{clause}`"),
        )
        .help(help);
    Some((diagnostic, None))
}

#[allow(clippy::unnecessary_wraps)] // reads as the mend it is where it is used
fn replace(at: usize, remove: usize, tok: Tok) -> Option<Mend> {
    Some(Mend {
        at,
        remove,
        insert: Some(tok),
    })
}

#[allow(clippy::unnecessary_wraps)]
fn remove(at: usize, remove: usize) -> Option<Mend> {
    Some(Mend {
        at,
        remove,
        insert: None,
    })
}

impl Mistake<'_> {
    /// No mistake that is known by name.
    fn unexpected(&self) -> Diagnostic {
        let Some(expected) = self.expectation() else {
            return self.surplus();
        };
        let (found, label) = match self.tokens.get(self.at) {
            Some(token) => (
                format!(", found {}", self.shown(*token)),
                "not expected here".to_owned(),
            ),
            None => {
                let end = match self.start {
                    Start::File => "declaration",
                    Start::Clause => "clause",
                    Start::Field | Start::Entry => "field",
                    Start::Step => "step",
                    Start::Row => "row",
                };
                (
                    format!(", but the {end} ends here"),
                    "ends after this".to_owned(),
                )
            }
        };
        let diagnostic = self.error(
            codes::UNEXPECTED,
            self.place(),
            format!("expected {expected}{found}"),
            label,
        );
        match self.form() {
            Some(form) => diagnostic.help(format!("it is written `{form}`")),
            None => diagnostic.help(format!("write {expected} here")),
        }
    }

    /// What stands before is complete, and nothing may follow it.
    fn surplus(&self) -> Diagnostic {
        let found = self
            .tokens
            .get(self.at)
            .map_or_else(String::new, |token| self.shown(*token));
        self.error(
            codes::UNEXPECTED,
            self.place(),
            format!("{found} does not belong here"),
            "nothing may follow here",
        )
        .help("leave it out, or finish what stands before it")
    }
}
