//! The text of one random pattern.

use super::LETTERS;
use crate::testing::choices::Choices;

/// Writes one pattern.
pub(super) struct Writer<'c> {
    choices: &'c mut Choices,
    types: &'c [&'c str],
    key: Key,
    /// Variables written so far, with their types.
    variables: Vec<(String, String)>,
    /// How many elements were written.
    steps: usize,
    /// The least time that what is written takes, in milliseconds.
    least: usize,
}

impl<'c> Writer<'c> {
    pub(super) fn new(choices: &'c mut Choices, types: &'c [&'c str], key: Key) -> Writer<'c> {
        Writer {
            choices,
            types,
            key,
            variables: Vec::new(),
            steps: 0,
            least: 0,
        }
    }

    /// The text of the pattern, with `stream` for its matches.
    pub(super) fn pattern(mut self, name: &str, stream: &str) -> String {
        let body = self.body();
        self.whole(name, stream, body)
    }

    /// The text of a pattern that is one step after the other: all by `then any`, or none.
    pub(super) fn pattern_of_steps(mut self, name: &str, stream: &str) -> String {
        let body = match self.choices.below(3) {
            0 => (self.branches(), Kind::Open),
            1 => (self.row_of_steps(), Kind::Open),
            _ => (self.loop_and_step(), Kind::Looped),
        };
        let bound = 1 + self.choices.below(12);
        let evict = match body.1 {
            Kind::Looped => "oldest",
            _ => *self.choices.pick(&["oldest", "newest"]),
        };
        let emit = format!("  emit {stream} ");
        let bounded = format!("  bound {bound} evict {evict}\n{emit}");
        self.whole(name, stream, body).replacen(&emit, &bounded, 1)
    }

    fn whole(mut self, name: &str, stream: &str, (sequence, kind): (String, Kind)) -> String {
        let key = match self.key {
            Key::None => "unkeyed",
            Key::Alias if self.types == ["A", "B"] => "key k = A.o | B.k",
            Key::Field | Key::Alias => "key k",
        };
        let both = self.types.contains(&"B");
        let from = match self.choices.below(8) {
            _ if both && self.key == Key::Alias => "  from A, B\n",
            7 if both => "  from B\n",
            _ => "",
        };
        let mut text = format!("pattern {name} {{\n{from}  {key}\n  match {sequence}\n");
        let unbounded = match kind {
            Kind::Open | Kind::Looped => false,
            Kind::Opened => self.choices.below(3) != 2,
            Kind::Aligned | Kind::Counted => true,
        };
        if !unbounded {
            let within = self.least + [4, 1, 2, 3, 6, 8, 12][self.choices.below(7)];
            text.push_str(&format!(
                "  within {within}ms
"
            ));
        }
        if kind != Kind::Looped && self.choices.chance(1, 5) {
            let having = self.having();
            text.push_str(&format!("  having {having}\n"));
        }
        let skips = match kind {
            Kind::Open => true,
            Kind::Opened => self.choices.chance(1, 3),
            Kind::Aligned | Kind::Counted | Kind::Looped => false,
        };
        if skips {
            text.push_str(&self.skip());
        }
        if self.choices.chance(1, 12) {
            let (count, per) = (1 + self.choices.below(2), 1 + self.choices.below(6));
            let by = if self.choices.chance(1, 3) {
                format!(" by {}", self.output_value())
            } else {
                String::new()
            };
            text.push_str(&format!("  limit {count} per {per}ms{by}\n"));
        }
        text.push_str(&self.outputs(stream, kind));
        text.push_str("}\n");
        text
    }

    fn body(&mut self) -> (String, Kind) {
        if self.choices.chance(1, 10) {
            return self.window();
        }
        match self.choices.below(9) {
            6 => return (self.branches(), Kind::Open),
            7 => return (self.row_of_steps(), Kind::Open),
            8 => return (self.loop_and_step(), Kind::Looped),
            _ => {}
        }
        let mut text = String::new();
        if self.choices.chance(1, 16) {
            let (step, span) = (self.negated(), self.span());
            text.push_str(&format!("not {step} for {span} then "));
        }
        let elements = 1 + self.choices.below(3) + self.choices.below(2);
        for at in 0..elements {
            if at > 0 {
                if self.choices.chance(1, 24) {
                    let (step, span) = (self.negated(), self.span());
                    text.push_str(&format!(" then not {step} for {span}"));
                    text.push_str(&self.plain_connector());
                } else {
                    text.push_str(&self.connector());
                }
            }
            text.push_str(&self.element(2));
        }
        if self.choices.chance(1, 12) {
            let closer = if self.choices.chance(1, 2) {
                "gap"
            } else {
                "for"
            };
            let connector = self.connector();
            let last = self.closed_loop(closer);
            return (format!("{text}{connector}{last}"), Kind::Open);
        }
        match self.choices.below(16) {
            13 => {
                let (step, span) = (self.negated(), self.span());
                text.push_str(&format!(" then not {step} for {span}"));
            }
            14 => text.push_str(&format!(" then not {}", self.negated())),
            15 => text.push_str(&format!(" next not {}", self.negated())),
            _ => {}
        }
        (text, Kind::Open)
    }

    /// Steps, loops of them, alternatives and groups that follow each other by `then any`, and of which at most the last asks what the others bound.
    fn branches(&mut self) -> String {
        let others = 1 + self.choices.below(3);
        let mut text = match self.choices.below(6) {
            0 | 1 => self.subsets(),
            2 => self.beginnings(),
            _ => self.plain_step(),
        };
        for at in 1..=others {
            text.push_str(" then any ");
            if at == others && self.choices.chance(1, 4) {
                self.steps += 1;
                text.push_str(&self.declare());
                text.push_str(&format!(" where {}", self.correlated(Some(false))));
            } else {
                text.push_str(&self.branching());
            }
        }
        text
    }

    /// Several ways to begin.
    fn beginnings(&mut self) -> String {
        let mut way = || match self.choices.below(3) {
            2 => format!("{} then any {}", self.branch(), self.branch()),
            _ => self.branch(),
        };
        let (first, second) = (way(), way());
        format!("({first} | {second})")
    }

    fn branching(&mut self) -> String {
        match self.choices.below(12) {
            8 => format!("({} | {})", self.branch(), self.branch()),
            9 => {
                let repeated = format!("{} then any {}", self.branch(), self.branch());
                format!("({repeated}){}", self.combinations())
            }
            _ => self.branch(),
        }
    }

    fn branch(&mut self) -> String {
        match self.choices.below(5) {
            4 => self.subsets(),
            _ => self.plain_step(),
        }
    }

    fn subsets(&mut self) -> String {
        self.steps += 1;
        let variable = self.declare();
        let quantifier = self.combinations();
        format!("{variable}{quantifier}{}", self.plain_condition())
    }

    fn combinations(&mut self) -> String {
        let quantifier = *self.choices.weighted(&[
            (4, "+"),
            (3, "+?"),
            (1, "*"),
            (1, "{2,}"),
            (1, "{2,}?"),
            (1, "{1,2}"),
            (1, "{2,3}?"),
            (1, "?"),
            (1, "??"),
        ]);
        match quantifier {
            "?" | "??" => quantifier.to_owned(),
            _ => format!("{quantifier} combinations"),
        }
    }

    /// Steps that follow each other by `then` and `next`, with negations between and at the end, and of which none asks what the others bound.
    fn row_of_steps(&mut self) -> String {
        let mut text = self.plain_step();
        let ends = self.choices.below(3);
        for _ in 0..self.choices.below(3) + usize::from(ends != 0) {
            if self.choices.chance(1, 4) {
                let step = self.types[0].to_owned() + &self.plain_condition();
                text.push_str(&format!(" then not {step}"));
                if self.choices.chance(1, 3) {
                    let span = 1 + self.choices.below(3);
                    self.least += span;
                    text.push_str(&format!(" for {span}ms"));
                }
            }
            let connector = *self.choices.weighted(&[(4, " then"), (1, " next")]);
            text.push_str(connector);
            text.push_str(&self.bounds(5, 4));
            text.push_str(&self.plain_step());
        }
        if ends == 0 {
            let step = self.types[0].to_owned() + &self.plain_condition();
            text.push_str(&format!(" then not {step}"));
            if self.choices.chance(2, 3) {
                let span = self.span();
                text.push_str(&format!(" for {span}"));
            }
        }
        text
    }

    /// A loop without end that takes all it can, and a step behind it; neither asks what was bound.
    fn loop_and_step(&mut self) -> String {
        self.steps += 1;
        let quantifier = *self
            .choices
            .weighted(&[(2, "+"), (1, "{1,}"), (2, "{2,}"), (1, "{3,}")]);
        let variable = self.declare();
        let condition = self.plain_condition();
        let step = self.plain_step();
        format!("{variable}{quantifier}{condition} then {step}")
    }

    fn plain_step(&mut self) -> String {
        self.steps += 1;
        self.declare() + &self.plain_condition()
    }

    fn plain_condition(&mut self) -> String {
        match self.choices.below(6) {
            0 => String::new(),
            1 if self.key != Key::None => format!(" where v != key() or {}", self.letters()),
            _ => format!(" where {}", self.letters()),
        }
    }

    fn window(&mut self) -> (String, Kind) {
        let (closer, kind) = match self.choices.below(6) {
            0 => (
                format!("tumble {}ms", 1 + self.choices.below(5)),
                Kind::Aligned,
            ),
            1 => {
                let every = 1 + self.choices.below(3);
                (
                    format!("hop {}ms every {every}ms", every + self.choices.below(5)),
                    Kind::Aligned,
                )
            }
            2 => (
                format!("tumble {}", 1 + self.choices.below(4)),
                Kind::Counted,
            ),
            3 => {
                let every = 1 + self.choices.below(3);
                (
                    format!("hop {} every {every}", every + self.choices.below(3)),
                    Kind::Counted,
                )
            }
            4 => return (self.closed_loop("gap"), Kind::Opened),
            _ => return (self.closed_loop("for"), Kind::Opened),
        };
        let quantifier = if kind == Kind::Counted {
            "+"
        } else {
            *self.choices.pick(&["+", "{2,}", "{3,}"])
        };
        let variable = self.declare();
        let condition = if self.choices.chance(1, 2) {
            format!(" where {}", self.letters())
        } else {
            String::new()
        };
        (format!("{variable}{quantifier} {closer}{condition}"), kind)
    }

    fn closed_loop(&mut self, closer: &str) -> String {
        let quantifier = *self.choices.weighted(&[(4, "+"), (1, "{2,}"), (1, "{3,}")]);
        let span = self.span();
        let variable = self.declare();
        let condition = self.condition(Some(true));
        let until = if self.choices.chance(1, 5) {
            self.until()
        } else {
            String::new()
        };
        format!("{variable}{quantifier} {closer} {span}{condition}{until}")
    }

    fn span(&mut self) -> String {
        format!("{}ms", 1 + self.choices.below(5))
    }

    fn connector(&mut self) -> String {
        let mut text = String::new();
        match self.choices.below(16) {
            13 => text.push_str(&format!(" then not {}", self.negated())),
            14 => text.push_str(&format!(" next not {}", self.negated())),
            _ => {}
        }
        text.push_str(&self.plain_connector());
        text
    }

    fn plain_connector(&mut self) -> String {
        let mut text = String::new();
        let word = *self
            .choices
            .weighted(&[(6, " then"), (3, " next"), (3, " then any")]);
        text.push_str(word);
        text.push_str(&self.bounds(14, 10));
        text
    }

    /// Behind a connector: bounds of time from the step before, one in so many of each, and a space.
    fn bounds(&mut self, after_in: usize, within_in: usize) -> String {
        let mut text = String::new();
        let after = if self.choices.chance(1, after_in) {
            1 + self.choices.below(3)
        } else {
            0
        };
        if after > 0 {
            self.least += after;
            text.push_str(&format!(" after {after}ms"));
        }
        if self.choices.chance(1, within_in) {
            text.push_str(&format!(" within {}ms", after + 1 + self.choices.below(5)));
        }
        text.push(' ');
        text
    }

    fn element(&mut self, depth: usize) -> String {
        self.steps += 1;
        let plain = depth == 0 || self.steps > 6;
        match if plain { 0 } else { self.choices.below(16) } {
            12 => self.group(depth - 1, 1, false),
            13 => self.group(depth - 1, 2, false),
            14 => {
                let (first, second) = (self.sequence(depth - 1, 2), self.sequence(depth - 1, 2));
                format!("all({first}, {second})")
            }
            15 => self.group(depth - 1, 1, true),
            _ => self.step(),
        }
    }

    fn sequence(&mut self, depth: usize, elements_max: usize) -> String {
        let mut text = self.element(depth);
        for _ in 0..self.choices.below(elements_max) {
            let connector = self.connector();
            text.push_str(&connector);
            text.push_str(&self.element(depth));
        }
        match self.choices.below(24) {
            22 => text.push_str(&format!(" then not {}", self.negated())),
            23 => text.push_str(&format!(" next not {}", self.negated())),
            _ => {}
        }
        text
    }

    fn group(&mut self, depth: usize, alternatives: usize, repeated: bool) -> String {
        let mut texts = Vec::new();
        let before = self.variables.len();
        let mut declared = Vec::new();
        for _ in 0..alternatives {
            texts.push(self.sequence(depth, 2));
            // The other alternative is not bound when this one is.
            declared.extend(self.variables.split_off(before));
        }
        let one_type = declared.iter().all(|(_, ty)| *ty == declared[0].1);
        let name = if one_type && self.choices.chance(1, 6) {
            let name = format!("g{}_{}", self.steps, declared.len());
            declared.push((name.clone(), declared[0].1.clone()));
            format!("{name}: ")
        } else {
            String::new()
        };
        self.variables.extend(declared);
        let quantifier = if repeated || self.choices.chance(1, 2) {
            self.quantifier()
        } else {
            String::new()
        };
        format!("{name}({}){quantifier}", texts.join(" | "))
    }

    fn step(&mut self) -> String {
        let quantifier = if self.choices.chance(1, 2) {
            self.quantifier()
        } else {
            String::new()
        };
        let variable = self.declare();
        let condition = self.condition(Some(!quantifier.is_empty()));
        let repeats = quantifier.contains(['+', '*', ',']);
        let until = if repeats && self.choices.chance(1, 8) {
            self.until()
        } else {
            String::new()
        };
        format!("{variable}{quantifier}{condition}{until}")
    }

    fn quantifier(&mut self) -> String {
        let quantifier = *self.choices.weighted(&[
            (3, "+"),
            (3, "?"),
            (2, "*"),
            (2, "+?"),
            (2, "??"),
            (1, "*?"),
            (1, "{2}"),
            (1, "{2,}"),
            (1, "{1,2}"),
            (1, "{1,2}?"),
            (1, "{2,3}"),
            (1, "{2,}?"),
            (1, "{0,2}?"),
        ]);
        let repeats = !matches!(quantifier, "?" | "??");
        let contiguity = if repeats {
            *self
                .choices
                .weighted(&[(6, ""), (2, " consecutive"), (2, " combinations")])
        } else {
            ""
        };
        format!("{quantifier}{contiguity}")
    }

    /// `name: Type`, with the name of a new variable.
    fn declare(&mut self) -> String {
        let ty = if self.choices.chance(1, 6) {
            self.types[1]
        } else {
            self.types[0]
        };
        let name = format!("x{}", self.variables.len() + self.steps * 10);
        self.variables.push((name.clone(), ty.to_owned()));
        format!("{name}: {ty}")
    }

    fn negated(&mut self) -> String {
        let condition = self.condition(None);
        format!("{}{condition}", self.types[0])
    }

    fn until(&mut self) -> String {
        let condition = self.condition(None);
        format!(" until {}{condition}", self.types[0])
    }

    /// ` where …` or nothing. `own`: the newest variable is the step's own, and whether it is repeated; `None` for negations.
    fn condition(&mut self, own: Option<bool>) -> String {
        let first = match self.choices.below(10) {
            9 => return String::new(),
            7 | 8 => self.correlated(own),
            _ => self.letters(),
        };
        match self.choices.below(12) {
            10 => format!(" where {first} and {}", self.correlated(own)),
            11 => format!(" where {first} or {}", self.letters()),
            _ => format!(" where {first}"),
        }
    }

    fn letters(&mut self) -> String {
        let letter = self.choices.below(LETTERS);
        match self.choices.below(12) {
            0..=4 => format!("v == {letter}"),
            5 | 6 => format!("v <= {letter}"),
            7 | 8 => format!("v != {letter}"),
            9 => format!("v not in [{letter}, 1]"),
            10 => format!("(T[v].w ?? 1) == {letter}"),
            _ => format!("v in [{letter}, {}]", (letter + 1) % LETTERS),
        }
    }

    fn correlated(&mut self, own: Option<bool>) -> String {
        let others = self.variables.len() - usize::from(own.is_some());
        let comparison = *self.choices.pick(&["<=", ">=", "==", "!="]);
        if own == Some(true) && (others == 0 || self.choices.chance(1, 2)) {
            let own = &self.variables[others].0;
            return match self.choices.below(8) {
                0 => format!("v {comparison} (prev(v) ?? 1)"),
                1 => format!("count({own}) <= 2"),
                2 => format!("sum({own}.v) <= 4"),
                3 => format!("v >= first({own}.v)"),
                4 => format!("min({own}.v) {comparison} 1"),
                5 => "match_end() - match_start() <= 3ms".to_owned(),
                6 => format!("avg({own}.v) {comparison} 1.5"),
                _ => format!("distinct({own}.v) == count({own})"),
            };
        }
        if others == 0 {
            return self.letters();
        }
        let other = self.choices.below(others);
        let (other, ty) = &self.variables[other];
        match self.choices.below(8) {
            0 | 1 => format!("v {comparison} {other}.v"),
            2 => format!("count({other}) {comparison} 1"),
            3 => format!("sum({other}.v) {comparison} 2"),
            4 => format!("v {comparison} ({other}.v ?? 1)"),
            5 => format!("(T[{other}.v].w ?? 1) {comparison} v"),
            6 if ty == "A" => format!("{other}.o {comparison} v"),
            _ => format!("(max({other}.v) ?? 0) + v {comparison} 3"),
        }
    }

    fn having(&mut self) -> String {
        let at = self.choices.below(self.variables.len());
        let name = self.variables[at].0.clone();
        let comparison = *self.choices.pick(&[">=", "<=", "==", "!="]);
        match self.choices.below(4) {
            0 => format!("count({name}) {comparison} 2"),
            1 => format!("sum({name}.v) {comparison} 2"),
            2 => format!("match_end() - match_start() {comparison} 3ms"),
            _ => format!("last({name}.v) {comparison} 1"),
        }
    }

    fn skip(&mut self) -> String {
        let at = self.choices.below(self.variables.len());
        let name = self.variables[at].0.clone();
        match self.choices.below(10) {
            5 | 6 => "  skip none\n".to_owned(),
            7 => "  skip to next\n".to_owned(),
            8 => format!("  skip to {name}\n"),
            9 => format!("  skip to last {name}\n"),
            _ => String::new(),
        }
    }

    fn output_value(&mut self) -> String {
        let at = self.choices.below(self.variables.len());
        let (name, ty) = self.variables[at].clone();
        match self.choices.below(if ty == "A" { 20 } else { 9 }) {
            0 => format!("{name}.v"),
            1 => format!("sum({name}.v)"),
            2 => format!("first({name}.v)"),
            3 => format!("avg({name}.v)"),
            4 => format!("max({name}.v)"),
            5 => format!("distinct({name}.v)"),
            6 => "match_end() - match_start()".to_owned(),
            7 => format!("min({name}.v) ?? -1"),
            8 => format!("count({name})"),
            9 => format!("sum({name}.o)"),
            10 => format!("avg({name}.o)"),
            11 => format!("min({name}.o)"),
            12 => format!("first({name}.o)"),
            13 => format!("collect({name}.o)"),
            14 => format!("{name}.o"),
            15 => format!("sum({name}.d)"),
            16 => format!("avg({name}.d)"),
            17 => format!("sum({name}.f)"),
            18 => format!("max({name}.t) - first({name}.t)"),
            _ => format!("distinct({name}.o)"),
        }
    }

    fn outputs(&mut self, stream: &str, kind: Kind) -> String {
        let number = |ty: &str| if ty == "m" || ty == "n" { "v" } else { "i" };
        let collects: Vec<String> = self
            .variables
            .iter()
            .map(|(name, ty)| format!("{name}: collect({name}.{})", number(ty)))
            .collect();
        let mut fields = vec!["v: count(".to_owned() + &self.variables[0].0 + ")"];
        if self.key != Key::None {
            fields.push("k: key()".to_owned());
        }
        fields.extend(collects);
        let extra = self.choices.below(3);
        for at in 0..extra {
            let value = self.output_value();
            fields.push(format!("e{at}: {value}"));
        }
        let mut text = format!("  emit {stream} {{ {} }}\n", fields.join(", "));
        if self.choices.chance(1, 8) {
            let ty = &self.variables[0].1;
            let number = number(ty);
            text.push_str(&format!(
                "  emit each {stream}_each {{ of: {number}, n: count({}) }}\n",
                self.variables[0].0
            ));
        }
        if kind != Kind::Counted && self.choices.chance(1, 2) {
            fields.push("r: reached()".to_owned());
            text.push_str(&format!(
                "  timeout {stream}_late {{ {} }}\n",
                fields.join(", ")
            ));
        }
        text
    }
}

/// What the patterns of a file are keyed by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    None,
    Field,
    /// Of one type a field that may be null.
    Alias,
}

/// What a pattern is, as far as its other clauses depend on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Open,
    /// A loop and a step, of whose partial matches one that completes removes all.
    Looped,
    /// A window that events open.
    Opened,
    /// A window of time.
    Aligned,
    /// A window of a number of events.
    Counted,
}
